from __future__ import annotations

import random
import subprocess
import sys
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import Portal, RulesSettings, SiteFile, Zone
from gateway.config.rules import AlarmSettings, HoldRule, MatchRule, NoData
from gateway.contract.batches import Batch, ReadBatch
from rules.engine import Engine
from rules.outputs import Outputs
from rules.things.thing import Thing
from tests.rules.play import EPC, Play, site, tag_read, us
from tests.rules.things.registries import NOTHING, registry

ALARM = AlarmSettings()
THINGS = registry({f"3034{n:020X}": Thing(f"Box {n}", "container") for n in range(0, 12, 2)})
POINTS = ["a-1", "a-2", "b-1", "g-out", "g-in", "lone"]


def busy_site(lateness_s: float = 0.5) -> SiteFile:
    return site(
        MatchRule(shape="match", name="loud", on="read", when="e.rssi_dbm > -42", alarm=ALARM),
        MatchRule(shape="match", name="gone", on="departed", when="e.dwell_s > 1.0"),
        MatchRule(shape="match", name="gone-box", on="gone", when="e.kind == 'container'", alarm=ALARM),
        MatchRule(shape="match", name="away", on="status", when="e.state != 'online'", alarm=ALARM),
        HoldRule(shape="hold", name="high", on="reading", when="e.value > 100", for_s=3, alarm=ALARM, emit="too-high"),
        HoldRule(
            shape="hold", name="quiet", on="reading", when="e.value > 150.0", for_s=1, clear="e.value < 120.0",
            no_data=NoData.ALARM, no_data_after_s=4, alarm=ALARM,
        ),
        HoldRule(shape="hold", name="door", on="signal", when="e.name == 'door' && e.value", for_s=2, alarm=ALARM),
        HoldRule(
            shape="hold", name="near", on="read", when="e.read_point == 'lone'", for_s=1.5, no_data=NoData.CLEAR,
            no_data_after_s=1, alarm=ALARM,
        ),
        zones=[Zone(name="a", read_points=["a-1", "a-2"], depart_after_s=2), Zone(name="b", read_points=["b-1"])],
        portals=[Portal(name="gate", outer=["g-out"], inner=["g-in"], close_after_s=1)],
        settings=RulesSettings(lateness_s=lateness_s, read_rate_every_s=4, forget_after_s=90),
    )  # fmt: skip


def traffic(seed: int, seconds: int = 40) -> list[Batch]:
    """A seeded muddle of everything that a gateway says, with late reads, gaps, new epochs and dead times."""
    rng = random.Random(seed)
    play = Play(site(MatchRule(shape="match", name="none", on="read", when="false")))
    tags = [f"3034{n:020X}" for n in range(12)]
    where = {tag: rng.choice(POINTS) for tag in tags}
    watched = list(POINTS)
    at_s = 0.0
    while at_s < seconds:
        at_s += rng.choice((0.02, 0.1, 0.3, 0.9))
        what = rng.random()
        if what < 0.6:
            reads = []
            for _ in range(rng.randint(1, 12)):
                tag = rng.choice(tags)
                if rng.random() < 0.1:
                    where[tag] = rng.choice(POINTS)
                late_s = rng.choice((0.0, 0.1, 0.4, 0.4, 0.7, 3.0 if rng.random() < 0.1 else 0.0))
                level = rng.choice((-40.0, -50.0, -60.5, None))
                reads.append(tag_read(at_s - late_s, where[tag], tag, level, rng.randint(1, 3)))
            play.reads(at_s, *reads, device=rng.choice(("reader-1", "reader-2")))
        elif what < 0.7:
            play.reading(at_s, str(rng.choice((50, 110, 160))), meter=rng.choice(("meter-1", "meter-2")))
        elif what < 0.75:
            play.signal(at_s, "door", value=rng.random() < 0.7)
        elif what < 0.8:
            play.status(at_s, "reader-1", rng.choice(("online", "offline", "degraded")), rng.sample(POINTS, 3))
        else:
            if rng.random() < 0.3:
                watched = rng.sample([*POINTS, "meter-1", "meter-2"], rng.randint(3, 8))
            play.watched = watched
            if rng.random() < 0.05:
                play.sequence += 3
            if rng.random() < 0.03:
                play.epoch, play.sequence = play.epoch + 1, 0
            if rng.random() < 0.02:
                at_s += rng.choice((5.0, 100.0))
            play.tick(at_s)
    return play.batches


