from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.config.models import SiteFile
from gateway.config.rules import MatchRule
from gateway.contract.batches import Batch, encode
from gateway.contract.ledger import Account, EdgeLedger
from gateway.contract.measurements import MEASUREMENTS
from gateway.contract.topics import NAME
from gateway.health import Health
from rules.daemon.database import Database
from rules.daemon.edge_ledgers import EdgeLedgers
from rules.daemon.outbox import Delivery
from rules.daemon.pipeline import Pipeline
from rules.daemon.platform_points import READ_TO_STORE, PlatformPoints
from rules.daemon.rule_times import REST, RuleTimes
from rules.engine import Engine
from rules.outputs import Outputs, Parcel, Refusal, Sink, SinkTroubleError
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from rules.stopwatch import BOOKS, ENGINE, PRESENCE
from tests.rules.every_shape import every_shape
from tests.rules.passthrough import NOW_US, pipeline, reads
from tests.rules.play import site
from tests.rules.test_engine import traffic
from tests.rules.things.registries import NOTHING
from tests.support.line_protocol import Row, parse

SEEN = site(MatchRule(shape="match", name="seen", on="read", when="e.rssi_dbm > -90.0"))


class Shelf:
    """A store of lines of line protocol, by the real encoder; `is_down` makes it refuse to write."""

    def __init__(self, name: str = "shelf") -> None:
        self.name = name
        self.lines: list[str] = []
        self.is_down = False
        self._encoder = Encoder(site="port", guard=SeriesGuard(5_000, lambda *_: None), store_reads=False)

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        lines = [line for output in outputs for line in self._encoder.lines(output)[0]]
        return [Parcel("events", "\n".join(lines).encode(), len(lines), 0)] if lines else []

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        if self.is_down:
            raise SinkTroubleError("nobody is there")
        for parcel in parcels:
            self.lines += parcel.body.decode().split("\n")
        return []

    async def close(self) -> None:
        """Nothing to let go of."""

    @property
    def refused(self) -> list[str]:
        return [line for line in self.lines if line.startswith("#")]

    def rows(self, measurement: str) -> list[Row]:
        rows = parse("\n".join(self.lines).encode()) if self.lines else []
        return [row for row in rows if row.measurement == measurement]


class Desk:
    """A pipeline around the real engine, and what it says of itself."""

    def __init__(self, made: Pipeline, times: RuleTimes, every_s: float, now_us: Callable[[], int]) -> None:
        self.pipeline = made
        ledgers = EdgeLedgers(Health("test"))
        self.platform = PlatformPoints(made, times, ledgers, site="port", every_s=every_s, now_us=now_us)
        self.heard = ledgers

    async def turn(self) -> None:
        """One interval ends; what waits is committed and stored."""
        self.platform.tell()
        await self.store()

    async def store(self) -> None:
        await self.pipeline.commit()
        tasks = [asyncio.create_task(each.run()) for each in self.pipeline.deliveries.values()]
        async with asyncio.timeout(20):
            while not all(self._is_done(each) for each in self.pipeline.deliveries.values()):
                await asyncio.sleep(0.005)
                await self.pipeline.commit()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.pipeline.commit()

    def _is_done(self, delivery: Delivery) -> bool:
        account = self.pipeline.totals.points.get(delivery.sink.name)
        return delivery.trouble is not None or account is None or account.queued == 0


@asynccontextmanager
async def desk(
    directory: Path, *sinks: Sink, file: SiteFile = SEEN, every_s: float = 10, now_us: Callable[[], int] | None = None
) -> AsyncIterator[Desk]:
    times = RuleTimes(Engine(file, NOTHING), rng=random.Random(2))
    clock = itertools.count(NOW_US, 10_000_000).__next__ if now_us is None else now_us
    async with pipeline(directory, times, list(sinks)) as made:
        yield Desk(made, times, every_s, clock)


def whole(seed: int) -> list[Batch]:
    """The muddle of the engine's tests as one epoch without gaps, so that nothing waits for what never comes."""
    return [msgspec.structs.replace(batch, epoch=1, sequence=at) for at, batch in enumerate(traffic(seed), 1)]


def ledger(gateway: str = "edge-1", *, heard: int = 100, **more: Account) -> bytes:
    account = Account(heard=heard, journalled=90, judged=70, dropped={"journal_full": 5, "journal_stalled": 3})
    account.waiting, account.unjudged = 2, 20
    accounts = {"tag_reads": account, "readings": Account(), "signals": Account(heard=4, judged=4), **more}
    return msgspec.json.encode(
        EdgeLedger(gateway=gateway, epoch=7, at_us=NOW_US, next_sequence=9, watermark=8, **accounts)
    )


