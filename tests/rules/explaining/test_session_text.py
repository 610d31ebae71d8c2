from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.config.rules import Close, Decision, Input, LookUp, Part, SessionRule, Telling, Verdict
from gateway.contract.events import Event, Evidence, Scalar
from rules.explaining.line import written
from rules.explaining.session_text import is_part_of, session_lines, verdict_text
from tests.rules.explaining.test_trace_text import text_of
from tests.rules.recorded import START_US, TRUCK, Recorded, gate_recorded

RULE = SessionRule(
    shape="session",
    name="gate",
    emit="done",
    open=Input(on="signal", when="e.name == 'loop'"),
    collect={
        "box": Part(on="ocr-read", of="text", pick="most", valid="iso6346"),
        "weight": Part(on="signal", of="value", pick="max"),
        "truck": Part(on="read", of="name", carry=["epc"]),
    },
    require=["box", "truck"],
    lookup={"slot": LookUp(table="slots", key="truck"), "haulier": LookUp(table="hauliers", key="slot_haulier")},
    tell={"lane": [Telling(value="one", when="e.haulier_rank > 3")]},
    decide=Decision(
        emit="decided",
        verdicts=[
            Verdict(verdict="hold", when="e.weight > 9.0 || e.slot_open", reason="Heavy"),
            Verdict(verdict="trouble", when="has(e.box)", reason="Boxed"),
        ],
    ),
    close=Close(),
)


def event(kind: str = "decided", **fields: Scalar) -> Event:
    evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
    told: dict[str, Scalar] = {"opened_at_us": START_US, **fields}
    return Event(id="a" * 20, type=kind, at_us=START_US, subject="lane-1", evidence=evidence, rule="gate", fields=told)


def lines(told: Event, decision: Event | None = None) -> list[str]:
    return list(written(session_lines(RULE, told, [], decision)))


def test_parts_of_every_kind() -> None:
    told = event(
        missing="box", box_count=0, box_invalid=2, weight=7.5, weight_count=3, weight_at_us=START_US,
        truck="t 1", truck_count=1, truck_at_us=START_US, truck_epc=TRUCK,
    )  # fmt: skip
    assert lines(told)[:5] == [
        "collected:",
        "  box     nothing came, 2 not valid, and it is required",
        "  weight  7.5  the greatest of 3 signals, at 2026-09-21 14:13:20.000Z",
        f"  truck   t 1  of 1 read, at 2026-09-21 14:13:20.000Z  epc {TRUCK}",
        "missing: box",
    ]
    voted = event(box="CJGU3158456", box_count=4, box_share=0.75, box_invalid=1, box_at_us=START_US)
    assert lines(voted)[1] == (
        "  box     CJGU3158456  the most frequent of 4 of type ocr-read, 1 not valid, share 0.75, "
        "at 2026-09-21 14:13:20.000Z"
    )


def test_look_ups_that_found_nothing_or_were_not_asked() -> None:
    told = event(truck="t 1", slot_found=False, slot_version="v1", haulier_found=False)
    assert lines(told)[5:8] == [
        "looked up:",
        "  slot     in slots by truck t 1: NOT found, version v1",
        "  haulier  in hauliers: not asked, for slot_haulier is absent",
    ]
    told = event(truck="t 1", slot_found=True, slot_haulier="H", haulier_found=True, haulier_rank=2, lane="one")
    assert lines(told)[6:9] == [
        "  slot     in slots by truck t 1: found; haulier H, open is absent",
        "  haulier  in hauliers by slot_haulier H: found; rank 2",
        "told: lane one",
    ]


def test_verdicts_with_alternatives_and_none_that_holds() -> None:
    told = event(weight=9.5, box="CJGU3158456")
    found = lines(told, told)
    assert found[found.index("verdicts in order, the first that holds decides: hold") + 1 :] == [
        "  TRUE   hold: Heavy",
        "          true   e.weight > 9.0 || e.slot_open",
        "            true   e.weight > 9.0    e.weight is 9.5",
        "            FALSE  e.slot_open    e.slot_open is absent",
        '  TRUE   trouble: Boxed    has(e.box)    e.box is "CJGU3158456"',
    ]
    told = event(weight=2.0)
    assert "verdicts in order, none of them holds: open" in lines(told, told)


