"""Simulated sites without daemons between: what is told of copies against the truth, and that nothing else is told."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.identity_rules import TravelRule
from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, CardRead, ReadBatch, TagRead, TickBatch
from gateway.contract.events import Event
from rules.engine import Engine
from rules.expansion import as_run, faults
from rules.shapes.distances import legs_of
from rules.shapes.travel import Travel
from rules.things.thing import Thing
from simulator import scenario
from simulator.scenario import World
from simulator.scenario_file import load, site_template
from simulator.world.clones import TID_MISMATCH, TWO_PLACES
from tests.rules.play import EPC, Play
from tests.rules.test_engine import judge_with_restarts
from tests.rules.things.registries import IDENTITIES, NOTHING, registry

START_US = 1_790_000_000_000_000
REPORT_US = 200_000
LATE_US = 300_000
TOLD = {TWO_PLACES, TID_MISMATCH}


def site_of(name: str, rules: list[dict[str, Any]] | None = None) -> SiteFile:
    """The site file of a scenario; its own rules, or others."""
    text = site_template(name).replace("${MQTT_PORT}", "1883")
    tables = tomllib.loads(text)
    if rules is not None:
        tables = {key: tables[key] for key in ("site", "plan", "reader", "zone", "portal") if key in tables}
        tables["rule"] = rules
    return SiteFile.model_validate(tables)


def batches(world: World, points: dict[tuple[str, int], str], duration_s: float, seed: int) -> Iterator[Batch]:
    """What one gateway would say: a report of each reader five times a second, cards, and a tick each second."""
    rng = random.Random(seed)
    arrivals: list[tuple[int, str, list[TagRead] | CardRead | None]] = []
    for reader in world.file.reader:
        radio = world.radio(reader.name)
        for number in range(round(duration_s * 1e6) // REPORT_US):
            from_us = START_US + number * REPORT_US
            heard = sorted(
                sighting for port in reader.antennas for sighting in radio.heard(port, from_us, from_us + REPORT_US)
            )
            reads = [
                TagRead(
                    each.epc.hex().upper(),
                    each.antenna_port,
                    points[reader.name, each.antenna_port],
                    each.at_us,
                    each.rssi_dbm,
                    1,
                    tid=each.tid.hex().upper() or None,
                )
                for each in heard
            ]
            if reads:
                arrivals.append((from_us + REPORT_US + rng.randrange(LATE_US), reader.name, reads))
    for shown in world.shown:
        card = shown.holder.card
        named = IDENTITIES.name(card)
        row = CardRead(named, named.partition("#")[0].partition("~")[0], f"car-park-{shown.place}", 1, shown.at_us)
        arrivals.append((shown.at_us + 50_000, "cards", row))
    arrivals += [(START_US + second * 1_000_000, "edge-1", None) for second in range(round(duration_s) + 4)]
    ordered = sorted(arrivals, key=lambda each: each[:2])
    for sequence, (at_us, device, what) in enumerate(ordered, start=1):
        head: dict[str, Any] = {
            "gateway": "edge-1", "epoch": 1, "sequence": sequence, "ordinal": 0, "device": device,
            "received_at_us": at_us,
        }  # fmt: skip
        if what is None:
            yield TickBatch(**head, watched=[])
        elif isinstance(what, CardRead):
            yield CardBatch(**head, cards=[what])
        else:
            yield ReadBatch(**head, reads=what)


def points_of(site: SiteFile) -> dict[tuple[str, int], str]:
    return {(reader.name, port): point for reader in site.reader for port, point in reader.read_points.items()}


def concluded(site: SiteFile, said: list[Batch], restarts: random.Random | None = None) -> list[Event]:
    if restarts is not None:
        outputs = judge_with_restarts(site, said, restarts, 0.1)
    else:
        engine = Engine(site, NOTHING)
        outputs = [engine.step(batch) for batch in said]
    return [event for one in outputs for event in one.events if event.type in TOLD]


@pytest.mark.parametrize("seed", [7, 11, 23])
def test_every_copy_is_told_and_nothing_else(seed: int) -> None:
    world = scenario.build(load("clones"), seed, START_US, 60)
    file = site_of("clones")
    assert faults(file) == []
    site = as_run(file)
    said = list(batches(world, points_of(site), 60, seed))
    found = concluded(site, said)
    assert len(world.expected) > 10
    for wanted in world.expected:
        (event,) = (each for each in found if each.type == wanted.type and each.subject == wanted.match["subject"])
        assert abs(event.at_us - wanted.at_us) <= wanted.within_us
        assert {name: event.fields[name] for name in wanted.match if name != "subject"} == {
            name: value for name, value in wanted.match.items() if name != "subject"
        }
    assert len(found) == len(world.expected)


def test_however_the_reads_are_divided_and_whoever_is_killed_the_same_copies_are_told() -> None:
    world = scenario.build(load("clones"), 5, START_US, 40)
    site = as_run(site_of("clones"))
    whole = [about(event) for event in concluded(site, list(batches(world, points_of(site), 40, 1)))]
    assert whole
    said = list(batches(world, points_of(site), 40, 2))
    assert sorted(about(event) for event in concluded(site, said)) == sorted(whole)
    assert sorted(about(event) for event in concluded(site, said, random.Random(3))) == sorted(whole)


def about(event: Event) -> tuple[str, ...]:
    """What it says, but for the numbers of the batches that it rests on."""
    fields = {name: value for name, value in event.fields.items() if name != "other_sequence"}
    return event.type, event.subject, str(event.at_us), str(sorted(fields.items(), key=str))


@pytest.mark.parametrize("seed", [7, 12])
def test_of_the_whole_showcase_nothing_is_told(seed: int) -> None:
    """All tags and cards of the demonstration, with the true places of antennas, true clocks, and no slack."""
    world = scenario.build(load("showcase"), seed, START_US, 45)
    antennas = {
        (reader.name, port): {"x_m": at[0], "y_m": at[1]}
        for reader in world.file.reader
        for port, at in reader.antennas.items()
    }
    plain = site_of("showcase", [])
    points = {key: points_of(plain).get(key, "-".join(map(str, key))) for key in antennas}
    spots = {points[key]: place for key, place in antennas.items()}
    rule = {
        "shape": "travel", "key": "subject", "spots": spots, "reach_m": 9, "clocks_differ_s": 0, "fastest_m_per_s": 25,
        "emit": TWO_PLACES,
    }  # fmt: skip
    apart = {"car-park-entry": {"x_m": 0, "y_m": 0}, "car-park-exit": {"x_m": 45, "y_m": 0}}
    chip = {"name": "chip", "shape": "binding", "on": "read", "of": "tid", "prefix": True, "emit": TID_MISMATCH}
    site = site_of(
        "showcase",
        [
            {"name": "tags", "on": "read", **rule},
            {"name": "cards", "on": "card", **rule, "spots": apart},
            chip,
        ],
    )
    assert faults(site) == []
    tags, cards = site.rule[0], site.rule[1]
    assert isinstance(tags, TravelRule)
    assert isinstance(cards, TravelRule)
    assert len(legs_of(tags)) > 10
    assert legs_of(cards)
    said = list(batches(world, points, 45, seed))
    assert sum(len(batch.reads) for batch in said if isinstance(batch, ReadBatch)) > 5_000
    assert sum(isinstance(batch, CardBatch) for batch in said) > 3
    engine = Engine(site, NOTHING)
    found = [event for batch in said for event in engine.step(batch).events if event.rule in {"tags", "cards", "chip"}]
    assert found == []
    shapes = {shape.rule.name: shape for shape in engine._rulebook.ordered}
    assert isinstance(shapes["tags"], Travel)
    assert len(shapes["tags"].rows.rows) > 10
    assert len(shapes["cards"].rows.rows) > 1


DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("reference/rules/travel.md", "reference/rules/binding.md", "how-to/detect-cloned-tags.md")


def rules_of(page: str) -> list[dict[str, Any]]:
    blocks = re.findall(r"^```toml\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [rule for block in blocks for rule in tomllib.loads(block).get("rule", [])]


@pytest.mark.parametrize("page", PAGES)
def test_the_rules_of_the_pages_are_sound(page: str) -> None:
    found = rules_of(page)
    assert found
    assert faults(site_of("clones", found)) == []


def test_the_example_of_the_page_goes_as_it_says() -> None:
    (rule,) = rules_of("reference/rules/travel.md")
    file = SiteFile.model_validate({"site": {"name": "harbour"}, "rule": [rule]})
    played = Play(file, registry({EPC: Thing("Truck 7", "truck")}))
    for at_s, point in ((0, "gate-in"), (4, "gate-out"), (12, "crane-1"), (13, "gate-in")):
        played.read(at_s, point)
    played.until(16)
    (event,) = (each for each in played.events if each.type == "two-places")
    fields = event.fields
    assert (fields["elapsed_s"], round(float(str(fields["least_s"])), 1)) == (8.0, 35.7)
    assert round(float(str(fields["speed_m_per_s"])), 1) == 111.5
    (row,) = played.engine.states("impossible-travel").values()
    assert row.repeats == 1  # type: ignore[attr-defined]  # a row of this shape
