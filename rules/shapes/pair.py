"""`pair`: entries and exits, who is inside, and who passes as nobody can.

                        entry                                     exit
    outside             enters                                    violation "exit_without_entry", but see below
    inside              violation "entered_twice"                 leaves: `emit`, with how long it was inside

What a violation is depends on `antipassback`; where it is none, or counts as a passage all the same, a second entry
begins the stay anew. Nobody is known to be outside after a `reset`: the next exit of each key is then no violation.

An item that happened before the last passage of its key, or before the last reset, comes too late: it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from gateway.config.rules import AntiPassback, Outcome, PairRule
from gateway.contract.events import Event, Scalar, event_id
from rules.item import Item, joined
from rules.language.vocabulary import Fields
from rules.shapes.ordered import Intake, Ordered, Timers, Turn
from rules.shapes.pair_area import Areas, PairRow, Place, row_of, where_of
from rules.shapes.roles import Roles
from rules.state import State

NOBODY: Final = ""
"""The key of the last reset's row, and of the timer that looks for what is to be forgotten; no item has it."""
STRAY_US: Final = 600_000_000
"""How long an exit without an entry is remembered: an entry from before it that comes late does not count."""
LOOK_US: Final = 600_000_000
"""All rows are looked through for what is to be forgotten once in this time at most."""
SHRINK_FROM: Final = 10_000
EXIT: Final = "exit"
"""Before the key of the alarm of an exit; the others before those of the other outcomes, `FULL` before the area."""
VIOLATION: Final = "violation"
OVERSTAY: Final = "overstay"
FULL: Final = "full"


class _ResetIntake(Intake):
    """A reset concerns everybody, whatever it is about."""

    def key(self, fields: Fields) -> str:
        del fields
        return NOBODY


