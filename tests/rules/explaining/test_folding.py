from __future__ import annotations

from gateway.config.rules import MatchRule
from gateway.contract.events import Event, Evidence
from rules.explaining.folding import folded, unfolded
from rules.explaining.tracing import Judged, Kept, Outcome, Seen
from rules.language.vocabulary import Fields

START_US = 1_790_000_000_000_000
MADE = MatchRule(shape="match", name="near", on="read", when="e.rssi_dbm > -60.0")
STATE: dict[str, object] = {
    "count": 1, "due_us": 5, "ready_us": 0, "items": [1], "parts": {"a": 1}, "verdict": None, "is_over": False,
    "origin": "x", "true_from": 3,
}  # fmt: skip


def read(at_s: int, subject: str = "X", rssi_dbm: float = -50.0, **more: bool) -> Judged:
    at_us = START_US + at_s * 1_000_000
    fields: Fields = {"subject": subject, "rssi_dbm": rssi_dbm}
    seen = Seen("read", fields, at_us, at_us, ("edge-1", 1, at_s), 0)
    return Judged(MADE, "", MADE.when, seen, fields, subject, is_planned=more.get("is_planned", True))


def kept(at_us: int, **changed: object) -> Kept:
    return Kept("near", "X", at_us, STATE | changed)


def test_items_that_are_alike_fold_although_others_come_between() -> None:
    folds = folded([read(1), read(1, "Y"), read(2), read(2, "Y"), read(3)])
    assert [(each.first.fields["subject"], each.more) for each in folds if isinstance(each.first, Judged)] == [
        ("X", 2),
        ("Y", 1),
    ]
    assert [each.until_us - START_US for each in folds] == [3_000_000, 2_000_000]


def test_a_condition_that_turns_begins_anew() -> None:
    folds = folded([read(1), read(2), read(3, rssi_dbm=-70), read(4), read(5, is_planned=False)])
    assert [each.more for each in folds] == [1, 0, 0, 0]


def test_a_state_folds_while_only_counters_and_timers_change() -> None:
    folds = folded([kept(1), kept(2, count=7, due_us=9, origin="y", items=[1, 2], parts={"a": 3}, true_from=8)])
    assert [(each.more, each.until_us) for each in folds] == [(1, 2)]
    changes: list[dict[str, object]] = [
        {"parts": {"a": 1, "b": 1}},
        {"verdict": "hold"},
        {"is_over": True},
        {"ready_us": 7},
        {"items": []},
    ]
    for changed in changes:
        assert [each.more for each in folded([kept(1), kept(2, **changed)])] == [0, 0]
    gone = Kept("near", "X", 3, None)
    assert [each.first for each in folded([kept(1), gone, kept(4)])] == [kept(1), gone, kept(4)]


def test_what_was_made_ends_what_was_before() -> None:
    event = Event(
        id="a" * 20,
        type="near",
        at_us=2,
        subject="X",
        evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1),
    )
    made = Outcome(2, event)
    folds = folded([read(1), read(2), made, read(3)])
    assert [each.more for each in folds] == [1, 0, 0]
    assert folds[1].until_us == 2


def test_nothing_folds_when_all_is_asked_for() -> None:
    steps: list[Judged | Kept | Outcome] = [read(1), read(2), kept(1), kept(2)]
    assert [(each.first, each.last, each.more) for each in unfolded(steps)] == [(each, each, 0) for each in steps]
