"""Sinks that send to others, behind the pipeline and its outbox on disk: what the ledger says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from gateway.config.models import WebhookSink as Settings
from gateway.config.sinks import DirectorySink as DirectorySettings
from gateway.contract.batches import encode
from gateway.contract.ledger import PointAccount
from rules.daemon.database import Database
from rules.daemon.pipeline import Pipeline
from rules.outputs import Sink
from rules.own_events import SINK_STOPPED
from rules.sinks.directory import DirectorySink
from rules.sinks.letters import Clerk
from rules.sinks.webhook import WebhookSink
from tests.rules.edge import until
from tests.rules.passthrough import pipeline, reads
from tests.support.webhook_receiver import KEY, Act, Receiver, Reply

BATCHES = 60


def desk(url: str, **more: object) -> WebhookSink:
    settings = Settings.model_validate(
        {"kind": "webhook", "name": "desk", "url": url, "events": ["*"], "timeout_s": 10, **more}
    )
    return WebhookSink(settings, clerk=Clerk(settings, site="port"), keys=(KEY,))


def exchange(directory: Path) -> DirectorySink:
    settings = DirectorySettings(kind="directory", name="exchange", directory=directory, events=["seen"], alarms=[])
    return DirectorySink(settings, clerk=Clerk(settings, site="port"))


async def balanced(made: Pipeline, sinks: Sequence[Sink], *, stop: asyncio.Event) -> int:
    """How often every account was looked at, and balanced each time."""
    looks = 0
    while not stop.is_set():
        for sink in sinks:
            account = made.ledger().points.get(sink.name, PointAccount())
            assert account.balanced, account
        looks += 1
        await asyncio.sleep(0.002)
    return looks


def test_made_is_stored_refused_or_queued_at_any_moment_of_any_trouble(tmp_path: Path) -> None:
    script = [
        *(Reply(), Reply(503, headers={"Retry-After": "0"}), Reply(422, b"no"), Reply(act=Act.TAKE_THEN_RESET)),
        *(Reply(500, act=Act.RESET), Reply(), Reply(400, b"no"), Reply(), Reply(200, b"ok")),
    ]

    async def main() -> None:
        async with Receiver(script) as receiver:
            sinks: list[Sink] = [desk(receiver.url), exchange(tmp_path / "out")]
            stop = asyncio.Event()
            async with pipeline(tmp_path, sinks=sinks, commit_every_s=0.005) as made:
                watching = asyncio.create_task(balanced(made, sinks, stop=stop))
                tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
                tasks.append(asyncio.create_task(made.run_commits()))
                for sequence in range(1, BATCHES + 1):
                    made.take(encode(reads(sequence)))
                    await asyncio.sleep(0.003)
                await until(lambda: made.ledger().points["desk"].queued == 0, within_s=30)
                await made.finish(5)
                stop.set()
                assert await watching > 10
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                points = made.ledger().points
                assert points["desk"] == PointAccount(made=BATCHES, stored=BATCHES - 2, refused=2, queued=0)
                assert points["exchange"] == PointAccount(made=BATCHES, stored=BATCHES, refused=0, queued=0)
                assert made.totals.counts["refused.desk.quarantined"] == 2
            assert len(receiver.taken) == BATCHES - 2
            assert receiver.doubles == 1
            sequences = [p.json["data"]["evidence"]["sequence_from"] for p in receiver.taken.values()]
            assert sequences == sorted(sequences)

    (tmp_path / "out").mkdir()
    asyncio.run(main())
    assert len(list((tmp_path / "out").iterdir())) == BATCHES
    database = Database(tmp_path / "rules.db")
    assert sorted(refusal.reason for refusal in database.quarantined("desk")) == ["400 no", "422 no"]
    database.close()


def test_what_waited_is_sent_in_the_next_life_and_the_stop_is_an_alarm_until_then(tmp_path: Path) -> None:
    async def first(url: str) -> None:
        async with pipeline(tmp_path, sinks=[desk(url)]) as made:
            tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
            for sequence in range(1, 6):
                made.take(encode(reads(sequence)))
            await made.commit()
            await until(lambda: made.alarms.subjects(SINK_STOPPED) == {"desk"})
            await made.finish(1)
            await asyncio.gather(*tasks)
            # Its own alarm waits with the rest: when the receiver is back, it is told that it was away.
            assert made.ledger().points["desk"].queued == 6

    async def second(url: str) -> None:
        async with pipeline(tmp_path, sinks=[desk(url)]) as made:
            assert made.alarms.subjects(SINK_STOPPED) == {"desk"}
            tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
            committing = asyncio.create_task(made.run_commits())
            await until(lambda: made.ledger().points["desk"].stored == 7)
            assert made.alarms.subjects(SINK_STOPPED) == set()
            await made.finish(5)
            for task in (*tasks, committing):
                task.cancel()
            await asyncio.gather(*tasks, committing, return_exceptions=True)

    async def main() -> None:
        async with Receiver([Reply(410)] * 5) as receiver:
            await first(receiver.url)
        async with Receiver() as receiver:
            await second(receiver.url)
            kinds = [posted.json["type"] for posted in receiver.taken.values()]
            assert kinds == ["event.seen"] * 5 + ["alarm.raised", "alarm.cleared"]

    asyncio.run(main())