def frozen(outputs: list[Outputs]) -> list[bytes]:
    return [msgspec.json.encode([one.events, one.alarms, one.points, one.reads, one.caused_at_us]) for one in outputs]


def judge(file: SiteFile, batches: list[Batch]) -> list[Outputs]:
    engine = Engine(file, THINGS)
    return [engine.step(batch) for batch in batches]


def judge_with_restarts(file: SiteFile, batches: list[Batch], rng: random.Random, restarts: float) -> list[Outputs]:
    """Commit and restart now and then, each time from what was committed into a fresh engine."""
    engine, stored, outputs = Engine(file, THINGS), dict[str, bytes](), []
    for batch in batches:
        outputs.append(engine.step(batch))
        if rng.random() < restarts:
            for key, value in engine.changes():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            if rng.random() < 0.5:
                engine = Engine(file, THINGS)
                entries = list(stored.items())
                rng.shuffle(entries)
                engine.restore(entries)
    return outputs


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_at_any_point_changes_nothing(seed: int) -> None:
    file, batches = busy_site(), traffic(seed)
    whole = frozen(judge(file, batches))
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 0.3)) == whole
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 1.0)) == whole


def late(batches: list[Batch], rng: random.Random) -> list[Batch]:
    """Stretches of them had waited at the edge for longer than an event is of use, or for a little only."""
    waited_s = 0.0
    for batch in batches:
        if rng.random() < 0.1:
            waited_s = rng.choice((0.0, 0.0, 20.0, 301.0, 5_000.0))
        if waited_s:
            batch.sent_at_us = batch.received_at_us + round(waited_s * 1e6)
    return batches


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_in_a_backlog_changes_nothing(seed: int) -> None:
    file, batches = busy_site(), late(traffic(seed), random.Random(seed))
    whole = frozen(judge(file, batches))
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 0.3)) == whole
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 1.0)) == whole


@pytest.mark.parametrize("seed", range(12))
def test_a_backlog_makes_the_same_events_and_raises_no_alarm_before_its_end(seed: int) -> None:
    file, batches = busy_site(), late(traffic(seed), random.Random(seed))
    at_once, delayed = judge(file, traffic(seed)), judge(file, batches)
    assert [[event.id for event in one.events] for one in delayed] == [
        [event.id for event in one.events] for one in at_once
    ]
    assert [one.points for one in delayed] == [one.points for one in at_once]
    for batch, one in zip(batches, delayed, strict=True):
        if batch.waited_us > 300_000_000:
            assert all(event.historical for event in one.events)
            assert "raised" not in {alarm.state for alarm in one.alarms}
    standing: set[str] = set()
    for alarm in (alarm for one in delayed for alarm in one.alarms):
        assert (alarm.id in standing) == (alarm.state == "cleared")
        standing ^= {alarm.id}


def test_the_muddle_makes_everything_that_it_is_there_to_test() -> None:
    outputs = [one for seed in range(12) for one in judge(busy_site(), traffic(seed))]
    types = {event.type for one in outputs for event in one.events}
    assert types >= {"arrived", "moved", "departed", "passage", "gone", "too-high"}
    alarms = {(alarm.rule, alarm.state) for one in outputs for alarm in one.alarms}
    assert alarms >= {
        (rule, state)
        for rule in ("loud", "gone-box", "away", "high", "quiet", "door", "near")
        for state in ("raised", "cleared")
    } - {("gone-box", "cleared")}
    assert {point.measurement for one in outputs for point in one.points} >= {"reading", "read_rate", "signal"}


