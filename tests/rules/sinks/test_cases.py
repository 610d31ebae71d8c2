from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.sinks import RespondWithin
from rules.sinks.cases import case_of, limits_of, rfc3339
from tests.rules.sinks.told import AT_US, alarm

LIMITS_S = {"critical": 900.0, "warning": 14_400.0, "info": 86_400.0}
MINUTE_US = 60_000_000


def seen(after_us: int, **more: object) -> dict[str, object]:
    return {"acknowledged_by": "kim", "acknowledged_at_us": AT_US + after_us, "at_us": AT_US + after_us + 5, **more}


def test_a_new_case_says_what_and_until_when() -> None:
    case = msgspec.to_builtins(case_of(alarm(fields={"celsius": -5.0}), LIMITS_S))
    assert case == {
        "case": f"{alarm().id}-{AT_US}",
        "state": "raised",
        "alarm": alarm().id,
        "rule": "reefer-warm",
        "severity": "critical",
        "subject": "CSQU3054383",
        "message": "the reefer is too warm",
        "opened_at": "2026-09-21T14:13:20.123456Z",
        "changed_at": "2026-09-21T14:13:20.123456Z",
        "due_at": "2026-09-21T14:28:20.123456Z",
        "respond_within_s": 900.0,
        "fields": {"celsius": -5.0},
        "evidence": {"gateway": "edge-1", "epoch": 1, "sequence_from": 7, "sequence_to": 9, "reads": 12},
    }


def test_its_states_are_of_one_case_and_the_next_time_is_another() -> None:
    states = [alarm(), alarm(**seen(MINUTE_US)), alarm(**seen(MINUTE_US), state="cleared")]
    cases = [case_of(state, LIMITS_S) for state in states]
    assert [case.state for case in cases] == ["raised", "acknowledged", "cleared"]
    assert len({case.case for case in cases}) == 1
    assert len({case.due_at for case in cases}) == 1
    again = case_of(alarm(since_us=AT_US + 10 * MINUTE_US, at_us=AT_US + 10 * MINUTE_US), LIMITS_S)
    assert again.case != cases[0].case
    assert again.alarm == cases[0].alarm


@pytest.mark.parametrize(("after_us", "in_time"), [(900_000_000, True), (900_000_001, False)])
def test_it_is_in_time_when_somebody_acknowledged_it_before_it_was_due(after_us: int, in_time: bool) -> None:  # noqa: FBT001  # a parameter of the test
    case = case_of(alarm(**seen(after_us)), LIMITS_S)
    assert case.in_time is in_time
    assert case.answered_at == rfc3339(AT_US + after_us)
    assert case.acknowledged_by == "kim"
    # What comes later does not change it.
    cleared = case_of(alarm(**seen(after_us, state="cleared", at_us=AT_US + 3_600_000_000)), LIMITS_S)
    assert (cleared.in_time, cleared.answered_at) == (case.in_time, case.answered_at)


@pytest.mark.parametrize(("after_us", "in_time"), [(900_000_000, True), (900_000_001, False)])
def test_what_ends_before_anybody_saw_it_is_answered_by_its_end(after_us: int, in_time: bool) -> None:  # noqa: FBT001  # a parameter of the test
    case = case_of(alarm(state="cleared", at_us=AT_US + after_us), LIMITS_S)
    assert (case.in_time, case.answered_at) == (in_time, rfc3339(AT_US + after_us))
    assert case.acknowledged_by is None


def test_an_open_case_is_neither_in_time_nor_late() -> None:
    case = case_of(alarm(ended=True, comment="coming", comment_by="kim"), LIMITS_S)
    assert (case.in_time, case.answered_at, case.ended) == (None, None, True)
    assert (case.comment, case.comment_by) == ("coming", "kim")


def test_a_case_that_became_louder_is_due_earlier() -> None:
    before = case_of(alarm(severity="warning"), LIMITS_S)
    louder = case_of(alarm(severity="critical", escalated=True, at_us=AT_US + 5), LIMITS_S)
    assert (before.due_at, louder.due_at) == ("2026-09-21T18:13:20.123456Z", "2026-09-21T14:28:20.123456Z")
    assert louder.case == before.case
    assert louder.escalated


def test_limits_are_those_of_the_site_file() -> None:
    assert limits_of(RespondWithin(warning=60)) == {"critical": 900, "warning": 60, "info": 86_400}


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001  # naive by contract of st.datetimes
def test_times_are_exact(naive: datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    at_us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    text = rfc3339(at_us)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == at
    assert len(text) == len("2026-09-21T14:13:20.123456Z")


def test_a_time_that_no_calendar_has() -> None:
    with pytest.raises((ValueError, OverflowError, OSError)):
        rfc3339(10**18)
