from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import pytest

from readers.ports.memory import run
from rules.daemon.database import Queued, Settlement
from rules.daemon.outbox import BACKOFF_MOST_S, POINTS_MOST, STOPPED_RETRY_S, Delivery, Trouble
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError


class Store:
    """A store in memory with scripted answers: an error to raise, or points to refuse; then it takes everything."""

    name = "store"

    def __init__(self, *script: Exception | list[Refusal]) -> None:
        self.script = list(script)
        self.asked_at_s: list[float] = []
        self.bodies: list[bytes] = []

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        return [Parcel("events", b"%d" % len(outputs), 1, 0)]

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        self.asked_at_s.append(round(asyncio.get_running_loop().time(), 3))
        answer = self.script.pop(0) if self.script else []
        if isinstance(answer, Exception):
            raise answer
        self.bodies += [parcel.body for parcel in parcels]
        return answer

    async def close(self) -> None:
        pass


class Box:
    """An outbox in memory with the delivery under test."""

    def __init__(self, store: Store, count: int = 3) -> None:
        self.parcels = [Queued(n, Parcel("events", b"%d" % n, 2, 0)) for n in range(1, count + 1)]
        self.settled: list[Settlement] = []
        self.changes: list[Trouble | None] = []
        self.stored_to: list[int] = []
        self.store = store
        self.delivery = Delivery(
            store,
            read=self._read,
            settle=self.settled.append,
            stored=self.stored_to.append,
            changed=self.changes.append,
            rng=random.Random(1),
        )

    async def _read(self, sink: str, after_id: int, most_points: int, most_bytes: int) -> list[Queued]:
        assert sink == "store"
        assert min(most_points, most_bytes) > 0
        return [q for q in self.parcels if q.id > after_id][:2]


def deliver(box: Box, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    async def main() -> None:
        task = asyncio.create_task(box.delivery.run())
        if meanwhile is not None:
            await meanwhile()
        while box.delivery.delivered_to < len(box.parcels):
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()

    run(main())


def test_everything_goes_oldest_first_and_is_settled_after_the_write() -> None:
    box = Box(Store(), 5)
    deliver(box)
    assert box.store.bodies == [b"1", b"2", b"3", b"4", b"5"]
    assert [s.ids for s in box.settled] == [[1, 2], [3, 4], [5]]
    assert box.stored_to == [2, 4, 5]
    assert box.changes == []


def test_refused_points_are_handed_on_with_their_reason() -> None:
    refusal = Refusal(b"1", "400 bad")
    box = Box(Store([refusal]))
    deliver(box)
    assert [s.refusals for s in box.settled] == [[refusal], []]


def test_after_trouble_the_same_parcels_come_again_with_growing_pauses() -> None:
    trouble = [SinkTroubleError("refused the connection") for _ in range(10)]
    box = Box(Store(*trouble))
    deliver(box)
    pauses = [b - a for a, b in zip(box.store.asked_at_s, box.store.asked_at_s[1:], strict=False)][:10]
    assert box.store.bodies == [b"1", b"2", b"3"]
    assert all(0.25 * 2**n - 0.01 <= pause <= 0.5 * 2**n + 0.01 for n, pause in enumerate(pauses[:6]))
    assert max(pauses) <= BACKOFF_MOST_S + 0.01
    assert [change and change.reason for change in box.changes] == ["refused the connection", None]
    assert box.delivery.failures == 10


def test_the_store_is_never_asked_before_its_retry_after_even_when_parcels_arrive() -> None:
    box = Box(Store(SinkTroubleError("429", retry_after_s=40.0)))

    async def meanwhile() -> None:
        for _ in range(30):
            await asyncio.sleep(1)
            box.delivery.wake()

    deliver(box, meanwhile)
    assert box.store.asked_at_s[1] - box.store.asked_at_s[0] >= 40.0


def test_a_stopped_store_is_told_once_and_looked_at_now_and_then() -> None:
    stops = [SinkTroubleError("401 wrong token", stopped=True) for _ in range(3)]
    box = Box(Store(*stops))
    deliver(box)
    pauses = [b - a for a, b in zip(box.store.asked_at_s, box.store.asked_at_s[1:], strict=False)]
    assert pauses[:3] == [pytest.approx(STOPPED_RETRY_S, abs=0.02)] * 3
    assert [change and (change.reason, change.stopped) for change in box.changes] == [("401 wrong token", True), None]


def test_a_defect_in_a_sink_is_a_stop_of_that_sink_only() -> None:
    box, other = Box(Store(ZeroDivisionError("a defect"))), Box(Store())

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.delivery.run()) for each in (box, other)]
            await asyncio.sleep(1)
            assert other.store.bodies == [b"1", b"2", b"3"]
            assert box.settled == []
            for task in tasks:
                task.cancel()

    run(main())
    assert box.changes == [Trouble("defect in the sink: ZeroDivisionError: a defect", True, STOPPED_RETRY_S)]  # noqa: FBT003  # a field of a tuple


def test_finish_does_not_wait_for_a_store_that_takes_nothing() -> None:
    box = Box(Store(*(SinkTroubleError("away", retry_after_s=1_000) for _ in range(9))))

    async def main() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(box.delivery.run())
        await asyncio.sleep(5)
        box.delivery.finish()
        await task
        return loop.time()

    assert run(main()) < 6
    assert box.settled == []


def test_a_paced_sink_is_given_few_points_at_once() -> None:
    class Slow(Store):
        points_at_once = 16

    asked: list[int] = []

    class Watched(Box):
        async def _read(self, sink: str, after_id: int, most_points: int, most_bytes: int) -> list[Queued]:
            asked.append(most_points)
            return await super()._read(sink, after_id, most_points, most_bytes)

    deliver(Watched(Slow()))
    assert set(asked) == {16}
    asked.clear()
    deliver(Watched(Store()))
    assert set(asked) == {POINTS_MOST}
