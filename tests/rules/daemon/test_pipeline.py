from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.contract.batches import Signal, SignalBatch, encode
from gateway.contract.events import Event
from gateway.contract.flow import Resume
from gateway.event_history import EventHistory
from rules.daemon import pipeline as module
from rules.daemon.pipeline import Pipeline
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError
from tests.rules.passthrough import EPC, NOW_US, PassThrough, pipeline, reads


async def settled(made: Pipeline) -> None:
    """Deliver and commit until nothing waits."""
    tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
    await made.finish(5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def door(sequence: int, *, is_open: bool) -> bytes:
    signals = [Signal("door", is_open)]
    batch = SignalBatch(
        gateway="edge-1", epoch=1, sequence=sequence, device="plc", received_at_us=NOW_US + sequence, signals=signals
    )
    return encode(batch)


def seen(directory: Path) -> list[Event]:
    return EventHistory(directory / "events").where(EPC, limit=100_000)


def test_a_batch_becomes_state_watermark_event_and_point_together(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1)))
            made.take(encode(reads(2)))
            (flow,) = made.intake.living()
            assert flow.ack(made.session).sequence == 0  # nothing is promised before it is on the disk
            await settled(made)
            assert flow.ack(made.session).sequence == 2
            ledger = made.ledger()
            assert ledger.judged == {"edge-1": {"reads": 10}}
            assert ledger.events == {"seen": 2}
            assert ledger.points["events"].stored == 2
            assert ledger.points["events"].balanced
            assert ledger.latency_ms["n"] == 2
        judge = PassThrough()
        async with pipeline(tmp_path, judge) as again:
            assert again.session != made.session
            assert judge.reads == 10
            assert again.intake.living()[0].ack(again.session).sequence == 2
            again.take(encode(reads(2)))
            again.take(encode(reads(3)))
            await settled(again)
            assert judge.reads == 15
            assert again.ledger().duplicates == 1

    asyncio.run(main())
    assert [event.evidence.sequence_from for event in seen(tmp_path)] == [1, 2, 3]


def test_single_reads_are_stored_exactly_when_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path, store_reads=True) as made:
            made.take(encode(reads(1, 500)))
            await settled(made)
            assert made.ledger().points["events"].stored == 501

    asyncio.run(main())
    with sqlite3.connect(tmp_path / "events" / "events-2026-01-01.db") as connection:
        rows = connection.execute("SELECT count(*), min(item), max(item), min(epc), max(rssi_dbm) FROM tag_reads")
        assert rows.fetchone() == (500, 0, 499, EPC, -50.5)
    connection.close()


def test_a_resume_beyond_what_is_expected_moves_the_watermark_over_the_shed(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1)))
            made.resume(msgspec.json.encode(Resume(gateway="edge-1", epoch=1, from_sequence=10)))
            await made.commit()
            (flow,) = made.intake.living()
            assert flow.ack(made.session).sequence == 9
            made.take(encode(reads(10)))
            await made.commit()
            assert flow.ack(made.session).sequence == 10
            assert made.ledger().judged == {"edge-1": {"reads": 10}}

    asyncio.run(main())


HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"kind":"reads"}',
    b'{"kind":"nonsense","gateway":"edge-1"}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"kind":"tick","gateway":"edge-1","epoch":1,"sequence":"1","device":"edge-1","received_at_us":1,"watched":[]}',
    b'{"kind":"tick","gateway":"edge-1","epoch":1,"sequence":1e300,"device":"edge-1","received_at_us":1,"watched":[]}',
    b'{"kind":"tick","gateway":"\\ud800","epoch":1,"sequence":1,"device":"e","received_at_us":1,"watched":[]}',
]


