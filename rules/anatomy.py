"""What a rule takes and what it makes, whatever its shape: for checks, indexes and pages."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.rules import (
    AbsenceRule,
    BindingRule,
    HoldRule,
    Input,
    MatchRule,
    PairRule,
    RateRule,
    Rule,
    SequenceRule,
    SessionRule,
    SetRule,
    TravelRule,
)


def inputs(rule: Rule) -> Iterator[tuple[str, Input]]:
    """What it takes, with the place of each in its table; empty where the rule itself is the input."""
    if isinstance(rule, MatchRule | HoldRule | RateRule | SetRule | TravelRule | BindingRule):
        yield "", Input(on=rule.on, when=rule.when)
    if isinstance(rule, SetRule):
        yield from _named(start=trigger_of(rule.start, rule), stop=trigger_of(rule.stop, rule))
    elif isinstance(rule, AbsenceRule):
        yield from _named(after=rule.after, expect=rule.expect, unless=rule.unless)
    elif isinstance(rule, SequenceRule):
        yield from ((f"steps[{index}]", step) for index, step in enumerate(rule.steps))
        yield from _named(unless=rule.unless)
    elif isinstance(rule, SessionRule):
        yield "open", rule.open
        yield from ((f"collect.{name}", part) for name, part in rule.collect.items())
        yield from _named(**{"close.on": rule.close.on})
    elif isinstance(rule, PairRule):
        yield from _named(entry=rule.entry, exit=rule.exit, reset=rule.reset)


def makes(rule: Rule) -> Iterator[tuple[str, str]]:
    """The types of events that it makes, with the place that says so."""
    if rule.emit is not None:
        yield "emit", rule.emit
    elif rule.alarm is None:
        yield "name", rule.name
    if isinstance(rule, SequenceRule | SessionRule) and rule.otherwise is not None:
        yield from _type("otherwise.emit", rule.otherwise.emit)
    if isinstance(rule, SessionRule) and rule.decide is not None:
        yield "decide.emit", rule.decide.emit
    if isinstance(rule, PairRule):
        yield from _type("entered", rule.entered)
        for name, outcome in (("violation", rule.violation), ("full", rule.full), ("overstay", rule.overstay)):
            yield from _type(f"{name}.emit", outcome.emit if outcome is not None else None)


def trigger_of(source: Input | None, rule: SetRule) -> Input | None:
    """What begins or ends cycles of a set: of the group that it names, or, without groups, whatever it is about."""
    if source is None or source.key is not None:
        return source
    return source.model_copy(update={"key": rule.group or (None if rule.places else "subject")})


def _named(**found: Input | None) -> Iterator[tuple[str, Input]]:
    yield from ((name, each) for name, each in found.items() if each is not None)


def _type(where: str, kind: str | None) -> Iterator[tuple[str, str]]:
    if kind is not None:
        yield where, kind
