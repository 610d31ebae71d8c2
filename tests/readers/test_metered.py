from __future__ import annotations

import asyncio
from functools import partial

import pytest

from readers.bus import NoReplyError
from readers.errors import FrameError
from readers.metered import MOST_UNKNOWN, LineTeller, MeterTeller, noting_silence
from readers.observations import Condition, DeviceInfo, Observation, Rejected, Severity, Watching

SILENT = Condition("meter_silent", active=True, severity=Severity.FAULT, detail="no reply", source="m-1")


def meter() -> tuple[MeterTeller, list[Observation]]:
    said: list[Observation] = []
    return MeterTeller("m-1", said.append), said


def test_that_it_answers_is_told_when_it_begins() -> None:
    teller, said = meter()
    assert teller.answers is None
    assert [teller.heard() for _ in range(3)] == [True, False, False]
    assert said == [Watching(source="m-1")]
    assert teller.answers


def test_silence_is_told_once_and_ends_with_the_next_answer() -> None:
    teller, said = meter()
    teller.heard()
    said.clear()
    teller.silent("no reply")
    teller.silent("still none")
    assert said == [Watching(source="m-1", active=False), SILENT]
    said.clear()
    assert teller.heard()
    assert said == [Condition("meter_silent", active=False, source="m-1"), Watching(source="m-1")]


def test_a_meter_that_never_answered_is_silent_too() -> None:
    teller, said = meter()
    teller.silent("no reply")
    assert said == [Watching(source="m-1", active=False), SILENT]
    assert teller.answers is False


def test_who_it_is_is_told_when_it_is_new() -> None:
    teller, said = meter()
    for serial in ("1", "1", "2"):
        teller.introduce(DeviceInfo(serial=serial, source="m-1"))
    assert [each.serial for each in said if isinstance(each, DeviceInfo)] == ["1", "2"]


def test_values_that_cannot_be_read_are_counted_as_lost() -> None:
    teller, said = meter()
    teller.spoilt([FrameError("range", "too much", b"\x01")])
    assert said == [Rejected("data_range", reads_lost=1, sample=b"\x01", source="m-1")]


def test_values_without_meaning_are_listed_and_the_list_is_bounded() -> None:
    teller, said = meter()
    teller.unknown(["9.9", "9.9"], "also {}")
    teller.unknown(["9.9"], "also {}")
    teller.unknown(["{x}"], "also {}")
    assert [each.detail for each in said if isinstance(each, Condition)] == ["also 9.9", "also 9.9, {x}"]
    for number in range(3 * MOST_UNKNOWN):
        teller.unknown([f"n{number}"], "also {}")
    last = said[-1]
    assert isinstance(last, Condition)
    assert last.detail.count(",") == MOST_UNKNOWN - 1
    assert len(said) == MOST_UNKNOWN


def test_a_state_lasts_until_there_is_nothing_to_say() -> None:
    teller, said = meter()
    for detail in ("", "error 4", "error 4", "error 5", "", ""):
        teller.state("meter_error", detail)
    assert [(each.active, each.detail) for each in said if isinstance(each, Condition)] == [
        (True, "error 4"),
        (True, "error 5"),
        (False, ""),
    ]


def test_a_dead_line_is_told_once_for_all_its_meters() -> None:
    said: list[Observation] = []
    line = LineTeller(said.append, 7)
    line.heard()
    assert said == []
    line.silent()
    assert isinstance(said[0], Condition)
    assert said[0].name == "line_silent"
    assert said[0].severity is Severity.FAULT
    assert "none of the 7 meters" in said[0].detail
    line.heard()
    line.heard()
    assert said[1:] == [Condition("line_silent", active=False)]


def test_a_question_without_a_reply_is_noted_and_stays_without_one() -> None:
    told: list[str] = []

    async def answers(*, reply: bool | None) -> bool | None:
        if reply is None:
            raise NoReplyError("no reply within 0.5 s")
        return reply

    async def main() -> None:
        assert await noting_silence(partial(answers, reply=True), told.append)()
        assert told == []
        with pytest.raises(NoReplyError):
            await noting_silence(partial(answers, reply=None), told.append)()

    asyncio.run(main())
    assert told == ["no reply within 0.5 s"]