def test_ledgers_become_points_in_the_intervals_in_which_they_were_heard(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with desk(tmp_path, shelf) as made:
            made.heard.take("edge-1", ledger(), retained=True)
            await made.turn()
            await made.turn()

    asyncio.run(main())
    of_reads, of_signals = shelf.rows("ledger")
    assert of_reads.tags == {"site": "port", "gateway": "edge-1", "kind": "reads"}
    assert of_reads.fields == {
        "epoch": 7,
        "heard": 100,
        "journalled": 90,
        "judged": 70,
        "dropped": 8,
        "waiting": 2,
        "unjudged": 20,
        "balanced": True,
    }
    assert of_reads.at_ns == NOW_US * 1_000
    assert (of_signals.tags["kind"], of_signals.fields["heard"], of_signals.fields["balanced"]) == ("signals", 4, True)
    dropped = {row.tags["reason"]: row.fields["items"] for row in shelf.rows("dropped")}
    assert dropped == {"journal_full": 5, "journal_stalled": 3}
    assert len(shelf.rows("sink")) == 2  # both intervals had points


def test_a_ledger_that_does_not_come_out_is_told_as_it_is(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with desk(tmp_path, shelf) as made:
            made.heard.take("edge-1", ledger(heard=101), retained=False)
            await made.turn()

    asyncio.run(main())
    assert [row.fields["balanced"] for row in shelf.rows("ledger") if row.tags["kind"] == "reads"] == [False]


def test_sinks_are_told_with_their_accounts_and_whether_they_take_anything(tmp_path: Path) -> None:
    shelf, dead = Shelf(), Shelf("dead")
    dead.is_down = True

    async def main() -> None:
        async with desk(tmp_path, shelf, dead) as made:
            made.pipeline.take(encode(reads(1, 3)))
            await made.store()
            await made.turn()
            await made.turn()

    asyncio.run(main())
    first, second = (
        {
            row.tags["sink"]: row.fields
            for row in shelf.rows("sink")
            if row.at_ns == (NOW_US + turn * 10_000_000) * 1_000
        }
        for turn in (0, 1)
    )
    assert first["shelf"] == {
        "made": 3, "stored": 3, "refused": 0, "queued": 0, "queued_bytes": 0, "is_down": False,
    }  # fmt: skip
    assert (first["dead"]["made"], first["dead"]["stored"], first["dead"]["queued"]) == (3, 0, 3)
    assert first["dead"]["is_down"] is True
    assert int(first["dead"]["queued_bytes"]) > 100
    assert int(second["dead"]["queued"]) > 3  # the points of the turn before wait, too
    for fields in (*first.values(), *second.values()):
        assert fields["made"] == int(fields["stored"]) + int(fields["refused"]) + int(fields["queued"])


def test_a_sink_that_is_gone_is_told_while_something_waits_for_it(tmp_path: Path) -> None:
    shelf, dead, empty = Shelf(), Shelf("dead"), Shelf("empty")
    dead.is_down = True

    async def main() -> None:
        async with desk(tmp_path, shelf, dead, empty) as made:
            made.pipeline.take(encode(reads(1, 3)))
            await made.store()
        async with desk(tmp_path, shelf) as made:
            await made.turn()

    asyncio.run(main())
    found = {row.tags["sink"]: (row.fields["queued"], row.fields["is_down"]) for row in shelf.rows("sink")}
    assert found == {"shelf": (0, False), "dead": (3, True)}


def test_latency_is_that_of_the_interval_and_nothing_when_no_batch_came(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with desk(tmp_path, shelf) as made:
            await made.turn()
            for sequence in range(1, 6):
                made.pipeline.take(encode(reads(sequence, at_us=made.pipeline._now_us() - 60_000_000)))
            await made.store()
            await made.turn()
            made.pipeline.take(encode(reads(6, at_us=made.pipeline._now_us() - 1_000_000)))
            await made.store()
            await made.turn()
            await made.turn()
            assert made.pipeline.histogram.n == 6  # that of the ledger goes on

    asyncio.run(main())
    slow, quick = shelf.rows("latency")
    assert slow.tags == {"site": "port", "path": READ_TO_STORE}
    assert (slow.fields["batches"], quick.fields["batches"]) == (5, 1)
    assert 60_000 <= float(slow.fields["p50_ms"]) <= float(slow.fields["p99_ms"]) < 75_000
    assert 1_000 <= float(quick.fields["p99_ms"]) < 15_000


def test_rules_that_did_something_are_told_once(tmp_path: Path) -> None:
    shelf = Shelf()
    file = every_shape()

    async def main() -> None:
        async with desk(tmp_path, shelf, file=file) as made:
            for batch in whole(3):
                made.pipeline.take(encode(batch))
            await made.turn()
            await made.turn()

    asyncio.run(main())
    rows = shelf.rows("rule_time")
    first = {row.tags["rule"]: row.fields for row in rows if row.at_ns == NOW_US * 1_000}
    later = {row.tags["rule"] for row in rows if row.at_ns != NOW_US * 1_000}
    names = {rule.name for rule in file.rule}
    made = {row.tags["rule"]: 0 for row in shelf.rows("event") if "rule" in row.tags}
    for row in shelf.rows("event"):
        if "rule" in row.tags:
            made[row.tags["rule"]] += 1
    assert made
    assert {name: fields["events"] for name, fields in first.items() if fields["events"]} == made
    assert sum(int(fields["alarms"]) for fields in first.values()) > 0
    assert first.keys() - names <= {BOOKS, ENGINE, PRESENCE, REST}
    assert later <= {REST}  # nothing was judged since


def test_no_owner_of_time_can_be_a_rule() -> None:
    assert [owner for owner in (BOOKS, ENGINE, PRESENCE, REST) if NAME.fullmatch(owner) is not None] == []


def test_every_point_is_what_the_schema_says_and_no_store_refuses_it(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with desk(tmp_path, shelf, file=every_shape()) as made:
            for number, batch in enumerate(whole(5)):
                made.pipeline.take(encode(batch))
                if number % 40 == 39:
                    cards = Account(heard=1, dropped={"journal_full": 1, "not a name": 2})
                    made.heard.take("edge-1", ledger(cards=cards), retained=False)
                    made.heard.take("edge-2", ledger("edge-2"), retained=False)
                    await made.store()
                    await made.turn()

    asyncio.run(main())
    assert shelf.refused == []
    found = {name: shelf.rows(name) for name in ("ledger", "dropped", "sink", "latency", "rule_time")}
    for name, rows in found.items():
        assert rows, name
        assert len({row.key for row in rows}) == len(rows), name
        for row in rows:
            assert set(row.fields) == set(MEASUREMENTS[name].fields), name
            assert tuple(row.tags) == MEASUREMENTS[name].tags, name


def test_what_the_platform_says_is_no_part_of_the_state_and_moves_no_watermark(tmp_path: Path) -> None:
    kept: list[tuple[object, ...]] = []

    async def main(directory: Path, turns: int) -> None:
        async with desk(directory, Shelf(), file=every_shape(), now_us=lambda: NOW_US) as made:
            for batch in whole(7):
                made.pipeline.take(encode(batch))
            await made.store()
            for _ in range(turns):
                made.heard.take("edge-1", ledger(), retained=False)
                await made.turn()
            (flow,) = made.pipeline.intake.living()
            kept.append((flow.watermark, made.pipeline.totals.counts))
        stored = Database(directory / "rules.db")
        kept.append((sorted(stored.load().state), stored.load().flows))
        stored.close()

    asyncio.run(main(tmp_path / "with", 3))
    asyncio.run(main(tmp_path / "without", 0))
    assert kept[:2] == kept[2:]


def test_nothing_piles_up_while_nothing_can_be_committed(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with desk(tmp_path, shelf) as made:
            made.pipeline.take(encode(reads(1, 3)))
            made.platform.tell()
            made.heard.take("edge-1", ledger(), retained=False)
            waiting = len(made.pipeline._outputs)
            for _ in range(50):  # the disk is full
                made.platform.tell()
            assert len(made.pipeline._outputs) == waiting
            await made.store()
            await made.turn()

    asyncio.run(main())
    assert len(shelf.rows("sink")) == 2
    assert len({row.at_ns for row in shelf.rows("ledger")}) == 1  # what came meanwhile is told afterwards


def test_where_nothing_is_stored_and_nothing_happened_there_is_nothing_to_tell(tmp_path: Path) -> None:
    async def main() -> None:
        times = RuleTimes(Engine(SEEN, NOTHING), cpu_ns=lambda: 0)
        async with pipeline(tmp_path, times, []) as made:
            PlatformPoints(made, times, EdgeLedgers(Health("test")), site="port", every_s=10).tell()
            assert made._outputs == []

    asyncio.run(main())


def test_points_are_made_at_every_interval_and_never_when_it_is_none(tmp_path: Path) -> None:
    shelf = Shelf()

    async def main(directory: Path, every_s: float) -> None:
        async with desk(directory, shelf, every_s=every_s) as made:
            running = asyncio.create_task(made.platform.run())
            commits = asyncio.create_task(made.pipeline.run_commits())
            await asyncio.sleep(0.5)
            running.cancel()
            commits.cancel()
            await asyncio.gather(running, commits, return_exceptions=True)
            await made.store()

    asyncio.run(main(tmp_path / "off", 0))
    assert shelf.lines == []
    asyncio.run(main(tmp_path / "on", 0.1))
    assert 2 <= len(shelf.rows("sink")) <= 5
