from __future__ import annotations

import msgspec
import pytest

from gateway.config.rules import Rule
from gateway.recording import Recording
from rules.expansion import load_as_run
from rules.explaining import trace_text
from rules.explaining.line import written
from rules.explaining.trace_lines import evidence_text, title
from rules.explaining.trace_text import TraceText
from rules.explaining.tracing import Judged, Kept, Seen, Trace, Tracer
from rules.testing.workbench import of_site
from tests.rules.checking.test_emitted import rule
from tests.rules.recorded import START_US, TRUCK, Recorded, gate_recorded, recorded


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("trace-text"))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return gate_recorded(tmp_path_factory.mktemp("trace-gate"))


def traced(
    known: Recorded, rule: str | None, about: str, *, from_s: float = 0, is_all: bool = False
) -> tuple[TraceText, Tracer]:
    bench = of_site(load_as_run(known.config))
    tracer = Tracer(bench, rule, [about])
    recording = Recording(known.state)
    for batch in recording.batches(START_US + round(from_s * 1e6), 2**62):
        tracer.step(batch)
    text = TraceText(bench.site, tracer.trace, tracer.rules, recording, is_all=is_all)
    bench.close()
    return text, tracer


def text_of(known: Recorded, rule: str | None, about: str, key: str, *, is_all: bool = False) -> list[str]:
    text, tracer = traced(known, rule, about, is_all=is_all)
    (told,) = [
        each.told
        for each in tracer.trace.outcomes()
        if each.told.id == key and getattr(each.told, "state", "raised") == "raised"
    ]
    return list(written(text.why(told)))


def why_not(known: Recorded, rule: str, about: str, from_s: float, to_s: float) -> list[str]:
    text, tracer = traced(known, rule, about)
    us = (START_US + round(from_s * 1e6), START_US + round(to_s * 1e6))
    return list(written(text.why_not(tracer.rules[0], tracer.about, *us)))


def test_an_event_is_followed_back_to_its_raw_reads(known: Recorded) -> None:
    event = known.event("truck-in")
    lines = text_of(known, "truck-in", TRUCK, event.id)
    assert lines[:2] == [title(event), f"  kind=truck  registry={event.fields['registry']}"]
    assert lines[2] == "  made by rule truck-in (match), of:"
    assert lines[4].split() == ["true", "e.zone", "==", '"lane-1"', "e.zone", "is", '"lane-1"']
    assert [line.split()[0] for line in lines[4:7]] == ["true"] * 3
    assert lines[7] == f"      rests on {evidence_text(event.evidence)}:"
    (out, more_out, inside, more_in) = lines[8:]
    assert f"  {TRUCK}  gate-1 antenna 1  lane-1-out  -50.0 dBm  [edge-1 batch " in out
    assert f"  {TRUCK}  gate-1 antenna 2  lane-1-in  -50.0 dBm  [edge-1 batch " in inside
    assert all(line.startswith("          ... 3 more like it until 2026-") for line in (more_out, more_in))
    reads = text_of(known, "truck-in", TRUCK, event.id, is_all=True)[8:]
    assert ["lane-1-out" in line for line in reads] == [True] * 4 + [False] * 4


def test_an_alarm_over_two_rules_is_followed_back(known: Recorded) -> None:
    alarm = known.alarm("busy")
    lines = text_of(known, "busy", "lane-1", alarm.id)
    assert "  made by rule busy (rate), of:" in lines
    items = [line for line in lines if line.startswith("    20") and "truck-in" in line]
    assert len(items) == 2
    assert [line.strip() for line in lines].count("made by rule truck-in (match), of:") == 2
    assert any("keeps of lane-1:" in line for line in lines)
    assert sum("gate-1 antenna" in line for line in lines) == 4
    assert sum("... 3 more like it" in line for line in lines) == 4
    every = text_of(known, "busy", "lane-1", alarm.id, is_all=True)
    assert sum("gate-1 antenna" in line for line in every) == 16


def test_a_hold_is_explained_by_what_came_and_by_its_state(known: Recorded) -> None:
    lines = text_of(known, "voltage-low", "meter-1", known.alarm("voltage-low").id)
    assert sum("reading  subject=meter-1" in line for line in lines) == 1  # the current did not concern it
    assert any("voltage phase a 200.0 V  good  [edge-1 batch" in line for line in lines)
    kept = [line for line in lines if "keeps of meter-1/voltage/a" in line]
    assert "true_since_us 2026-" in kept[0]
    assert "due_us 2026-" in kept[0]
    assert "heard_from" not in kept[0]
    assert "is_active True" in kept[-1]


