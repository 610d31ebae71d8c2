from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.mbus_records import Header, read_records
from readers.codecs.mbus_values import Said, said, what_of
from readers.errors import FrameError
from readers.quantities import Quality, Quantity

Q = Quantity


def says(device_type: int, raw: str, status: int = 0) -> Said:
    records, _ = read_records(bytes.fromhex(raw))
    return said(Header("00000001", "KAM", 1, device_type, status=status), records, 60)


@pytest.mark.parametrize(
    ("device_type", "raw", "quantity", "obis", "value"),
    [
        (0x02, "04 03 E8 03 00 00", Q.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0", "1000"),
        (0x02, "84 10 03 E8 03 00 00", Q.ACTIVE_ENERGY_IMPORT, "1-0:1.8.1", "1000"),
        (0x02, "04 84 00 E8 03 00 00", Q.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0", "10000"),
        (0x02, "04 83 3C E8 03 00 00", Q.ACTIVE_ENERGY_EXPORT, "1-0:2.8.0", "1000"),
        (0x02, "04 83 3B E8 03 00 00", Q.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0", "1000"),
        (0x02, "04 FB 00 05 00 00 00", Q.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0", "500000"),
        (0x02, "02 2B FE FF", Q.ACTIVE_POWER, "1-0:16.7.0", "-2"),
        (0x02, "02 FD 46 FC 59", Q.VOLTAGE, "1-0:12.7.0", "23.036"),
        (0x02, "02 FD 48 FC 08", Q.VOLTAGE, "1-0:12.7.0", "230.0"),
        (0x02, "03 FD 59 BE FF FF", Q.CURRENT, "1-0:11.7.0", "-0.066"),
        (0x04, "04 06 E7 91 00 00", Q.HEAT_ENERGY, "6-0:1.0.0", "37351000"),
        (0x0C, "04 0E 24 00 00 00", Q.HEAT_ENERGY, "6-0:1.0.0", "10000"),
        (0x04, "04 FB 09 01 00 00 00", Q.HEAT_ENERGY, "6-0:1.0.0", "277777.7777777777777777777778"),
        (0x0A, "04 06 01 00 00 00", Q.COOLING_ENERGY, "5-0:1.0.0", "1000"),
        (0x0D, "04 86 3C 01 00 00 00", Q.COOLING_ENERGY, "5-0:1.0.0", "1000"),
        (0x04, "04 14 2C DB 00 00", Q.VOLUME, "6-0:2.0.0", "561.08"),
        (0x04, "04 2D 5B 01 00 00", Q.THERMAL_POWER, "6-0:8.0.0", "34700"),
        (0x04, "04 3B 1F 02 00 00", Q.VOLUME_FLOW, "6-0:9.0.0", "0.543"),
        (0x04, "04 42 0A 00 00 00", Q.VOLUME_FLOW, "6-0:9.0.0", "0.00600"),
        (0x04, "04 59 B9 27 00 00", Q.FLOW_TEMPERATURE, "6-0:10.0.0", "101.69"),
        (0x04, "04 5D 08 12 00 00", Q.RETURN_TEMPERATURE, "6-0:11.0.0", "46.16"),
        (0x04, "04 61 B1 15 00 00", Q.TEMPERATURE_DIFFERENCE, "6-0:12.0.0", "55.53"),
        (0x04, "02 27 02 00", Q.OPERATING_TIME, "0-0:96.8.0", "48"),
        (0x03, "0C 13 56 34 12 00", Q.GAS_VOLUME, "7-0:3.0.0", "123.456"),
        (0x07, "0C 13 56 34 12 00", Q.WATER_VOLUME, "8-0:1.0.0", "123.456"),
        (0x06, "0C 13 56 34 12 00", Q.WATER_VOLUME, "9-0:1.0.0", "123.456"),
        (0x07, "02 3B 05 00", Q.VOLUME_FLOW, "8-0:2.0.0", "0.005"),
        (0x1B, "02 65 34 08", Q.TEMPERATURE, "0-0:96.9.0", "21.00"),
    ],
)
def test_a_record_is_what_the_type_of_its_device_makes_it(
    device_type: int, raw: str, quantity: Quantity, obis: str, value: str
) -> None:
    found = says(device_type, raw)
    (reading,) = found.readings
    assert (reading.quantity, str(reading.obis), str(reading.value)) == (quantity, obis, value)
    assert found.unknown == []


@pytest.mark.parametrize(
    ("device_type", "raw", "unknown"),
    [
        (0x07, "04 90 28 08 00 00 00", "10 28"),  # for each pulse
        (0x02, "04 AB FF 01 FE FF FF FF", "2B 7F 01"),
        (0x07, "04 06 01 00 00 00", "06"),  # water has no energy
        (0x1F, "04 13 01 00 00 00", "13"),
        (0x07, "04 93 3C 01 00 00 00", "13 3C"),
        (0x02, "04 AB 3C 01 00 00 00", "2B 3C"),
        (0x04, "04 6E 01 00 00 00", "6E"),
        (0x02, "04 7D 01 00 00 00", "7D"),
    ],
)
def test_what_is_not_known_is_listed_not_guessed(device_type: int, raw: str, unknown: str) -> None:
    found = says(device_type, raw)
    assert found.readings == []
    assert found.unknown == [unknown]


@pytest.mark.parametrize("raw", ["44 06 01 00 00 00", "14 06 01 00 00 00", "24 06 01 00 00 00", "84 40 06 01 00 00 00"])
def test_only_values_of_now_are_told(raw: str) -> None:
    found = says(0x04, raw)
    assert (found.readings, found.unknown) == ([], [])


@pytest.mark.parametrize("raw", ["0C 78 17 58 85 06", "01 FD 17 00", "02 FD 60 38 00", "42 6C BF 1C", "01 FD 67 0F"])
def test_names_and_flags_are_no_values(raw: str) -> None:
    found = says(0x04, raw)
    assert (found.readings, found.unknown) == ([], [])


@pytest.mark.parametrize(
    "raw", ["04 06 00 00 00 80", "0C 06 AA AA AA AA", "04 86 15 01 00 00 00", "00 06", "04 86 16 00 00 00 00"]
)
def test_a_value_that_is_none_is_absent(raw: str) -> None:
    (reading,) = says(0x04, raw).readings
    assert (reading.quantity, reading.value, reading.quality) == (Q.HEAT_ENERGY, None, Quality.ABSENT)


def test_more_than_a_register_holds_is_a_fault() -> None:
    found = says(0x04, "05 06 CA F2 49 71 05 5B 00 00 C8 41")  # 1e30 and 25
    assert [fault.reason for fault in found.faults] == ["range"]
    assert [str(r.value) for r in found.readings] == ["25"]


def test_of_two_alike_the_first_is_told() -> None:
    found = says(0x04, "04 06 01 00 00 00 04 0E 02 00 00 00")
    assert [r.value for r in found.readings] == [Decimal(1000)]
    assert found.unknown == ["0E"]


def test_values_have_the_time_of_the_meter_s_clock() -> None:
    found = says(0x04, "04 06 01 00 00 00 04 6D 0A 0C CD 13")
    assert [r.meter_time_us for r in found.readings] == [1_394_709_000_000_000]
    assert found.at_us == 1_394_709_000_000_000


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(0x00, ""), (0x04, "battery low"), (0x18, "permanent error, temporary error"), (0x02, "application error")],
)
def test_the_status_is_told_in_words(status: int, trouble: str) -> None:
    assert says(0x04, "", status).trouble == trouble


@given(st.integers(0, 0x2FF))
def test_every_code_has_one_meaning_or_none(vif: int) -> None:
    what = what_of(vif)
    assert what is None or (what.factor > 0 and what.divisor >= 1)


@given(st.integers(0, 255), st.binary(max_size=60))
def test_nothing_that_a_meter_says_raises(device_type: int, raw: bytes) -> None:
    try:
        records, _ = read_records(raw)
    except FrameError:
        return
    said(Header("00000001", "KAM", 1, device_type), records, 60)
