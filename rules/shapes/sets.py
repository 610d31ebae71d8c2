"""`set`: which keys came in a cycle, and which are new or gone against the cycle before.

A cycle begins with an item of `start`; without `start` with the first item and, from then on, at the end of the one
before. With `repeat_s`, the next begins so long after the beginning of the last, or at its end if that is later; what
comes in between belongs to no cycle. It ends by whatever comes first: `duration_s` after its beginning, no new key for
`stable_s`, or an item of `stop`. Each value of `group` has cycles of its own.

Items belong to the cycle that runs when they become known. Silence is not believed of time in which nobody listened:
after a cycle that was not watched from beginning to end nothing is gone, and nothing is reported as empty.

Source: GS1, The Application Level Events (ALE) Specification 1.1.1, Part I: Core Specification (2009), section 8.2:
ECBoundarySpec, ECReportSpec, ECReportSetSpec, ECGroupSpec. Differs: there all groups share one cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.config.rules import Input, Outcome, Report, SetRule
from gateway.contract.events import Scalar
from rules.anatomy import trigger_of
from rules.item import Item, joined
from rules.presence.watched import joint
from rules.shapes.ordered import Ordered, Timers, Turn
from rules.state import State

MOST_MEMBERS: Final = 10_000
"""Keys of one cycle and the one before, together; sightings of further ones are told as `cut`."""
MOST_SHOWN: Final = 100
"""Members named in an event at most, in the order of their text."""
MOST_TEXT: Final = 4000
"""Characters of the members named in an event at most."""
PAUSE_US: Final = 60_000_000
"""After a cycle in which nobody listened and nothing was heard, without an item, the next begins so long later."""


class Run(msgspec.Struct, array_like=True, gc=False):
    """The cycles of one group.

    Attributes:
        phase: `open`; `waits` for the next beginning, no item counts; `idle`, the next item begins a cycle.
        from_us: when the running, or last, cycle began; fresh_us: when something new came in it.
        counted_us: watched time at the beginning.
        basis: what the cycle rests on: the evidence of everything new in it.
        due_us: the timer that was wound up for it, 0 if none.
        seen: keys heard in it; cut: sightings of keys that there was no room for.
        is_triggered: an item of `start` began it.
    """

    gateway: str
    phase: str
    from_us: int
    fresh_us: int
    counted_us: int
    basis: Item
    due_us: int = 0
    seen: int = 0
    cut: int = 0
    is_triggered: bool = False


class SetRow(msgspec.Struct, array_like=True, gc=False):
    """A group, or one of its members.

    Attributes:
        cycle: number of the running cycle; of a member, of that in which it was heard last.
        was_before: a member that the cycle before had, too.
        run: of a group.
    """

    cycle: int
    was_before: bool = False
    run: Run | None = None


class SetReports(Ordered):
    """One rule of this shape. The key of its alarms and events is the value of `group`, or the rule's name."""

    def __init__(self, rule: SetRule, number: int, state: State) -> None:
        inputs = {
            "start": trigger_of(rule.start, rule),
            "item": Input(on=rule.on, when=rule.when, key=rule.group),
            "stop": trigger_of(rule.stop, rule),
        }
        super().__init__(rule, number, state, inputs)
        self._set = rule
        self._duration_us = _microseconds(rule.duration_s)
        self._stable_us = _microseconds(rule.stable_s)
        self._repeat_us = _microseconds(rule.repeat_s)
        self._watched = joint(rule.watched)
        self._tells_empty = rule.report_if_empty and not rule.only_on_change
        self.rows = state.table("rule", self.owner, SetRow)
        self._members: dict[str, dict[str, SetRow]] = {}

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An item that counts, or that begins or ends a cycle."""
        group = key if self._set.group else self.rule.name
        self._settle(group, turn)
        if role == "stop":
            self._stop(group, item, turn)
        elif role == "start":
            self._start(group, item, turn)
        else:
            value = item.fields.get(self._set.key) if self._set.group else key
            if value is not None and not isinstance(value, list):
                self._hear(group, str(value), item, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """A cycle ends, or the next begins."""
        row = self.rows.rows.get(_head(key))
        if row is None or row.run is None or row.run.due_us != due_us or row.run.gateway != turn.gateway:
            return
        row.run.due_us = 0
        self._come(key, row, row.run, due_us, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Find the members of each group, and wind up its timer again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.run is None:
                group, member = _parts(key)
                self._members.setdefault(group, {})[member] = row
            else:
                group = key[1:]
                self._members.setdefault(group, {})
                if row.run.due_us and row.run.gateway in timers:
                    timers[row.run.gateway].wake(row.run.due_us, self.number, group)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's cycles move with its clock."""
        for key, row in self.rows.rows.items():
            run = row.run
            if run is not None and run.gateway == gateway:
                run.from_us -= by_us
                run.fresh_us -= by_us
                run.due_us -= by_us if run.due_us else 0
                self.rows.dirty.add(key)

    def is_standing(self, key: str) -> bool:
        """Whether the last cycle had something in it; what was new or gone in it has no end of its own."""
        return self._set.report is Report.CURRENT and self.is_raised(key)

    def _settle(self, group: str, turn: Turn) -> None:
        """Do what is overdue, because the gateway on whose clock it waits is slower than this one, or quiet."""
        while (row := self.rows.rows.get(_head(group))) is not None and (run := row.run) is not None:
            due_us = self._ends_us(run)[0] if run.phase == "open" else run.due_us
            if not 0 < due_us < turn.now_us:
                return
            self._come(group, row, run, due_us, turn)

    def _come(self, group: str, row: SetRow, run: Run, due_us: int, turn: Turn) -> None:
        if run.phase != "open":
            self._begin(group, row, run, due_us, turn)
            return
        ends_us, by = self._ends_us(run)
        if ends_us <= due_us:
            self._end(group, row, run, ends_us, by, turn)
        else:
            self._plan(group, run, ends_us, turn)

    def _ends_us(self, run: Run) -> tuple[int, str]:
        """When the running cycle ends if nothing new comes, 0 if never, and by what."""
        by_duration_us = run.from_us + self._duration_us
        by_stable_us = run.fresh_us + self._stable_us
        if self._stable_us and not (self._duration_us and by_duration_us <= by_stable_us):
            return by_stable_us, "stable"
        return (by_duration_us, "duration") if self._duration_us else (0, "")

    def _start(self, group: str, item: Item, turn: Turn) -> None:
        row = self.rows.rows.get(_head(group)) or self._make(group, item, turn)
        if row is None or row.run is None or row.run.phase == "open":
            return
        run = row.run
        run.basis = _basis(item, None)
        self._begin(group, row, run, max(turn.now_us, run.fresh_us), turn)
        run.is_triggered = True

    def _stop(self, group: str, item: Item, turn: Turn) -> None:
        row = self.rows.rows.get(_head(group))
        if row is None or row.run is None or row.run.phase != "open" or item.known_us < row.run.from_us:
            return  # one that comes too late does not end a later cycle
        self._end(group, row, row.run, max(turn.now_us, row.run.fresh_us), f"stop {item.origin}", turn)

    def _hear(self, group: str, member: str, item: Item, turn: Turn) -> None:
        row = self.rows.rows.get(_head(group))
        if row is None and self._set.start is None:
            row = self._make(group, item, turn)
        if row is None or (run := row.run) is None or run.phase == "waits":
            return
        if run.phase == "idle":
            self._begin(group, row, run, max(turn.now_us, run.fresh_us), turn)
        members = self._members[group]
        found = members.get(member)
        if found is not None and found.cycle == row.cycle:
            return
        self.rows.dirty.add(_head(group))
        if found is None:
            if len(members) >= MOST_MEMBERS or len(self.rows.rows) >= self._set.most_keys:
                run.cut += 1
                return
            found = members[member] = SetRow(row.cycle)
        else:
            found.cycle, found.was_before = row.cycle, True
        self.rows.put(_member(group, member), found)
        run.basis = _basis(item, run)
        run.fresh_us = max(turn.now_us, run.fresh_us)
        run.seen += 1

    def _make(self, group: str, item: Item, turn: Turn) -> SetRow | None:
        if len(self.rows.rows) >= self._set.most_keys:
            self.refused += 1
            return None
        row = SetRow(0, run=Run(turn.gateway, "idle", 0, 0, 0, _basis(item, None)))
        self.rows.put(_head(group), row)
        self._members[group] = {}
        return row

    def _begin(self, group: str, row: SetRow, run: Run, at_us: int, turn: Turn) -> None:
        row.cycle += 1
        run.gateway, run.phase, run.from_us, run.fresh_us = turn.gateway, "open", at_us, at_us
        run.counted_us = turn.counted_us(self._watched, at_us)
        run.seen, run.cut, run.is_triggered = 0, 0, False
        self._plan(group, run, self._ends_us(run)[0], turn)

    def _end(self, group: str, row: SetRow, run: Run, to_us: int, by: str, turn: Turn) -> None:
        is_complete = self._was_watched(run, to_us, turn)
        members = self._members[group]
        current = sorted(member for member, each in members.items() if each.cycle == row.cycle)
        added = [member for member in current if not members[member].was_before]
        unheard = sorted(members.keys() - set(current))
        for member in unheard:
            if is_complete:
                del members[member]
                self.rows.drop(_member(group, member))
            else:
                members[member].cycle = row.cycle
                self.rows.dirty.add(_member(group, member))
        removed = unheard if is_complete else []
        result = {Report.CURRENT: current, Report.ADDITIONS: added, Report.DELETIONS: removed}[self._set.report]
        is_told = bool(result) or (self._set.report_if_empty and is_complete)
        if is_told and (added or removed or not self._set.only_on_change):
            fields: dict[str, Scalar] = {
                "count": len(current),
                "added": len(added),
                "removed": len(removed),
                "cycle_from_us": run.from_us,
                "cycle_to_us": to_us,
                "ended_by": by.partition(" ")[0],
                "complete": is_complete,
                "cut": run.cut,
            }
            self._report(group, run, to_us, by, fields, result, turn)
        if not result and is_complete:
            self.lower(group, turn, "")
        self._go_on(group, row, run, to_us, turn, is_complete=is_complete)

    def _was_watched(self, run: Run, to_us: int, turn: Turn) -> bool:
        if not self._watched and run.gateway != turn.gateway:
            return False  # each gateway has lived a time of its own
        return turn.counted_us(self._watched, to_us) - run.counted_us >= to_us - run.from_us

    def _report(
        self, group: str, run: Run, to_us: int, by: str, fields: dict[str, Scalar], result: list[str], turn: Turn
    ) -> None:
        shown: list[str] = []
        room = MOST_TEXT
        for member in result[:MOST_SHOWN]:
            room -= len(member) + 1
            if room < 0:
                break
            shown.append(member)
        fields |= {"members": " ".join(shown), "members_cut": len(result) - len(shown)}
        event = self.event(
            self.emits or self.rule.name, group, to_us, [run.basis], turn, fields,
            run.from_us, run.basis.origin, by,
        )  # fmt: skip
        if result:
            self.fulfil(group, event, turn)
        else:
            self.fail(group, Outcome(emit=self.emits), event, turn)

    def _go_on(self, group: str, row: SetRow, run: Run, to_us: int, turn: Turn, *, is_complete: bool) -> None:
        """Plan the next cycle, or forget the group until there is something to remember."""
        by_itself = self._set.start is None
        is_quiet = not run.seen and not is_complete
        if not self._members[group] and not self._has_more(group, run, by_itself=by_itself, is_quiet=is_quiet):
            self.rows.drop(_head(group))
            del self._members[group]
            return
        run.gateway, run.fresh_us = turn.gateway, to_us
        if not by_itself and not self._repeat_us:
            self._wait(group, run, "waits", 0, turn)
        elif is_quiet:
            self._wait(group, run, "idle" if by_itself else "waits", to_us + PAUSE_US, turn)
        elif (next_us := run.from_us + self._repeat_us) > to_us:
            self._wait(group, run, "waits", next_us, turn)
        else:
            self._begin(group, row, run, to_us, turn)

    def _has_more(self, group: str, run: Run, *, by_itself: bool, is_quiet: bool) -> bool:
        """Whether a group without members has yet to tell or to lower something, or to keep time."""
        if self._tells_empty if by_itself else self._repeat_us:
            return True
        return self.is_raised(group) or (by_itself and (bool(run.seen) or is_quiet))

    def _wait(self, group: str, run: Run, phase: str, due_us: int, turn: Turn) -> None:
        run.phase = phase
        self._plan(group, run, due_us, turn)

    def _plan(self, group: str, run: Run, due_us: int, turn: Turn) -> None:
        self.rows.dirty.add(_head(group))
        run.due_us = due_us
        if due_us:
            turn.wake(due_us, self.number, group)


def _microseconds(seconds: float | None) -> int:
    """At least one, so that no cycle is without length; 0 for none."""
    return 0 if seconds is None else max(1, round(seconds * 1e6))


def _basis(item: Item, run: Run | None) -> Item:
    """What a cycle rests on, with this item: its fields are those that all members share, none of which is named."""
    fields = {name: value for name, value in item.fields.items() if name != "name"}
    if run is None or not (run.seen or run.is_triggered):
        return replace(item, fields=fields)
    if run.seen:
        fields = {name: value for name, value in fields.items() if run.basis.fields.get(name) == value}
    return replace(item, fields=fields, evidence=joined([run.basis.evidence, item.evidence]))


def _head(group: str) -> str:
    return f"={group}"


def _member(group: str, member: str) -> str:
    return f"{len(group)}:{group}{member}"


def _parts(key: str) -> tuple[str, str]:
    length, _, rest = key.partition(":")
    return rest[: int(length)], rest[int(length) :]