def test_what_presence_concluded_rests_on_reads(known: Recorded) -> None:
    event = known.event("passage")
    lines = text_of(known, None, TRUCK, event.id)
    assert lines[2].startswith("  rests on 8 reads in batches")
    assert len(lines) == 7


def test_what_is_older_than_the_replay_says_so(known: Recorded) -> None:
    text, _ = traced(known, "voltage-low", "meter-1", from_s=30)
    lines = list(written(text.why(known.alarm("voltage-low"))))
    assert any("came before the part of the recording that was replayed: use --look-back" in line for line in lines)


def test_a_rule_that_did_not_fire_names_the_part_that_was_false(known: Recorded) -> None:
    lines = why_not(known, "truck-in", TRUCK, 35, 60)
    assert lines[0].startswith(f"rule truck-in (match), about {TRUCK}, ")
    assert [line.strip() for line in lines if "FALSE" in line] == ['FALSE  e.direction == "in"    e.direction is "out"']
    assert not any("=>" in line for line in lines)


def test_a_rule_that_fired_is_told_with_what_it_made(known: Recorded) -> None:
    lines = why_not(known, "truck-in", TRUCK, 0, 30)
    assert any(line.startswith("  => ") and known.event("truck-in").id in line for line in lines)


def test_items_that_did_not_concern_it_are_counted(known: Recorded) -> None:
    lines = why_not(known, "voltage-low", "meter-1", 0, 90)
    assert lines[-1] == (
        '  1 of type reading did not concern it: FALSE  e.quantity == "voltage"    e.quantity is "current"'
    )


def test_when_nothing_came_the_rules_before_and_the_raw_reads_are_shown(known: Recorded) -> None:
    lines = why_not(known, "truck-in", TRUCK, 11, 30)
    assert f"  nothing of type passage came about {TRUCK} in this time" in lines
    assert "presence, cards and books told nothing of it in this time" in lines
    assert lines[-1] == (
        "  9 reads at yard-1, -80.0 to -80.0 dBm; zone yard: 2 reads in 2 s make an arrival, "
        "weaker ones than -70 dBm do not count"
    )
    lines = why_not(known, "busy", "nobody", 0, 30)
    assert "before it stands rule truck-in (match):" in lines
    assert lines[-1] == "and the recording holds nothing of it in this time"


def text_with(known: Recorded, *log: Judged | Kept, rules: list[Rule]) -> TraceText:
    trace = Trace()
    trace.log.extend(log)
    return TraceText(load_as_run(known.config), trace, rules, Recording(known.state))


def test_what_rests_on_nothing_or_on_what_is_gone(known: Recorded) -> None:
    event = known.event("passage")
    text = text_with(known, rules=[])
    nothing = msgspec.structs.replace(event.evidence, sequence_from=0, sequence_to=0)
    assert list(written(text.why(msgspec.structs.replace(event, evidence=nothing))))[2:] == [
        "  rests on nothing that the journal holds"
    ]
    gone = msgspec.structs.replace(event.evidence, sequence_from=9_000, sequence_to=9_001)
    assert list(written(text.why(msgspec.structs.replace(event, evidence=gone))))[-1] == (
        "    those batches are no longer in the recording"
    )


def test_long_lists_are_cut(known: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_text, "MOST_RAW", 1)
    monkeypatch.setattr(trace_text, "MOST_LINES", 3)
    event = known.event("passage").id
    assert text_of(known, None, TRUCK, event)[-1] == "    ... and of 1 more; --all shows them"
    key = known.alarm("busy").id
    lines, every = (text_of(known, "busy", "lane-1", key, is_all=is_all) for is_all in (False, True))
    left = [line for line in lines if "left out" in line]
    assert len(left) == 1
    assert left[0].startswith("    ... ")
    assert left[0].endswith(" lines are left out here; --all shows them")
    assert not any("left out" in line or "more" in line for line in every)
    assert {line for line in lines if "truck-in" in line} <= set(every)
    lines = why_not(known, "voltage-low", "meter-1", 0, 90)
    assert sum(line.endswith("lines are left out here; --all shows them") for line in lines) == 1


def test_items_outside_the_calendar_and_without_a_key(known: Recorded) -> None:
    made = rule("rate", "busy", on="read", within_s=9, above=1, during="day", places={"a": ["b"]})
    seen = Seen("read", {"subject": "X"}, START_US, START_US, ("edge-1", 1, 1), 0)
    log = [
        Judged(made, "", "true", seen, seen.fields, "X", is_planned=False),
        Judged(made, "open", "true", seen, seen.fields, None, is_planned=True),
    ]
    lines = list(written(text_with(known, *log, rules=[made]).why_not(made, {"X"}, START_US, START_US + 1)))
    assert lines[2:4] == ["      FALSE  day is no planned time then", "      true   true"]
    assert "read as open" in lines[4]
    assert lines[5] == "      FALSE  it has no value in the key field of the rule, or one that `places` does not list"


