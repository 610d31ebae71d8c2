"""Sessions against a plain model of them: lists of what was heard, in the order of event time, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import RulesSettings, SiteFile
from gateway.config.rules import Close, Decision, Input, Outcome, Part, SessionRule, Verdict
from gateway.contract.batches import Batch
from tests.rules.play import START_US, Play, site, tag_read
from tests.rules.test_engine import frozen, judge, judge_with_restarts

LANES = ("lane-1", "lane-2", "lane-3")
TRUCKS = ("30340000000000000000000A", "30340000000000000000000B")
BOXES = {"CSQU3054383": "CSQU3054383", "msku 123456-5": "MSKU1234565", "CSQU3054384": None, "": None}
BEFORE, SETTLE, AFTER, QUIET, WITHIN, LATENESS = 1_500, 700, 4_000, 3_000, 9_000, 500
"""Milliseconds, as all times of the model."""

RULE = SessionRule(
    shape="session",
    name="gate",
    emit="done",
    places={lane: [f"{kind}-{lane}" for kind in ("loop", "desk", "scale", "point")] for lane in LANES},
    open=Input(on="signal", when="e.name in ['loop', 'next']"),
    collect={
        "truck": Part(on="read", key="read_point", of="epc", pick="most", carry=["rssi_dbm"]),
        "box": Part(on="signal", when="e.name == 'box'", of="value", pick="most", valid="iso6346"),
        "weight": Part(on="signal", when="e.name == 'weight'", of="value", pick="max"),
        "seal": Part(on="signal", when="e.name == 'seal'", of="value", pick="last"),
        "mark": Part(on="signal", when="e.name in ['loop', 'exit', 'next']", of="name", pick="first"),
    },
    require=["truck", "box"],
    before_s=BEFORE / 1000,
    decide=Decision(
        emit="decided",
        settle_s=SETTLE / 1000,
        after_s=AFTER / 1000,
        verdicts=[
            Verdict(verdict="trouble", when="e.missing_count > 0", reason="Missing"),
            Verdict(verdict="hold", when="e.weight > 30000.0", reason="Heavy"),
            Verdict(verdict="hold", when="has(e.seal) && !e.seal", reason="Open seal"),
        ],
    ),
    close=Close(quiet_s=QUIET / 1000, within_s=WITHIN / 1000, on=Input(on="signal", when="e.name in ['exit', 'next']")),
    otherwise=Outcome(emit="incomplete"),
)


@dataclass
class Heard:
    """Something that a gateway said: `at` is when it happened, `known` its place in the order."""

    index: int
    lane: str
    name: str
    value: Any
    at: int
    turn: int = 0
    is_late: bool = False
    rssi: float = 0.0


@dataclass
class Truck:
    """A session of the model."""

    opened: int
    floor: int
    items: list[Heard]
    ready: int | None = None
    verdict: dict[str, Any] = field(default_factory=dict)


Told = tuple[str, str, int, dict[str, Any], int]


class Lane:
    """One lane of the model."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[Heard] = []
        self.ended: int | None = None
        self.truck: Truck | None = None
        self.told: list[Told] = []

    def pass_time(self, is_due: Callable[[int], bool]) -> None:
        while (truck := self.truck) is not None:
            decide = AFTER + truck.opened
            if truck.ready is not None:
                decide = min(decide, truck.ready + SETTLE)
            quiet, limit = max(each.at for each in truck.items) + QUIET, truck.opened + WITHIN
            end = min(quiet, limit)
            if not truck.verdict and decide <= end and is_due(decide):
                self.decide(truck, decide)
            elif is_due(end):
                self.end(truck, end, "quiet" if quiet <= limit else "limit")
            else:
                return
        self.waiting = [each for each in self.waiting if not is_due(each.at + BEFORE)]
        if self.ended is not None and is_due(self.ended + BEFORE):
            self.ended = None

    def hear(self, item: Heard) -> None:
        opens, closes = item.name in {"loop", "next"}, item.name in {"exit", "next"}
        truck = self.truck
        if truck is not None and closes and item.at >= truck.opened:
            truck.items.append(item)
            if opens:
                index = truck.items.index(item)
                truck.items[index] = Heard(item.index, item.lane, "closing", None, item.at)
            self.note_ready(truck, item)
            self.end(truck, item.at, "event")
            if not opens:
                return
        if self.truck is None and opens:
            floor = min(item.at, max(item.at - BEFORE, self.ended or 0))
            self.truck = Truck(item.at, floor, [each for each in self.waiting if each.at >= floor])
            self.waiting = []
        if self.truck is None:
            self.waiting.append(item)
        elif item.at >= self.truck.floor:
            self.truck.items.append(item)
        if self.truck is not None:
            self.note_ready(self.truck, item)

    def note_ready(self, truck: Truck, item: Heard) -> None:
        if truck.ready is None and not fields_of(truck)["missing_count"]:
            truck.ready = max(item.turn, truck.opened)

    def decide(self, truck: Truck, at: int, **more: Any) -> None:
        fields = fields_of(truck)
        reasons = []
        if fields["missing_count"]:
            reasons.append(("trouble", "Missing"))
        if fields.get("weight", 0) > 30_000:
            reasons.append(("hold", "Heavy"))
        if fields.get("seal") is False:
            reasons.append(("hold", "Open seal"))
        truck.verdict = {
            "verdict": reasons[0][0] if reasons else "open",
            "reasons": "; ".join(reason for _, reason in reasons),
            "decided_at_us": us(at),
        }
        self.tell("decided", truck, at, fields | truck.verdict | more)

    def end(self, truck: Truck, at: int, closed_by: str) -> None:
        if not truck.verdict:
            self.decide(truck, at, closed_by=closed_by)
        fields = fields_of(truck)
        duration = (max(each.at for each in truck.items) - truck.opened) / 1000
        more = truck.verdict | {"duration_s": duration, "closed_by": closed_by}
        self.tell("incomplete" if fields["missing_count"] else "done", truck, at, fields | more)
        self.truck, self.ended = None, at

    def tell(self, kind: str, truck: Truck, at: int, fields: dict[str, Any]) -> None:
        reads = sum(each.name == "read" for each in truck.items)
        self.told.append((kind, self.name, us(at), fields, reads))


