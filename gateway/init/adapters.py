"""Finds serial adapters by what udev and sysfs know of them; opens none.

    /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0 -> ../../ttyUSB0
    /sys/class/tty/ttyUSB0/device -> .../1-1.4/1-1.4:1.0/ttyUSB0       up the tree: manufacturer, product, serial

Source: systemd `60-serial.rules`; Linux `Documentation/ABI/stable/sysfs-bus-usb`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.logs import clean

BY_ID: Final = "dev/serial/by-id"
MOST_ADAPTERS: Final = 64  # more than any machine has sockets for
_LEVELS: Final = 6  # from the tty up to the USB device
_LONGEST_WORD: Final = 128


@dataclass(frozen=True, slots=True)
class Adapter:
    """One serial line.

    Attributes:
        path: how the site file names it. device: how it is opened now, below the root that was searched.
        tty: the kernel's name, which changes.
    """

    path: str
    device: Path
    tty: str
    maker: str = ""
    product: str = ""
    serial: str = ""

    @property
    def name(self) -> str:
        """Its name in `/dev/serial/by-id`."""
        return self.path.rsplit("/", 1)[1]

    def told(self) -> str:
        """For people: what it is."""
        words = (
            " ".join(word for word in (self.maker, self.product) if word) or "an adapter that does not say its maker"
        )
        return f"{words}{f', serial number {self.serial}' if self.serial else ''} ({self.tty})"


def adapters(root: Path) -> list[Adapter]:
    """The serial adapters of the machine whose file system is at `root`, sorted by name."""
    try:
        links = sorted(root.joinpath(BY_ID).iterdir())[:MOST_ADAPTERS]
    except OSError:  # no adapter at all: udev makes the directory with the first
        return []
    found = []
    for link in links:
        if not link.name.isprintable():
            continue
        tty = link.readlink().name if link.is_symlink() else link.name
        maker, product, serial = _usb_words(root / "sys/class/tty" / tty / "device")
        found.append(Adapter(f"/{BY_ID}/{link.name}", link, tty, maker, product, serial))
    return found


def _usb_words(device: Path) -> tuple[str, str, str]:
    """Maker, product and serial number, as the device itself says them."""
    try:
        place = device.resolve(strict=True)
    except OSError:
        return "", "", ""
    for directory in [place, *place.parents][:_LEVELS]:
        if (directory / "idVendor").is_file():
            return _word(directory / "manufacturer"), _word(directory / "product"), _word(directory / "serial")
    return "", "", ""


def _word(path: Path) -> str:
    try:
        return clean(path.read_text(errors="replace").strip()[:_LONGEST_WORD])
    except OSError:
        return ""
