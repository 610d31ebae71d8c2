"""The alarms that stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import AlarmNews, Cursor, Heard, Rows
from gateway.contract.events import Alarm

ALARMS_MOST: Final = 2_000
LEFT_OUT_MOST: Final = 50_000
"""As many as the rules let stand."""
RAISED: Final = "raised"
LOUDNESS: Final = ("info", "warning", "critical")


class Alarms:
    """Rows by the alarm's id; one that is cleared is gone.

    Where more stand than are kept, the loudest that nobody has seen to are kept, and of equal ones the newest. A
    follower is told with the rows how many are `left_out`.
    """

    def __init__(self, most: int = ALARMS_MOST) -> None:
        self._most = most
        self._rows = Rows(most)
        self._ranks: tuple[dict[str, None], ...] = tuple({} for _ in range(2 * len(LOUDNESS)))  # the first goes first
        self._rank_of: dict[str, int] = {}
        self._left_out: dict[str, bool] = {}
        self._left_out_unseen = 0

    @property
    def left_out(self) -> int:
        """How many stand and are not among the rows."""
        return len(self._left_out)

    @property
    def left_out_unseen(self) -> int:
        """How many of those nobody has acknowledged."""
        return self._left_out_unseen

    def take(self, heard: Heard) -> None:
        """Take the state of an alarm."""
        if not isinstance(heard, AlarmNews):
            return
        self._forget(heard.id)
        if heard.alarm is None or heard.alarm.state != RAISED:
            self._rows.drop(heard.id)
            return
        rank = _rank(heard.alarm)
        if heard.id not in self._rows and len(self._rows) >= self._most:
            quietest = next(number for number, ids in enumerate(self._ranks) if ids)
            if rank < quietest:
                self._leave_out(heard.id, rank)
                return
            given_up = next(iter(self._ranks[quietest]))
            self._forget(given_up)
            self._rows.drop(given_up)
            self._leave_out(given_up, quietest)
        self._rank_of[heard.id] = rank
        self._ranks[rank][heard.id] = None
        self._rows.put(heard.id, msgspec.to_builtins(heard.alarm))

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All that stand."""
        del query
        return _AlarmsCursor(self, self._rows.follow())

    def get(self, number: str) -> dict[str, Any] | None:
        """One that stands and is kept."""
        row: dict[str, Any] | None = self._rows.get(number)
        return row

    def whole(self) -> dict[str, dict[str, Any]]:
        """All that stand, by id."""
        return dict(self._rows.items())

    def _forget(self, number: str) -> None:
        rank = self._rank_of.pop(number, None)
        if rank is not None:
            del self._ranks[rank][number]
        self._left_out_unseen -= self._left_out.pop(number, False)

    def _leave_out(self, number: str, rank: int) -> None:
        if len(self._left_out) < LEFT_OUT_MOST:
            is_unseen = rank >= len(LOUDNESS)
            self._left_out[number] = is_unseen
            self._left_out_unseen += is_unseen


class _AlarmsCursor:
    def __init__(self, alarms: Alarms, rows: Cursor) -> None:
        self._alarms, self._rows = alarms, rows
        self._told = 0

    def news(self) -> Any | None:
        found, left_out = self._rows.news(), self._alarms.left_out
        if found is None and left_out == self._told:
            return None
        self._told = left_out
        return {"whole": False, "rows": {}, **(found or {}), "left_out": left_out}


def _rank(alarm: Alarm) -> int:
    """The higher, the later it is left out."""
    loudness = LOUDNESS.index(alarm.severity) if alarm.severity in LOUDNESS else len(LOUDNESS) - 1
    is_unseen = alarm.acknowledged_by is None and not alarm.ended
    return loudness + len(LOUDNESS) * is_unseen
