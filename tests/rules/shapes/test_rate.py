from __future__ import annotations

import pytest

from gateway.config.models import RulesSettings
from gateway.config.rules import AlarmSettings, Function, RateRule, Window
from rules.shapes.rate import FORGET_US
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.shapes.timeline import LATENESS_MS

ALARM = AlarmSettings(message="Too many")
SETTINGS = RulesSettings(lateness_s=LATENESS_MS / 1000)


def rule(window: Window, within_s: float, **more: object) -> RateRule:
    settings = {"name": "many", "on": "read", "alarm": ALARM, "emit": "many"} | more
    return RateRule(shape="rate", window=window, within_s=within_s, **settings)


def pieces(**more: object) -> RateRule:
    """Less than two pieces in ten seconds."""
    settings = {"name": "slow", "on": "signal", "key": "device", "emit": "slow", "below": 2.0} | more
    return rule(Window.TUMBLING, 10.0, **settings)


def press(*rules: RateRule, **more: object) -> Play:
    played = Play(site(*rules, settings=SETTINGS), **more)  # type: ignore[arg-type]  # passed on
    played.watch(0.0, "press-1")
    return played


def stood(played: Play) -> list[tuple[str, float]]:
    return [(alarm.state, (alarm.at_us - us(0)) / 1e6) for alarm in played.alarms]


def piece(played: Play, *at_s: float, device: str = "press-1") -> None:
    for each in at_s:
        if each > played.at_s + 1:
            played.until(each - 0.1)
        played.signal(each, "piece", value=True, device=device)


def test_too_little_is_told_of_windows_in_which_nothing_came_too() -> None:
    played = press(pieces(watched=["press-1"]))
    piece(played, 1.0, 11.0, 12.0)
    played.until(45.0)
    assert [(event.at_us, event.fields["value"], event.fields["count"]) for event in played.events] == [
        (us(30.0), 0.0, 0),
        (us(40.0), 0.0, 0),
    ]
    assert stood(played) == [("raised", 30.0)]
    assert played.alarms[0].fields["from_us"] == us(20.0)
    piece(played, 45.5, 46.0)
    played.until(51.0)
    assert stood(played) == [("raised", 30.0), ("cleared", 50.0)]
    assert len({event.id for event in played.events}) == 2


def test_the_window_in_which_a_key_is_first_seen_is_too_short_to_be_too_little() -> None:
    played = press(pieces())
    piece(played, 4.0)
    played.until(11.0)
    assert played.events == []
    played.until(21.0)
    assert [event.at_us for event in played.events] == [us(20.0)]


def test_too_little_is_not_believed_of_what_was_not_watched() -> None:
    played = press(pieces(watched=["press-1"]))
    piece(played, 1.0, 12.0, 13.0)
    played.until(24.0)
    played.watch(24.0)
    played.until(33.0)
    played.watch(33.0, "press-1")
    played.until(49.5)
    assert played.events == []
    played.until(51.0)
    assert [event.at_us for event in played.events] == [us(50.0)]


def test_silence_of_the_reader_lowers_nothing() -> None:
    played = Play(site(rule(Window.SLIDING, 5.0, above=1.0, watched=["p"]), settings=SETTINGS))
    played.watch(0.0, "p")
    for at_s in (1.0, 2.0):
        played.read(at_s, "p")
    played.until(3.0)
    assert stood(played) == [("raised", 2.0)]
    played.watch(3.5)
    played.until(20.0)
    played.watch(20.0, "p")
    played.until(24.0)
    assert stood(played) == [("raised", 2.0)]
    played.until(40.0)
    assert [state for state, _ in stood(played)] == ["raised", "cleared"]
    assert played.engine.counters()["rule_states"] == 0


def test_a_window_that_was_not_watched_does_not_lower_what_one_that_was_does() -> None:
    played = Play(site(rule(Window.TUMBLING, 10.0, above=1.0, watched=["p"]), settings=SETTINGS))
    played.watch(0.0, "p")
    for at_s in (1.0, 2.0):
        played.read(at_s, "p")
    played.until(14.0)
    played.watch(14.0)
    played.watch(16.0, "p")
    played.until(25.0)
    assert stood(played) == [("raised", 10.0)]
    played.until(31.0)
    assert stood(played) == [("raised", 10.0), ("cleared", 30.0)]
    assert played.engine.counters()["rule_states"] == 0


