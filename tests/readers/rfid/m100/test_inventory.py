from __future__ import annotations

from collections import Counter

import pytest

from readers.codecs.m100 import (
    Command,
    Frame,
    FrameType,
)
from readers.errors import DeviceRefusedError
from readers.observations import Condition, Rejected, Watching
from readers.rfid.m100 import M100Settings
from simulator.rfid.m100 import Module
from tests.support.m100_scenes import Tags, answering, listen, tags_in


def test_the_rounds_are_asked_for_again_and_nothing_is_missed() -> None:
    heard = listen(60, M100Settings(rounds=7), tags=Tags([b"\x00\x01"], step_s=1.0))
    assert len(tags_in(heard)) == 60
    assert heard.count(Watching(frozenset({1}))) == 1


def test_a_module_that_reports_no_empty_rounds_is_still_watched_over() -> None:
    tags = Tags([b"\x00\x01"], step_s=2.5)
    heard = listen(120, M100Settings(rounds=1000), Module(reports_empty_rounds=False), tags)
    assert len(tags_in(heard)) == 48
    assert next(o for o in heard if isinstance(o, Watching)) == Watching(frozenset({1}))


def test_a_module_that_shows_no_round_is_not_watched() -> None:
    heard = listen(60, module=Module(reports_empty_rounds=False), tags=Tags([b"\x00\x01"], until_s=10))
    states = [o for o in heard if isinstance(o, Watching)]
    assert states == [Watching(frozenset({1})), Watching()]
    assert [o.name for o in heard if isinstance(o, Condition)] == ["rounds_unconfirmed"]


def test_a_module_without_multiple_poll_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"does not know the command 'multiple poll'"):
        listen(10, module=Module(unknown=frozenset({Command.MULTI_POLL})))


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 14_400
    heard = listen(watch_s, tags=Tags([b"\x00\x01"], step_s=60), module=Module(round_s=1.0))
    assert len(tags_in(heard)) == watch_s // 60


def error(code: int) -> Frame:
    return Frame(FrameType.RESPONSE, Command.ERROR, bytes([code]))


def test_errors_that_are_none_of_its_business_are_counted_and_do_not_spin() -> None:
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    answers: dict[int, list[Frame]] = {
        Command.GET_POWER: [power],
        Command.MULTI_POLL: [error(0x09)],
        Command.STOP: [error(0x0A)],
    }
    heard = answering(30, answers)
    counted = Counter(o.reason for o in heard if isinstance(o, Rejected))
    assert counted.keys() == {"error_09", "error_0a"}
    assert 20 <= counted["error_09"] <= 31  # one inventory a second
    assert [(o.name, o.active) for o in heard if isinstance(o, Condition)] == [("rounds_unconfirmed", True)]


def test_a_busy_band_is_a_condition_until_a_round_succeeds() -> None:
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    answers: dict[int, list[Frame]] = {
        Command.GET_POWER: [power],
        Command.MULTI_POLL: [error(0x20), error(0x20), error(0x15)],
    }
    heard = answering(0.9, answers, M100Settings(rounds=2))
    told = [(o.name, o.active) for o in heard if isinstance(o, Condition)]
    assert told[:2] == [("no_free_channel", True), ("no_free_channel", False)]
