from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.sml import Decoder, Field, File, Message, Number, encode_message
from readers.codecs.sml_values import GET_LIST_RESPONSE, Said, ShortPower, said, serial_of
from readers.quantities import Quality, Quantity
from tests.support.codecs.sml import sample

EMH = bytes.fromhex("0A01454D480000A1BD34")
OLD_DZG = bytes.fromhex("0A01445A47000282225E")
NEW_DZG = bytes.fromhex("0A01445A4700039E2053")
S = 1_790_000_000


def entry(
    code: str, value: Field, unit: int | None = None, scaler: int = 0, status: Field = b"", time: Field = b""
) -> Field:
    units: Field = b"" if unit is None else Number(unit, 1)
    return bytes.fromhex(code), status, time, units, Number(scaler, 1, is_signed=True), value, b""


def says(*values: Field, server: bytes = EMH, time: Field = b"", short_power: ShortPower = ShortPower.DOUBTED) -> Said:
    content = (b"", server, b"", time, values, b"", b"")
    return said(File(encode_message(Message(b"1", GET_LIST_RESPONSE, content))), short_power)


IMPORT = "0100010800FF"
POWER = "0100100700FF"
UNSIGNED_POWER = "01000F0700FF"


def test_scaler_and_unit_make_exact_values() -> None:
    found = says(
        entry(IMPORT, Number(18_446_744_073_709_551_615, 8), 30, -1), entry("0100200700FF", Number(2344), 35, -1)
    )
    assert [str(r.value) for r in found.readings] == ["1844674407370955161.5", "234.4"]
    assert not found.faults


@pytest.mark.parametrize(
    ("time", "at_us"),
    [
        (b"", None),
        ((Number(1, 1), Number(S)), None),
        ((Number(2, 1), Number(S)), S * 1_000_000),
        ((Number(3, 1), (Number(S), Number(60, 2, is_signed=True), Number(60, 2, is_signed=True))), S * 1_000_000),
        ((Number(2, 1), Number(86_400)), None),  # a clock that nobody has set
        (Number(S), None),  # Holley: seconds since it was switched on, bare
        ((Number(4, 1), Number(S)), None),
        ((Number(3, 1), ()), None),
        ((b"", Number(S)), None),
    ],
)
def test_a_time_is_one_where_it_says_that_it_is_utc(time: Field, at_us: int | None) -> None:
    (whole,) = says(entry(IMPORT, Number(1), 30), time=time).readings
    assert whole.meter_time_us == at_us
    (own,) = says(entry(IMPORT, Number(1), 30, time=time), time=(Number(2, 1), Number(S - 1))).readings
    assert own.meter_time_us == (at_us or (S - 1) * 1_000_000)


@pytest.mark.parametrize(("status", "value"), [(0x0182, "163.5"), (0x01A2, "-163.5"), (None, "163.5")])
def test_a_power_without_sign_has_that_of_the_status_word(status: int | None, value: str) -> None:
    words: Field = b"" if status is None else Number(status, 2)
    found = says(entry(IMPORT, Number(1), 30, status=words), entry(UNSIGNED_POWER, Number(1635), 27, -1))
    assert str(found.readings[1].value) == value
    other = says(
        entry(IMPORT, Number(1), 30, status=words), entry(UNSIGNED_POWER, Number(1635), 27, -1), server=NEW_DZG
    )
    assert str(other.readings[1].value) == "163.5"


def test_a_power_with_sign_is_not_turned_by_the_status_word() -> None:
    found = says(
        entry(IMPORT, Number(1), 30, status=Number(0x01A2, 2)), entry(POWER, Number(-5, 4, is_signed=True), 27)
    )
    assert found.readings[1].value == -5


