from __future__ import annotations

import msgspec
import pytest

from gateway.contract.events import Alarm, Event, Evidence
from rules.explaining.folding import folded
from rules.explaining.line import written
from rules.explaining.trace_lines import evidence_text, field_lines, kept_line, more_lines, outcome_line, title
from rules.explaining.tracing import Kept

START_US = 1_790_000_000_000_000
EVIDENCE = Evidence(gateway="edge-1", epoch=7, sequence_from=3, sequence_to=3)
EVENT = Event(
    id="a" * 20, type="passage", at_us=START_US, subject="X", name="truck 7", zone="lane-1", direction="in",
    evidence=EVIDENCE, fields={"kind": "truck"},
)  # fmt: skip
ALARM = Alarm(
    id="b" * 20, rule="busy", severity="warning", subject="lane-1", state="raised", since_us=START_US, at_us=START_US,
    message="Busy", evidence=EVIDENCE, fields={"count": 2},
)  # fmt: skip


def test_a_title_is_short() -> None:
    assert title(EVENT) == f"2026-09-21 14:13:20.000Z  event passage {'a' * 20}  X  truck 7  lane-1  in"
    decided = msgspec.structs.replace(EVENT, fields={"verdict": "hold", "reasons": "Too heavy", "count": 3})
    assert title(decided) == f"{title(EVENT)}  hold: Too heavy"
    assert title(ALARM) == outcome_line(ALARM)
    assert title(ALARM) == f"2026-09-21 14:13:20.000Z  alarm busy raised {'b' * 20}  lane-1  warning  'Busy'"
    moved = msgspec.structs.replace(EVENT, from_zone="yard", zone=None, read_point="p")
    assert "  from yard  p  in" in title(moved)


def test_fields_stand_below_one_a_line_where_they_are_long() -> None:
    assert list(written(field_lines(EVENT))) == ["kind=truck"]
    assert list(written(field_lines(msgspec.structs.replace(EVENT, fields={"a": 1, "b": "x"})))) == ["a=1  b=x"]
    long = {f"field_{number}": "x" * 30 for number in range(5)}
    assert list(written(field_lines(msgspec.structs.replace(EVENT, fields=long)))) == [
        f"{name}={'x' * 30}" for name in long
    ]
    assert list(written(field_lines(msgspec.structs.replace(EVENT, fields={})))) == []


def test_one_line_for_lists_of_many() -> None:
    assert outcome_line(EVENT) == f"{title(EVENT)}  kind=truck"


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (EVIDENCE, "batch 3 of edge-1, epoch 7"),
        (
            Evidence(gateway="edge-1", epoch=7, sequence_from=3, sequence_to=5, reads=4, confidence=0.5),
            "4 reads in batches 3 to 5 of edge-1, epoch 7, confidence 0.50",
        ),
    ],
)
def test_evidence_in_words(evidence: Evidence, text: str) -> None:
    assert evidence_text(evidence) == text


def test_more_of_a_state_tells_what_has_gone_on() -> None:
    states = [Kept("r", "X/", START_US + number, {"count": number, "name": "n", "at_us": 0}) for number in range(1, 4)]
    (fold,) = folded(states)
    assert list(written([kept_line(states[0])])) == ["2026-09-21 14:13:20.000Z  keeps of X: count 1, name n"]
    assert list(written(more_lines(fold))) == ["    ... 2 more like it until 2026-09-21 14:13:20.000Z, then: count 3"]
    (single,) = folded(states[:1])
    assert list(written(more_lines(single))) == []
    same = folded([Kept("r", "X", START_US, None), Kept("r", "X", START_US, None)])
    assert list(written(more_lines(same[0]))) == ["    ... 1 more like it until 2026-09-21 14:13:20.000Z"]
