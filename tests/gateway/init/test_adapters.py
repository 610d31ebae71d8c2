from __future__ import annotations

from pathlib import Path

from gateway.init.adapters import MOST_ADAPTERS, adapters
from tests.gateway.init.machine import add_adapter, machine

NAME = "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"


def test_an_adapter_says_who_made_it(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    link = add_adapter(root, NAME, "../../ttyUSB0", "FTDI", "FT232R USB UART", "A50285BI")
    (found,) = adapters(root.directory)
    assert (found.path, found.device, found.name) == (f"/dev/serial/by-id/{NAME}", link, NAME)
    assert found.told() == "FTDI FT232R USB UART, serial number A50285BI (ttyUSB0)"


def test_no_adapter_is_no_trouble(tmp_path: Path) -> None:
    assert adapters(tmp_path) == []


def test_one_without_a_maker_is_found_all_the_same(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    link = root.at("/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0")
    link.parent.mkdir(parents=True)
    link.symlink_to("../../ttyUSB7")
    (found,) = adapters(root.directory)
    assert found.told() == "an adapter that does not say its maker (ttyUSB7)"


def test_what_a_device_says_of_itself_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    add_adapter(root, "usb-1", "../../ttyUSB0", "evil\x1b[2J", "x" * 10_000)
    add_adapter(root, "usb-\x1b", "../../ttyUSB1")
    (found,) = adapters(root.directory)
    assert found.maker.isprintable()
    assert found.maker.startswith("evil")
    assert len(found.product) < 200


def test_their_number_is_bounded(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    directory = root.at("/dev/serial/by-id")
    directory.mkdir(parents=True)
    for number in range(MOST_ADAPTERS + 5):
        (directory / f"usb-{number:03}").symlink_to(f"../../ttyUSB{number}")
    assert len(adapters(root.directory)) == MOST_ADAPTERS