@pytest.mark.parametrize(
    ("server", "number", "short_power", "value", "quality"),
    [
        (OLD_DZG, Number(-29_912, 2, is_signed=True), ShortPower.DOUBTED, "-299.12", Quality.SUSPECT),
        (OLD_DZG, Number(-29_912, 2, is_signed=True), ShortPower.SIGNED, "-299.12", Quality.GOOD),
        (OLD_DZG, Number(-29_912, 2, is_signed=True), ShortPower.UNSIGNED, "356.24", Quality.GOOD),
        (OLD_DZG, Number(-1, 1, is_signed=True), ShortPower.UNSIGNED, "2.55", Quality.GOOD),
        (OLD_DZG, Number(-78_851, 4, is_signed=True), ShortPower.DOUBTED, "-788.51", Quality.GOOD),
        (OLD_DZG, Number(299, 2, is_signed=True), ShortPower.DOUBTED, "2.99", Quality.GOOD),
        (NEW_DZG, Number(-10_550, 2, is_signed=True), ShortPower.DOUBTED, "-105.50", Quality.GOOD),
        (EMH, Number(-10_550, 2, is_signed=True), ShortPower.UNSIGNED, "-105.50", Quality.GOOD),
    ],
)
def test_the_sign_of_a_short_power_of_an_old_dzg_meter(
    server: bytes, number: Number, short_power: ShortPower, value: str, quality: Quality
) -> None:
    found = says(entry(POWER, number, 27, -2), server=server, short_power=short_power)
    (power,) = found.readings
    assert (power.quantity, str(power.value), power.quality) == (Quantity.ACTIVE_POWER, value, quality)
    assert found.doubts_sign is (quality is Quality.SUSPECT)


def test_a_known_value_that_is_left_out_is_absent() -> None:
    (power,) = says(entry(POWER, b"", 27)).readings
    assert (power.value, power.quality) == (None, Quality.ABSENT)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (entry(IMPORT, Number(1), 27), "unit"),
        (entry(IMPORT, Number(1), 99), "unit"),
        (entry(IMPORT, Number(1), 30, 10), "scaler"),
        (entry(IMPORT, Number(1 << 63, 8), 30, 9), "range"),
        (b"", "entry"),
        ((b"",) * 6, "entry"),
        ((b"\0", *(b"",) * 6), "entry"),
    ],
)
def test_values_that_are_none_are_faults_and_the_others_stay(value: Field, reason: str) -> None:
    found = says(value, entry(POWER, Number(5), 27))
    assert [fault.reason for fault in found.faults] == [reason]
    assert [r.value for r in found.readings] == [Decimal(5)]


def test_numbers_without_meaning_are_listed_and_states_are_not() -> None:
    found = says(
        entry("0100510701FF", Number(240), 8),
        entry("0100600500FF", Number(0x1C8104)),
        entry("010001080001", Number(5), 30),
        entry("010060320101", b"HLY"),
        entry("0100000200FF", b"1.02.007"),
        entry("0100600100FF", value=True),
    )
    assert [str(code) for code in found.unknown] == ["1-0:81.7.1", "1-0:1.8.0*1"]
    assert (found.readings, found.faults) == ([], [])
    assert (found.maker, found.firmware) == ("HLY", "1.02.007")
    assert says(entry("0100603201FF", b"HL\xff")).maker == "484CFF"


def test_a_list_of_another_form_is_a_fault() -> None:
    for content in ((), (b"",) * 7, b""):
        found = said(File(encode_message(Message(b"1", GET_LIST_RESPONSE, content))))
        assert not found.has_list
        assert [fault.reason for fault in found.faults] == ["message_list"]


@pytest.mark.parametrize(
    ("server_id", "serial"),
    [
        ("0A01454D480000A1BD34", "1EMH0010599732"),
        ("0A01484C5902000D6BE6", "1HLY0200879590"),
        ("06454D4801027153C8C6", "06454D4801027153C8C6"),
        ("", ""),
        ("0A0145FF480000A1BD34", "0A0145FF480000A1BD34"),
    ],
)
def test_a_server_id_is_the_number_on_the_face(server_id: str, serial: str) -> None:
    assert serial_of(bytes.fromhex(server_id)) == serial


@given(st.integers(0, 10_000), st.sampled_from(list(ShortPower)))
def test_nothing_that_a_meter_says_raises(seed: int, short_power: ShortPower) -> None:
    decode: Callable[[bytes], list[File]] = Decoder().feed
    for file in decode(sample(Random(seed))):
        said(file, short_power)
