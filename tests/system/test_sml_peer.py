"""Somebody else's parser reads the published files and those of our simulated meter as our codec does."""

from __future__ import annotations

import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.sml import Decoder, encode
from readers.codecs.sml_values import UNITS, ShortPower, said
from readers.obis_meanings import in_unit
from readers.ports.memory import START_US
from simulator.meters.sml import Clock, Meter, file
from tests.simulator.meters.loads import Growing, Steady
from tests.support.servers import UNPACKED
from tests.support.vectors import load

PYTHON = UNPACKED / "smllib" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "smllib" / "client.py"
PUBLISHED = [v for v in load("frame") if v.driver == "sml" and "reject" not in v.table and not v.table["faults"]]
METERS = [Meter(), Meter(clock=Clock.LOCAL), Meter(clock=Clock.BARE), Meter(is_locked=True), Meter("DZG", 70_000_000)]
TURNED = "1-0:15.7.0"  # its sign is in the status word, which the peer does not look at

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/smllib/install.sh first"
)


def read_by_the_peer(raw: bytes) -> list[Any] | None:
    done = subprocess.run([PYTHON, CLIENT], input=raw.hex(), capture_output=True, text=True, timeout=60, check=True)
    found: list[Any] | None = json.loads(done.stdout)
    return found


def compared(raw: bytes) -> int:
    """How many values both have, all of them alike."""
    (ours,) = Decoder().feed(raw)
    readings = {str(r.obis): r for r in said(ours, ShortPower.SIGNED).readings}
    theirs = read_by_the_peer(raw)
    assert theirs is not None
    count = 0
    for code, number, unit, scaler in theirs:
        reading = readings.get(code.removesuffix("*255"))
        if reading is None:
            continue
        value = in_unit(Decimal(number).scaleb(scaler or 0), UNITS[unit], reading.quantity)
        assert reading.value == (-value if code.startswith(TURNED) and reading.value < 0 else value), code  # type: ignore[operator]  # none is absent here
        count += 1
    assert count == len(readings)
    return count


@pytest.mark.parametrize("vector", PUBLISHED, ids=str)
def test_published_files_are_read_alike(vector: Any) -> None:
    assert compared(bytes.fromhex(vector.table["hex"])) >= 2


@pytest.mark.parametrize("meter", METERS, ids=str)
@pytest.mark.parametrize("power_w", [6_000, -6_000])
def test_files_of_our_twin_are_read_alike(meter: Meter, power_w: int) -> None:
    assert compared(encode(file(Growing(power_w), meter, START_US, 5))) >= 6
    assert compared(encode(file(Steady(), meter, START_US, 1_000_000))) >= 6


def test_both_refuse_a_wrong_checksum() -> None:
    raw = bytearray(encode(file(Steady(), Meter(), START_US, 5)))
    raw[100] ^= 1
    assert Decoder().feed(bytes(raw)) == []
    assert read_by_the_peer(bytes(raw)) is None
