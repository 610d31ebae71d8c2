from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlms_data import Structure, Value
from readers.codecs.dlms_values import ClockStatus, MeterTime, ScalerUnit, meter_time
from readers.errors import FrameError
from readers.quantities import Quantity
from simulator.meters import dlms_axdr

AT_US = int(datetime(2026, 11, 23, 2, 15, 30, tzinfo=UTC).timestamp()) * 1_000_000
CHINA = 480


@pytest.mark.parametrize(
    ("scaler", "unit", "raw", "quantity", "value"),
    [
        (1, 30, 5009, Quantity.ACTIVE_ENERGY_IMPORT, "50090"),
        (-1, 35, 2303, Quantity.VOLTAGE, "230.3"),
        (-3, 33, -1500, Quantity.CURRENT, "-1.500"),
        (0, 27, 2**64 - 1, Quantity.ACTIVE_POWER, "18446744073709551615"),
        (-2, 44, 4998, Quantity.FREQUENCY, "49.98"),
        (-3, 255, 995, Quantity.POWER_FACTOR, "0.995"),
        (-3, 13, 12345, Quantity.WATER_VOLUME, "12.345"),
    ],
)
def test_a_value_is_exact_in_the_unit_of_its_quantity(
    scaler: int, unit: int, raw: int, quantity: Quantity, value: str
) -> None:
    found = ScalerUnit(scaler, unit).value(raw, quantity)
    assert found == Decimal(value)
    assert str(found) == value


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-9, 6))
def test_no_digit_is_lost(raw: int, scaler: int) -> None:
    found = ScalerUnit(scaler, 30).value(raw, Quantity.ACTIVE_ENERGY_IMPORT)
    assert found == Decimal(raw) * Decimal(10) ** scaler


def test_a_float_and_an_absent_value_are_taken() -> None:
    assert ScalerUnit(0, 35).value(Decimal("230.3"), Quantity.VOLTAGE) == Decimal("230.3")
    assert ScalerUnit(0, 35).value(None, Quantity.VOLTAGE) is None


@pytest.mark.parametrize(
    ("unit", "raw", "reason"), [(35, b"\x01", "value"), (35, True, "value"), (35, 1, "unit"), (200, 1, "unit")]
)
def test_what_is_no_number_of_the_quantity_is_refused(unit: int, raw: Value, reason: str) -> None:
    with pytest.raises(FrameError) as raised:
        ScalerUnit(0, unit).value(raw, Quantity.CURRENT)
    assert raised.value.reason == reason


def test_scaler_and_unit_come_as_a_structure() -> None:
    assert ScalerUnit.of(Structure((-1, 35))) == ScalerUnit(-1, 35)
    wrongs: list[Value] = [None, 5, [-1, 35], Structure((1,)), Structure((99, 35)), Structure((b"", 35))]
    for wrong in wrongs:
        with pytest.raises(FrameError, match="scaler"):
            ScalerUnit.of(wrong)


@given(st.integers(0, 4_000_000_000_00), st.integers(-720, 840))
def test_a_time_comes_back_from_whichever_zone(hundredths: int, offset_min: int) -> None:
    raw = dlms_axdr.date_time(hundredths * 10_000, offset_min)[2:]
    assert meter_time(raw, 0) == MeterTime(hundredths * 10_000)
    unsaid = dlms_axdr.date_time(hundredths * 10_000, offset_min, says_deviation=False)[2:]
    assert meter_time(unsaid, offset_min) == MeterTime(hundredths * 10_000)


def test_a_deviation_may_count_the_other_way_round() -> None:
    standard = bytes.fromhex("07EA0B17010A0F1E00FE2000")  # 10:15:30, and -480 to UTC
    inverted = bytes.fromhex("07EA0B17010A0F1E0001E000")
    assert meter_time(standard, 0).at_us == AT_US
    assert meter_time(inverted, 0, is_deviation_inverted=True).at_us == AT_US


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("07E40101FF00030000FF8800", datetime(2019, 12, 31, 22, 3, tzinfo=UTC)),
        ("07E40106FF00030000FFC400", datetime(2020, 1, 5, 23, 3, tzinfo=UTC)),
        ("07E2020CFF00000000800000", datetime(2018, 2, 11, 16, 0, tzinfo=UTC)),
    ],
)
def test_published_times(raw: str, at: datetime) -> None:
    """Of the tests of dlms-cosem, test_time.py; the last leaves its deviation undefined."""
    assert meter_time(bytes.fromhex(raw), CHINA).at_us == int(at.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "raw",
    [
        "FFFF0B17010A0F1E00FE2000",
        "07EAFF17010A0F1E00FE2000",
        "07EA0BFF010A0F1E00FE2000",
        "07EA0B1701FF0F1E00FE2000",
        "07EA0B17010AFF1E00FE2000",
        "07EA0B17010A0F1E00FE2001",
    ],
)
def test_an_undefined_or_invalid_time_is_none(raw: str) -> None:
    assert meter_time(bytes.fromhex(raw), CHINA).at_us is None


def test_undefined_seconds_are_zero_and_undefined_status_says_nothing() -> None:
    found = meter_time(bytes.fromhex("07EA0B17010A0FFFFFFE20FF"), CHINA)
    assert found == MeterTime(AT_US - 30_000_000)
    assert not found.is_doubtful
    assert meter_time(bytes.fromhex("07EA0B17010A0F1E00FE2082"), CHINA) == MeterTime(
        AT_US, ClockStatus.DOUBTFUL | ClockStatus.SUMMER_TIME
    )
    assert meter_time(bytes.fromhex("07EA0B17010A0F1E00FE2082"), CHINA).is_doubtful


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 11, None, 5, bytes.fromhex("07EA0D17010A0F1E00FE2000"), bytes.fromhex("07EA0B17010A0F1E007FFF00")],
)
def test_what_is_no_time_is_refused(raw: Value) -> None:
    with pytest.raises(FrameError, match="date_time"):
        meter_time(raw, CHINA)
