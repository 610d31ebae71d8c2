import msgspec

from gateway.console.parts.alarms import ALARMS_MOST, Alarms
from gateway.console.parts.part import AlarmNews
from gateway.contract.events import Alarm, Evidence
from tests.support.console import told

ALARM = Alarm(
    id="a1", rule="r", severity="critical", subject="s", state="raised", since_us=1, at_us=1, message="m",
    evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1),
)  # fmt: skip


def test_an_alarm_stands_until_it_is_cleared_or_its_topic_emptied() -> None:
    alarms = Alarms()
    cursor = alarms.follow({})
    cursor.news()
    for end in (AlarmNews("a1", msgspec.structs.replace(ALARM, state="cleared")), AlarmNews("a1", None)):
        alarms.take(AlarmNews("a1", ALARM))
        assert told(cursor)["rows"]["a1"]["message"] == "m"
        alarms.take(end)
        assert told(cursor)["rows"] == {"a1": None}
        assert alarms.whole() == {}


def test_an_alarm_that_changes_is_told_again() -> None:
    alarms = Alarms()
    cursor = alarms.follow({})
    alarms.take(AlarmNews("a1", ALARM))
    cursor.news()
    alarms.take(AlarmNews("a1", msgspec.structs.replace(ALARM, acknowledged_by="olga")))
    assert told(cursor)["rows"]["a1"]["acknowledged_by"] == "olga"


def test_what_strangers_publish_is_bounded() -> None:
    alarms = Alarms()
    for number in range(ALARMS_MOST + 5):
        alarms.take(AlarmNews(f"a{number}", ALARM))
    assert len(alarms.whole()) == ALARMS_MOST


def test_of_too_many_the_quietest_and_oldest_are_left_out_and_counted() -> None:
    alarms = Alarms(most=3)
    cursor = alarms.follow({})
    replace = msgspec.structs.replace
    note, seen = replace(ALARM, severity="info"), replace(ALARM, acknowledged_by="olga")
    for number, alarm in (("seen", seen), ("old", note), ("loud", ALARM)):
        alarms.take(AlarmNews(number, alarm))
    assert told(cursor)["left_out"] == 0
    alarms.take(AlarmNews("new", note))
    assert set(alarms.whole()) == {"old", "loud", "new"}
    alarms.take(AlarmNews("newer", note))
    assert set(alarms.whole()) == {"loud", "new", "newer"}
    alarms.take(AlarmNews("again", seen))
    assert set(alarms.whole()) == {"loud", "new", "newer"}
    assert (alarms.left_out, alarms.left_out_unseen) == (3, 1)
    news = told(cursor)
    assert (news["rows"]["old"], news["left_out"]) == (None, 3)
    alarms.take(AlarmNews("seen", None))
    assert told(cursor) == {"whole": False, "rows": {}, "left_out": 2}
    alarms.take(AlarmNews("old", replace(note, severity="critical")))
    assert set(alarms.whole()) == {"loud", "newer", "old"}
    assert (alarms.left_out, alarms.left_out_unseen) == (2, 1)
    assert alarms.get("loud") is not None
    assert alarms.get("new") is None
