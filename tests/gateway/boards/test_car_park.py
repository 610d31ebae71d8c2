from gateway.boards import car_park
from rules.packs.parking import lanes, words
from tests.support.board_checks import check_events, idle_alternatives, uncovered_alarms


def test_events_figures_and_fields_are_those_of_the_pack() -> None:
    check_events(car_park.BOARD, "parking")
    assert (car_park.ENTRY, car_park.VISIT, car_park.DECISION) == (words.ENTRY, words.VISIT, words.DECISION)


def test_rules_are_called_as_the_board_asks_for_them() -> None:
    assert words.inside("north") == "north-inside"
    assert {state.value for state in car_park.VERDICTS} == {lanes.GRANTED, lanes.REFUSED}


def test_every_alarm_of_the_pack_stands_on_the_board() -> None:
    assert uncovered_alarms(car_park.ALARMS, "parking") == set()
    assert idle_alternatives(car_park.ALARMS, "parking") == set()
