"""Somebody else's parser reads the published telegrams and those of our simulated meter as our driver does."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.dsmr_p1 import Decoder, encode
from readers.codecs.dsmr_p1_values import Said, said
from readers.obis import ObisCode
from simulator.meters.dsmr_p1 import Meter, SubMeter, Version, telegram
from tests.simulator.meters.loads import Growing, Steady
from tests.support.servers import UNPACKED
from tests.support.vectors import load

PYTHON = UNPACKED / "dsmr_parser" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "dsmr_parser" / "client.py"
EDITIONS = {"DSMR 5": "V5", "DSMR 4.2 with a log of power failures": "V4", "Flanders": "BELGIUM_FLUVIUS"}
NAMES = {
    "ELECTRICITY_USED_TARIFF_1": "1-0:1.8.1",
    "ELECTRICITY_USED_TARIFF_2": "1-0:1.8.2",
    "ELECTRICITY_DELIVERED_TARIFF_1": "1-0:2.8.1",
    "ELECTRICITY_DELIVERED_TARIFF_2": "1-0:2.8.2",
    "CURRENT_ELECTRICITY_USAGE": "1-0:1.7.0",
    "CURRENT_ELECTRICITY_DELIVERY": "1-0:2.7.0",
    "BELGIUM_CURRENT_AVERAGE_DEMAND": "1-0:1.4.0",
    "BELGIUM_MAXIMUM_DEMAND_MONTH": "1-0:1.6.0",
    **{
        f"INSTANTANEOUS_{what}_L{phase}{sign}": f"1-0:{group + 20 * (phase - 1)}.7.0"
        for phase in (1, 2, 3)
        for what, sign, group in (
            ("VOLTAGE", "", 32),
            ("CURRENT", "", 31),
            ("ACTIVE_POWER", "_POSITIVE", 21),
            ("ACTIVE_POWER", "_NEGATIVE", 22),
        )
    },
}
FACTORS = {"kWh": 1000, "kW": 1000, "V": 1, "A": 1, "m3": 1}
READINGS = ("MBUS_METER_READING", "HOURLY_GAS_METER_READING")
UTC_TIMES = ("2026-01-15T12:00:07+00:00", "2026-07-15T12:00:07+00:00", "2026-03-29T01:00:00+00:00")

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/dsmr_parser/install.sh first"
)


def read_by_the_peer(edition: str, raw: bytes) -> dict[str, Any]:
    asked = json.dumps({"edition": edition, "telegram": raw.decode("ascii")})
    done = subprocess.run([PYTHON, CLIENT], input=asked, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def same(ours: Said, theirs: dict[str, Any]) -> int:
    """How many values both have, all of them alike."""
    values = {str(reading.obis): reading for reading in ours.readings}
    compared = 0
    for name, text, unit, at_us in theirs["values"]:
        if name == "P1_MESSAGE_TIMESTAMP":
            moment = datetime.fromisoformat(text)
            assert ours.at_us == round(moment.timestamp()) * 1_000_000
        if name in NAMES:
            reading = values[NAMES[name]]
            assert reading.value == Decimal(text) * FACTORS[unit], name
            assert at_us in (None, reading.meter_time_us), name
            compared += 1
    for channel, items in theirs["devices"].items():
        for name, text, unit, at_us in items:
            if name in READINGS:
                (reading,) = ours.sub_readings[int(channel)]
                assert (reading.value, reading.meter_time_us) == (Decimal(text) * FACTORS[unit], at_us), name
                compared += 1
    return compared


@pytest.mark.parametrize("name", EDITIONS)
def test_published_telegrams_are_read_alike(name: str) -> None:
    (raw,) = [bytes.fromhex(v.table["hex"]) for v in load("frame") if v.driver == "dsmr_p1" and v.name == name]
    (ours,) = Decoder().feed(raw)
    found = said(ours, 60)
    theirs = read_by_the_peer(EDITIONS[name], raw)
    assert same(found, theirs) >= 14


@pytest.mark.parametrize("version", [Version.V4_2, Version.V5_0])
@pytest.mark.parametrize("time", UTC_TIMES)
def test_telegrams_of_our_twin_are_read_alike(version: Version, time: str) -> None:
    now_us = round(datetime.fromisoformat(time).timestamp()) * 1_000_000
    meter = Meter(version, sub_meters=[SubMeter(1, 3, lambda _: Decimal("981.443"))])
    for load_ in (Steady(), Growing()):
        made = telegram(load_, meter, now_us)
        theirs = read_by_the_peer("V4" if version is Version.V4_2 else "V5", encode(made))
        assert same(said(made, 60), theirs) >= 10


def test_both_refuse_a_wrong_checksum() -> None:
    raw = encode(telegram(Steady(), Meter(), 1_768_478_407_000_000))
    wrong = raw.replace(b"*kWh", b"*kwh", 1)
    assert Decoder().feed(wrong) == []
    assert read_by_the_peer("V5", wrong) == {"error": "InvalidChecksumError"}


def test_the_code_of_each_name_is_one_that_we_read() -> None:
    assert all(str(ObisCode.parse(code)) == code for code in NAMES.values())