def test_nothing_is_no_temperature() -> None:
    cold = RateRule(
        shape="rate", name="cold", on="reading", window=Window.TUMBLING, within_s=10.0, function=Function.MEAN,
        of="value", below=5.0, alarm=ALARM,
    )  # fmt: skip
    played = Play(site(cold, settings=SETTINGS))
    played.watch(0.0, "meter-1")
    for at_s, value in ((0.0, "9"), (12.0, "2"), (14.0, "3")):
        played.until(at_s)
        played.reading(at_s, value)
    played.until(15.0)
    played.reading(15.5, None)
    played.until(45.0)
    assert stood(played) == [("raised", 20.0)]
    assert played.alarms[0].fields["value"] == 2.5
    played.reading(45.5, "6")
    played.until(51.0)
    assert stood(played) == [("raised", 20.0), ("cleared", 50.0)]


def test_a_gateway_that_was_dead_for_a_week_is_not_asked_for_each_window(monkeypatch: pytest.MonkeyPatch) -> None:
    played = press(pieces(below=1.0))
    piece(played, 1.0, 11.0)
    wakes = 0
    before = type(played.engine._rulebook.shapes[0]).wake

    def count(*given: object) -> None:
        nonlocal wakes
        wakes += 1
        before(*given)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(type(played.engine._rulebook.shapes[0]), "wake", count)
    week_s = 7 * 86_400.0 + 3
    played.tick(week_s)
    assert wakes < 100
    played.until(week_s + 26.0)
    assert [(event.at_us - us(0)) / 1e6 for event in played.events] == [week_s + 17.0]


def test_what_a_reader_remembers_of_a_time_in_which_the_gateway_was_dead_counts_there() -> None:
    played = press(rule(Window.TUMBLING, 10.0, above=1.0, below=1.0))
    played.read(1.0, "p")
    played.until(4.0)
    day_s = 86_400.0
    played.reads(day_s, *(tag_read(day_s - back_s, "p") for back_s in (40_002.0, 40_001.0, 39_000.0)))
    played.until(day_s + 5.0)
    told = [(event.at_us - us(0)) / 1e6 for event in played.events if event.rule]
    assert told == [46_400.0]


def test_a_clock_that_was_set_back_keeps_what_slides() -> None:
    played = Play(site(rule(Window.SLIDING, 20.0, above=1.0), settings=SETTINGS))
    played.watch(0.0, "p")
    played.read(1.0, "p")
    played.until(5.0)
    played.at_s = -85.0
    played.tick(-85.0)
    played.read(-80.0, "p")
    played.until(-78.0)
    [event] = [event for event in played.events if event.rule]
    assert (event.at_us, event.fields["from_us"]) == (us(-80.0), us(-89.0))


def test_a_key_that_is_silent_for_a_month_is_forgotten_unless_it_is_a_thing_of_the_site() -> None:
    tag = rule(Window.TUMBLING, 10.0, below=1.0, name="tag")
    played = press(pieces(), tag)
    piece(played, 1.0)
    played.read(2.0, "p")
    played.until(4.0)
    assert played.engine.counters()["rule_states"] == 2
    month_s = FORGET_US / 1e6 + 600
    played.tick(month_s)
    played.until(month_s + 25.0)
    assert played.engine.counters()["rule_states"] == 1
    assert {event.rule for event in played.events if event.rule is not None} == {"slow"}


def test_a_clock_that_was_set_back_breaks_no_window() -> None:
    played = press(pieces(below=1.0))
    piece(played, 1.0, 12.0, 22.0)
    played.until(24.0)
    played.at_s = -76.5
    played.until(-40.0)
    assert played.engine.counters()["clocks_set_back"] == 1
    # The window that was cut by it, and the short one after it, are not believed.
    assert [(event.at_us - us(0)) / 1e6 for event in played.events] == [-50.0]


