"""The file system of a machine to be set up, as far as `tagwharf init` looks at it."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.init.steps import Root


def machine(directory: Path, *, mosquitto: str | None = None) -> Root:
    """A machine; `mosquitto`: the text of its mosquitto.conf, None where none is installed."""
    (directory / "etc").mkdir(parents=True)
    users = f"root:x:0:0::/root:/bin/sh\nmosquitto:x:{os.getuid()}:{os.getgid()}::/var/lib/mosquitto:/bin/false\n"
    (directory / "etc/passwd").write_text(users)
    if mosquitto is not None:
        (directory / "etc/mosquitto/conf.d").mkdir(parents=True)
        (directory / "etc/mosquitto/mosquitto.conf").write_text(mosquitto)
    return Root(directory)


DEBIAN = "persistence true\ninclude_dir /etc/mosquitto/conf.d\n"
"""What matters of the file that comes with Debian's mosquitto."""


def add_adapter(root: Root, name: str, target: str, maker: str = "", product: str = "", serial: str = "") -> Path:
    """A serial adapter as udev and sysfs show it; returns the link."""
    link = root.at(f"/dev/serial/by-id/{name}")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    tty = Path(target).name
    usb = root.at(f"/sys/devices/usb1/1-{tty}")
    device = usb / "1-1:1.0" / tty
    device.mkdir(parents=True, exist_ok=True)
    for file, word in (("idVendor", "0403"), ("manufacturer", maker), ("product", product), ("serial", serial)):
        (usb / file).write_text(f"{word}\n")
    shown = root.at(f"/sys/class/tty/{tty}")
    shown.mkdir(parents=True, exist_ok=True)
    (shown / "device").symlink_to(device)
    return link
