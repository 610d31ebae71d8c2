from __future__ import annotations

from gateway.config.models import RulesSettings, Zone
from gateway.config.rules import AbsenceRule, AlarmSettings, Input
from rules.shapes.absence import MOST_DEFERRED, REMEMBER_US
from tests.rules.play import EPC, OTHER, Play, site, us
from tests.rules.shapes.timeline import LATENESS_MS

ALARM = AlarmSettings(message="Did not come")
SETTINGS = RulesSettings(lateness_s=LATENESS_MS / 1000)
AFTER, EXPECT, UNLESS = "gate", "yard", "exit"


def seen_at(point: str) -> Input:
    return Input(on="read", when=f"e.read_point == '{point}'")


def rule(within_s: float = 10.0, *, after: bool = True, unless: bool = False, **more: object) -> AbsenceRule:
    settings = {"name": "lost", "alarm": ALARM, "emit": "lost", "grace_s": 0.0} | more
    return AbsenceRule(
        shape="absence",
        expect=seen_at(EXPECT),
        after=seen_at(AFTER) if after else None,
        unless=seen_at(UNLESS) if unless else None,
        within_s=within_s,
        **settings,
    )


def gate(made: AbsenceRule, *others: object, **more: object) -> Play:
    played = Play(site(made, *others, settings=SETTINGS), **more)  # type: ignore[arg-type]  # rules, and what Play takes
    played.watch(0.0, AFTER, EXPECT)
    return played


def stood(played: Play) -> list[tuple[str, float]]:
    return [(alarm.state, (alarm.at_us - us(0)) / 1e6) for alarm in played.alarms]


def lost(played: Play) -> list[float]:
    return [(event.at_us - us(0)) / 1e6 for event in played.events if event.rule == "lost"]


def test_what_does_not_come_is_told_at_its_time_and_over_when_it_comes() -> None:
    played = gate(rule(grace_s=2.0, watched=[EXPECT]))
    played.read(1.0, AFTER, count=3)
    played.until(12.4)
    assert lost(played) == []
    played.until(14.0)
    [event] = [event for event in played.events if event.rule == "lost"]
    assert (event.type, event.at_us, event.subject, event.read_point) == ("lost", us(11.0), EPC, AFTER)
    assert event.fields == {"since_us": us(1.0), "waited_s": 10.0}
    assert (event.evidence.sequence_from, event.evidence.reads) == (2, 3)
    [alarm] = played.alarms
    assert (alarm.since_us, alarm.at_us, alarm.message) == (us(11.0), us(13.0), "Did not come")
    played.read(20.0, EXPECT)
    played.until(21.0)
    assert stood(played) == [("raised", 13.0), ("cleared", 20.0)]
    assert played.alarms[1].message == "Did not come: came late"


def test_what_happened_in_time_counts_although_it_becomes_known_later() -> None:
    """An arrival is known at its second read, up to two seconds later."""
    made = AbsenceRule(
        shape="absence", name="lost", alarm=ALARM, emit="lost", within_s=10.0, grace_s=2.5,
        after=seen_at(AFTER), expect=Input(on="arrived", when="e.zone == 'yard'"),
    )  # fmt: skip
    for first_s, second_s, told in ((10.5, 12.2, []), (11.5, 12.2, [11.0])):
        played = Play(site(made, zones=[Zone(name="yard", read_points=[EXPECT])], settings=SETTINGS))
        played.watch(0.0, AFTER, EXPECT)
        played.read(1.0, AFTER)
        played.until(first_s - 0.1)
        played.read(first_s, EXPECT)
        played.until(second_s - 0.1)
        played.read(second_s, EXPECT)
        played.until(20.0)
        assert lost(played) == told
        assert [state for state, _ in stood(played)] == (["raised", "cleared"] if told else [])


def test_what_waits_for_a_decision_goes_on_when_it_comes_by_what_was_in_time() -> None:
    made = AbsenceRule(
        shape="absence", name="lost", emit="lost", within_s=10.0, grace_s=2.5,
        after=seen_at(AFTER), expect=Input(on="arrived", when="e.zone == 'yard'"),
    )  # fmt: skip
    played = Play(site(made, zones=[Zone(name="yard", read_points=[EXPECT])], settings=SETTINGS))
    played.watch(0.0, AFTER, EXPECT)
    played.read(1.0, AFTER)
    for at_s, point in ((10.5, EXPECT), (11.5, AFTER), (12.2, EXPECT)):
        played.until(at_s - 0.1)
        played.read(at_s, point)
    played.until(30.0)
    assert lost(played) == [21.5]


