from __future__ import annotations

from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY
from gateway.history import RuleActivity, TypeCount, activity
from tests.gateway.history.day_rows import alarm, alarm_row, days, write
from tests.gateway.journal_rows import NOON_US, event, event_row


def test_events_and_alarms_are_counted_by_rule_over_days(tmp_path: Path) -> None:
    events = [
        event(1, NOON_US - US_PER_DAY, rule="hot"),
        event(2, NOON_US - 5, rule="hot", type="told"),
        event(3, NOON_US - 4),
        event(4, NOON_US, rule="hot"),  # after the time
    ]
    alarms = [alarm(NOON_US - 3), alarm(NOON_US - 2, state="cleared"), alarm(NOON_US - 1, rule="cold")]
    write(tmp_path, events=[event_row(each) for each in events], alarms=[alarm_row(each) for each in alarms])
    answer = activity(days(tmp_path), NOON_US - 2 * US_PER_DAY, NOON_US)
    assert answer.rules == [
        RuleActivity("", 1, 0, NOON_US - 4, None),
        RuleActivity("cold", 0, 1, None, NOON_US - 1),
        RuleActivity("hot", 2, 1, NOON_US - 5, NOON_US - 3),
    ]
    assert answer.types == [TypeCount("arrived", 2, NOON_US - 4), TypeCount("told", 1, NOON_US - 5)]
    with pytest.raises(ValueError, match="at most 92 days"):
        activity(days(tmp_path), 0, NOON_US)