def test_the_same_batches_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from tests.rules.test_engine import *;"
        "print(hashlib.sha256(b''.join(frozen(judge(busy_site(), traffic(3))))).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@given(st.integers(0, 50), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_how_reads_are_cut_into_batches_does_not_matter_for_presence(seed: int, rng: random.Random) -> None:
    file = site(zones=busy_site().zone, portals=busy_site().portal)
    cut: list[Batch] = []
    sequence = 0
    whole: list[Batch] = []
    for batch in traffic(seed, 15):
        whole.append(msgspec.structs.replace(batch, epoch=1, sequence=len(whole) + 1))
    for batch in whole:
        parts = [batch]
        if isinstance(batch, ReadBatch) and len(batch.reads) > 1:
            edges = [0, *sorted(rng.sample(range(1, len(batch.reads)), min(2, len(batch.reads) - 1))), len(batch.reads)]
            parts = [msgspec.structs.replace(batch, reads=batch.reads[a:b]) for a, b in pairwise(edges)]
        for part in parts:
            sequence += 1
            cut.append(msgspec.structs.replace(part, sequence=sequence))

    def events(batches: list[Batch]) -> list[tuple[object, ...]]:
        return [
            (e.id, e.type, e.at_us, e.subject, e.zone, e.direction, e.evidence.reads, e.evidence.confidence)
            for one in judge(file, batches)
            for e in one.events
        ]

    assert events(cut) == events(whole)


def test_gateways_do_not_disturb_each_other() -> None:
    file, rng = site(zones=busy_site().zone, portals=busy_site().portal), random.Random(4)
    one = traffic(1)
    other = [msgspec.structs.replace(batch, gateway="edge-2") for batch in traffic(2)]
    alone = frozen(judge(file, one)), frozen(judge(file, other))
    mixed: list[Batch] = []
    left, right = list(reversed(one)), list(reversed(other))
    while left or right:
        mixed.append((left if left and (not right or rng.random() < 0.5) else right).pop())
    outputs = judge(file, mixed)
    for gateway, expected in zip(("edge-1", "edge-2"), alone, strict=True):
        own = [out for out, batch in zip(outputs, mixed, strict=True) if batch.gateway == gateway]
        assert frozen(own) == expected


def test_changes_are_only_what_changed() -> None:
    play = Play(busy_site())
    play.watch(0.0, *POINTS)
    play.reads(1.0, *(tag_read(1.0, "a-1", f"3034{n:020X}", count=2) for n in range(50)))
    play.until(3.0)
    assert len(play.engine.changes()) > 50
    play.tick(3.1)
    keys = [key.split("/")[0] for key, _ in play.engine.changes()]
    assert len(keys) < 20
    assert "zone" not in keys
    assert play.engine.changes() == []


def restored(old: SiteFile, new: SiteFile, play: Play) -> Engine:
    entries = [(key, value) for key, value in play.engine.changes() if value is not None]
    assert play.file == old
    engine = Engine(new, NOTHING)
    engine.restore(entries)
    return engine


def test_a_change_of_rules_keeps_the_state_of_those_that_did_not_change() -> None:
    keep = MatchRule(shape="match", name="keep", on="status", when="e.state == 'offline'", alarm=ALARM)
    gone = MatchRule(shape="match", name="gone", on="status", when="e.state == 'offline'", alarm=ALARM)
    held = HoldRule(shape="hold", name="held", on="status", when="e.state == 'offline'", for_s=0, alarm=ALARM)
    old, new = site(gone, keep, held), site(keep)
    play = Play(old)
    play.status(1.0, "reader-1", "offline")
    raised = {alarm.rule: alarm for alarm in play.alarms}
    assert set(raised) == {"keep", "gone", "held"}
    engine = restored(old, new, play)
    assert engine.counters()["rule_states"] == 1
    play.engine = engine
    outputs = play.tick(2.0)
    assert {(alarm.rule, alarm.id, alarm.state) for alarm in outputs.alarms} == {
        ("gone", raised["gone"].id, "cleared"),
        ("held", raised["held"].id, "cleared"),
    }
    assert "the rule was changed or removed" in outputs.alarms[0].message
    deleted = [key for key, value in engine.changes() if value is None]
    dropped = [f"alarm/book/{raised['gone'].id}", f"alarm/book/{raised['held'].id}", "rule/gone", "rule/held"]
    assert sorted(key.split(".")[0] for key in deleted) == sorted(dropped)
    assert [alarm.state for alarm in play.status(3.0, "reader-1", "online").alarms] == ["cleared"]