def test_an_after_that_becomes_known_when_all_is_over_is_decided_at_once() -> None:
    made = AbsenceRule(
        shape="absence", name="lost", emit="lost", within_s=1.0, grace_s=0.5, expect=seen_at(EXPECT),
        after=Input(on="departed", when="e.zone == 'gate'"),
    )  # fmt: skip
    played = Play(site(made, zones=[Zone(name="gate", read_points=[AFTER], depart_after_s=5)], settings=SETTINGS))
    played.watch(0.0, AFTER)
    for at_s in (1.0, 1.5):
        played.read(at_s, AFTER)
    played.until(8.0)
    assert [event.type for event in played.events] == ["arrived", "departed", "lost"]
    assert lost(played) == [2.5]


def test_what_came_before_its_after_was_known_counts() -> None:
    """Of a truck that leaves one yard for another, the arrival is known at once, the departure after a silence."""
    made = AbsenceRule(
        shape="absence", name="lost", alarm=ALARM, emit="lost", within_s=10.0, unless=seen_at(UNLESS),
        after=Input(on="departed", when="e.zone == 'gate'"), expect=seen_at(EXPECT),
    )  # fmt: skip
    told = []
    for point in (EXPECT, UNLESS, "elsewhere"):
        played = Play(site(made, zones=[Zone(name="gate", read_points=[AFTER], depart_after_s=5)], settings=SETTINGS))
        played.watch(0.0, AFTER)
        for at_s in (1.0, 1.5):
            played.read(at_s, AFTER)
        played.read(3.0, point)
        played.until(30.0)
        told += lost(played)
    assert told == [11.5]


def test_time_counts_only_while_all_of_it_is_watched() -> None:
    played = gate(rule(grace_s=0.0, watched=[AFTER, EXPECT]))
    played.read(1.0, AFTER)
    played.until(6.0)
    played.watch(6.0, AFTER)
    played.until(60.0)
    played.watch(60.0, AFTER, EXPECT)
    played.until(64.0)
    assert lost(played) == []
    played.until(67.0)
    assert lost(played) == [65.0]
    assert played.events[-1].fields["waited_s"] == 64.0


def test_a_gateway_that_was_dead_for_a_week_is_not_asked_for_each_second() -> None:
    played = gate(rule(grace_s=0.0))
    played.read(1.0, AFTER)
    played.until(10.0)
    week_s = 7 * 86_400.0
    played.tick(week_s)
    played.until(week_s + 5.0)
    assert lost(played) == [week_s + 1.0]


def test_without_after_each_one_expects_the_next() -> None:
    played = gate(rule(after=False, grace_s=1.0))
    played.until(20.0)
    assert lost(played) == []
    for at_s in (20.0, 25.0, 34.0):
        played.until(at_s - 0.1)
        played.read(at_s, EXPECT)
    played.until(60.0)
    assert lost(played) == [44.0]
    assert played.engine.counters()["rule_states"] == 0
    played.read(60.5, EXPECT)
    played.until(62.0)
    assert stood(played) == [("raised", 45.0), ("cleared", 60.5)]
    played.until(80.0)
    assert lost(played) == [44.0, 70.5]


def test_unless_ends_the_waiting_and_what_became_of_it() -> None:
    played = gate(rule(unless=True, grace_s=0.0))
    played.read(1.0, AFTER)
    played.read(5.0, UNLESS)
    played.until(15.0)
    assert lost(played) == []
    played.read(16.0, AFTER)
    played.until(30.0)
    played.read(31.0, UNLESS)
    played.until(33.0)
    assert stood(played) == [("raised", 26.0), ("cleared", 31.0)]
    assert played.alarms[1].message == "Did not come: no longer expected"


def test_the_first_after_stands_until_its_waiting_ends() -> None:
    played = gate(rule(grace_s=0.0))
    for at_s in (1.0, 5.0, 9.0):
        played.until(at_s - 0.1)
        played.read(at_s, AFTER)
    played.until(30.0)
    assert lost(played) == [11.0]


def test_what_waits_for_a_decision_is_bounded() -> None:
    played = gate(rule(1.0, unless=True, grace_s=600.0))
    played.read(1.0, AFTER)
    for step in range(3 * MOST_DEFERRED):
        played.read(3.0 + step, (AFTER, UNLESS)[step % 2])
    [row] = played.engine._rulebook.ordered[0].rows.rows.values()
    assert len(row.deferred) == MOST_DEFERRED
    played.until(610.0)
    assert lost(played) == [2.0]


def test_a_run_of_the_same_that_waits_for_a_decision_is_kept_as_its_ends() -> None:
    played = gate(rule(4.0, after=False, grace_s=4.0))
    for step in range(50):
        if played.at_s < 5.0:
            played.until(0.9 + (5.0 if step else 0.0))
        played.read(1.0 + step * 0.01 + (5.0 if step else 0.0), EXPECT)
    played.until(8.0)
    [row] = played.engine._rulebook.ordered[0].rows.rows.values()
    assert [each.item.at_us for each in row.deferred] == [us(6.01), us(6.49)]
    played.until(60.0)
    assert lost(played) == [5.0, 10.49]


