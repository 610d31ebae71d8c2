from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.machines import ShiftCalendar
from rules.machines.shifts import ALWAYS, Calendar

BERLIN = ZoneInfo("Europe/Berlin")
THREE = ShiftCalendar.model_validate(
    {
        "name": "three",
        "holidays": ["2026-12-25"],
        "shift": [
            {"name": "early", "begin": "06:00", "end": "14:00", "breaks": ["09:00-09:15"]},
            {"name": "late", "begin": "14:00", "end": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
            {"name": "night", "begin": "22:00", "end": "06:00", "days": ["mon", "tue", "wed", "thu"],
             "breaks": ["23:50-00:20"]},
        ],
    }
)  # fmt: skip
CALENDAR = Calendar(THREE, BERLIN)


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1_000_000


def told(text: str) -> tuple[str | None, bool, str]:
    slot = CALENDAR.at(us(text))
    until = datetime.fromtimestamp(slot.until_us / 1e6, UTC).astimezone(BERLIN).strftime("%a %H:%M")
    return slot.shift.name if slot.shift else None, slot.is_planned, until


def test_shifts_their_breaks_and_the_nights_between() -> None:
    assert told("2026-11-23T05:59") == (None, False, "Mon 06:00")
    assert told("2026-11-23T06:00") == ("early", True, "Mon 09:00")
    assert told("2026-11-23T09:14:59") == ("early", False, "Mon 09:15")
    assert told("2026-11-23T09:15") == ("early", True, "Mon 14:00")
    assert told("2026-11-23T22:00") == ("night", True, "Mon 23:50")
    assert told("2026-11-24T00:10") == ("night", False, "Tue 00:20")
    assert told("2026-11-24T05:00") == ("night", True, "Tue 06:00")
    assert told("2026-11-28T15:00") == (None, False, "Sun 06:00")


def test_a_holiday_has_no_shifts_that_do_not_name_it() -> None:
    assert told("2026-12-25T12:00") == (None, False, "Sat 06:00")
    assert told("2026-12-25T03:00")[0] == "night"


def test_the_night_in_which_clocks_change_is_an_hour_shorter_or_longer() -> None:
    nightly = Calendar(
        ShiftCalendar.model_validate({"name": "n", "shift": [{"name": "night", "begin": "22:00", "end": "06:00"}]}),
        BERLIN,
    )
    for day, hours in (("2026-03-28", 7), ("2026-10-24", 9), ("2026-11-23", 8)):
        shift = nightly.at(us(f"{day}T23:00")).shift
        assert shift is not None
        assert shift.to_us - shift.from_us == hours * 3_600_000_000


def test_days_without_any_shift_have_an_end_too() -> None:
    monday = ShiftCalendar.model_validate(
        {"name": "m", "shift": [{"name": "day", "begin": "08:00", "end": "16:00", "days": ["mon"]}]}
    )
    calendar = Calendar(monday, BERLIN)
    at_us, looks = us("2026-11-24T12:00"), 0
    while (slot := calendar.at(at_us)).shift is None:
        assert slot.until_us > at_us
        at_us, looks = slot.until_us, looks + 1
    assert datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(BERLIN).strftime("%a %H:%M") == "Mon 08:00"
    assert looks < 8


def test_without_a_calendar_all_time_is_planned() -> None:
    assert Calendar(None, BERLIN).at(us("2026-11-23T05:59")) == ALWAYS


@given(st.integers(us("2026-01-01T00:00"), us("2027-12-31T00:00")))
def test_a_slot_ends_after_it_begins_and_is_the_same_all_through(at_us: int) -> None:
    slot = CALENDAR.at(at_us)
    assert slot.until_us > at_us
    assert CALENDAR.at(slot.until_us - 1) == slot
    if slot.shift is not None:
        assert slot.shift.from_us <= at_us < slot.shift.to_us
        assert slot.until_us <= slot.shift.to_us


def test_only_so_many_days_are_remembered() -> None:
    calendar = Calendar(THREE, BERLIN)
    for day in range(3000):
        calendar.at(us("2026-01-01T00:00") + day * 86_400_000_000)
    assert len(calendar._days) <= 1_003
