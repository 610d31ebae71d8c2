"""The rules: how many smoothed events a second go through 10, 50 and 300 of them.

Tags come and go in a yard of 60 zones: each visit is an `arrived` and a `departed`, concluded beforehand by the real
presence from reads. Measured is the rule part alone (`rules.step.Step`): from the event to all that rules make of it,
timers and the order of event time included; what a run without rules takes, above all the making of the events, is
taken off. `*_with_event_per_s` leaves it in.

Rules come in blocks of ten about one zone: each shape, and `match` three times; every one asks for the zone and
something else. In the `quiet` yard tags are in all zones, so that fifty rules take up one event in eighteen, as where
most of what is heard is of no rule's concern; in the `busy` one they are only where rules are, however many these are,
and two of three events are taken up (`*_taken_up`: some rule keeps something of them).
"""

from __future__ import annotations

import gc
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, ReadBatch, TagRead, TickBatch
from rules.alarms import AlarmBook
from rules.gateways import GatewayState
from rules.presence.happening import Happening
from rules.presence.tracker import Tracker
from rules.rulebook import Rulebook
from rules.sequencer import Sequencer
from rules.state import State
from rules.step import Step
from rules.tables.table import Tables
from rules.things.naming import Naming
from rules.things.thing import Thing
from tests.rules.things.registries import registry

ZONES: Final = 60
TAGS: Final = 6_000
VISITS: Final = 30_000
VISITS_PER_S: Final = 500
BATCHES_PER_S: Final = 20
AFTER_S: Final = 8
COMMITS_PER_S: Final = 5
ROUNDS: Final = 3
START_US: Final = 1_790_000_000_000_000
KINDS: Final = ("container", "truck", "chassis", "pallet", "tool", "person")
BLOCK: Final = 10


class Smoothed(NamedTuple):
    """A batch, and what presence concluded when it came."""

    batch: Batch
    happenings: list[Happening]


