from __future__ import annotations

import itertools
import random

import pytest

from gateway.config.rules import AlarmSettings, Input, MatchRule, SequenceRule
from gateway.contract.batches import Batch
from rules.engine import Engine
from rules.stopwatch import BOOKS, ENGINE, PRESENCE, Stopwatch, Taken
from tests.rules.every_shape import every_shape
from tests.rules.play import Play, site
from tests.rules.test_engine import THINGS, frozen, late, traffic
from tests.rules.things.registries import NOTHING


def counting(step_ns: int = 1) -> Stopwatch:
    """A stopwatch whose clock moves on whenever somebody looks."""
    return Stopwatch(itertools.count(0, step_ns).__next__)


def test_every_nanosecond_belongs_to_somebody_and_counts_as_often_as_it_stands_for() -> None:
    times = iter([100, 130, 137, 150, 1_000, 1_004])
    watch = Stopwatch(lambda: next(times))
    watch.start(1)
    watch.lap(ENGINE)
    watch.lap("truck", 1)
    watch.lap("door")
    watch.start(16)
    watch.lap("truck", 2)
    assert watch.take() == {ENGINE: Taken(30, 0), "truck": Taken(7 + 16 * 4, 1 + 16 * 2), "door": Taken(13, 0)}
    assert watch.take() == {}


def changes(engine: Engine) -> list[tuple[str, bytes | None]]:
    return sorted(engine.changes())


@pytest.mark.parametrize("seed", range(6))
def test_measuring_changes_nothing_of_what_is_made_and_kept(seed: int) -> None:
    batches: list[Batch] = traffic(seed)
    if seed % 2:
        batches = late(batches, random.Random(seed))
    file, watch = every_shape(), counting()
    plain, measured, owners = Engine(file, THINGS), Engine(file, THINGS), set[str]()
    rng = random.Random(seed)
    for batch in batches:
        is_watched = rng.random() < 0.7
        if is_watched:
            watch.start(1)
        made = measured.step(batch, watch if is_watched else None)
        assert frozen([made]) == frozen([plain.step(batch)])
        assert changes(measured) == changes(plain)
        owners |= watch.take().keys()
    names = {rule.name for rule in file.rule}
    assert owners - names == {BOOKS, ENGINE, PRESENCE}
    assert len(owners & names) > len(names) / 2


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_of_a_step_are_the_whole(seed: int) -> None:
    engine, ticks = Engine(every_shape(), THINGS), itertools.count()
    watch = Stopwatch(ticks.__next__)
    for batch in traffic(seed):
        began = next(ticks)
        watch.start(1)
        engine.step(batch, watch)
        ended = next(ticks)
        assert sum(taken.busy_ns for taken in watch.take().values()) == ended - began - 2


def test_items_are_those_that_a_rule_looked_at() -> None:
    """The index leaves out the rule on other doors; what is both steps of a sequence was looked at twice."""
    play = Play(
        site(
            MatchRule(shape="match", name="seen", on="signal", when="e.value == true"),
            MatchRule(shape="match", name="other", on="signal", when="e.name == 'gate'"),
            SequenceRule(
                shape="sequence", name="twice", key="device", steps=[Input(on="signal"), Input(on="signal")], within_s=5
            ),
        )
    )
    for at_s in (1.0, 1.2, 1.4):
        play.signal(at_s, "door", value=True)
    play.until(9.0)
    engine, watch = Engine(play.file, NOTHING), counting()
    for batch in play.batches:
        watch.start(1)
        engine.step(batch, watch)
    taken = watch.take()
    assert taken["seen"].items == 3
    assert taken["twice"].items == 6
    assert "other" not in taken


def test_a_rule_that_has_nothing_to_clear_does_not_look_at_what_could_only_clear() -> None:
    rule = MatchRule(
        shape="match", name="away", on="status", when="e.device == 'reader-1' && e.state == 'offline'",
        alarm=AlarmSettings(),
    )  # fmt: skip
    play = Play(site(rule))
    play.status(1.0, "reader-1", state="online")
    play.status(2.0, "reader-1", state="offline")
    play.status(3.0, "reader-1", state="online")
    engine, watch = Engine(play.file, NOTHING), counting()
    items = []
    for batch in play.batches:
        watch.start(1)
        engine.step(batch, watch)
        items.append(watch.take().get("away", Taken(0, 0)).items)
    assert items == [0, 1, 1]


def test_a_rule_is_known_again_after_the_rules_were_replaced() -> None:
    play = Play(site(MatchRule(shape="match", name="before", on="signal", when="e.value == true")))
    play.signal(1.0, "door", value=True)
    play.signal(2.0, "door", value=True)
    engine, watch = Engine(play.file, NOTHING), counting()
    first, second = [batch for batch in play.batches if type(batch).__name__ == "SignalBatch"]
    watch.start(1)
    engine.step(first, watch)
    assert "before" in watch.take()
    engine.replace(site(MatchRule(shape="match", name="after", on="signal", when="e.value == true")))
    watch.start(1)
    engine.step(second, watch)
    names = watch.take().keys()
    assert "after" in names
    assert "before" not in names