def test_what_is_no_batch_is_counted_and_logged_once_and_never_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            for payload in HOSTILE * 2:
                made.take(payload)
                made.resume(payload)
            huge = b"9" * 400
            numbers = (
                {"epoch": huge, "sequence": b"1"},
                {"epoch": b"1", "sequence": huge},
                {"epoch": b"1", "sequence": b"-1"},
            )
            for fields in numbers:
                made.take(
                    b'{"kind":"tick","gateway":"edge-1","epoch":%(e)s,"sequence":%(s)s,"device":"d",'
                    b'"received_at_us":1,"watched":[]}' % {b"e": fields["epoch"], b"s": fields["sequence"]}
                )
            assert made.intake.flows == {}
            assert made.malformed["batch"] + sum(made.intake.refused.values()) == 2 * len(HOSTILE) + 3
            assert made.malformed["resume"] == 2 * len(HOSTILE)
            await made.commit()

    asyncio.run(main())
    assert capsys.readouterr().out.count("payload_malformed") == 2


def test_numbers_beyond_64_bits_in_a_read_stop_neither_the_store_nor_the_gateway(tmp_path: Path) -> None:
    payload = encode(reads(1, 3)).replace(b'"seen_at_us":%d' % NOW_US, b'"seen_at_us":%d,"count":9' % NOW_US, 1)
    payload = payload.replace(b'"count":9', b'"count":' + b"9" * 30)

    async def main() -> None:
        async with pipeline(tmp_path, store_reads=True) as made:
            made.take(payload)
            await settled(made)
            account = made.ledger().points["events"]
            assert account.balanced
            assert (account.queued, made.ledger().events) == (0, {"not_judged": 1})
            assert made.intake.living()[0].watermark == 1

    asyncio.run(main())


def test_a_batch_that_trips_a_defect_is_reported_as_an_event_and_the_next_is_judged(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1, epc="BAD0")))
            made.take(encode(reads(2)))
            await settled(made)
            assert made.not_judged == 1
            assert made.ledger().events == {"not_judged": 1, "seen": 1}
            assert made.intake.living()[0].watermark == 2

    asyncio.run(main())
    (event,) = EventHistory(tmp_path / "events").recent_events(types=["not_judged"])
    assert (event.evidence.sequence_from, event.fields) == (1, {"reason": "ZeroDivisionError"})


class Unwilling:
    """A store that takes nothing until it is told to."""

    def __init__(self, name: str, trouble: SinkTroubleError) -> None:
        self.name = name
        self.trouble: SinkTroubleError | None = trouble
        self.bodies: list[bytes] = []

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        points = sum(len(o.events) + len(o.alarms) for o in outputs)
        return [Parcel("events", b"x" * points, points, outputs[0].caused_at_us)] if points else []

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        if self.trouble is not None:
            raise self.trouble
        self.bodies += [parcel.body for parcel in parcels]
        return []

    async def close(self) -> None:
        pass


def test_a_stopped_store_raises_an_alarm_holds_up_nobody_and_clears_it_in_the_next_life(tmp_path: Path) -> None:
    dead = Unwilling("dead", SinkTroubleError("401 wrong token", stopped=True))
    live = Unwilling("live", SinkTroubleError("never raised"))
    live.trouble = None

    async def first() -> None:
        async with pipeline(tmp_path, sinks=[dead, live]) as made:
            tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
            tasks.append(asyncio.create_task(made.run_commits()))
            made.take(encode(reads(1)))
            async with asyncio.timeout(5):
                while len(live.bodies) < 2:  # the event, and the alarm about the other store
                    await asyncio.sleep(0.01)
            await made.finish(5)
            for task in tasks:
                task.cancel()
            assert live.bodies == [b"x", b"x"]
            ledger = made.ledger()
            assert (ledger.points["dead"].queued, ledger.points["live"].stored) == (2, 2)
            assert all(account.balanced for account in ledger.points.values())
            assert list(made.publication.retained) != []

    async def second() -> None:
        dead.trouble = None
        async with pipeline(tmp_path, sinks=[dead, live]) as made:
            assert list(made.publication.retained) != []
            await settled(made)
            assert made.publication.retained == {}
            assert made.ledger().points["dead"].stored == 3
            waiting = made._threads.database.read_messages(0, 10)
            assert [(m.retain, b'"cleared"' in m.payload) for m in waiting[-2:]] == [(False, True), (True, False)]

    asyncio.run(first())
    asyncio.run(second())


