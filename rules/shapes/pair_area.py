"""Who is inside, of a `pair`: one small row for each key, and a count for each area."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import IntEnum

import msgspec

from gateway.contract.events import Evidence
from rules.item import Item


class Place(IntEnum):
    """What is known of a key.

    LEFT: outside, its exit had an entry; STRAY: outside, its exit had none; INSIDE; OVERSTAYED: inside, and told for
    how long; UNKNOWN: no passage: a refused one, or the reset of them all.
    """

    LEFT = 0
    STRAY = 1
    INSIDE = 2
    OVERSTAYED = 3
    UNKNOWN = 4


class PairRow(msgspec.Struct, array_like=True, gc=False):
    """The last passage of a key: a million of them may be kept, so texts are shared and only what is needed is here.

    Attributes:
        where: gateway and epoch of its evidence, as `edge-1/7`.
        at_us: when it was. sequence: the last batch that it rests on; batches: how many before that, too.
        name, kind, class_name: of the key, where a rule tells of those who stay too long.
    """

    where: str
    area: str
    at_us: int
    place: int
    sequence: int
    batches: int = 0
    reads: int = 0
    read_point: str | None = None
    name: str | None = None
    kind: str | None = None
    class_name: str | None = None

    @property
    def is_inside(self) -> bool:
        """Whether it entered and did not leave."""
        return self.place in (Place.INSIDE, Place.OVERSTAYED)

    @property
    def gateway(self) -> str:
        """Whose clock the time is of."""
        return self.where.rpartition("/")[0]

    def evidence(self) -> Evidence:
        """What the passage rests on."""
        gateway, _, epoch = self.where.rpartition("/")
        return Evidence(
            gateway=gateway,
            epoch=int(epoch),
            sequence_from=self.sequence - self.batches,
            sequence_to=self.sequence,
            reads=self.reads,
            read_points=(self.read_point,) if self.read_point else (),
            last_seen_at_us=self.at_us if self.reads else None,
        )

    def share(self) -> None:
        """Share texts with the other rows, of which one would have a copy each after a restart."""
        self.where, self.area = sys.intern(self.where), sys.intern(self.area)
        self.read_point, self.kind, self.class_name = map(_shared, (self.read_point, self.kind, self.class_name))


def row_of(item: Item, gateway: str, area: str, place: Place, *, is_named: bool) -> PairRow:
    """The row of a passage; `is_named` when a rule will want to say who it was."""
    evidence = item.evidence
    row = PairRow(
        where=where_of(item, gateway),
        area=area,
        at_us=item.at_us,
        place=int(place),
        sequence=evidence.sequence_to,
        batches=evidence.sequence_to - evidence.sequence_from,
        reads=evidence.reads,
        read_point=item.text("read_point"),
    )
    if is_named:
        row.name = None if item.on == "signal" else item.text("name")
        row.kind, row.class_name = item.text("kind"), item.text("class")
    row.share()
    return row


def where_of(item: Item, gateway: str) -> str:
    """See `PairRow.where`."""
    return sys.intern(f"{gateway}/{item.evidence.epoch}")


class Areas:
    """How many are inside, by area. It is counted from the rows, so that no restart can make it wrong."""

    def __init__(self) -> None:
        self._inside: dict[str, int] = {}

    def inside(self, area: str) -> int:
        """How many are inside."""
        return self._inside.get(area, 0)

    def count(self, rows: Iterable[PairRow]) -> None:
        """Count anew."""
        self._inside.clear()
        for row in rows:
            if row.is_inside:
                self.add(row.area)

    def add(self, area: str) -> int:
        """One more; how many now."""
        now = self._inside[area] = self._inside.get(area, 0) + 1
        return now

    def remove(self, area: str) -> int:
        """One less; how many now."""
        now = self._inside[area] - 1
        if now:
            self._inside[area] = now
        else:
            del self._inside[area]  # names of areas may come from devices: those of empty ones are not kept
        return now


def _shared(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)
