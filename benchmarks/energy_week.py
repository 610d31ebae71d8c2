"""The energy books of a substation: 200 meters with up to five registers, read every minute for a week of trouble.

Resets, swaps, roll-overs, clocks that drift or are wrong, outages with and without records afterwards, garbled answers;
the state is committed and the engine started anew from it every six hours. What was counted between the readings is
known to the last step, 0.01 kWh, and must be what the store holds in the end: `kwh_missing` is the difference, summed
over registers without regard to sign. Runs in one process on one core; the time of the books alone is measured apart,
over the first day, as processor time. A site of this size makes 12 to 17 readings a second.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from gateway.contract.batches import ReadingBatch
from rules.energy.books import KINDS, Books
from rules.engine import Engine
from rules.state import State
from tests.rules.energy.substation import DAY_MIN, MIN_US, NAMES, START_US, Store, Substation
from tests.rules.things.registries import NOTHING

METERS: Final = 200
DAYS: Final = 7
SEED: Final = 1
COMMIT_EVERY_MIN: Final = 60
RESTART_EVERY_MIN: Final = 360
WH_PER_KWH: Final = 1000


def run(meters: int = METERS, days: int = DAYS) -> dict[str, Any]:
    """Whether the books balance, and what they cost."""
    station = Substation(SEED, meters, days)
    life, store, events = _Life(station), Store(), Counter[str]()
    began_s, spent_s = time.perf_counter(), 0.0
    minute = 0
    for batch in station.batches():
        before_s = time.process_time()
        outputs = life.engine.step(batch)
        spent_s += time.process_time() - before_s
        store.write(outputs.points)
        events.update(event.type for event in outputs.events)
        now = (batch.received_at_us - START_US) // MIN_US
        if now >= minute + COMMIT_EVERY_MIN:
            minute = now
            life.commit(restart=now % RESTART_EVERY_MIN < COMMIT_EVERY_MIN)
    truth, sums = station.truth_wh(), store.sums_wh()
    missing = sum(abs(truth[key] - sums.get((key[0], NAMES[key[1]]), 0)) for key in truth)
    life.commit(restart=True)
    intervals = sum(map(len, store.series.values()))
    return {
        "meters": meters,
        "registers": len(truth),
        "readings": station.readings,
        "kwh_booked": float(sum(energy for (_, tariff), energy in sums.items() if not tariff) / WH_PER_KWH),
        "kwh_missing": float(missing / WH_PER_KWH),
        "registers_unbalanced": len(life.books().unbalanced()),
        "records_refused": life.refused,
        "intervals": intervals,
        "intervals_corrected": store.written - intervals,
        **{f"intervals_{label}": count for label, count in sorted(store.qualities().items())},
        **{f"happened_{kind}": count for kind, count in sorted(station.happened.items())},
        **{f"events_{kind}": count for kind, count in sorted(events.items())},
        "restarts": life.restarts,
        "state_kib": sum(map(len, life.stored.values())) / 1024,
        "wall_s": time.perf_counter() - began_s,
        "engine_us_per_reading": spent_s / station.readings * 1e6,
        "books_us_per_reading": _alone(meters),
        "goal": "kwh_missing = 0 and registers_unbalanced = 0; wall_s within minutes",
    }


class _Life:
    """An engine, and what was committed of its state."""

    def __init__(self, station: Substation) -> None:
        self._site = station.site()
        self.engine = Engine(self._site, NOTHING)
        self.stored: dict[str, bytes] = {}
        self.restarts = 0
        self.refused = 0

    def commit(self, *, restart: bool) -> None:
        for key, value in self.engine.changes():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value
        if restart:
            self.refused += self.engine.counters()["energy_records_refused"]
            self.engine = Engine(self._site, NOTHING)
            self.engine.restore(self.stored.items())
            self.restarts += 1

    def books(self) -> Books:
        """What was committed of the books."""
        found = Books(self._site, State())
        for key, value in self.stored.items():
            kind, gateway, rest = key.split("/", 2)
            if kind in KINDS:
                found.load(kind, gateway, rest, value)
        return found


def _alone(meters: int) -> float:
    """Microseconds that the books take for a reading, without the rest of the engine."""
    station = Substation(SEED, meters, 1)
    books, readings, spent_s = Books(station.site(), State()), 0, 0.0
    for batch in station.batches():
        before_s = time.process_time()
        books.step(batch, 0, historical=False)
        spent_s += time.process_time() - before_s
        if isinstance(batch, ReadingBatch):
            readings += len(batch.readings)
    assert readings >= meters * DAY_MIN // 2
    return spent_s / readings * 1e6
