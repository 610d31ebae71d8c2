from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.rules import Rule
from gateway.contract.events import Event
from gateway.recording import Recording
from rules.expansion import load_as_run
from rules.explaining.tracing import Judged, Kept, Tracer, chain, head_of, key_of
from rules.testing.workbench import Workbench, of_site
from tests.rules.checking.test_emitted import rule
from tests.rules.play import Play, site
from tests.rules.recorded import OTHER, TRUCK, Recorded, gate_recorded, recorded


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("tracing"))


def bench_of(config: Path) -> Workbench:
    return of_site(load_as_run(config))


def traced(known: Recorded, name: str | None, *about: str) -> Tracer:
    bench = bench_of(known.config)
    tracer = Tracer(bench, name, about)
    for batch in Recording(known.state).batches(0, 2**62):
        tracer.step(batch)
    bench.close()
    return tracer


def test_a_traced_rule_does_what_it_did(known: Recorded) -> None:
    tracer = traced(known, "busy", "lane-1")
    assert [each.name for each in tracer.rules] == ["busy", "truck-in"]
    wanted = [each.told.id for each in known.made if each.told.rule in {None, "busy", "truck-in"}]
    assert [each.told.id for each in tracer.trace.outcomes()] == wanted


def test_what_came_is_kept_with_its_findings(known: Recorded) -> None:
    tracer = traced(known, "truck-in", TRUCK)
    judged = tracer.trace.judged("truck-in")
    assert [(each.seen.on, each.is_taken) for each in judged] == [("passage", True), ("passage", False)]
    (_, out) = judged
    assert [each.text for each in out.findings() if not each.is_true] == ['e.direction == "in"']
    assert out.key == TRUCK
    assert isinstance(out.seen.event, Event)


def test_a_name_means_what_has_it(known: Recorded) -> None:
    tracer = traced(known, "truck-in", "truck 8")
    assert tracer.about == {"truck 8", OTHER}
    assert [each.fields["name"] for each in tracer.trace.judged("truck-in")] == ["truck 8"]


def test_a_place_means_its_devices_and_read_points(tmp_path: Path) -> None:
    gate = gate_recorded(tmp_path)
    assert traced(gate, "refused", "gate-in").about == {"gate-in", "gate-1-tags", "loop", "scale"}


def test_states_are_kept_as_they_change(known: Recorded) -> None:
    tracer = traced(known, "voltage-low", "meter-1")
    states = [each.state for each in tracer.trace.kept("voltage-low")]
    assert states[-1] is None
    assert states[0] is not None
    assert states[0]["is_active"] is False
    assert any(state is not None and state["is_active"] for state in states)
    passed = [found and found.text for each in tracer.trace.judged("voltage-low") for found in [each.unconcerned()]]
    assert passed == [None, 'e.quantity == "voltage"', None]


def test_without_a_rule_presence_is_watched_alone(known: Recorded) -> None:
    tracer = traced(known, None, TRUCK)
    assert tracer.rules == []
    assert {each.told.rule for each in tracer.trace.outcomes()} == {None}
    assert not [each for each in tracer.trace.log if isinstance(each, Judged | Kept)]


def test_items_of_every_kind_are_shown() -> None:
    rules = [rule("match", on, on=on, when="true", emit=f"made-{on}") for on in ("card", "signal", "status", "read")]
    play = Play(site(*rules))
    play.card(1, "nfca#" + "0" * 24)
    play.signal(2, "door", value=True)
    play.status(3, "reader-1")
    play.read(4, "p")
    bench = of_site(play.file)
    for each in rules:
        tracer = Tracer(bench, each.name, ["nfca#" + "0" * 24, "reader-1", "30340000000000000000000A"])
        for batch in play.batches:
            tracer.step(batch)
        (judged,) = tracer.trace.judged(each.name)
        assert judged.seen.on == each.name
        assert judged.is_taken
    bench.close()


def test_the_chain_of_rules_ends() -> None:
    rules = [rule("match", name, on=on) for name, on in (("a", "read"), ("b", "a"), ("c", "b"), ("d", "a"))]
    assert [each.name for each in chain(rules, "c")] == ["c", "b", "a"]
    assert chain(rules, "nothing") == []


@pytest.mark.parametrize(
    ("made", "own", "on", "fields", "key"),
    [
        (rule("match", on="reading"), None, "reading", {"subject": "m", "quantity": "v", "phase": "a"}, "m/v/a/"),
        (rule("hold", on="read", key="read_point", for_s=1), None, "read", {"read_point": "p"}, "p"),
        (rule("hold", on="read", key="read_point", for_s=1), None, "read", {}, None),
        (rule("rate", on="read", key="zone", within_s=1, above=1), None, "read", {"zone": "z"}, "z"),
        (rule("rate", on="read", key="zone", within_s=1, above=1), "device", "read", {"device": "d"}, "d"),
        (rule("rate", on="read", within_s=1, above=1, places={"l": ["a", "b"]}), None, "read", {"subject": "b"}, "l"),
        (rule("rate", on="read", within_s=1, above=1, places={"l": ["a", "b"]}), None, "read", {"subject": "c"}, None),
        (rule("rate", on="status", key="watched", within_s=1, above=1), None, "status", {"watched": ["a"]}, None),
    ],
)
def test_keys_of_items(made: Rule, own: str | None, on: str, fields: dict[str, Any], key: str | None) -> None:
    assert key_of(made, own, on, fields) == key
    assert key is None or head_of(key) in {"m", "p", "z", "d", "l"}
