"""A trace as its operator reads it: what came, what the rule asked of it, what it kept, and the raw reads behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from msgspec import to_builtins

from gateway.config.models import SiteFile
from gateway.config.rules import Rule, SessionRule
from gateway.contract.events import Alarm, Event
from gateway.logs import clean
from gateway.recording import Recording
from gateway.where import time_text
from rules.anatomy import inputs, makes
from rules.explaining.folding import Fold, folded, unfolded
from rules.explaining.leading import Leads, clock_of
from rules.explaining.line import Line, deeper
from rules.explaining.raw_items import heard_lines, named, raw_items
from rules.explaining.resting import MOST_DEPTH, Resting
from rules.explaining.session_text import is_part_of, session_lines
from rules.explaining.trace_lines import (
    evidence_text,
    field_lines,
    judged_lines,
    kept_line,
    more_lines,
    outcome_line,
    title,
)
from rules.explaining.tracing import Judged, Kept, Outcome, Trace

MOST_RAW: Final = 40
"""Raw items, or counts of items, that are shown of one thing, unless all are asked for."""
MOST_LINES: Final = 60
"""Lines on the items and states of one rule that are shown, unless all are asked for: a third of them the first."""


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
        self._leads = Leads(trace)

    def why(self, told: Event | Alarm) -> Iterator[Line]:
        """Why an event was made, or an alarm raised."""
        yield Line("title", title(told))
        yield from self.as_told(told)
        yield from self._why(told, 0)

    def as_told(self, told: Event | Alarm) -> Iterator[Line]:
        """What an event or alarm says itself, below its title."""
        rule = next((each for each in self._rules if each.name == told.rule), None)
        lines = self._session(rule, told) if isinstance(rule, SessionRule) else field_lines(told)
        yield from deeper(lines)

    def why_not(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[Line]:
        """What a rule made of what came about these subjects, names or keys in `[from_us, to_us)`."""
        shown = clean(", ".join(sorted(about)))
        text = f"rule {rule.name} ({rule.shape}), about {shown}, {time_text(from_us)} to {time_text(to_us)}"
        yield Line("title", text)
        yield from self._history(rule, about, from_us, to_us)
        if not any(from_us <= each.seen.clock_us < to_us for each in self._trace.judged(rule.name)):
            for place, source in inputs(rule):
                role = f" ({place})" if place else ""
                text = f"nothing of type {source.on}{role} came about {shown} in this time"
                yield Line("nothing", text, 2, {"on": source.on, "place": place})
            yield from self._before(rule, about, from_us, to_us)

    def rests_on(self, told: Event | Alarm) -> Resting:
        """Everything that an event or alarm rests on, item by item."""
        return Resting(self._leads, self._rules, self._recording, told)

    def _why(self, told: Event | Alarm, depth: int) -> Iterator[Line]:
        rule = next((each for each in self._rules if each.name == told.rule), None)
        if rule is None or depth >= MOST_DEPTH:
            yield from deeper(self._raw(told))
            return
        if depth and isinstance(rule, SessionRule):
            yield from deeper(self._session(rule, told))
        data = {"rule": rule.name, "shape": rule.shape, "of": told.id}
        yield Line("made_by", f"made by rule {rule.name} ({rule.shape}), of:", 2, data)
        steps = self._leads.to(rule, told)
        if not steps:
            text = "what it rests on came before the part of the recording that was replayed: use --look-back"
            yield Line("note", text, 4)
            yield from deeper(self._raw(told), 4)
        shown: list[_Line] = []
        for fold in self._folded(steps):
            step = fold.first
            if isinstance(step, Kept):
                shown += [_Line(line) for line in (kept_line(step), *more_lines(fold))]
                continue
            assert isinstance(step, Judged)  # _leading_to leaves outcomes away
            shown += [_Line(line) for line in judged_lines(step)]
            if step.is_taken and step.seen.event is not None:
                shown[-1].below += self._why(step.seen.event, depth + 2)
            elif step.is_taken:
                shown += [_Line(line) for line in deeper(self._raw_item(step))]
            shown += [_Line(line) for line in more_lines(fold)]
        yield from deeper(self._cut(shown), 4)

    def _session(self, rule: SessionRule, told: Event | Alarm) -> Iterator[Line]:
        """What a session collected and decided; nothing for what it tells otherwise."""
        items = [each for each in self._leads.to(rule, told) if isinstance(each, Judged)]
        events = [each.told for each in self._leads.outcomes if isinstance(each.told, Event)]
        events += [told] if isinstance(told, Event) and told not in events else []
        decision = next((each for each in reversed(events) if is_part_of(each, rule, told)), None)
        yield from session_lines(rule, told, items, decision)

    def _folded(self, steps: Sequence[Judged | Kept | Outcome]) -> list[Fold]:
        return unfolded(steps) if self._is_all else folded(steps)

    def _cut(self, lines: Sequence[_Line]) -> Iterator[Line]:
        """The first and the last of too many lines."""
        head, tail = MOST_LINES // 3, MOST_LINES - MOST_LINES // 3
        left = [] if self._is_all or len(lines) <= MOST_LINES else lines[head:-tail]
        for line in lines[:head] if left else lines:
            yield from line.all()
        if left:
            count = sum(1 for line in left for _ in line.all())
            yield Line("cut", f"... {count} lines are left out here; --all shows them", data={"count": count})
            for line in lines[-tail:]:
                yield from line.all()

    def _history(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[Line]:
        passed_over: Counter[tuple[str, str]] = Counter()
        steps: list[Judged | Kept | Outcome] = []
        for each in self._trace.log:
            if not from_us <= clock_of(each) < to_us:
                continue
            if isinstance(each, Judged):
                is_meant = each.rule.name == rule.name
                if is_meant and (part := each.unconcerned()) is not None:
                    passed_over[each.seen.on, part.told()] += 1
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
        yield from deeper(self._cut(shown))
        for (on, line), count in sorted(passed_over.items())[: None if self._is_all else MOST_RAW]:
            text = f"{count} of type {on} did not concern it: {clean(line)}"
            yield Line("passed_over", text, 2, {"on": on, "count": count})

    def _step_lines(self, fold: Fold) -> list[_Line]:
        step = fold.first
        if not isinstance(step, Outcome):
            lines = judged_lines(step) if isinstance(step, Judged) else [kept_line(step)]
            return [_Line(line) for line in (*lines, *more_lines(fold))]
        line = _Line(Line("made", f"=> {title(step.told)}", data={"id": step.told.id, "at_us": step.told.at_us}))
        line.below += deeper(self.as_told(step.told), 1)
        return [line]

    def _before(self, rule: Rule, about: Collection[str], from_us: int, to_us: int) -> Iterator[Line]:
        """The rules before it, or presence, and then the raw reads."""
        kinds = {source.on for _, source in inputs(rule)}
        for other in self._rules:
            if other is not rule and any(kind in kinds for _, kind in makes(other)):
                text = f"before it stands rule {other.name} ({other.shape}):"
                yield Line("before", text, data={"rule": other.name, "shape": other.shape})
                yield from self._history(other, about, from_us, to_us)
        events = [
            each.told
            for each in self._leads.outcomes
            if each.told.rule is None and from_us <= each.clock_us < to_us and _concerns(each.told, about)
        ]
        yield Line("before", f"presence, cards and books told {len(events) or 'nothing'} of it in this time")
        for each in events[: None if self._is_all else MOST_RAW]:
            yield Line("made", outcome_line(each), 2, {"id": each.id, "at_us": each.at_us})
        yield from heard_lines(self._site, self._recording.batches(from_us, to_us), about)

    def _raw(self, told: Event | Alarm) -> Iterator[Line]:
        """The raw items that an evidence names."""
        if not told.evidence.sequence_to:
            yield Line("note", "rests on nothing that the journal holds")
            return
        yield Line("rests_on", f"rests on {evidence_text(told.evidence)}:", data=to_builtins(told.evidence))
        found = list(named(self._recording, told))
        if not found:
            yield Line("note", "those batches are no longer in the recording", 2)
        if self._is_all:
            yield from (each.line.deeper() for each in found)
            return
        alike: dict[str, list[Line]] = {}
        for each in found:
            alike.setdefault(f"{each.subject} {each.place}", []).append(each.line)
        for lines in list(alike.values())[:MOST_RAW]:
            yield lines[0].deeper()
            if len(lines) > 1:
                more = {"count": len(lines) - 1, "until_us": lines[-1].data["at_us"]}
                until = lines[-1].text.partition("  ")[0]
                yield Line("more", f"... {len(lines) - 1} more like it until {until}", 4, more)
        if len(alike) > MOST_RAW:
            left = len(alike) - MOST_RAW
            yield Line("cut", f"... and of {left} more; --all shows them", 2, {"count": left})

    def _raw_item(self, judged: Judged) -> Iterator[Line]:
        gateway, epoch, sequence = judged.seen.where
        for batch in self._recording.of_sequences(gateway, epoch, sequence, sequence):
            yield from (each.line for each in list(raw_items(batch))[judged.seen.index :][:1])


class _Line:
    """A line on an item of a rule; `below` it stands what the rules before tell of it, which counts for them."""

    __slots__ = ("below", "line")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.below: list[Line] = []

    def all(self) -> Iterator[Line]:
        """It, and what is below."""
        yield self.line
        yield from self.below


def _concerns(told: Event | Alarm, about: Collection[str]) -> bool:
    return told.subject in about or getattr(told, "name", None) in about