class Pair(Ordered):
    """One rule of this shape."""

    def __init__(self, rule: PairRule, number: int, state: State) -> None:
        super().__init__(rule, number, state, {"entry": rule.entry, "exit": rule.exit})
        self._roles = Roles(self.intakes)
        if rule.reset is not None:
            self.intakes.append(_ResetIntake("reset", rule.reset, rule.key, {}))
        self._pair = rule
        self._is_strict = rule.antipassback in {AntiPassback.SOFT, AntiPassback.HARD}
        self._forgive_us = round((rule.forgive_after_s or 0) * 1e6)
        self._longest_us = round((rule.longest_s or 0) * 1e6)
        self._forget_us = round(rule.forget_after_s * 1e6)
        self._areas = Areas()
        self._looks: dict[str, int] = {}
        self._most = 0
        self.rows = state.table("rule", self.owner, PairRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An entry, an exit, or a reset. What is both entry and exit is the one that is possible."""
        if role == "reset":
            self._reset(item, turn)
            return
        roles = self._roles.of(role, key, item) if key else ()
        row = self._known(key, item.at_us)
        if not roles or item.at_us < self._reset_us() or (row is not None and item.at_us < row.at_us):
            return
        if "entry" not in roles or ("exit" in roles and row is not None and row.is_inside):
            self._exit(key, row, item, turn)
        else:
            self._enter(key, row, item, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """Somebody has stayed too long, or is forgotten, or it is time to look for those who are."""
        if key == NOBODY:
            self._look(due_us, turn)
            return
        row = self.rows.rows.get(key)
        if row is None or row.gateway != turn.gateway:
            return
        if self._longest_us and row.place == Place.INSIDE and row.at_us + self._longest_us == due_us:
            self._overstay(key, row, due_us, turn)
        if self._gone_us(key, row) <= due_us:
            self._forget(key, row, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Count who is inside, and wind up the timers again."""
        super().restore(timers)
        self._looks.clear()
        for key, row in self.rows.rows.items():
            row.share()
            gateway = row.gateway
            gone_us = self._gone_us(key, row)
            self._looks[gateway] = min(gone_us, self._looks.get(gateway, gone_us))
            if self._longest_us and row.place == Place.INSIDE and gateway in timers:
                timers[gateway].wake(row.at_us + self._longest_us, self.number, key)
        self._most = len(self.rows.rows)
        self._areas.count(self.rows.rows.values())
        for gateway, due_us in self._looks.items():
            if gateway in timers:
                timers[gateway].wake(due_us, self.number, NOBODY)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's keys move with its clock."""
        if gateway in self._looks:
            self._looks[gateway] -= by_us
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.at_us -= by_us
                self.rows.dirty.add(key)

    def is_standing(self, key: str) -> bool:
        """Whether it is still as full, or somebody is still inside for too long."""
        role, _, rest = key.partition("/")
        if role == FULL:
            return self._is_full(self._areas.inside(rest))
        row = self.rows.rows.get(rest)
        return role == OVERSTAY and row is not None and row.place == Place.OVERSTAYED

    def _enter(self, key: str, row: PairRow | None, item: Item, turn: Turn) -> None:
        before = row if row is not None and row.is_inside else None
        is_violation = before is not None and self._is_violation(before, item)
        if is_violation:
            self._violate(key, "entered_twice", before, item, turn)
            if self._pair.antipassback is not AntiPassback.SOFT:
                return
        area = self._area_of(item)
        is_more = before is None or before.area != area
        if is_more and self._pair.refuse_full and self._is_full(self._areas.inside(area)):
            self._refuse_full(key, area, item, turn)
            return
        if not self._has_room(key):
            self.refused += 1
            return
        if not is_violation:
            self.lower(f"{VIOLATION}/{key}", turn, "")
        self.lower(f"{OVERSTAY}/{key}", turn, "")
        self.lower(f"{EXIT}/{key}", turn, "")
        if before is not None and is_more:
            self._uncount(before.area, turn)
        if is_more:
            self._areas.add(area)
        entered = row_of(item, turn.gateway, area, Place.INSIDE, is_named=self._longest_us > 0)
        self._put(key, entered, turn)
        if self._longest_us:
            turn.wake(item.at_us + self._longest_us, self.number, key)
        if self._pair.entered is not None:
            fields = self._told(area)
            turn.make(self.event(self._pair.entered, key, item.at_us, [item], turn, fields, "entry", item.origin))
        if is_more:
            self._fill(area, item, turn)

    def _refuse_full(self, key: str, area: str, item: Item, turn: Turn) -> None:
        outcome = self._pair.violation
        if outcome is not None and outcome.emit is not None:
            fields = self._told(area) | {"reason": FULL}
            turn.make(self.event(outcome.emit, key, item.at_us, [item], turn, fields, FULL, item.origin))

    def _exit(self, key: str, row: PairRow | None, item: Item, turn: Turn) -> None:
        if row is not None and row.is_inside:
            self._leave(key, row, item, turn)
            return
        is_violation = self._is_violation(row, item)
        if is_violation:
            self._violate(key, "exit_without_entry", None, item, turn)
            if self._pair.antipassback is not AntiPassback.SOFT:
                return
        else:
            self.lower(f"{VIOLATION}/{key}", turn, "")
        self._put_outside(key, Place.STRAY, item, turn)

    def _leave(self, key: str, row: PairRow, item: Item, turn: Turn) -> None:
        self.lower(f"{VIOLATION}/{key}", turn, "")
        self.lower(f"{OVERSTAY}/{key}", turn, "")
        self._uncount(row.area, turn)
        dwell_s = (item.at_us - row.at_us) / 1e6
        fields = self._told(row.area) | {"entered_at_us": row.at_us, self._pair.dwell_as: dwell_s}
        event = self.event(self.emits or self.rule.name, key, item.at_us, [item], turn, fields, EXIT, item.origin)
        evidence = joined((row.evidence(), item.evidence))
        self.fulfil(f"{EXIT}/{key}", replace(event, evidence=evidence), turn)
        self._put_outside(key, Place.LEFT, item, turn)

    def _is_violation(self, row: PairRow | None, item: Item) -> bool:
        """Whether a passage that cannot be after the last one of its key is told as a violation."""
        kind = self._pair.antipassback
        if kind is AntiPassback.TIMED:
            return row is not None and item.at_us - row.at_us < self._forgive_us
        return self._is_strict and (row is not None or not self._is_forgiven(item.at_us))

    def _is_forgiven(self, at_us: int) -> bool:
        reset_us = self._reset_us()
        return reset_us > 0 and at_us < reset_us + self._forget_us

    def _violate(self, key: str, reason: str, row: PairRow | None, item: Item, turn: Turn) -> None:
        outcome = self._pair.violation
        if outcome is None:
            return
        if outcome.alarm is not None and key not in self.rows.rows:
            if self._has_room(key):  # its alarm is forgotten with its row
                self._put(key, row_of(item, turn.gateway, "", Place.UNKNOWN, is_named=False), turn)
            else:
                self.refused += 1
                outcome = Outcome(emit=outcome.emit)
        fields = self._told(self._area_of(item) if row is None else row.area)
        fields["reason"] = reason
        if row is not None:
            fields["entered_at_us"] = row.at_us
        event = self.event(outcome.emit or self.rule.name, key, item.at_us, [item], turn, fields,
                           VIOLATION, item.origin)  # fmt: skip
        if row is not None:
            event = replace(event, evidence=joined((row.evidence(), item.evidence)))
        self.fail(f"{VIOLATION}/{key}", outcome, event, turn)
        known = self.rows.rows.get(key)
        if known is not None and not known.is_inside:  # it is kept for longer while its alarm stands
            known.where = where_of(item, turn.gateway)
            self._put(key, known, turn)

    def _fill(self, area: str, item: Item, turn: Turn) -> None:
        """Tell that an area has become full, if it has."""
        inside = self._areas.inside(area)
        if not self._is_full(inside) or self._is_full(inside - 1):
            return
        outcome, capacity = self._pair.full, self._pair.capacity
        assert outcome is not None  # the model sees to it
        fields = self._told(area) | {"capacity": capacity}
        event = self.event(outcome.emit or self.rule.name, area or self.rule.name, item.at_us, [item], turn, fields,
                           FULL, item.origin)  # fmt: skip
        self.fail(f"{FULL}/{area}", outcome, replace(event, name=None, fields=fields), turn)  # not about who entered

    def _overstay(self, key: str, row: PairRow, due_us: int, turn: Turn) -> None:
        row.place = int(Place.OVERSTAYED)
        self.rows.dirty.add(key)
        outcome = self._pair.overstay
        assert outcome is not None  # the model sees to it
        kind = outcome.emit or self.rule.name
        carried: dict[str, Scalar] = {
            name: value for name, value in (("kind", row.kind), ("class", row.class_name)) if value is not None
        }
        stayed: dict[str, Scalar] = {"entered_at_us": row.at_us, self._pair.dwell_as: self._longest_us / 1e6}
        event = Event(
            id=event_id(kind, self.rule.name, key, OVERSTAY, row.where, row.sequence, row.at_us),
            type=kind,
            at_us=due_us,
            subject=key,
            evidence=row.evidence(),
            name=row.name,
            read_point=row.read_point,
            rule=self.rule.name,
            historical=turn.is_historical,
            fields=carried | self._told(row.area) | stayed,
        )
        self.fail(f"{OVERSTAY}/{key}", outcome, event, turn)

    def _reset(self, item: Item, turn: Turn) -> None:
        """Forgive everybody who passed before it, at once: nothing is kept of them but that nothing is known."""
        at_us = max(item.at_us, self._reset_us())
        table = self.rows
        kept = {key: row for key, row in table.rows.items() if row.at_us > at_us and key != NOBODY}
        table.dirty.update(table.rows)
        table.rows = kept
        self._most = len(kept)
        self._areas.count(kept.values())
        for key in sorted(self.alarms.rows):
            role, _, rest = key.partition("/")
            is_over = not self.is_standing(key) if role == FULL else rest not in kept
            if is_over:
                self.lower(key, turn, "reset")
        row = row_of(item, turn.gateway, "", Place.UNKNOWN, is_named=False)
        row.at_us = at_us
        self._put(NOBODY, row, turn)

    def _reset_us(self) -> int:
        """When the last reset was; 0 when there was none, or it is forgotten."""
        row = self.rows.rows.get(NOBODY)
        return 0 if row is None else row.at_us

    def _known(self, key: str, at_us: int) -> PairRow | None:
        """The last passage of a key, unless it was outside then and that is too long ago to matter."""
        row: PairRow | None = self.rows.rows.get(key)
        if row is None or row.is_inside:
            return row
        return None if row.place == Place.UNKNOWN or self._gone_us(key, row) <= at_us else row

    def _gone_us(self, key: str, row: PairRow) -> int:
        """When a row is to be forgotten."""
        longest_us = row.at_us + self._forget_us
        if row.place not in (Place.LEFT, Place.STRAY) or self._has_alarm(key):
            return longest_us
        gone_us = row.at_us + max(self._forgive_us, STRAY_US if row.place == Place.STRAY else 0)
        if self._is_strict and (reset_us := self._reset_us()):
            gone_us = max(gone_us, reset_us + self._forget_us)  # it was not outside for lack of anything heard
        return min(gone_us, longest_us)

    def _has_alarm(self, key: str) -> bool:
        return bool(self.alarms.rows) and (self.is_raised(f"{VIOLATION}/{key}") or self.is_raised(f"{EXIT}/{key}"))

    def _has_room(self, key: str) -> bool:
        return key in self.rows.rows or len(self.rows.rows) < self._pair.most_keys

    def _put(self, key: str, row: PairRow, turn: Turn) -> None:
        self.rows.put(key, row)
        self._most = max(self._most, len(self.rows.rows))
        self._plan(key, row, turn)

    def _plan(self, key: str, row: PairRow, turn: Turn) -> None:
        """See to it that it is forgotten in time: by a timer of its own, if the next look comes too late."""
        gone_us = self._gone_us(key, row)
        look_us = self._looks.get(turn.gateway)
        if look_us is None:
            self._looks[turn.gateway] = gone_us
            turn.wake(gone_us, self.number, NOBODY)
        elif gone_us < look_us:
            turn.wake(gone_us, self.number, key)

    def _put_outside(self, key: str, place: Place, item: Item, turn: Turn) -> None:
        """Remember an exit for as long as it may matter."""
        row = row_of(item, turn.gateway, "", place, is_named=False)
        if self._gone_us(key, row) > item.at_us and self._has_room(key):
            self._put(key, row, turn)
        else:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self.rows.drop(key)
        if self._most > SHRINK_FROM and len(self.rows.rows) < self._most // 4:
            self.rows.rows = dict(self.rows.rows)  # a dict never gives back room by itself
            self._most = len(self.rows.rows)

    def _forget(self, key: str, row: PairRow, turn: Turn) -> None:
        if row.is_inside:
            self._uncount(row.area, turn)
        for role in (VIOLATION, OVERSTAY, EXIT):
            self.lower(f"{role}/{key}", turn, "forgotten")
        self._drop(key)

    def _look(self, due_us: int, turn: Turn) -> None:
        """Wind up the timers of those who are to be forgotten soon."""
        row = self.rows.rows.get(NOBODY)
        if row is not None and row.gateway == turn.gateway and self._gone_us(NOBODY, row) <= due_us:
            self._drop(NOBODY)
        if self._looks.get(turn.gateway) != due_us:
            return
        start = f"{turn.gateway}/"
        next_us: int | None = None
        for key, row in self.rows.rows.items():
            if not row.where.startswith(start):
                continue
            gone_us = max(self._gone_us(key, row), due_us)
            if gone_us <= due_us + LOOK_US:
                turn.wake(gone_us, self.number, key)
            elif next_us is None or gone_us < next_us:
                next_us = gone_us
        del self._looks[turn.gateway]
        if next_us is not None:
            self._looks[turn.gateway] = next_us
            turn.wake(next_us, self.number, NOBODY)

    def _uncount(self, area: str, turn: Turn) -> None:
        if not self._is_full(self._areas.remove(area)):
            self.lower(f"{FULL}/{area}", turn, "")

    def _is_full(self, inside: int) -> bool:
        capacity = self._pair.capacity
        return capacity is not None and inside > capacity - self._pair.refuse_full

    def _area_of(self, item: Item) -> str:
        value = item.fields.get(self._pair.area) if self._pair.area is not None else None
        return "" if value is None or isinstance(value, list) else str(value)

    def _told(self, area: str) -> dict[str, Scalar]:
        inside = self._areas.inside(area)
        told: dict[str, Scalar] = {"inside": inside}
        if self._pair.capacity is not None:
            told["free"] = max(0, self._pair.capacity - inside)
        return told | {"area": area} if area else told