def run(visits: int = VISITS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Events for each second of processor time, by number of rules; the best of some rounds, all in one run."""
    things = registry({epc(number): Thing(f"T {number}", KINDS[number % len(KINDS)]) for number in range(TAGS)})
    figures: dict[str, Any] = {}
    for yard in ("quiet", "busy"):
        for rules in (10, 50, 300):
            zones = range(ZONES if yard == "quiet" else rules // BLOCK)
            recorded = list(smoothed(list(traffic(zones, visits))))
            naming = Naming(things)
            measured = [(judged(recorded, 0, naming), judged(recorded, rules, naming)) for _ in range(rounds)]
            bare = min(without["step_s"] for without, _ in measured)
            best = min((with_ for _, with_ in measured), key=lambda each: each["step_s"])
            events = best["events"]
            figures |= {
                f"{yard}_{rules}_rules_per_s": events / (best["step_s"] - bare),
                f"{yard}_{rules}_rules_with_event_per_s": events / best["step_s"],
                f"{yard}_{rules}_rules_taken_up": best["taken_up"] / events,
                f"{yard}_{rules}_rules_made": best["made"],
                f"{yard}_{rules}_rules_states": best["states"],
                f"{yard}_{rules}_rules_save_us_per_event": best["save_s"] / events * 1e6,
            }
    figures["goal"] = "quiet_50_rules_per_s > 100,000, and 300 rules not much slower than 50"
    return figures


def judged(recorded: Sequence[Smoothed], rules: int, naming: Naming) -> dict[str, float]:
    """Seconds of processor time of the steps, and of saving the state; and what came out."""
    file, state = site(rules), State()
    rulebook, alarms = Rulebook(file, state, Tables()), AlarmBook(state)
    tracker = Tracker(file, "edge-1", state)
    gateway = GatewayState("edge-1", tracker, Sequencer("edge-1", round(file.rules.lateness_s * 1e6), state))
    gateways, counts = {"edge-1": gateway}, Counter[str]()
    step_s = save_s = 0.0
    waiting, made, events, taken_up = gateway.sequencer.rows, 0, 0, 0
    gc.collect()
    gc.freeze()
    for index, (batch, happenings) in enumerate(recorded):
        began_s = time.process_time()
        tracker.advance(batch)
        step = Step(file, rulebook, alarms, naming, gateways, counts, batch, is_historical=False)
        step.run_timers()
        before = len(waiting.rows)
        for happening in happenings:
            step.happened(happening)
        taken_up += len(waiting.rows) - before
        step.release()
        step.catch_up()
        step.forget()
        step_s += time.process_time() - began_s
        events += len(happenings)
        made += sum(event.rule is not None for event in step.outputs.events)
        if index % (BATCHES_PER_S // COMMITS_PER_S) == 0:
            began_s = time.process_time()
            tracker.save()
            state.changes()
            save_s += time.process_time() - began_s
    gc.unfreeze()
    return {
        "step_s": step_s,
        "save_s": save_s,
        "events": events,
        "made": made,
        "states": sum(len(shape.rows.rows) for shape in rulebook.shapes),
        "taken_up": taken_up,
    }


def block(number: int) -> list[dict[str, Any]]:
    """Ten rules about one zone."""
    here, alarm = f"e.zone == 'zone-{number:02}'", {"severity": "warning"}
    truck, container, tool, chassis = (
        f"{here} && e.kind == '{kind}'" for kind in ("truck", "container", "tool", "chassis")
    )
    rules: list[dict[str, Any]] = [
        {"shape": "match", "on": "arrived", "when": container},
        {"shape": "match", "on": "arrived", "when": f"{here} && e.class == 'banned'", "alarm": alarm},
        {"shape": "match", "on": "departed", "when": f"{here} && e.dwell_s > 3600.0"},
        {"shape": "hold", "on": "arrived", "when": f"{here} && e.kind == 'person'", "for_s": 600, "alarm": alarm},
        {"shape": "rate", "on": "arrived", "when": truck, "key": "zone", "within_s": 60, "above": 900, "alarm": alarm},
        {"shape": "absence", "after": {"on": "arrived", "when": truck}, "expect": {"on": "departed", "when": truck},
         "within_s": 900, "emit": f"stuck-{number}"},
        {"shape": "sequence", "steps": [{"on": "arrived", "when": tool}, {"on": "departed", "when": tool}],
         "within_s": 3600, "otherwise": {"emit": f"left-{number}"}},
        {"shape": "session", "key": "zone", "open": {"on": "arrived", "when": truck},
         "collect": {"box": {"on": "arrived", "when": container, "key": "zone"}},
         "close": {"quiet_s": 10, "within_s": 60}},
        {"shape": "pair", "entry": {"on": "arrived", "when": chassis}, "exit": {"on": "departed", "when": chassis}},
        {"shape": "set", "on": "arrived", "when": f"{here} && e.kind == 'pallet'", "duration_s": 60},
    ]  # fmt: skip
    return [{"name": f"r-{number}-{index}-{rule['shape']}", **rule} for index, rule in enumerate(rules)]


def site(rules: int) -> SiteFile:
    """The yard with so many rules."""
    found = [rule for number in range(-(-rules // BLOCK)) for rule in block(number)]
    zones = [{"name": f"zone-{zone:02}", "read_points": [f"p-{zone:02}"]} for zone in range(ZONES)]
    return SiteFile.model_validate({"site": {"name": "yard"}, "zone": zones, "rule": found[:rules]})


def smoothed(batches: Sequence[Batch]) -> Iterator[Smoothed]:
    """What presence concludes of these batches."""
    tracker = Tracker(site(0), "edge-1", State())
    for batch in batches:
        tracker.advance(batch)
        happenings, _ = tracker.take(batch)
        yield Smoothed(batch, happenings)


def traffic(zones: Sequence[int], visits: int) -> Iterator[Batch]:
    """Tags that are read once in one of these zones, while all are watched, and then no more for a while."""
    rng = random.Random(5)
    watched = [f"p-{zone:02}" for zone in range(ZONES)]
    visited = [watched[zone] for zone in zones]
    ordinal = 0
    a_batch = VISITS_PER_S // BATCHES_PER_S
    busy = visits // a_batch
    for slot in range(busy + AFTER_S * BATCHES_PER_S):
        now_us = START_US + slot * 1_000_000 // BATCHES_PER_S
        if slot >= busy or slot % BATCHES_PER_S == 0:
            yield TickBatch(
                gateway="edge-1", epoch=1, sequence=slot + 1, device="edge-1", received_at_us=now_us, watched=watched
            )
            continue
        reads = [
            TagRead(epc((ordinal + each) % TAGS), 1, rng.choice(visited), now_us - rng.randrange(40_000), -50.0, 2)
            for each in range(a_batch)
        ]
        yield ReadBatch(
            gateway="edge-1",
            epoch=1,
            sequence=slot + 1,
            ordinal=ordinal,
            device="reader-1",
            received_at_us=now_us,
            reads=reads,
        )
        ordinal += len(reads)


def epc(number: int) -> str:
    """An EPC of the yard."""
    return f"3034{number:020X}"