def us(at: int) -> int:
    return START_US + at * 1000


def fields_of(truck: Truck) -> dict[str, Any]:
    def of(*names: str) -> list[Heard]:
        return sorted((each for each in truck.items if each.name in names), key=lambda each: (each.at, each.index))

    def majority(values: list[tuple[Any, Heard]]) -> tuple[Any, Heard, float]:
        votes: dict[Any, list[Heard]] = {}
        for value, each in values:
            votes.setdefault(value, []).append(each)
        best = max(votes, key=lambda value: (len(votes[value]), votes[value][-1].at, votes[value][-1].index))
        return best, votes[best][-1], len(votes[best]) / len(values)

    fields: dict[str, Any] = {"opened_at_us": us(truck.opened)}
    reads, boxes = of("read"), of("box")
    good = [(BOXES[each.value], each) for each in boxes if BOXES[each.value] is not None]
    missing = [name for name, found in (("truck", reads), ("box", good)) if not found]
    fields |= {"missing": ", ".join(missing), "missing_count": len(missing)}
    fields |= {"truck_count": len(reads), "box_count": len(good), "box_invalid": len(boxes) - len(good)}
    if reads:
        value, last, share = majority([(each.value, each) for each in reads])
        fields |= {"truck": value, "truck_at_us": us(last.at), "truck_share": share, "truck_rssi_dbm": last.rssi}
    if good:
        value, last, share = majority(good)
        fields |= {"box": value, "box_at_us": us(last.at), "box_share": share}
    weights, seals, marks = of("weight"), of("seal"), of("loop", "exit", "next")
    for name, found in (("weight", weights), ("seal", seals), ("mark", marks)):
        fields[f"{name}_count"] = len(found)
    if weights:
        heaviest = max(weights, key=lambda each: (each.value, -each.at, -each.index))
        fields |= {"weight": heaviest.value, "weight_at_us": us(heaviest.at)}
    if seals:
        fields |= {"seal": seals[-1].value, "seal_at_us": us(seals[-1].at)}
    if marks:
        fields |= {"mark": marks[0].name, "mark_at_us": us(marks[0].at)}
    return fields


