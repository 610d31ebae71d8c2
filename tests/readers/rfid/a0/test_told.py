from __future__ import annotations

from readers.observations import Condition, Observation, Severity, Watching
from readers.rfid.a0.told import Told


def test_nothing_is_said_twice() -> None:
    said: list[Observation] = []
    told = Told(said.append)
    told.end("antenna_disconnected", "1")
    told.begin("antenna_disconnected", "1", "why", Severity.FAULT)
    told.begin("antenna_disconnected", "1", "why again")
    told.end("antenna_disconnected", "2")
    told.end("antenna_disconnected", "1")
    told.watch(frozenset())
    told.watch(frozenset({1}))
    told.watch(frozenset({1}))
    told.watch(frozenset())
    assert said == [
        Condition("antenna_disconnected", active=True, severity=Severity.FAULT, key="1", detail="why"),
        Condition("antenna_disconnected", active=False, key="1"),
        Watching(frozenset({1})),
        Watching(),
    ]