def test_states_are_told_for_people(known: Recorded) -> None:
    made = rule("rate", "busy", on="read", within_s=9, above=1)
    state = {
        "gateway": "edge-1", "parts": {"a": 1, "b": 2}, "items": [1, 2], "early": [], "waited_us": 2_500_000,
        "none": {},
        "due_us": START_US, "verdict": "hold", "count": 3, "is_over": False, "true_from": 7,
    }  # fmt: skip
    log = [Kept("busy", "X/a/", START_US, state), Kept("busy", "X/a/", START_US, None)]
    (_, kept, gone, *_) = written(text_with(known, *log, rules=[made]).why_not(made, {"X"}, START_US, START_US + 1))
    assert kept.partition("Z  ")[2] == (
        "keeps of X/a: parts of 2: a, b, items (2), waited_us 2.5s, due_us 2026-09-21 14:13:20.000Z, "
        "verdict hold, count 3"
    )
    assert gone.partition("Z  ")[2] == "keeps nothing of X/a any more"


def test_a_cycle_that_was_let_go_of_is_not_told_again(known: Recorded) -> None:
    made = rule("rate", "busy", on="read", within_s=9, above=1)
    state = {"count": 1}
    log = [
        Kept("busy", "meter-1", START_US, state),
        Kept("busy", "meter-1", START_US + 1, None),
        Kept("busy", "meter-1", START_US + 2, state),
    ]
    alarm = msgspec.structs.replace(known.alarm("voltage-low"), rule="busy")
    lines = list(written(text_with(known, *log, rules=[made]).why(alarm)))
    assert sum("keeps of meter-1" in line for line in lines) == 1
    assert not any("keeps nothing" in line for line in lines)


def test_all_of_a_session_and_of_its_beginning(gate: Recorded) -> None:
    event = gate.event("gate-decision", 1)
    lines, every = (text_of(gate, "gate", "gate-in", event.id, is_all=is_all) for is_all in (False, True))
    assert [sum("read as collect.truck" in line for line in found) for found in (lines, every)] == [1, 9]
    assert not any("more like it" in line for line in every)
    text, tracer = traced(gate, "gate", "gate-in", from_s=34)
    assert [each for each in tracer.trace.outcomes() if each.told.id == event.id] == []
    assert "    TRUE   hold: Heavier than declared" in "\n".join(written(text.as_told(event)))
    replayed = list(written(text.why(event)))
    assert (
        "    truck      truck 7  the most frequent of 9 reads, share 1.00, at 2026-09-21 14:13:55.000Z" in replayed[2]
    )


def test_the_history_of_a_session_tells_its_decisions(gate: Recorded) -> None:
    lines = why_not(gate, "gate", "gate-in", 0, 60)
    made = [line for line in lines if line.startswith("  => ")]
    assert [line.rpartition("gate-in  ")[2] for line in made] == ["open", "open"] + ["hold: Heavier than declared"] * 2
    below = lines[lines.index(made[2]) + 1 :]
    assert below[0] == "     collected:"
    assert sum(line.startswith("       TRUE   hold: Heavier than declared    ") for line in lines) == 2


def test_an_alarm_from_before_its_rule_was_a_session(gate: Recorded) -> None:
    text, _ = traced(gate, "gate", "gate-in")
    alarm = msgspec.structs.replace(gate.alarm("refused"), rule="gate", fields={"count": 3})
    assert any("came before the part of the recording" in line for line in written(text.why(alarm)))


def test_an_item_that_opened_nothing_is_told_without_its_raw_signal(gate: Recorded) -> None:
    lines = text_of(gate, "gate", "gate-in", gate.event("gate-decision", 1).id)
    at = next(number for number, line in enumerate(lines) if "value=False" in line)
    assert [line.strip() for line in lines[at + 1 : at + 3]] == [
        'true   e.name == "loop"    e.name is "loop"',
        "FALSE  e.value == true    e.value is false",
    ]
    assert "[edge-1 batch" not in lines[at + 3]


def test_a_session_of_which_the_trace_holds_nothing(gate: Recorded) -> None:
    rules = [each for each in load_as_run(gate.config).rule if each.name == "gate"]
    text = TraceText(load_as_run(gate.config), Trace(), rules, Recording(gate.state))
    lines = list(written(text.why(gate.event("gate-decision", 1))))
    assert any(line.startswith("    TRUE   hold: Heavier than declared") for line in lines)
    assert any("came before the part of the recording" in line for line in lines)