def test_a_zone_that_is_gone_takes_its_tags_with_it_and_the_others_stay() -> None:
    old = site(zones=[Zone(name="a", read_points=["p"]), Zone(name="b", read_points=["q"])])
    new = site(zones=[Zone(name="b", read_points=["q"])], portals=[Portal(name="x", outer=["r"], inner=["s"])])
    play = Play(old)
    play.watch(0.0, "p", "q", "lone")
    play.reads(1.0, *(tag_read(1.0, point, f"3034{n}", count=2) for n, point in enumerate(("p", "q", "lone"))))
    play.until(3.0)
    play.engine = restored(old, new, play)
    assert play.engine.counters()["tags_dropped"] == 1
    play.events.clear()
    play.until(12.0)
    assert play.types() == [("departed", "lone"), ("departed", "b")] or play.types() == [
        ("departed", "b"),
        ("departed", "lone"),
    ]


def test_a_portal_that_is_gone_takes_its_sessions_with_it() -> None:
    old, new = site(portals=[Portal(name="x", outer=["r"], inner=["s"])]), site()
    play = Play(old)
    play.watch(0.0, "r", "s")
    play.read(1.0, "r", count=9)
    play.until(3.0)
    engine = restored(old, new, play)
    assert (engine.counters()["sessions"], engine.counters()["tags_dropped"]) == (0, 1)


def test_entries_of_an_unknown_kind_are_deleted() -> None:
    engine = Engine(site(), NOTHING)
    engine.restore([("future/edge-1/x", b"\x90")])
    play = Play(site())
    play.engine = engine
    play.tick(1.0)
    assert ("future/edge-1/x", None) in engine.changes()


def test_an_entry_that_cannot_be_read_is_counted_and_deleted_and_the_others_are_taken_up() -> None:
    before = Play(site())
    for at_s in (1.0, 1.2, 2.0):
        before.read(at_s, "p")
    good = [(key, value) for key, value in before.engine.changes() if value is not None]
    bad = [("zone/edge-1/3034", b"\xc1"), ("zone/edge-1/3035", b"\x01"), ("alarm/book/x", b"\xc1")]
    engine = Engine(site(), NOTHING)
    engine.restore([*good, *bad])
    assert engine.counters()["state_unreadable"] == 3
    assert engine.counters()["tags"] == before.engine.counters()["tags"] == 1
    play = Play(site())
    play.engine = engine
    play.tick(3.0)
    gone = {key for key, value in engine.changes() if value is None}
    assert {key for key, _ in bad} <= gone


def test_the_reads_go_on_to_the_stores() -> None:
    play = Play(site())
    outputs = play.read(1.0, "p")
    assert outputs.reads is play.batches[-1]
    assert outputs.caused_at_us == us(1.0)
    assert play.tick(2.0).reads is None


def test_events_of_one_batch_are_bounded_for_rules_on_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.step.MOST_EVENTS", 6)
    first = MatchRule(shape="match", name="first", on="read")
    second = MatchRule(shape="match", name="second", on="first")
    play = Play(site(first, second))
    outputs = play.reads(1.0, *(tag_read(1.0, "p", EPC) for _ in range(10)))
    assert [event.type for event in outputs.events] == ["first"] * 10
    assert play.engine.counters()["events_unjudged"] == 10


def test_the_engine_knows_no_clock_no_network_and_no_file() -> None:
    program = (
        "import sys; import rules.engine;"
        "from rules import engine, state, points; from rules.language import vocabulary, expressions, grammar;"
        "import rules.presence.tracker, rules.shapes.hold, rules.shapes.match, rules.shapes.shape;"
        "names = [n for n in sys.modules if n.startswith('rules.')];"
        "banned = ('asyncio', 'socket', 'time', 'sqlite3', 'threading', 'aiomqtt', 'random', 'os');"
        "print([n for n in names for b in banned if b in vars(sys.modules[n])])"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


def test_what_waited_at_the_edge_is_historical_beyond_the_bound_of_the_site() -> None:
    rule = MatchRule(shape="match", name="loop", on="signal", when="e.value")
    play = Play(site(rule, settings=RulesSettings(historical_after_s=60)))
    play.signal(1.0, "loop", value=True)
    marks = []
    for waited_s in (60.0, 60.1, -3_600.0):  # the last: the clock of the host was set back meanwhile
        batch = play.batches[-1]
        batch.sequence += 1
        batch.sent_at_us = batch.received_at_us + round(waited_s * 1e6)
        marks += [event.historical for event in play.engine.step(batch).events]
    assert marks == [False, True, False]
