from __future__ import annotations

from pathlib import Path

import pytest

from gateway.init.answers import SiteKind
from gateway.init.devices import FoundReader
from gateway.init.examples import GUIDES, example
from readers.driver import Kind

ROOT = Path(__file__).parents[3]
LLRP = FoundReader("north", "llrp", "tcp://10.0.0.7", "", is_ready=True, kind=Kind.RFID)
LINE = FoundReader("line-1", "a0", "/dev/serial/by-id/usb-1", "", is_ready=False, choices=("a0", "m100"))


@pytest.mark.parametrize("kind", list(GUIDES))
def test_each_kind_has_an_example_and_a_guide_that_is_there(kind: SiteKind) -> None:
    lines = example(kind, [])
    assert any(GUIDES[kind] in line for line in lines)
    assert all(line.startswith("#") for line in lines)
    assert (ROOT / GUIDES[kind]).is_file()


def test_other_sites_have_none() -> None:
    assert example(SiteKind.OTHER, [LLRP]) == []


@pytest.mark.parametrize("kind", [SiteKind.GATE, SiteKind.FACTORY, SiteKind.CAR_PARK])
def test_the_example_uses_the_reader_that_was_found(kind: SiteKind) -> None:
    lines = example(kind, [LINE, LLRP])
    assert any('"north-1"' in line for line in lines)
    assert "#[[reader]]" not in lines
    assert "#[[reader]]" in example(kind, [LINE])


def test_meters_hang_on_the_line_that_was_found() -> None:
    assert '#port = "/dev/serial/by-id/usb-1"' in example(SiteKind.POWER_ROOM, [LLRP, LINE])