def test_alarms_are_messages_retained_while_raised_and_taken_away_when_cleared(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(door(1, is_open=True))
            await made.commit()
            assert list(made.publication.retained) == ["tagwharf/1/port/alarms/door"]
            made.take(door(2, is_open=False))
            await made.commit()
            assert made.publication.retained == {}
            messages = made._threads.database.read_messages(0, 10)
            assert [(m.retain, bool(m.payload)) for m in messages] == [(True, True), (False, True), (True, False)]

    asyncio.run(main())


def test_a_full_disk_holds_everything_back_and_then_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL_RETRY_S", 0.01)

    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1)))
            await made.commit()
            writer = made._threads.database._writer
            pages = writer.execute("PRAGMA page_count").fetchone()[0]
            writer.execute(f"PRAGMA max_page_count = {pages}")
            for n in range(2, 200):
                made.take(encode(reads(n)))
            committing = asyncio.create_task(made.commit())
            beats: list[None] = []
            made._beat = lambda: beats.append(None)
            await asyncio.sleep(0.1)
            assert "disk" in made._health.not_ready
            assert len(beats) > 1  # a watchdog that starved would only begin it all anew
            assert made.intake.living()[0].watermark == 1
            made.take(encode(reads(200)))
            writer.execute("PRAGMA max_page_count = 1000000")
            await committing
            assert made.intake.living()[0].watermark == 199
            assert made._health.not_ready.get("disk") is None
            await settled(made)
            assert made.ledger().judged == {"edge-1": {"reads": 1_000}}

    asyncio.run(main())
    assert sorted(event.evidence.sequence_from for event in seen(tmp_path)) == list(range(1, 201))


@pytest.mark.parametrize(("bound", "most"), [("UNCOMMITTED_BATCHES", 3), ("UNCOMMITTED_ITEMS", 15)])
def test_more_than_can_be_committed_is_not_taken(
    bound: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, bound, most)

    async def main() -> None:
        async with pipeline(tmp_path) as made:
            for n in (1, 2, 3):
                await made.room()
                made.take(encode(reads(n)))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await made.room()
            await made.commit()
            await made.room()

    asyncio.run(main())


PROGRAM = """
    import asyncio, sys
    from pathlib import Path
    from gateway.contract.batches import encode
    from tests.rules.passthrough import PassThrough, pipeline, reads

    async def main():
        judge = PassThrough()
        async with pipeline(Path(sys.argv[1]), judge, commit_every_s=0.005) as made:
            async with asyncio.TaskGroup() as group:
                group.create_task(made.run_commits())
                for delivery in made.deliveries.values():
                    group.create_task(delivery.run())
                flows = made.intake.living()
                n = flows[0].expected if flows else 1
                print("started", judge.reads == 5 * (n - 1), flush=True)
                while True:
                    made.take(encode(reads(n)))
                    made.take(encode(reads(max(1, n - 3))))
                    n += 1
                    await asyncio.sleep(0.001)

    asyncio.run(main())
"""


def test_through_kill_9_at_any_moment_nothing_happens_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    rng = random.Random(20260101)
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "started True\n"  # the engine's state and the watermark agree
        child_runs_s = rng.uniform(0.02, 0.3)
        try:
            child.wait(child_runs_s)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert child.returncode == -signal.SIGKILL

    async def last() -> int:
        judge = PassThrough()
        async with pipeline(tmp_path, judge) as made:
            await settled(made)
            watermark = made.intake.living()[0].watermark
            ledger = made.ledger()
            assert ledger.judged == {"edge-1": {"reads": 5 * watermark}}
            assert ledger.events == {"seen": watermark}
            assert judge.reads == 5 * watermark
            account = ledger.points["events"]
            assert (account.made, account.stored, account.queued) == (watermark, watermark, 0)
            return watermark

    watermark = asyncio.run(last())
    assert watermark > 20
    assert sorted(event.evidence.sequence_from for event in seen(tmp_path)) == list(range(1, watermark + 1))