def test_an_end_points_to_its_decision() -> None:
    decision = event(weight=1.0, verdict="open", reasons="", decided_at_us=START_US)
    end = msgspec.structs.replace(event("done", weight=99.0, duration_s=4.0, verdict="open"), id="b" * 20)
    assert is_part_of(decision, RULE, end)
    assert not is_part_of(event(weight=1.0, duration_s=1.0), RULE, end)
    assert not is_part_of(decision, RULE, msgspec.structs.replace(end, subject="lane-2"))
    assert not is_part_of(decision, RULE.model_copy(update={"decide": None}), end)
    found = lines(end, decision)
    assert "told: duration_s 4.0" in found
    assert f"decided at 2026-09-21 14:13:20.000Z, see event {decision.id}, of what was there then:" in found
    assert any("e.weight is 1.0" in line for line in found)
    assert not any("e.weight is 99.0" in line for line in found)
    lost = event("done", verdict="hold", reasons="Heavy", decided_at_us=START_US)
    assert lines(lost)[-1] == "decided at 2026-09-21 14:13:20.000Z, and that is not part of the replay: hold: Heavy"


def test_a_session_that_decides_nothing() -> None:
    rule = RULE.model_copy(update={"decide": None, "lookup": {}, "tell": {}})
    found = list(written(session_lines(rule, event("done", duration_s=1.0), [], None)))
    assert found[-2:] == ["missing: nothing", "told: duration_s 1.0"]


def test_a_verdict_in_one_line() -> None:
    assert verdict_text({"verdict": "hold", "reasons": "A; B"}) == "hold: A; B"
    assert verdict_text({"verdict": "open", "reasons": ""}) == "open"
    assert verdict_text({}) == ""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    directory: Path = tmp_path_factory.mktemp("gate")
    return gate_recorded(directory)


DECIDED = f"""\
  collected:
    truck      truck 7  the most frequent of 9 reads, share 1.00, at 2026-09-21 14:13:55.000Z  epc {TRUCK}
    weight_kg  33480.0  of 1 signal, at 2026-09-21 14:13:56.000Z  of scale
    seal       nothing came
  missing: nothing
  looked up:
    slot  in appointments by truck truck 7: found, version VERSION; declared_kg 31000.0
  told: declared_kg 31000.0
  verdicts in order, the first that holds decides: hold
    false  trouble: Something is missing    e.missing_count > 0    e.missing_count is 0
    false  hold: No appointment
            true   has(e.truck)    e.truck is "truck 7"
            FALSE  !e.slot_found    e.slot_found is true
    TRUE   hold: Heavier than declared    e.weight_kg - e.declared_kg > 500.0    \
2480.0 > 500.0; e.weight_kg is 33480.0, e.declared_kg is 31000.0
  made by rule gate (session), of:
    2026-09-21 14:13:50.000Z  signal as open  subject=loop  name=loop  value=True  device=loop"""


def test_why_a_truck_was_refused(gate: Recorded) -> None:
    event = gate.event("gate-decision", 1)
    found = text_of(gate, "gate", "gate-in", event.id)
    assert found[0] == f"2026-09-21 14:13:57.000Z  event gate-decision {event.id}  gate-in  hold: Heavier than declared"
    assert found[1:17] == DECIDED.replace("VERSION", str(event.fields["slot_version"])).splitlines()
    reads = next(number for number, line in enumerate(found) if "read as collect.truck" in line)
    assert found[reads + 1 : reads + 4] == [
        '        true   e.kind == "truck"    e.kind is "truck"',
        f"      2026-09-21 14:13:51.000Z  {TRUCK}  gate-1 antenna 1  gate-1-tags  -50.0 dBm  [edge-1 batch 34]",
        "        ... 8 more like it until 2026-09-21 14:13:55.000Z",
    ]
    assert not any("truck 8" in line for line in found)  # he was of the session before
    assert "verdict hold, reasons Heavier than declared" in found[-1]


def test_what_a_refusal_raised_and_its_end_show_the_decision(gate: Recorded) -> None:
    decisive = "TRUE   hold: Heavier than declared    e.weight_kg - e.declared_kg > 500.0"
    alarm = text_of(gate, "refused", "gate-in", gate.alarm("refused").id)
    assert sum(decisive in line for line in alarm) == 1
    end = text_of(gate, "gate", "gate-in", gate.event("gate-transaction", 1).id)
    assert sum(decisive in line for line in end) == 1
    assert any(f"see event {gate.event('gate-decision', 1).id}," in line for line in end)
    assert any("signal as close.on" in line for line in end)
    passed = text_of(gate, "gate", "gate-in", gate.event("gate-decision").id)
    assert passed[0].endswith("  gate-in  open")
    assert "  verdicts in order, none of them holds: open" in passed
