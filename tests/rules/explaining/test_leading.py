from __future__ import annotations

import msgspec

from gateway.config.rules import Rule
from rules.explaining.leading import Leads, clock_of
from rules.explaining.tracing import Kept, Outcome, Trace
from tests.rules.checking.test_emitted import rule
from tests.rules.explaining.test_trace_lines import ALARM, START_US


def busy() -> Rule:
    return rule("rate", "busy", on="read", within_s=9, above=1)


def kept(at_us: int, count: int | None, key: str = "lane-1/x") -> Kept:
    return Kept("busy", key, START_US + at_us, None if count is None else {"count": count})


def leads(*log: Kept | Outcome) -> Leads:
    trace = Trace()
    trace.log.extend(log)
    return Leads(trace)


def test_it_ends_with_the_outcome_and_begins_when_something_was_kept_anew() -> None:
    made = Outcome(START_US + 5, ALARM)
    log: list[Kept | Outcome] = [
        kept(0, 1),
        kept(1, None),
        kept(2, 1),
        kept(3, 2, "lane-2"),
        kept(4, 2),
        made,
        kept(6, 3),
    ]
    found = leads(*log)
    assert found.outcomes == [made]
    assert found.to(busy(), ALARM) == [kept(2, 1), kept(4, 2)]


def test_what_is_not_in_the_trace_ends_with_its_own_time() -> None:
    alarm = msgspec.structs.replace(ALARM, at_us=START_US + 3)
    assert leads(kept(2, 1), kept(4, 2)).to(busy(), alarm) == [kept(2, 1)]


def test_clocks() -> None:
    assert (clock_of(kept(7, 1)), clock_of(Outcome(9, ALARM))) == (START_US + 7, 9)
