"""The broker freezes, goes away, or brings old and disordered messages: the journal grows, drains, and counts once."""

from __future__ import annotations

import random
import re
import time
import urllib.request
from pathlib import Path

from tests.support.plant import Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import free_port, mosquitto
from tests.support.watch import wait_until

FROZEN_S = 10.0
AWAY_S = 20.0
READS_PER_S = 400.0
CAUGHT_UP_WITHIN_S = 60.0
IN_FLIGHT_LEAST = 50
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


def published(metrics_port: int) -> tuple[float, float]:
    """Batches that the edge has sent, repeated ones included, and the last sequence it has a commit for."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return float(re.findall(r"^tagwharf_published_batches_total (\S+)$", text, re.MULTILINE)[0]), float(
        re.findall(r"^tagwharf_journal_unjudged_batches (\S+)$", text, re.MULTILINE)[0]
    )


def test_what_is_in_flight_when_the_broker_dies_is_sent_again(tmp_path: Path) -> None:
    """The broker has read it from the wire, or not, and has acknowledged nothing: it goes out once more."""
    port = free_port()
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed(), edge_port=port) as site:
        site.begin(10.0)
        time.sleep(2)
        broker.pause()
        time.sleep(1)
        before, _ = published(port)
        last = site.evidence.last()
        wait_until(lambda: published(port)[0] >= before + IN_FLIGHT_LEAST, CAUGHT_UP_WITHIN_S, site.edge.log)
        broker.kill()
        sent, unjudged = published(port)
        assert sent >= last  # each of them once, before the broker died
        assert unjudged >= IN_FLIGHT_LEAST
        broker.start()
        wait_until(lambda: caught_up(site), CAUGHT_UP_WITHIN_S, site.edge.log)
        again = published(port)[0] - site.evidence.last()
        assert again >= IN_FLIGHT_LEAST - NEARLY, "what was in flight was not sent again"
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
