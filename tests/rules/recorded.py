"""A site with a recording: its file, the journal of its gateway, and the events that its rules made of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.contract.batches import Batch, encode, item_count, kind_of
from gateway.contract.events import Alarm, Event
from gateway.edge import segment
from gateway.event_journal import EventJournal
from rules.expansion import load_as_run
from rules.testing.models import Given
from rules.testing.player import Made, Player
from rules.testing.workbench import of_site
from tests.gateway.journal_rows import event_row

START_US = 1_790_000_000_000_000
TRUCK = "3034257BF7194E4000001A85"
OTHER = "3034257BF7194E4000001A86"
SITE = """
[site]
name = "harbour"
state_dir = "{state}"
assets = "assets.csv"

[[reader]]
name = "gate-1"
driver = "llrp"
port = "tcp://127.0.0.1:5084"
read_points = {{ 1 = "lane-1-out", 2 = "lane-1-in", 3 = "yard-1" }}

[[portal]]
name = "lane-1"
outer = ["lane-1-out"]
inner = ["lane-1-in"]

[[zone]]
name = "yard"
read_points = ["yard-1"]
rssi_floor_dbm = -70.0

[[rule]]
name = "truck-in"
shape = "match"
on = "passage"
when = 'e.zone == "lane-1" && e.direction == "in" && e.kind == "truck"'

[[rule]]
name = "busy"
shape = "rate"
on = "truck-in"
key = "zone"
within_s = 60
above = 1
alarm = {{ message = "Two trucks within a minute" }}

[[rule]]
name = "voltage-low"
shape = "hold"
on = "reading"
when = 'e.quantity == "voltage" && e.value < 207.0'
for_s = {for_s}
alarm = {{ message = "Voltage too low" }}
"""
GIVEN: list[dict[str, object]] = [
    {"at": "2s", "passage": {"epc": TRUCK, "portal": "lane-1", "direction": "in"}},
    {"at": "10s", "passage": {"epc": OTHER, "portal": "lane-1", "direction": "in"}},
    {"at": "12s", "stay": {"epc": TRUCK, "point": "yard-1", "for": "4s", "rssi_dbm": -80.0}},
    {"at": "20s", "reading": {"meter": "meter-1", "quantity": "voltage", "value": 200, "phase": "a"}},
    {"at": "20s", "reading": {"meter": "meter-1", "quantity": "current", "value": 7, "phase": "a"}},
    {"at": "40s", "passage": {"epc": TRUCK, "portal": "lane-1", "direction": "out"}},
    {"at": "60s", "reading": {"meter": "meter-1", "quantity": "voltage", "value": 230, "phase": "a"}},
]


GATE = """
[site]
name = "harbour"
state_dir = "{state}"
assets = "assets.csv"

[[reader]]
name = "gate-1"
driver = "llrp"
port = "tcp://127.0.0.1:5084"
read_points = {{ 1 = "gate-1-tags" }}

[[zone]]
name = "gate"
read_points = ["gate-1-tags"]

[[table]]
name = "appointments"
file = "appointments.csv"
key = "truck"
columns = {{ declared_kg = "double", bay = "int" }}

[[rule]]
name = "gate"
shape = "session"
key = "device"
places = {{ gate-in = ["gate-1-tags", "loop", "scale"] }}
open = {{ on = "signal", when = 'e.name == "loop" && e.value == true' }}
require = ["truck", "weight_kg"]
before_s = 5
lookup = {{ slot = {{ table = "appointments", key = "truck" }} }}
emit = "gate-transaction"

[rule.collect]
truck = {{ on = "read", key = "read_point", when = 'e.kind == "truck"', of = "name", pick = "most", carry = ["epc"] }}
weight_kg = {{ on = "signal", when = 'e.name == "weight"', of = "value" }}
seal = {{ on = "signal", when = 'e.name == "seal"', of = "value" }}

[rule.tell]
declared_kg = [{{ of = "slot_declared_kg" }}]

[rule.close]
quiet_s = 20
on = {{ on = "signal", when = 'e.name == "exit"' }}

[rule.decide]
emit = "gate-decision"
settle_s = 1
after_s = 10
verdicts = [
    {{ verdict = "trouble", when = "e.missing_count > 0", reason = "Something is missing" }},
    {{ verdict = "hold", when = "has(e.truck) && !e.slot_found", reason = "No appointment" }},
    {{ verdict = "hold", when = "e.weight_kg - e.declared_kg > 500.0", reason = "Heavier than declared" }},
]