def model(said: list[tuple[int, Heard]]) -> list[Told]:
    """What the sessions tell of items, each with the moment at which it came."""
    frontier = 0
    for came, item in said:
        item.is_late, item.turn = item.at <= frontier, max(item.at, frontier)
        frontier = came - LATENESS
    lanes = {name: Lane(name) for name in LANES}

    def due_before(item: Heard) -> Callable[[int], bool]:
        return lambda at: at <= item.turn if item.is_late else at < item.turn

    items = [item for _, item in said if item.name != "tick"]  # which moves the clock on, and is nothing to a session
    for item in sorted(items, key=lambda item: (item.turn, item.index)):
        lane = lanes[item.lane]
        lane.pass_time(due_before(item))
        lane.hear(item)
    for lane in lanes.values():
        lane.pass_time(lambda _at: True)
    return [told for lane in lanes.values() for told in lane.told]


def traffic(seed: int) -> tuple[SiteFile, list[Batch], list[tuple[int, Heard]]]:
    """Trucks at three lanes, whose devices say the right things, too much, too little, and late."""
    rng = random.Random(seed)
    file = site(RULE, settings=RulesSettings(lateness_s=LATENESS / 1000))
    play, said, at = Play(file), [], 1_000
    hurry = rng.choice((1, 1, 4))
    for index in range(rng.randint(10, 120)):
        at += rng.choice((0, 10, 150, 400, 900, 2_500 if rng.random() < 0.2 else 300)) // hurry
        lane = rng.choice(LANES[: rng.randint(1, 3)])
        name = rng.choice(("loop", "read", "read", "read", "box", "box", "weight", "seal", "exit", "next", "tick"))
        came, item = at, Heard(index, lane, name, None, at)
        if name == "tick":
            play.tick(came / 1000)
            said.append((came, Heard(index, "lane-1", "tick", None, came)))
            continue
        if name == "read":
            late = rng.choice((0, 0, 100, 400, LATENESS, 900, 3_000))
            item.at = max(0, at - late)
            item.value, item.rssi = rng.choice(TRUCKS), rng.choice((-40.0, -55.5))
            play.reads(came / 1000, tag_read(item.at / 1000, f"point-{lane}", item.value, item.rssi))
        elif name == "box":
            item.value = rng.choice(list(BOXES))
            play.signal(came / 1000, "box", value=item.value, device=f"desk-{lane}")
        elif name == "weight":
            item.value = rng.choice((12_000.0, 31_000.0, 35_500.0))
            play.signal(came / 1000, "weight", value=str(item.value), unit="kg", device=f"scale-{lane}")
        elif name == "seal":
            item.value = rng.random() < 0.6
            play.signal(came / 1000, "seal", value=item.value, device=f"desk-{lane}")
        else:
            play.signal(came / 1000, name, value=True, device=f"loop-{lane}")
        said.append((came, item))
    play.tick(at / 1000 + 60)
    return file, play.batches, said


@given(st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_sessions_are_what_the_model_says_restarted_anywhere(seed: int) -> None:
    file, batches, said = traffic(seed)
    outputs = judge(file, batches)
    events = [event for one in outputs for event in one.events if event.rule == "gate"]
    told = [(event.type, event.subject, event.at_us, event.fields, event.evidence.reads) for event in events]
    expected = model(said)
    for lane in LANES:
        assert [each for each in told if each[1] == lane] == [each for each in expected if each[1] == lane]
    assert len({event.id for event in events}) == len(events)
    whole = frozen(outputs)
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 0.3)) == whole
    assert frozen(judge_with_restarts(file, batches, random.Random(seed), 1.0)) == whole
