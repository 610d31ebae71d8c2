from __future__ import annotations

from decimal import Decimal

from gateway.contract.events import Scalar
from rules.energy.sums import Group, check_sum

STEP = Decimal(10)


def answers(group: Group, *totals: tuple[int, int, int], first: int = 0) -> list[dict[str, Scalar] | None]:
    """What each answer of a total and two tariffs says of the one before; each in an interval of its own."""
    found = []
    for number, values in enumerate(totals, start=first):
        told = [check_sum(group, tariff, Decimal(value), STEP, number, number) for tariff, value in enumerate(values)]
        assert told[1:] == [None, None]
        found.append(told[0])
    return found


def test_parts_may_be_short_by_a_step_each() -> None:
    assert answers(Group(), (100, 60, 40), (130, 60, 40), (200, 150, 50), (200, 150, 50)) == [None] * 4


def test_a_difference_that_stays_is_told_once() -> None:
    group = Group()
    told = answers(group, (100, 60, 40), *[(1100, 60, 40)] * 6)
    assert told == [None, None, None, {"total": 1100.0, "sum": 100.0, "difference": 1000.0}, None, None, None]
    assert answers(group, *[(2100, 60, 40)] * 3, first=10)[-1] == {"total": 2100.0, "sum": 100.0, "difference": 2000.0}


def test_one_odd_answer_is_not_told() -> None:
    assert answers(Group(), (100, 60, 40), (1100, 60, 40), (100, 60, 40), (100, 60, 40)) == [None] * 4


def test_it_is_told_once_in_an_interval() -> None:
    group, told = Group(), []
    for number in range(60):
        for tariff, value in enumerate((1000 + number * 100, 60, 40)):
            told.append(check_sum(group, tariff, Decimal(value), STEP, number, number // 30 + 1))
    assert len([one for one in told if one is not None]) == 2


def test_answers_without_all_registers_say_nothing() -> None:
    group = Group()
    for number in range(8):
        for tariff, value in ((0, 1000), (1, 10), (2, 10))[: 3 if number < 1 else 2]:
            assert check_sum(group, tariff, Decimal(value), STEP, number, number) is None
    for number in range(8, 16):
        for tariff, value in ((1, 10), (2, 10)):
            assert check_sum(group, tariff, Decimal(value), STEP, number, number) is None
    assert group.tariffs == [1, 2]


def test_another_meter_begins_anew() -> None:
    group = Group(tariffs_from_us=5)
    answers(group, *[(1100, 60, 40)] * 3)
    group.forget()
    assert (group.values, group.told, group.tariffs_from_us) == ({}, Decimal(0), 5)
