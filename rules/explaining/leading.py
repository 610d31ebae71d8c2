"""What led to an event or alarm: the items that its rule took, and what it kept of them, in their order."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.rules import Rule, SessionRule
from gateway.contract.events import Alarm, Event
from rules.explaining.tracing import Judged, Kept, Outcome, Trace, head_of
from rules.shapes.session import CLOSE


class Leads:
    """Finds it in a trace.

    Attributes:
        outcomes: what the traced rules and presence made.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.outcomes = trace.outcomes()

    def to(self, rule: Rule, told: Event | Alarm) -> list[Judged | Kept]:
        """What came to the rule, and what it kept, from when it began to keep something of this key."""
        until_us = next((each.clock_us for each in self.outcomes if each.told is told), told.at_us)
        if isinstance(rule, SessionRule):
            return list(self._of_session(rule, told, until_us))
        judged = [each for each in self._trace.judged(rule.name) if _is_about(each, told)]
        exact = [each for each in judged if _is_cause(each, told)]
        if rule.shape == "match" and exact:
            return list(exact[-1:])
        found: list[Judged | Kept] = []
        for each in self._trace.log:
            if clock_of(each) > until_us:
                break
            is_kept = isinstance(each, Kept) and each.rule == rule.name and head_of(each.key) in _keys(told)
            is_judged = (
                isinstance(each, Judged)
                and each.rule.name == rule.name
                and each.unconcerned() is None
                and _is_about(each, told)
            )
            if not isinstance(each, Outcome) and (is_kept or is_judged):
                found.append(each)
        begin = 0
        for number, step in enumerate(found[:-1]):
            if isinstance(step, Kept) and step.state is None:
                begin = number + 1
        return found[begin:]

    def _of_session(self, rule: SessionRule, told: Event | Alarm, until_us: int) -> Iterator[Judged | Kept]:
        """What came to one session, from `before_s` before its opening or the end of the one before, until it told."""
        opened_us = told.fields.get("opened_at_us")
        if not isinstance(opened_us, int):
            return  # an alarm of another shape, from before the rule was changed
        ends = [
            each.told.at_us
            for each in self.outcomes
            if isinstance(each.told, Event)
            and (each.told.rule, each.told.subject) == (rule.name, told.subject)
            and "duration_s" in each.told.fields
        ]
        from_us = max([opened_us - round(rule.before_s * 1e6), *(each for each in ends if each <= opened_us)])
        last_us = told.since_us if isinstance(told, Alarm) else told.at_us
        for each in self._trace.log:
            if clock_of(each) > until_us:
                return
            is_judged = (
                isinstance(each, Judged)
                and (each.rule.name, each.key) == (rule.name, told.subject)
                and from_us <= each.seen.at_us <= last_us
                and not (each.place == CLOSE and each.seen.at_us <= opened_us)
                and each.unconcerned() is None
            )
            is_kept = (
                isinstance(each, Kept)
                and (each.rule, each.key) == (rule.name, told.subject)
                and each.state is not None
                and each.state.get("opened_us") == opened_us
            )
            if not isinstance(each, Outcome) and (is_judged or is_kept):
                yield each


def clock_of(each: Judged | Kept | Outcome) -> int:
    """What the clock of its gateway showed."""
    return each.seen.clock_us if isinstance(each, Judged) else each.clock_us


def _is_about(judged: Judged, told: Event | Alarm) -> bool:
    return head_of(judged.key or "") in _keys(told) or judged.key in _keys(told) or _is_cause(judged, told)


def _is_cause(judged: Judged, told: Event | Alarm) -> bool:
    """Whether an item is what something rests on alone."""
    if judged.fields.get("subject") != told.subject or not judged.is_taken:
        return False
    if judged.seen.event is not None:
        return judged.seen.event.evidence == told.evidence and judged.seen.at_us <= told.at_us
    gateway, epoch, sequence = judged.seen.where
    named = told.evidence
    return (gateway, epoch, sequence, sequence) == (
        named.gateway,
        named.epoch,
        named.sequence_from,
        named.sequence_to,
    )


def _keys(told: Event | Alarm) -> set[str]:
    return {told.subject}
