"""A trace as its operator reads it: what came, what the rule asked of it, what it kept, and the raw reads behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from gateway.config.models import SiteFile
from gateway.config.rules import Rule, SessionRule
from gateway.contract.events import Alarm, Event, Evidence
from gateway.logs import clean
from gateway.recording import Recording
from gateway.where import time_text
from rules.anatomy import inputs, makes
from rules.explaining.folding import Fold, folded, unfolded
from rules.explaining.raw_items import heard_lines, raw_lines
from rules.explaining.session_text import is_part_of, session_lines
from rules.explaining.trace_lines import (
    evidence_text,
    field_lines,
    judged_lines,
    kept_lines,
    more_lines,
    outcome_line,
    title,
)
from rules.explaining.tracing import Judged, Kept, Outcome, Trace, head_of
from rules.shapes.session import CLOSE

MOST_RAW: Final = 40
"""Raw items, or counts of items, that are shown of one thing, unless all are asked for."""
MOST_LINES: Final = 60
"""Lines on the items and states of one rule that are shown, unless all are asked for: a third of them the first."""
MOST_DEPTH: Final = 8
"""How far events are followed back."""


class TraceText:
    """Writes what a trace of a rule, and of those before it, has found.

    Args:
        rules: the traced rules, the one that is asked about first.
        is_all: fold nothing, and leave nothing out.
    """

    def __init__(
        self, site: SiteFile, trace: Trace, rules: Sequence[Rule], recording: Recording, *, is_all: bool = False
    ) -> None:
        self._site = site
        self._trace = trace
        self._rules = rules
        self._recording = recording
        self._is_all = is_all
        self._outcomes = trace.outcomes()

    def why(self, told: Event | Alarm) -> Iterator[str]:
        """Why an event was made, or an alarm raised."""
        yield title(told)
        yield from self.as_told(told)
        yield from self._why(told, 0)

    def as_told(self, told: Event | Alarm) -> Iterator[str]:
        """What an event or alarm says itself, below its title."""
        rule = next((each for each in self._rules if each.name == told.rule), None)
        lines = self._session(rule, told) if isinstance(rule, SessionRule) else field_lines(told)
        yield from (f"  {line}" for line in lines)

    def why_not(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[str]:
        """What a rule made of what came about these subjects, names or keys in `[from_us, to_us)`."""
        shown = clean(", ".join(sorted(about)))
        yield f"rule {rule.name} ({rule.shape}), about {shown}, {time_text(from_us)} to {time_text(to_us)}"
        yield from self._history(rule, about, from_us, to_us)
        if not any(from_us <= each.seen.clock_us < to_us for each in self._trace.judged(rule.name)):
            for place, source in inputs(rule):
                role = f" ({place})" if place else ""
                yield f"  nothing of type {source.on}{role} came about {shown} in this time"
            yield from self._before(rule, about, from_us, to_us)

    def _why(self, told: Event | Alarm, depth: int) -> Iterator[str]:
        pad = "  "
        rule = next((each for each in self._rules if each.name == told.rule), None)
        if rule is None or depth >= MOST_DEPTH:
            yield from (f"{pad}{line}" for line in self._raw(told))
            return
        if depth and isinstance(rule, SessionRule):
            yield from (f"{pad}{line}" for line in self._session(rule, told))
        yield f"{pad}made by rule {rule.name} ({rule.shape}), of:"
        steps = self._leading_to(rule, told)
        if not steps:
            yield f"{pad}  what it rests on came before the part of the recording that was replayed: use --look-back"
            yield from (f"{pad}  {line}" for line in self._raw(told))
        shown: list[_Line] = []
        for fold in self._folded(steps):
            step = fold.first
            if isinstance(step, Kept):
                shown += [_Line(line) for line in (*kept_lines(step), *more_lines(fold))]
                continue
            assert isinstance(step, Judged)  # _leading_to leaves outcomes away
            shown += [_Line(line) for line in judged_lines(step)]
            if step.is_taken and step.seen.event is not None:
                shown[-1].below += self._why(step.seen.event, depth + 2)
            elif step.is_taken:
                shown += [_Line(f"  {line}") for line in self._raw_item(step)]
            shown += [_Line(line) for line in more_lines(fold)]
        yield from (f"{pad}  {line}" for line in self._cut(shown))

    def _session(self, rule: SessionRule, told: Event | Alarm) -> Iterator[str]:
        """What a session collected and decided; nothing for what it tells otherwise."""
        items = [each for each in self._leading_to(rule, told) if isinstance(each, Judged)]
        events = [each.told for each in self._outcomes if isinstance(each.told, Event)]
        events += [told] if isinstance(told, Event) and told not in events else []
        decision = next((each for each in reversed(events) if is_part_of(each, rule, told)), None)
        yield from session_lines(rule, told, items, decision)

    def _folded(self, steps: Sequence[Judged | Kept | Outcome]) -> list[Fold]:
        return unfolded(steps) if self._is_all else folded(steps)

    def _cut(self, lines: Sequence[_Line]) -> Iterator[str]:
        """The first and the last of too many lines."""
        head, tail = MOST_LINES // 3, MOST_LINES - MOST_LINES // 3
        left = [] if self._is_all or len(lines) <= MOST_LINES else lines[head:-tail]
        for line in lines[:head] if left else lines:
            yield from line.all()
        if left:
            yield f"... {sum(1 for line in left for _ in line.all())} lines are left out here; --all shows them"
            for line in lines[-tail:]:
                yield from line.all()

    def _leading_to(self, rule: Rule, told: Event | Alarm) -> list[Judged | Kept]:
        """What came to the rule, and what it kept, from when it began to keep something of this key."""
        until_us = next((each.clock_us for each in self._outcomes if each.told is told), told.at_us)
        if isinstance(rule, SessionRule):
            return list(self._of_session(rule, told, until_us))
        judged = [each for each in self._trace.judged(rule.name) if _is_about(each, told)]
        exact = [each for each in judged if _is_cause(each, told)]
        if rule.shape == "match" and exact:
            return list(exact[-1:])
        found: list[Judged | Kept] = []
        for each in self._trace.log:
            if _clock(each) > until_us:
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
            for each in self._outcomes
            if isinstance(each.told, Event)
            and (each.told.rule, each.told.subject) == (rule.name, told.subject)
            and "duration_s" in each.told.fields
        ]
        from_us = max([opened_us - round(rule.before_s * 1e6), *(each for each in ends if each <= opened_us)])
        last_us = told.since_us if isinstance(told, Alarm) else told.at_us
        for each in self._trace.log:
            if _clock(each) > until_us:
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

    def _history(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[str]:
        passed_over: Counter[tuple[str, str]] = Counter()
        steps: list[Judged | Kept | Outcome] = []
        for each in self._trace.log:
            if not from_us <= _clock(each) < to_us:
                continue
            if isinstance(each, Judged):
                is_meant = each.rule.name == rule.name
                if is_meant and (part := each.unconcerned()) is not None:
                    passed_over[each.seen.on, part.line()] += 1
                    continue
            elif isinstance(each, Kept):
                is_meant = each.rule == rule.name
            else:
                is_meant = each.told.rule == rule.name and _concerns(each.told, about)
            if is_meant:
                steps.append(each)
        shown: list[_Line] = []
        for fold in self._folded(steps):
            shown += self._step_lines(fold)
        yield from (f"  {line}" for line in self._cut(shown))
        for (on, line), count in sorted(passed_over.items())[: None if self._is_all else MOST_RAW]:
            yield f"  {count} of type {on} did not concern it: {clean(line)}"

    def _step_lines(self, fold: Fold) -> list[_Line]:
        step = fold.first
        if not isinstance(step, Outcome):
            lines = judged_lines(step) if isinstance(step, Judged) else kept_lines(step)
            return [_Line(line) for line in (*lines, *more_lines(fold))]
        line = _Line(f"=> {title(step.told)}")
        line.below += (f" {each}" for each in self.as_told(step.told))
        return [line]

    def _before(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[str]:
        """The rules before it, or presence, and then the raw reads."""
        kinds = {source.on for _, source in inputs(rule)}
        for other in self._rules:
            if other is not rule and any(kind in kinds for _, kind in makes(other)):
                yield f"before it stands rule {other.name} ({other.shape}):"
                yield from self._history(other, about, from_us, to_us)
        events = [
            each.told
            for each in self._outcomes
            if each.told.rule is None and from_us <= each.clock_us < to_us and _concerns(each.told, about)
        ]
        yield f"presence, cards and books told {len(events) or 'nothing'} of it in this time"
        yield from (f"  {outcome_line(each)}" for each in events[: None if self._is_all else MOST_RAW])
        yield from heard_lines(self._site, self._recording.batches(from_us, to_us), about)

    def _raw(self, told: Event | Alarm) -> Iterator[str]:
        """The raw items that an evidence names."""
        evidence = told.evidence
        first, last = evidence.sequence_from, evidence.sequence_to
        if not last:
            yield "rests on nothing that the journal holds"
            return
        yield f"rests on {evidence_text(evidence)}:"
        rows: list[tuple[str, str]] = []
        for batch in self._recording.of_sequences(evidence.gateway, evidence.epoch, first, last):
            rows += [
                (line, f"{subject} {place}")
                for line, subject, place in raw_lines(batch)
                if _is_meant(told, evidence, subject, place)
            ]
        if not rows:
            yield "  those batches are no longer in the recording"
        if self._is_all:
            yield from (f"  {row}" for row, _ in rows)
            return
        alike = {what: [row for row, whose in rows if whose == what] for _, what in rows}
        for each in list(alike.values())[:MOST_RAW]:
            yield f"  {each[0]}"
            if len(each) > 1:
                yield f"    ... {len(each) - 1} more like it until {each[-1].partition('  ')[0]}"
        if len(alike) > MOST_RAW:
            yield f"  ... and of {len(alike) - MOST_RAW} more; --all shows them"

    def _raw_item(self, judged: Judged) -> Iterator[str]:
        gateway, epoch, sequence = judged.seen.where
        for batch in self._recording.of_sequences(gateway, epoch, sequence, sequence):
            yield from (line for line, _, _ in list(raw_lines(batch))[judged.seen.index :][:1])


class _Line:
    """A line on an item of a rule; `below` it stands what the rules before tell of it, which counts for them."""

    __slots__ = ("below", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.below: list[str] = []

    def all(self) -> Iterator[str]:
        """It, and what is below."""
        yield self.text
        yield from self.below


def _is_meant(told: Event | Alarm, evidence: Evidence, subject: str, place: str) -> bool:
    """Whether a raw item is among those that an evidence counts; without places, all of its batches are."""
    if evidence.read_points and place not in evidence.read_points:
        return False
    return subject == told.subject or not place


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


def _concerns(told: Event | Alarm, about: Collection[str]) -> bool:
    return told.subject in about or getattr(told, "name", None) in about


def _clock(each: Judged | Kept | Outcome) -> int:
    return each.seen.clock_us if isinstance(each, Judged) else each.clock_us
