"""Everything that an event or alarm rests on, down to the raw items, item by item: for pages and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.config.rules import Rule
from gateway.contract.events import Alarm, Event
from gateway.recording import Recording
from rules.explaining.leading import Leads
from rules.explaining.raw_items import named, raw_items
from rules.explaining.trace_lines import judged_data, title
from rules.explaining.tracing import Judged

MOST: Final = 2_000
"""Items that are told; further ones are counted."""
MOST_DEPTH: Final = 8
"""How far events are followed back."""

Item = dict[str, Any]
_Where = tuple[str, int, int]


class Resting:
    """The items, in the order in which the rules took them.

    Attributes:
        items: each with the rule that took it, its place there (`collect.truck`), and either the raw item or the event
            that it is, followed by what that rests on; `depth` tells how far behind.
        left_out: how many more there are.
    """

    def __init__(self, leads: Leads, rules: Sequence[Rule], recording: Recording, told: Event | Alarm) -> None:
        self.items: list[Item] = []
        self.left_out = 0
        self._leads = leads
        self._rules = {rule.name: rule for rule in rules}
        self._recording = recording
        for item in self._of(told, 0):
            if len(self.items) < MOST:
                self.items.append(item)
            else:
                self.left_out += 1
        self._fill()

    def _of(self, told: Event | Alarm, depth: int) -> Iterator[Item]:
        rule = self._rules.get(told.rule or "")
        steps = [] if rule is None or depth >= MOST_DEPTH else self._leads.to(rule, told)
        taken = [step for step in steps if isinstance(step, Judged) and step.is_taken]
        if not taken:
            for each in named(self._recording, told):
                yield {"rule": None, "place": "", "depth": depth, **each.line.data, "event": None, "title": None}
            return
        for step in taken:
            data = judged_data(step)
            head = {"rule": data["rule"], "place": data["place"], "depth": depth, "on": data["on"]}
            event = step.seen.event
            if event is None:
                yield head | {"event": None, "title": None, "at_us": step.seen.at_us, "where": step.seen}
            else:
                yield head | {"event": event.id, "title": title(event), "at_us": event.at_us, "subject": event.subject}
                yield from self._of(event, depth + 1)

    def _fill(self) -> None:
        """Put the raw items to those that are known by their places in the recording; each batch is read once."""
        wanted = [item for item in self.items if "where" in item]
        found = self._read({item["where"].where for item in wanted})
        for item in wanted:
            seen = item.pop("where")
            item.update(found.get((seen.where, seen.index), {}))

    def _read(self, places: set[_Where]) -> Mapping[tuple[_Where, int], Mapping[str, object]]:
        found: dict[tuple[_Where, int], Mapping[str, object]] = {}
        for gateway, epoch in sorted({(gateway, epoch) for gateway, epoch, _ in places}):
            sequences = [each for name, number, each in places if (name, number) == (gateway, epoch)]
            for batch in self._recording.of_sequences(gateway, epoch, min(sequences), max(sequences)):
                where = (gateway, epoch, batch.sequence)
                if where in places:
                    found |= {(where, index): each.line.data for index, each in enumerate(raw_items(batch))}
        return found
