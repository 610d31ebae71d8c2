from __future__ import annotations

from readers.observations import Condition, Observation, Severity
from readers.rfid.llrp.conditions import Conditions


def told(reports: list[Observation]) -> list[tuple[str, str, bool]]:
    return [(c.name, c.key, c.active) for c in reports if isinstance(c, Condition)]


def test_an_end_without_a_beginning_is_not_told() -> None:
    reports: list[Observation] = []
    Conditions(reports.append).end("antenna_disconnected", "1")
    assert reports == []


def test_a_condition_begins_is_renewed_and_ends() -> None:
    reports: list[Observation] = []
    conditions = Conditions(reports.append)
    conditions.begin("antenna_disconnected", "no antenna", key="1", severity=Severity.FAULT)
    conditions.begin("antenna_disconnected", "no antenna", key="1", severity=Severity.FAULT)
    conditions.end("antenna_disconnected", "1")
    conditions.end("antenna_disconnected", "1")
    assert [active for _, _, active in told(reports)] == [True, True, False]


def test_what_passes_ends_by_itself_unless_it_is_renewed() -> None:
    reports: list[Observation] = []
    conditions = Conditions(reports.append)
    conditions.begin("buffer_filling", "80 %", until_s=60.0)
    conditions.begin("buffer_filling", "90 %", until_s=90.0)
    conditions.begin("antenna_disconnected", "no antenna", key="1")
    conditions.expire(89.0)
    assert told(reports)[-1] == ("antenna_disconnected", "1", True)
    conditions.expire(90.0)
    assert told(reports)[-1] == ("buffer_filling", "", False)
    conditions.expire(1e9)
    assert len(reports) == 4
