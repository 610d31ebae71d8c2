from __future__ import annotations

from readers.observations import Observation, Severity
from readers.rfid.uhfreader.told import Told
from tests.support.heard import conditions_in, watched_in


def test_each_change_is_said_once() -> None:
    heard: list[Observation] = []
    told = Told(heard.append)
    told.watch(1)
    told.watch(1)
    told.watch(2, 3)
    told.unwatch(9)
    told.unwatch(1, 2)
    assert watched_in(heard) == [{1}, {1, 2, 3}, {3}]
    told.begins("a", "x", "detail", Severity.FAULT)
    told.begins("a", "x", "again")
    assert told.holds("a", "x")
    told.begins("a", "y", "")
    told.ends("a", "x")
    told.ends("a", "x")
    assert not told.holds("a", "x")
    assert conditions_in(heard) == [("a", "x", True), ("a", "y", True), ("a", "x", False)]
