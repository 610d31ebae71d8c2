"""The broker freezes, goes away, or brings old and disordered messages: the journal grows, drains, and counts once."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.support.plant import Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

FROZEN_S = 10.0
AWAY_S = 20.0
READS_PER_S = 400.0
CAUGHT_UP_WITHIN_S = 60.0
NEARLY = 25
"""Batches above the watermark that are always on their way: a second of ticks, statuses, meters and reads."""


def caught_up(site: Scene) -> bool:
    return site.evidence.behind() <= NEARLY


def drained(site: Scene) -> float:
    """How many times faster than it came the backlog of an outage went, once it began to go."""
    behind, before = site.evidence.behind(), site.evidence.watermark()
    arrival_per_s = behind / AWAY_S
    wait_until(lambda: site.evidence.watermark() > before, CAUGHT_UP_WITHIN_S, site.edge.log)
    started_s = time.monotonic()
    while not caught_up(site):
        assert time.monotonic() - started_s < CAUGHT_UP_WITHIN_S, site.edge.log()
        time.sleep(0.005)
    took_s = max(time.monotonic() - started_s, 0.005)
    rate = (site.evidence.watermark() - before) / took_s
    print(f"drain: {behind} batches in {took_s:.2f} s, {rate / arrival_per_s:.0f} times the arrival rate")  # noqa: T201  # the measurement
    return rate / arrival_per_s


def test_a_broker_that_freezes_and_one_that_is_away(tmp_path: Path) -> None:
    seed = chosen_seed()
    with (
        mosquitto(tmp_path / "broker") as broker,
        scene(tmp_path, broker, seed, reads_per_s=READS_PER_S) as site,
    ):
        site.begin(FROZEN_S + AWAY_S + 8)
        time.sleep(2)

        broker.pause()
        time.sleep(1)
        watermark, last = site.evidence.watermark(), site.evidence.last()
        time.sleep(FROZEN_S - 1)
        assert site.evidence.watermark() == watermark
        assert site.evidence.last() - last >= FROZEN_S  # reads, readings and a tick every second
        broker.resume()
        wait_until(lambda: caught_up(site), CAUGHT_UP_WITHIN_S, site.edge.log)

        broker.kill()
        last = site.evidence.last()
        time.sleep(AWAY_S)
        assert site.evidence.last() - last >= AWAY_S
        assert site.edge.alive
        assert site.rules.alive
        broker.start()
        drained(site)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)


def test_old_and_disordered_batches_have_no_second_effect(tmp_path: Path) -> None:
    seed = chosen_seed()
    rng = random.Random(seed)
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, seed) as site:
        site.begin(14.0)
        time.sleep(3)
        # Batches that were judged long ago.
        replayed = shuffled(site, rng, 0)
        # Batches that the rules have never seen, in any order and twice, at the same time as the edge sends them.
        before = len(site.watch.recorded)
        site.rules.kill()
        time.sleep(3)
        site.rules.start()
        sessions = len(site.watch.rules)
        wait_until(lambda: len(site.watch.rules) > sessions, 30, site.rules.log)
        replayed += shuffled(site, rng, before)
        # And all of it once more, while traffic goes on.
        replayed += shuffled(site, rng, 0)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert site.evidence.ledgers()[1].duplicates >= replayed / 2
        assert "batch_not_judged" not in site.rules.whole_log()


def shuffled(site: Scene, rng: random.Random, start: int) -> int:
    """Publish what the bystander has heard from there on in another order, some of it twice; returns how many."""
    messages = [heard for heard in site.watch.recorded[start:] if not heard[0].endswith("/status")]
    messages += rng.sample(messages, len(messages) // 2)
    rng.shuffle(messages)
    site.watch.say(messages)
    return len(messages)
