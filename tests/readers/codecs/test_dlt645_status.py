from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_status import (
    BLOCK,
    FIRST_WORD,
    RELAY_WORD,
    CommonFaults,
    Directions,
    General,
    Operation,
    PhaseFaults,
    Status,
    decode,
    encode,
    is_status,
)
from readers.errors import FrameError
from readers.quantities import Phase

WORD = st.none() | st.integers(0, 0xFFFE)


@given(st.tuples(WORD, WORD, WORD, WORD, WORD, WORD, WORD))
def test_words_come_back(words: tuple[int | None, ...]) -> None:
    a, b, c, d, e, f, g = words
    status = Status((a, b, c, d, e, f, g))
    assert decode(BLOCK, encode(BLOCK, status)) == status
    for index, word in enumerate(words):
        single = decode(FIRST_WORD + index, encode(FIRST_WORD + index, status))
        assert single.words == tuple(word if at == index else None for at in range(7))


@given(st.sampled_from([BLOCK, FIRST_WORD, FIRST_WORD + 6]), st.binary(max_size=40))
def test_anything_at_all_is_a_status_or_no_frame(identifier: int, data: bytes) -> None:
    try:
        status = decode(identifier, data)
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - either is right
        return
    assert status.supply in ("main", "auxiliary", "battery", None)
    assert len(status.faults_by_phase) <= 3
    assert status.is_battery_low in (True, False, None)


def test_the_relay_before_and_after_a_trip() -> None:
    closed, opened = decode(RELAY_WORD, b"\x00\x00"), decode(RELAY_WORD, b"\x50\x00")  # published
    assert (closed.is_relay_closed, closed.is_closing_ordered) == (True, True)
    assert (opened.is_relay_closed, opened.is_closing_ordered) == (False, False)
    waiting = decode(RELAY_WORD, b"\x10\x00")
    assert (waiting.is_relay_closed, waiting.is_closing_ordered) == (False, True)


def test_what_is_not_said_is_none() -> None:
    status = decode(FIRST_WORD, b"\x0c\x00")
    assert status.general == General.CLOCK_BATTERY_LOW | General.READING_BATTERY_LOW
    assert status.is_battery_low
    assert (status.is_relay_closed, status.is_protected, status.day_table, status.supply) == (None,) * 4
    assert (status.directions, status.operation, status.common_faults) == (None, None, None)
    assert status.faults_by_phase == {}
    assert decode(RELAY_WORD, b"\xff\xff").is_relay_closed is None


def test_a_whole_block() -> None:
    words = ["0000", "1100", "8510", "8000", "0000", "0101", "2002"]
    status = decode(BLOCK, bytes.fromhex("".join(words)))
    assert status.is_battery_low is False
    assert status.directions == Directions.ACTIVE_REVERSED_A | Directions.REACTIVE_REVERSED_A
    assert (status.is_protected, status.is_pre_trip_alarm, status.day_table, status.supply) == (
        True,
        True,
        2,
        "battery",
    )
    assert status.operation == (Operation.SECOND_DAY_TABLE | Operation.PRE_TRIP_ALARM | Operation.SUPPLY_PROTECTED)
    assert status.faults_by_phase == {
        Phase.A: PhaseFaults.PHASE_LOST,
        Phase.B: PhaseFaults(0),
        Phase.C: PhaseFaults.VOLTAGE_LOST | PhaseFaults.CURRENT_BROKEN,
    }
    assert status.common_faults == CommonFaults.POWER_FAILED | CommonFaults.COVER_OPEN


def test_a_supply_that_does_not_exist_is_none() -> None:
    assert decode(RELAY_WORD, b"\x06\x00").supply is None
    assert decode(RELAY_WORD, b"\x02\x00").supply == "auxiliary"
    assert decode(RELAY_WORD, b"\x00\x00").supply == "main"


@pytest.mark.parametrize("size", [0, 1, 3, 34])
def test_a_wrong_length_is_refused(size: int) -> None:
    with pytest.raises(FrameError, match="must be 1 to 16 times 2"):
        decode(BLOCK, bytes(size))


def test_other_identifiers_are_refused() -> None:
    assert not is_status(FIRST_WORD + 7)
    assert not is_status(0x04000500)
    with pytest.raises(FrameError, match="04000508 is no status word"):
        decode(0x04000508, bytes(2))
    with pytest.raises(FrameError, match="04000508 is no status word"):
        encode(0x04000508, Status((None,) * 7))
