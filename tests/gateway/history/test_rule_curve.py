from __future__ import annotations

from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY
from gateway.history import rule_curve
from tests.gateway.history.day_rows import HOUR, S, alarm, alarm_row, days, write
from tests.gateway.journal_rows import NOON_US, event, event_row

STEP_US = 600 * S


def test_a_rule_is_counted_step_by_step_over_days(tmp_path: Path) -> None:
    midnight = NOON_US - 12 * HOUR
    events = [
        event(1, midnight - 1, rule="hot"),  # in the file of the day before
        event(2, midnight, rule="hot"),
        event(3, midnight + STEP_US - 1, rule="hot"),
        event(4, midnight + 5, rule="cold"),
        event(5, midnight + STEP_US, rule="hot"),
        event(6, midnight + 2 * STEP_US, rule="hot"),  # behind the last step
    ]
    alarms = [alarm(midnight + 1), alarm(midnight + 2, state="cleared"), alarm(midnight + 3, rule="cold")]
    write(tmp_path, events=[event_row(each) for each in events], alarms=[alarm_row(each) for each in alarms])
    answer = rule_curve(days(tmp_path), "hot", midnight - 1, midnight + STEP_US + 1, step_us=STEP_US)
    assert (answer.from_us, answer.step_us, answer.damaged) == (midnight - STEP_US, STEP_US, [])
    assert (answer.events, answer.alarms) == ([1, 2, 1], [0, 1, 0])
    nothing = rule_curve(days(tmp_path), "' OR 1 --", midnight, NOON_US, step_us=STEP_US)
    assert (sum(nothing.events), len(nothing.events)) == (0, 72)


@pytest.mark.parametrize(
    ("span", "step_us", "told"),
    [
        ((NOON_US, NOON_US), STEP_US, "from_us"),
        ((0, NOON_US), STEP_US, "at most 2000 steps"),
        ((NOON_US - HOUR, NOON_US), 0, "step_us"),
        ((NOON_US - HOUR, NOON_US), US_PER_DAY + 1, "step_us"),
    ],
)
def test_what_is_out_of_range_is_refused(tmp_path: Path, span: tuple[int, int], step_us: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        rule_curve(days(tmp_path), "hot", *span, step_us=step_us)


def test_a_day_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, events=[event_row(event(1, NOON_US, rule="hot"))])
    (file,) = tmp_path.glob("*.db")
    file.write_bytes(b"no database" * 1_000)
    answer = rule_curve(days(tmp_path), "hot", NOON_US, NOON_US + 1, step_us=STEP_US)
    assert answer.events == [0]
    assert [line.split(":")[0] for line in answer.damaged] == [file.name]