def test_an_item_that_is_both_ends_one_waiting_and_begins_the_next() -> None:
    pier = Input(on="read", when="e.read_point in ['gate', 'yard']")
    for after, expect in ((pier, Input(on="read", when="e.rssi_dbm > -90")), (Input(on="read"), pier)):
        made = AbsenceRule(
            shape="absence", name="lost", emit="lost", within_s=10.0, grace_s=0.0, after=after, expect=expect
        )
        played = gate(made)
        for at_s in (1.0, 8.0, 15.0):
            played.until(at_s - 0.1)
            played.read(at_s, AFTER)
        played.until(40.0)
        assert lost(played) == [25.0]


def test_what_ended_is_remembered_for_a_while_and_then_forgotten() -> None:
    played = gate(rule(grace_s=0.0))
    played.read(1.0, EXPECT)
    played.until(3.0)
    assert played.engine.counters()["rule_states"] == 1
    played.read(400.0, EXPECT)
    played.until(400.0 + REMEMBER_US / 1e6)
    assert played.engine.counters()["rule_states"] == 1
    played.until(402.0 + REMEMBER_US / 1e6)
    assert played.engine.counters()["rule_states"] == 0


def test_keys_beyond_the_most_are_counted_as_refused() -> None:
    played = gate(rule(grace_s=0.0, most_keys=1))
    played.read(1.0, AFTER)
    played.read(1.5, AFTER, OTHER)
    played.until(30.0)
    assert played.engine.counters()["keys_refused"] == 1
    assert [alarm.subject for alarm in played.alarms] == [EPC]
    played.read(31.0, AFTER, OTHER)  # its alarm stands, and takes the room
    played.until(50.0)
    assert played.engine.counters()["keys_refused"] == 2


def test_a_clock_that_was_set_back_moves_the_waiting_with_it() -> None:
    played = gate(rule(grace_s=3.0))
    played.read(1.0, AFTER)
    played.until(12.0)  # its time was full at 11
    played.read(12.2, EXPECT)
    played.until(13.0)
    played.at_s = -88.0
    played.tick(-88.0)
    played.until(-80.0)
    assert played.engine.counters()["clocks_set_back"] == 1
    assert lost(played) == [-90.0]
    assert [state for state, _ in stood(played)] == ["raised", "cleared"]


def test_the_clock_is_that_of_the_gateway_that_began_it() -> None:
    made = rule(grace_s=0.0)
    one = gate(made)
    other = Play(one.file, gateway="edge-2")
    other.engine = one.engine
    other.watch(0.0, EXPECT)
    one.read(1.0, AFTER)
    one.read(1.0, AFTER, OTHER)
    one.until(3.0)
    other.until(100.0)
    other.read(100.5, AFTER)
    other.read(100.5, EXPECT, OTHER)
    other.until(102.0)
    assert lost(other) == []
    one.until(20.0)
    assert [event.subject for event in one.events if event.rule == "lost"] == [EPC]


def test_old_data_raise_no_alarm_until_the_present_is_reached() -> None:
    played = gate(rule(grace_s=0.0))
    played.historical = True
    played.read(1.0, AFTER)
    played.read(1.0, AFTER, OTHER)
    played.until(13.0)
    assert [event.historical for event in played.events if event.rule == "lost"] == [True, True]
    played.read(13.5, EXPECT, OTHER)
    played.until(15.0)
    assert stood(played) == []
    played.historical = False
    played.tick(15.5)
    assert [(alarm.subject, alarm.state) for alarm in played.alarms] == [(EPC, "raised")]


def test_that_it_is_missing_now_is_news_even_if_what_began_it_is_old() -> None:
    played = gate(rule(grace_s=0.0))
    played.historical = True
    played.read(1.0, AFTER)
    played.until(3.0)
    played.historical = False
    played.until(13.0)
    assert [event.historical for event in played.events if event.rule == "lost"] == [False]


def test_read_points_of_a_gateway_that_is_not_this_one_are_looked_up_at_theirs() -> None:
    played = gate(rule(grace_s=0.0, watched=["quay"]))
    other = Play(played.file, gateway="edge-2")
    other.engine = played.engine
    for second in range(30):
        other.watch(float(second), *(["quay"] if second < 5 or second >= 10 else []))
        played.tick(second + 0.1)
        if second == 1:
            played.read(1.2, AFTER)
    assert lost(played) == [16.2]