def test_a_key_goes_with_the_gateway_that_hears_it() -> None:
    made = pieces(below=2.0)
    one = press(made)
    other = Play(one.file, gateway="edge-2")
    other.engine = one.engine
    other.watch(0.0, "press-1")
    piece(one, 1.0, 11.0, 12.0)
    one.until(13.0)
    piece(other, 13.0)
    other.until(14.0)
    one.until(60.0)
    assert one.events == []
    other.until(31.0)
    assert [(event.at_us, event.fields["value"]) for event in other.events] == [(us(30.0), 0.0)]
    piece(other, 100.0)
    other.until(101.0)
    piece(one, 60.5)
    one.until(81.0)
    assert [(event.at_us, event.fields["value"]) for event in one.events] == [(us(80.0), 0.0)]


def test_old_data_raise_no_alarm_until_the_present_is_reached() -> None:
    played = press(pieces(below=1.0))
    piece(played, 1.0)
    played.until(4.0)
    played.historical = True
    played.until(25.0)
    assert [event.historical for event in played.events] == [True]
    assert stood(played) == []
    played.historical = False
    played.tick(25.5)
    assert stood(played) == [("raised", 25.5)]
    played.until(31.0)
    assert [event.historical for event in played.events] == [True, False]


def test_an_event_leads_back_to_all_that_its_window_rests_on() -> None:
    played = Play(
        site(rule(Window.TUMBLING, 10.0, name="told"), rule(Window.SLIDING, 10.0, above=2.0), settings=SETTINGS)
    )
    played.watch(0.0, "p", "q")
    for at_s, point in ((1.0, "p"), (2.0, "p"), (3.0, "q")):
        played.read(at_s, point, count=3)
    played.until(11.0)
    first, last = (batch.sequence for batch in (played.batches[1], played.batches[3]))
    made = [event for event in played.events if event.rule is not None]
    for event in made:
        assert (event.evidence.sequence_from, event.evidence.sequence_to, event.evidence.reads) == (first, last, 9)
        assert event.read_point == "q"
    assert [(event.type, event.at_us) for event in made] == [("many", us(3.0)), ("many", us(10.0))]


def test_the_clock_of_a_reader_that_is_ahead_holds_nothing_up() -> None:
    played = Play(site(rule(Window.SLIDING, 5.0, above=1.0), settings=SETTINGS))
    played.watch(0.0, "p")
    played.read(1.0, "p", late_s=-90_000.0)
    played.read(2.0, "p")
    played.until(9.0)
    assert stood(played) == [("raised", 2.0), ("cleared", 6.0)]


def test_keys_beyond_the_most_are_counted_as_refused() -> None:
    played = Play(site(rule(Window.SLIDING, 5.0, above=1.0, most_keys=1), settings=SETTINGS))
    played.read(1.0, "p")
    played.read(1.5, "p", OTHER)
    played.read(1.6, "p")
    played.until(4.0)
    assert played.engine.counters()["keys_refused"] == 1
    assert [alarm.subject for alarm in played.alarms] == [EPC]


def test_nobody_can_clear_what_is_over_now() -> None:
    played = Play(site(rule(Window.SLIDING, 5.0, above=0.0), pieces(), settings=SETTINGS))
    played.read(1.0, "p")
    played.until(3.0)
    sliding, tumbling = played.engine._rulebook.ordered
    assert (sliding.is_standing(EPC), sliding.is_standing(OTHER), tumbling.is_standing(EPC)) == (True, False, False)


def test_late_items_of_a_window_that_is_over_are_counted_by_the_rule() -> None:
    played = Play(site(rule(Window.TUMBLING, 10.0, above=0.0), settings=SETTINGS))
    played.watch(0.0, "p")
    played.read(1.0, "p")
    played.until(12.0)
    played.read(12.5, "p", late_s=5.0)
    played.until(22.0)
    assert [event.fields["value"] for event in played.events if event.rule is not None] == [1.0]
    assert [shape.late for shape in played.engine._rulebook.ordered] == [1]  # type: ignore[attr-defined]
