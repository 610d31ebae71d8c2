"""`rate`: how many items, or what of them, over a window.

    sliding    at each item, of the last `within_s`; it ends when what is over leaves the window, without an item, too
    tumbling   at the end of every whole multiple of `within_s` since 1970
    session    when nothing has come for `quiet_s`, or after `within_s`

An item counts at the moment at which it is known. A value that is too great is believed at once; one that is small, of
a window during which all of `watched` was watched: so silence of a reader neither raises nor lowers an alarm. Windows
in which nothing comes are judged, too, of a key that was seen. Without a limit, every window in which something came
makes an event that tells its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.config.rules import Input, RateRule, Window
from gateway.contract.events import Evidence, Scalar
from rules.item import Item
from rules.presence.watched import joint
from rules.shapes.ordered import Ordered, Timers, Turn
from rules.shapes.tally import Kept, Sliding, Tally, measured
from rules.state import State, Table

FORGET_US: Final = 30 * 86_400_000_000
"""A key for which nothing came for so long is forgotten, unless its kind of item stands for a thing of the site."""
LASTING: Final = frozenset({"reading", "signal", "status"})
"""Items of meters and devices: those belong to the site, and their silence never ends."""
SKIP_US: Final = 600_000_000
"""A moment that is further behind the gateway's clock than any lateness is of a time in which the gateway was dead."""


class RateRow(msgspec.Struct, array_like=True, gc=False):
    """One window of one key.

    Attributes:
        from_us: its beginning; to_us: its end as far as it is known.
        bright_us: since when all was watched without a break, as of `looked_us`, up to which `counted_us` was counted.
        heard_us: when the latest item was known, which is `last`.
        tally: of a window that ends; kept: of a sliding one, whose value is above the limit if `is_over`.
    """

    gateway: str
    from_us: int
    to_us: int
    bright_us: int
    looked_us: int
    counted_us: int
    heard_us: int
    last: Item
    tally: Tally
    kept: list[Kept]
    due_us: int = 0
    is_over: bool = False


