"""What a site of each kind usually continues with, as comments of its site file: it works when they are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.init.answers import SiteKind
from gateway.init.devices import FoundReader
from readers.driver import Kind

GUIDES: Final = {
    SiteKind.GATE: "docs/how-to/run-a-port-gate.md",
    SiteKind.FACTORY: "docs/how-to/run-a-factory.md",
    SiteKind.POWER_ROOM: "docs/how-to/run-a-power-room.md",
    SiteKind.CAR_PARK: "docs/how-to/run-a-car-park.md",
}
_ADAPTER: Final = "/dev/serial/by-id/usb-EXAMPLE"


def example(kind: SiteKind, readers: Sequence[FoundReader]) -> list[str]:
    """Lines of the example; where a reader that it needs was not found, it brings one of its own."""
    if kind is SiteKind.GATE:
        return _gate(readers)
    if kind is SiteKind.FACTORY:
        return _factory(readers)
    if kind is SiteKind.POWER_ROOM:
        return _power_room(readers)
    if kind is SiteKind.CAR_PARK:
        return _car_park(readers)
    return []


def _gate(readers: Sequence[FoundReader]) -> list[str]:
    name, own = _rfid(readers, "lane-1-tags")
    return [
        "# A lane whose antennas look at it from both sides: each passage becomes an event with its direction.",
        f"# Lanes with loops, scales and barriers are the pack `port`: {GUIDES[SiteKind.GATE]}.",
        *own,
        "#[[portal]]",
        '#name = "lane-1"',
        f'#outer = ["{name}-1"]',
        f'#inner = ["{name}-2"]',
    ]


def _factory(readers: Sequence[FoundReader]) -> list[str]:
    name, own = _rfid(readers, "line-1-tags")
    return [
        "# A line with two stations, each an antenna: who is where, who skipped one, who is late.",
        f"# Tools, pallets and machines: {GUIDES[SiteKind.FACTORY]}.",
        *own,
        "#[[zone]]",
        '#name = "filling"',
        f'#read_points = ["{name}-1"]',
        "#[[zone]]",
        '#name = "dispatch"',
        f'#read_points = ["{name}-2"]',
        "#[[pack]]",
        '#name = "hall"',
        '#kind = "factory"',
        "#[[pack.settings.line]]",
        '#name = "line-1"',
        '#station = [{ zone = "filling", cycle_s = 600 }, { zone = "dispatch" }]',
    ]


def _power_room(readers: Sequence[FoundReader]) -> list[str]:
    line = next((each.port for each in readers if not each.is_ready and each.port.startswith("/dev/")), _ADAPTER)
    return [
        "# Meters on one RS-485 line: put in the address that stands on each, 12 digits. With another protocol",
        "# (`tagwharf readers`) the settings are those of its page. It replaces a [[reader]] above with the same port.",
        "#[[reader]]",
        '#name = "meters"',
        '#driver = "dlt645"',
        f'#port = "{line}"',
        '#settings = { meters = [{ name = "mains", address = "000000000001" }] }',
        f"# Demand, quality of supply, silent meters: {GUIDES[SiteKind.POWER_ROOM]}.",
        "#[[pack]]",
        '#name = "power"',
        '#kind = "power"',
        "#[[pack.settings.meter]]",
        '#name = "mains"',
        "#nominal_v = 220",
    ]


def _car_park(readers: Sequence[FoundReader]) -> list[str]:
    entry, own = _rfid(readers, "entry")
    return [
        "# An entry and an exit, each an antenna or a card reader; the cards stand in the list of things, `assets`.",
        f"# Lists of holders, barriers, fire alarm: {GUIDES[SiteKind.CAR_PARK]}.",
        *own,
        "#[[pack]]",
        '#name = "park"',
        '#kind = "parking"',
        "#[pack.settings]",
        "#capacity = 300",
        "#[[pack.settings.lane]]",
        '#name = "lane-in"',
        '#direction = "entry"',
        f'#read_points = ["{entry}-1"]',
        "#[[pack.settings.lane]]",
        '#name = "lane-out"',
        '#direction = "exit"',
        f'#read_points = ["{entry}-2"]',
    ]


def _rfid(readers: Sequence[FoundReader], otherwise: str) -> tuple[str, list[str]]:
    """Name of a reader with antennas, and its table where none was found."""
    for each in readers:
        if each.is_ready and each.kind is Kind.RFID:
            return each.name, []
    own = ["#[[reader]]", f'#name = "{otherwise}"', '#driver = "llrp"', '#port = "tcp://192.168.0.10"']
    return otherwise, own
