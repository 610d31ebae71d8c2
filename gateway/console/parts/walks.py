"""Walk tests in the console: someone carries a tag through a gate and looks at a phone.

They count what MQTT brings and leave the reader alone. A walk goes on while nobody looks for a while, as when a phone
loses its network; what one antenna hears is kept by half seconds for the curve, and by seconds for the report.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.commissioning.walktest import WalkTest
from gateway.config.load import driver_settings
from gateway.config.models import Reader, SiteFile
from gateway.console.parts.part import Cursor, Heard
from gateway.console.parts.read_filter import DeviceRead, Test, read_filter
from gateway.contract.batches import CardBatch, ReadBatch, StatusBatch
from readers import registry
from readers.driver import Kind
from readers.observations import Condition, DeviceInfo, InForce, Severity

BUCKET_US: Final = 500_000
BUCKETS_KEPT: Final = 240
RATE_BUCKETS: Final = 4
"""The rate now is that of the last two seconds: one that jumps each half second cannot be read while walking."""
RUNNING_MOST: Final = 8
KEPT_MOST: Final = 16
"""Walks that are remembered, the newest; each may hold ten thousand tags for each antenna."""
UNSEEN_US: Final = 600 * 1_000_000
"""A walk that nobody follows for so long ends."""
LATE_US: Final = 2_000_000
"""What waited longer in a gateway's journal was not heard now."""
WALKED: Final = frozenset({Kind.RFID, Kind.CARD})
MASK_MOST: Final = 500
PORT_DIGITS: Final = 3
_SEVERITIES: Final = frozenset(map(str, Severity))


class TooManyWalksError(Exception):
    """No further walk may begin."""