[[rule]]
name = "refused"
shape = "match"
on = "gate-decision"
when = 'e.verdict != "open"'
alarm = {{ message = "The truck may not pass" }}
"""
GATE_GIVEN: list[dict[str, object]] = [
    {"at": "5s", "signal": {"device": "loop", "name": "loop", "value": True}},
    {"at": "6s", "stay": {"epc": OTHER, "point": "gate-1-tags", "for": "2s"}},
    {"at": "9s", "signal": {"device": "scale", "name": "weight", "value": 20_000, "unit": "kg"}},
    {"at": "14s", "signal": {"device": "loop", "name": "exit", "value": True}},
    {"at": "30s", "signal": {"device": "loop", "name": "loop", "value": True}},
    {"at": "31s", "stay": {"epc": TRUCK, "point": "gate-1-tags", "for": "4s"}},
    {"at": "33s", "signal": {"device": "loop", "name": "loop", "value": False}},
    {"at": "36s", "signal": {"device": "scale", "name": "weight", "value": 33_480, "unit": "kg"}},
    {"at": "45s", "signal": {"device": "loop", "name": "exit", "value": True}},
]
"""A truck that may pass, and one that is heavier than declared."""


class Recorded(NamedTuple):
    """Where it all is, and what was made then."""

    config: Path
    state: Path
    made: list[Made]
    batches: list[Batch]

    def event(self, kind: str, number: int = 0) -> Event:
        return [each.told for each in self.made if isinstance(each.told, Event) and each.told.type == kind][number]

    def alarm(self, rule: str, state: str = "raised") -> Alarm:
        found = [each.told for each in self.made if isinstance(each.told, Alarm) and each.told.rule == rule]
        return next(each for each in found if each.state == state)


def site_file(directory: Path, state: Path, *, for_s: float = 15, name: str = "site.toml") -> Path:
    (directory / "assets.csv").write_text(f"epc,name,kind\n{TRUCK},truck 7,truck\n{OTHER},truck 8,truck\n")
    config = directory / name
    config.write_text(SITE.format(state=state, for_s=for_s))
    return config


def recorded(directory: Path) -> Recorded:
    state = directory / "state"
    return _recorded(site_file(directory, state), state, GIVEN)


def gate_recorded(directory: Path) -> Recorded:
    """A gate with a session: two trucks, of which the second is refused."""
    state = directory / "state"
    config = site_file(directory, state)
    config.write_text(GATE.format(state=state))
    (directory / "appointments.csv").write_text("truck,declared_kg,bay\ntruck 7,31000,4\ntruck 8,20000,5\n")
    return _recorded(config, state, GATE_GIVEN)


def _recorded(config: Path, state: Path, given: list[dict[str, object]]) -> Recorded:
    bench = of_site(load_as_run(config))
    player = Player(bench, START_US)
    player.play([Given.model_validate(each) for each in given], 90)
    bench.close()
    write_journal(state / "journal", player.batches)
    write_events(state / "events", player.made)
    return Recorded(config, state, player.made, player.batches)


def write_journal(directory: Path, batches: list[Batch], *, per_segment: int = 40) -> None:
    directory.mkdir(parents=True)
    for start in range(0, len(batches), per_segment):
        part = batches[start : start + per_segment]
        rows = [
            segment.Row(
                each.sequence,
                kind_of(each),
                each.device,
                each.ordinal,
                item_count(each),
                each.received_at_us,
                encode(each),
            )
            for each in part
        ]
        state = segment.State(gateway=part[0].gateway, epoch=part[0].epoch)
        segment.create(segment.path_of(directory, part[0].sequence), state, rows)


def write_events(directory: Path, made: list[Made]) -> None:
    journal = EventJournal(directory, keep_days=90, now_us=lambda: START_US + 3_600_000_000)
    events = [event_row(each.told) for each in made if isinstance(each.told, Event)]
    alarms = [
        (a.at_us, a.id, a.state, a.rule, a.severity, a.subject, a.since_us, a.message, msgspec.json.encode(a))
        for each in made
        if isinstance(a := each.told, Alarm)
    ]
    assert journal.append([{"events": events, "alarms": alarms}]) == []
    journal.close()
