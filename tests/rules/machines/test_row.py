from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rules.machines.row import MOST_REASONS, OTHER, MachineRow, Made, Standing, Stop, period

NUMBER = st.none() | st.integers(0, 1000).map(Decimal)


@given(total=NUMBER, good=NUMBER, bad=NUMBER)
def test_two_counters_make_the_third_and_one_makes_none(
    total: Decimal | None, good: Decimal | None, bad: Decimal | None
) -> None:
    whole = Made(total, good, bad).whole()
    told = [each for each in (total, good, bad) if each is not None]
    if len(told) < 2:
        assert whole == Made(total, good, bad)
        return
    assert whole.total is not None
    assert whole.good is not None
    assert whole.bad is not None
    assert min(whole.total, whole.good, whole.bad) >= 0
    for name, value in (("total", total), ("good", good), ("bad", bad)):
        assert value is None or getattr(whole, name) == value


def test_reasons_without_number_are_put_together() -> None:
    made = period("", 0, 900, 0, 0)
    for number in range(MOST_REASONS + 20):
        made.stand(f"reason {number}", 5, 1)
    assert len(made.reasons) == MOST_REASONS + 1
    assert made.reasons[OTHER] == Standing(100, 20)
    made.stand("reason 0", -5, -1)
    assert made.reasons["reason 0"] == Standing(0, 0)


def test_a_row_survives_as_bytes() -> None:
    row = MachineRow(1, 2, 3, interval=period("", 0, 900, 5, 1), stop=Stop(1, 2, "held", "why", is_exact=True))
    assert row.interval is not None
    row.interval.made.add("total", Decimal("1.5"))
    row.interval.stand("why", 7, 1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=MachineRow) == row


def test_a_period_of_which_nothing_is_known_is_dark() -> None:
    made = period("", 0, 900, 0, 0)
    made.planned[6] = 900
    assert made.is_dark
    made.unwatched.add("total", Decimal(1))
    assert not made.is_dark