class Buckets:
    """What an antenna heard, by half seconds of the walk: the last two minutes.

    Attributes:
        at: the newest of them.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self._reads = [0] * BUCKETS_KEPT
        self._strongest: list[float | None] = [None] * BUCKETS_KEPT

    def take(self, at: int, count: int, rssi_dbm: float | None) -> None:
        """Count reads."""
        self.advance(at)
        place = self.at % BUCKETS_KEPT
        self._reads[place] += count
        before = self._strongest[place]
        if rssi_dbm is not None and (before is None or rssi_dbm > before):
            self._strongest[place] = rssi_dbm

    def advance(self, at: int) -> None:
        """Time has passed: half seconds without a read are such, too."""
        for each in range(max(self.at + 1, at - BUCKETS_KEPT + 1), at + 1):
            self._reads[each % BUCKETS_KEPT] = 0
            self._strongest[each % BUCKETS_KEPT] = None
        self.at = max(self.at, at)

    def since(self, first: int, end: int) -> tuple[list[int], list[float | None]]:
        """Reads, and the strongest of each, of the half seconds `[first, end)`, which must still be kept."""
        places = [each % BUCKETS_KEPT for each in range(first, end)]
        return [self._reads[place] for place in places], [self._strongest[place] for place in places]


class Walk:
    """One walk.

    Args:
        test: that none but the meant tags are given; None where all are meant.

    Attributes:
        followed_us: when somebody last looked.
        stopped_us: None while it runs.
    """

    def __init__(self, reader: Reader, mask: str, test: Test | None, began_us: int) -> None:
        self.id = secrets.token_urlsafe(9)
        self.device = reader.name
        self.mask = mask
        self.followed_us = began_us
        self.stopped_us: int | None = None
        self.tally = WalkTest(reader.name, reader.driver, points_of(reader), began_us, meant=mask or None)
        self.late = 0
        self._test = test
        self._buckets: dict[int, Buckets] = {}
        self._conditions: dict[tuple[str, str], Condition] = {}
        self._ports = {point: antenna_port for antenna_port, point in points_of(reader).items()}

    def reads(self, batch: ReadBatch, now_us: int) -> None:
        """Count tag reads."""
        if batch.waited_us > LATE_US:
            self.late += len(batch.reads)
            return
        at = self.bucket(now_us)
        for read in batch.reads:
            if self._test is not None and not self._test(DeviceRead(batch.device, read)):
                self.tally.others += read.count
                continue
            self.tally.hear(read.antenna_port, read.epc.encode(), read.count, read.rssi_dbm, now_us)
            self._antenna(read.antenna_port, at).take(at, read.count, read.rssi_dbm)

    def cards(self, batch: CardBatch, now_us: int) -> None:
        """Count card presentations; a mask of tags means none of them."""
        if batch.waited_us > LATE_US:
            self.late += len(batch.cards)
            return
        at = self.bucket(now_us)
        for card in batch.cards:
            if self._test is not None:
                self.tally.others += 1
                continue
            self.tally.hear(card.antenna_port, card.card.encode(), 1, None, now_us)
            self._antenna(card.antenna_port, at).take(at, 1, None)

    def status(self, status: StatusBatch, now_us: int) -> None:
        """Take what the device says of itself, and which of its antennas are read."""
        self.tally.watch({port for name in status.watched if (port := self._port(name)) is not None})
        said = DeviceInfo(status.manufacturer, status.model, status.firmware, serial=status.serial)
        self.tally.take(said, now_us)
        self.tally.take(InForce(status.in_force), now_us)
        stand = {
            (each.name, each.key): Condition(
                each.name, active=True, severity=Severity(each.severity), key=each.key, detail=each.detail
            )
            for each in status.conditions
            if each.severity in _SEVERITIES
        }
        for key, condition in self._conditions.items():
            if key not in stand:
                self.tally.take(Condition(condition.name, active=False, key=condition.key), now_us)
        for condition in stand.values():
            self.tally.take(condition, now_us)
        self._conditions = stand

    def bucket(self, now_us: int) -> int:
        """Which half second of the walk it is, from 0."""
        return max(0, now_us - self.tally.began_us) // BUCKET_US

    def picture(self, first: int, now_us: int) -> dict[str, Any]:
        """What a page shows: the antennas, with their half seconds from `first` to the last that is over."""
        end = self.bucket(now_us)
        first = max(first, end - BUCKETS_KEPT + 1, 0)
        all_reads = sum(each.reads for each in self.tally.antennas.values())
        return {
            "walk": self.id,
            "device": self.device,
            "mask": self.mask,
            "running": self.stopped_us is None,
            "seconds": round((now_us - self.tally.began_us) / 1e6, 1),
            "first": first,
            "end": end,
            "reads": all_reads,
            "others": self.tally.others,
            "late": self.late,
            "antennas": [
                self._row(antenna_port, first, end, all_reads) for antenna_port in sorted(self.tally.antennas)
            ],
        }

    def _row(self, antenna_port: int, first: int, end: int, all_reads: int) -> dict[str, Any]:
        tally, buckets = self.tally.antennas[antenna_port], self._antenna(antenna_port, end)
        buckets.advance(end)
        fresh, strongest = buckets.since(first, end)
        last, lately = buckets.since(max(0, end - RATE_BUCKETS), end)
        mean = tally.mean_dbm()
        return {
            "antenna_port": antenna_port,
            "read_point": tally.read_point,
            "watched": tally.is_watched,
            "reads": tally.reads,
            "tags": len(tally.tags),
            "share": tally.reads / all_reads if all_reads else None,
            "rate": sum(last) * 1e6 / (len(last) * BUCKET_US) if last else None,
            "rssi_dbm": max((dbm for dbm in lately if dbm is not None), default=None),
            "rssi_dbm_max": None if tally.best is None else tally.best[0],
            "rssi_dbm_mean": None if mean is None else round(mean, 1),
            "rssi_dbm_median": tally.median_dbm(),
            "rssi_dbm_weakest": min(tally.strengths, default=None),
            "best_at_s": None if tally.best is None else tally.best[1],
            "silence_s": tally.longest_silence[1],
            "silence_at_s": tally.longest_silence[0] + 1 if tally.longest_silence[1] else None,
            "verdict": tally.verdict(),
            "fresh": fresh,
            "fresh_dbm": strongest,
        }

    def _port(self, read_point: str) -> int | None:
        """Whose it is; one without a name of its own is called after the reader."""
        reader, _, number = read_point.rpartition("-")
        if read_point not in self._ports and reader == self.device and number.isascii() and number.isdigit():
            return int(number) if 1 <= len(number) <= PORT_DIGITS else None
        return self._ports.get(read_point)

    def _antenna(self, antenna_port: int, at: int) -> Buckets:
        found = self._buckets.get(antenna_port)
        if found is None:
            found = self._buckets[antenna_port] = Buckets(at)
        return found


class Walks:
    """The walks that run, and the newest of those that are over. `now_us`: the time, which is that of the walks."""

    def __init__(self, site: SiteFile, now_us: Callable[[], int] | None = None) -> None:
        self._now_us = now_us or _now_us
        self._readers = {reader.name: reader for reader in site.reader if is_walked(reader)}
        self._said: dict[str, StatusBatch] = {}
        self._walks: dict[str, Walk] = {}
        self._running: dict[str, list[Walk]] = {}

    def take(self, heard: Heard) -> None:
        """Give the walks of a reader what it says."""
        if not isinstance(heard, StatusBatch | ReadBatch | CardBatch) or heard.device not in self._readers:
            return
        if isinstance(heard, StatusBatch):
            self._said[heard.device] = heard
        running = self._running.get(heard.device)
        if not running:
            return
        now_us = self._now_us()
        for walk in list(running):
            if now_us - walk.followed_us > UNSEEN_US:
                self._end(walk, now_us)
            elif isinstance(heard, ReadBatch):
                walk.reads(heard, now_us)
            elif isinstance(heard, CardBatch):
                walk.cards(heard, now_us)
            else:
                walk.status(heard, now_us)

    def begin(self, device: str, mask: str) -> Walk:
        """A new walk.

        Raises:
            LookupError: the site has no such reader of tags or cards. ValueError: the mask is none.
            TooManyWalksError: so many run that each would cost too much.
        """
        reader = self._readers.get(device)
        if reader is None:
            raise LookupError(f"device: {device[:60]!r} is no reader of tags or cards of this site")
        if len(mask) > MASK_MOST:
            raise ValueError(f"mask: has {len(mask)} characters; {MASK_MOST} at most")
        meant = mask.replace(" ", "").upper()
        test = read_filter({"mask": meant})
        now_us = self._now_us()
        for walk in [walk for walks in self._running.values() for walk in walks]:
            if now_us - walk.followed_us > UNSEEN_US:
                self._end(walk, now_us)
        if sum(map(len, self._running.values())) >= RUNNING_MOST:
            raise TooManyWalksError(f"{RUNNING_MOST} walk tests run already; stop one")
        walk = Walk(reader, meant, test, now_us)
        if (said := self._said.get(device)) is not None:
            walk.status(said, now_us)
        if len(self._walks) >= KEPT_MOST:
            del self._walks[next(each.id for each in self._walks.values() if each.stopped_us is not None)]
        self._walks[walk.id] = walk
        self._running.setdefault(device, []).append(walk)
        return walk

    def stop(self, walk_id: str) -> None:
        """End a walk; harmless when it is over.

        Raises:
            LookupError: there is none.
        """
        self._end(self._known(walk_id), self._now_us())

    def report(self, walk_id: str) -> tuple[Walk, dict[str, Any]]:
        """The report of a walk, as the command `tagwharf walktest` writes it, up to its end or now.

        Raises:
            LookupError: there is none.
        """
        walk = self._known(walk_id)
        return walk, walk.tally.report(self.time_of(walk)) | {"late_reads_left_out": walk.late}

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """`walk`: which. One that is not remembered says so: `{"gone": true}`."""
        return _WalkCursor(self, self._walks.get(query.get("walk", "")))

    def time_of(self, walk: Walk) -> int:
        """Now, or when the walk was over."""
        return self._now_us() if walk.stopped_us is None else walk.stopped_us

    def _known(self, walk_id: str) -> Walk:
        walk = self._walks.get(walk_id)
        if walk is None:
            raise LookupError("walk: it is not remembered any more; begin a new one")
        return walk

    def _end(self, walk: Walk, now_us: int) -> None:
        if walk.stopped_us is None:
            walk.stopped_us = now_us
            self._running[walk.device].remove(walk)


class _WalkCursor:
    def __init__(self, walks: Walks, walk: Walk | None) -> None:
        self._walks, self._walk = walks, walk
        self._told: tuple[int, bool] | None = None

    def news(self) -> Any | None:
        if self._walk is None:
            gone, self._told = self._told is None, (0, False)
            return {"gone": True} if gone else None
        now_us = self._walks.time_of(self._walk)
        state = (self._walk.bucket(now_us), self._walk.stopped_us is None)
        if state[1]:
            self._walk.followed_us = now_us
        if state == self._told:
            return None
        first = 0 if self._told is None else self._told[0]
        whole, self._told = self._told is None, state
        return {"whole": whole, **self._walk.picture(first, now_us)}


def is_walked(reader: Reader) -> bool:
    """Whether a reader reads tags or cards that somebody can carry."""
    return registry.driver(reader.driver).kind in WALKED


def points_of(reader: Reader) -> dict[int, str]:
    """The read points of a reader, by antenna port, as far as the site file tells."""
    ports = driver_settings(reader).antenna_ports() or ()
    return {port: f"{reader.name}-{port}" for port in sorted(ports)} | dict(sorted(reader.read_points.items()))


def _now_us() -> int:
    return time.time_ns() // 1_000