class Rate(Ordered):
    """One rule of this shape.

    Attributes:
        late: items that came after the end of their window, and count to none.
    """

    def __init__(self, rule: RateRule, number: int, state: State) -> None:
        super().__init__(rule, number, state, {"item": Input(on=rule.on, when=rule.when)})
        self._rate = rule
        self._within_us = round(rule.within_s * 1e6)
        self._quiet_us = round((rule.quiet_s or 0) * 1e6)
        self._watched = joint(rule.watched)
        self._sliding = Sliding(rule.function, rule.above or 0.0)
        self.late = 0
        self.rows: Table[RateRow] = state.table("rule", self.owner, RateRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An item that counts."""
        del role  # there is one
        value = measured(self._rate.function, self._rate.of, item)
        if value is None:
            return
        row = self._row(key, item, turn)
        if row is None:
            return
        self.rows.put(key, row)
        row.last, row.heard_us = item, turn.now_us
        if self._rate.window is Window.SLIDING:
            self._sliding.add(row.kept, Kept.of(item, value))
            self._slide(key, row, turn, is_heard=True)
            return
        row.tally.add(self._rate.function, item, value)
        if self._rate.window is Window.SESSION:
            row.to_us = min(max(row.to_us, item.known_us + self._quiet_us), row.from_us + self._within_us)
        self._plan(key, row, row.to_us, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """A window ends, or an item leaves a sliding one."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != turn.gateway:
            return
        self.rows.put(key, row)
        row.due_us = 0
        if self._rate.window is Window.SLIDING:
            self._look(row, turn)
            self._slide(key, row, turn, is_heard=False)
        elif turn.now_us < row.to_us:
            self._plan(key, row, row.to_us, turn)
        else:
            self._end(key, row, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.due_us and row.gateway in timers:
                timers[row.gateway].wake(row.due_us, self.number, key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's keys move with its clock."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.from_us -= by_us
                row.to_us -= by_us
                row.bright_us -= by_us
                row.looked_us -= by_us
                row.heard_us -= by_us
                row.due_us -= by_us if row.due_us else 0
                row.tally.set_back(by_us)
                for kept in row.kept:
                    kept.at_us -= by_us
                self.rows.dirty.add(key)

    def _row(self, key: str, item: Item, turn: Turn) -> RateRow | None:
        """The window of an item; None when it came too late for its own, or there are too many keys."""
        row, window = self.rows.rows.get(key), self._rate.window
        is_late = item.known_us < turn.now_us
        if row is not None:
            self.rows.dirty.add(key)
            self._move(row, turn)
            self._look(row, turn)
            if window is not Window.SLIDING and (
                turn.now_us >= row.to_us or (turn.now_us < row.from_us and row.tally.count)
            ):
                self._end(key, row, turn)
                row = self.rows.rows.get(key)
        from_us, to_us = self._window(item.known_us)
        is_over = row is None if window is Window.SESSION else to_us <= turn.now_us
        if window is not Window.SLIDING and row is not None:
            is_over = is_over or item.known_us < row.from_us
        if is_late and is_over:
            self.late += 1
            return None
        if row is None:
            if not self.has_room():
                self.refused += 1
                return None
            now_us, counted_us = turn.now_us, turn.counted_us(self._watched)
            row = RateRow(turn.gateway, from_us, to_us, now_us, now_us, counted_us, now_us, item, Tally(), [])
        if window is Window.SLIDING and item.known_us < row.bright_us:
            dark_us = turn.now_us - item.known_us - row.counted_us + turn.counted_us(self._watched, item.known_us)
            row.bright_us = row.bright_us if dark_us else item.known_us
        if window is Window.TUMBLING and not row.from_us <= item.known_us < row.to_us:
            row.from_us, row.to_us = from_us, to_us  # nothing came in the one that it leaves
        return row

    def _window(self, at_us: int) -> tuple[int, int]:
        """The window that an item of this time begins or belongs to."""
        if self._rate.window is Window.TUMBLING:
            from_us = at_us - at_us % self._within_us
            return from_us, from_us + self._within_us
        return at_us, at_us + (self._quiet_us if self._rate.window is Window.SESSION else self._within_us)

    def _move(self, row: RateRow, turn: Turn) -> None:
        """The key is heard by another gateway, whose clock and watched time are others."""
        if row.gateway != turn.gateway:
            row.gateway, row.due_us = turn.gateway, 0
            row.bright_us = row.looked_us = turn.now_us
            row.counted_us = turn.counted_us(self._watched)

    def _look(self, row: RateRow, turn: Turn) -> None:
        """Find out whether all was watched since the last look."""
        counted_us = turn.counted_us(self._watched)
        if counted_us - row.counted_us < turn.now_us - row.looked_us:
            row.bright_us = turn.now_us
        row.counted_us, row.looked_us = counted_us, turn.now_us

    def _slide(self, key: str, row: RateRow, turn: Turn, *, is_heard: bool) -> None:
        """Judge a sliding window: at an item, or when one has left; what silence lowers must have been watched."""
        before_us = turn.now_us - self._within_us
        self._sliding.trim(row.kept, before_us)
        value, above = self._sliding.value(row.kept), self._rate.above
        assert above is not None  # the model sees to it
        is_over = bool(row.kept) and value is not None and value > above
        if is_over and is_heard and not row.is_over:
            row.is_over = True
            evidence = self._sliding.evidence(row.kept, row.last.evidence)
            self._fire(key, row, turn, (value, len(row.kept), row.kept[0].at_us, turn.now_us), evidence)
        elif row.is_over and not is_over and (is_heard or row.bright_us <= before_us):
            row.is_over = False
            self.lower(key, turn, "")
        if row.is_over:
            wait_us = row.bright_us if not is_over else row.kept[0].at_us
            self._plan(key, row, max(wait_us + self._within_us, turn.now_us + 1), turn)
        elif row.kept:
            self._plan(key, row, row.kept[-1].at_us + self._within_us, turn)
        else:
            self.rows.drop(key)

    def _end(self, key: str, row: RateRow, turn: Turn) -> None:
        """Judge a window; the next begins if somebody waits for it."""
        self._look(row, turn)
        rule, tally = self._rate, row.tally
        value = tally.value(rule.function)
        length_us = self._within_us if rule.window is Window.TUMBLING else 0
        is_bright = row.bright_us <= row.from_us and row.from_us + length_us <= row.to_us <= turn.now_us
        is_above = rule.above is not None and value is not None and value > rule.above
        is_below = rule.below is not None and value is not None and value < rule.below
        is_kept = False
        if is_above or (is_below and is_bright) or (tally.count and rule.above is None and rule.below is None):
            evidence = tally.evidence(row.last.evidence)
            self._fire(key, row, turn, (value, tally.count, row.from_us, row.to_us), evidence)
        elif not is_below and (is_bright or rule.above is None) and (value is not None or rule.below is None):
            is_kept = True
            self.lower(key, turn, "")
        goes_on = rule.below is not None or (self.is_raised(key) and not is_kept and rule.above is not None)
        if rule.window is not Window.TUMBLING or not goes_on or self._is_forgotten(row, turn):
            self.rows.drop(key)
            return
        self._next(key, row, turn, is_bright=is_bright)

    def _next(self, key: str, row: RateRow, turn: Turn, *, is_bright: bool) -> None:
        """Go on to the next window; over a time in which the gateway was dead, to the one at its end."""
        is_dead = not is_bright and not row.tally.count and turn.clock_us - row.to_us > SKIP_US
        from_us, to_us = self._window(turn.clock_us - SKIP_US if is_dead else turn.now_us)
        row.from_us, row.to_us = from_us if is_dead else turn.now_us, to_us
        row.tally = Tally()
        self.rows.put(key, row)
        self._plan(key, row, row.to_us, turn)

    def _is_forgotten(self, row: RateRow, turn: Turn) -> bool:
        return self._rate.on not in LASTING and turn.now_us - row.heard_us >= FORGET_US

    def _fire(
        self,
        key: str,
        row: RateRow,
        turn: Turn,
        told: tuple[float | None, int, int, int],
        evidence: Evidence,
    ) -> None:
        value, count, from_us, to_us = told
        fields: dict[str, Scalar] = {"value": value, "count": count, "from_us": from_us, "to_us": to_us}
        last = msgspec.structs.replace(row.last, evidence=evidence)
        if self._rate.window is not Window.SLIDING:  # its end is told, not the item
            last = msgspec.structs.replace(last, is_historical=False)
        kind = self.emits or self.rule.name
        self.fulfil(key, self.event(kind, key, to_us, [last], turn, fields, row.last.origin, from_us), turn)

    def is_standing(self, key: str) -> bool:
        """A sliding window knows what is over; one that ends, only what was."""
        row = self.rows.rows.get(key)
        return row is not None and row.is_over

    def _plan(self, key: str, row: RateRow, due_us: int, turn: Turn) -> None:
        """Look again then; a timer that comes earlier does it, too, and sees that it is early."""
        if not row.due_us or due_us < row.due_us:
            row.due_us = due_us
            turn.wake(due_us, self.number, key)
