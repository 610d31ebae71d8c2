from __future__ import annotations

import pytest

from gateway.config.rules import Function
from gateway.contract.events import Evidence
from rules.item import Item
from rules.shapes import tally
from rules.shapes.tally import MOST_DISTINCT, MOST_KEPT, Kept, Measured, Sliding, Tally, measured

S = 1_000_000


def item(at_s: float, value: object = None, *, sequence: int = 1, epoch: int = 1, reads: int = 1) -> Item:
    at_us = round(at_s * S)
    rests = Evidence(
        gateway="edge-1", epoch=epoch, sequence_from=sequence, sequence_to=sequence, reads=reads, last_seen_at_us=at_us
    )
    fields = {} if value is None else {"value": value}
    return Item("read", at_us, at_us, f"edge-1/{sequence}", "p", is_historical=False, fields=fields, evidence=rests)  # type: ignore[arg-type]  # whatever a field may hold


@pytest.mark.parametrize("value", [None, ["a"], "12", True, float("inf"), float("nan")])
def test_only_numbers_are_measured(value: object) -> None:
    assert measured(Function.SUM, "value", item(1, value)) is None


def test_anything_but_a_list_is_told_apart() -> None:
    found = {measured(Function.DISTINCT, "value", item(1, value)) for value in ("a", "b", 1, 2.5, True, "1")}
    assert len(found) == 5  # 1 and "1" are one
    assert measured(Function.DISTINCT, "value", item(1, ["a"])) is None
    assert measured(Function.COUNT, None, item(1)) == 1.0


def test_a_tally_knows_its_items_by_their_time() -> None:
    found = Tally()
    for at_s, value in ((2.0, 5.0), (1.0, 3.0), (4.0, -1.0), (3.0, 9.0)):
        found.add(Function.CHANGE, item(at_s), value)
    results = {function: found.value(function) for function in Function if function is not Function.DISTINCT}
    assert results == {
        Function.COUNT: 4.0,
        Function.SUM: 16.0,
        Function.MEAN: 4.0,
        Function.MIN: -1.0,
        Function.MAX: 9.0,
        Function.CHANGE: -4.0,
    }
    found.set_back(S)
    found.add(Function.CHANGE, item(2.5), 100.0)  # between the third and the last
    assert found.value(Function.CHANGE) == -4.0
    assert found.since_us == 0


def test_of_nothing_a_count_is_none_and_a_mean_is_nothing() -> None:
    nothing = {function: Tally().value(function) for function in Function}
    assert {function for function, value in nothing.items() if value is None} == {
        Function.MEAN,
        Function.MIN,
        Function.MAX,
    }
    assert {value for value in nothing.values() if value is not None} == {0.0}
    assert {function for function in Function if Sliding(function, 1.0).value([]) is None} == {
        Function.MEAN,
        Function.MIN,
        Function.MAX,
    }


def test_a_tally_rests_on_all_of_its_items_of_one_journal() -> None:
    found = Tally()
    for at_s, sequence, epoch in ((1, 9, 1), (2, 4, 2), (3, 2, 2), (4, 7, 2)):
        last = item(at_s, sequence=sequence, epoch=epoch, reads=2)
        found.add(Function.COUNT, last, 1.0)
    evidence = found.evidence(last.evidence)
    assert (evidence.epoch, evidence.sequence_from, evidence.sequence_to, evidence.reads) == (2, 2, 7, 8)
    assert evidence.first_seen_at_us == S
    assert Tally().evidence(last.evidence) == last.evidence


def test_distinct_values_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_DISTINCT >= 65_536
    monkeypatch.setattr(tally, "MOST_DISTINCT", 3)
    found = Tally()
    for value in (1, 2, 2, 3, 4, 5):
        found.add(Function.DISTINCT, item(1), value)
    assert (found.value(Function.DISTINCT), found.count) == (3.0, 6)


def filled(sliding: Sliding, *items: tuple[float, Measured]) -> list[Kept]:
    kept: list[Kept] = []
    for sequence, (at_s, value) in enumerate(items, start=1):
        sliding.add(kept, Kept.of(item(at_s, sequence=sequence, reads=2), value))
    return kept


def test_a_sliding_window_keeps_no_more_than_it_counts_to() -> None:
    sliding = Sliding(Function.COUNT, 2.5)
    kept = filled(sliding, *((float(at_s), 1.0) for at_s in (1, 2, 4, 5, 3)))
    assert [each.at_us // S for each in kept] == [3, 4, 5]
    assert sliding.value(kept) == 3.0
    sliding.trim(kept, 3 * S)
    assert sliding.value(kept) == 2.0
    evidence = sliding.evidence(kept, item(5, sequence=4).evidence)
    assert (evidence.sequence_from, evidence.sequence_to, evidence.reads) == (3, 4, 4)


def test_the_latest_of_equal_values_stands_for_all() -> None:
    sliding = Sliding(Function.DISTINCT, 5.0)
    kept = filled(sliding, (1, 7), (2, 8), (3, 7), (2.5, 7))
    assert [(each.at_us / S, each.value) for each in kept] == [(2.0, 8), (3.0, 7)]


@pytest.mark.parametrize(
    ("function", "result"),
    [(Function.SUM, 6.0), (Function.MEAN, 2.0), (Function.MIN, -1.0), (Function.MAX, 4.0), (Function.CHANGE, -5.0)],
)
def test_what_is_made_of_values(function: Function, result: float) -> None:
    sliding = Sliding(function, 0.0)
    assert sliding.value(filled(sliding, (3, -1.0), (1, 4.0), (2, 3.0))) == result


def test_values_of_a_sliding_window_are_bounded() -> None:
    sliding = Sliding(Function.SUM, 0.0)
    kept = filled(sliding, *((float(at_s), 1.0) for at_s in range(MOST_KEPT + 10)))
    assert len(kept) == MOST_KEPT
    assert kept[0].at_us == 10 * S
