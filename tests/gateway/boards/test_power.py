from gateway.boards import power
from rules.energy.points import IMPORT
from rules.energy.segment import Quality
from tests.support.board_checks import check_events, idle_alternatives, packs, uncovered_alarms


def test_events_and_fields_are_those_of_the_pack() -> None:
    check_events(power.BOARD, "power")


def test_every_event_of_meters_demand_and_quality_is_told() -> None:
    named = {*power.DEMAND, *power.QUALITY, *power.METERS}
    left = {event for event in packs()["power"]["events"] if event not in named}
    assert all("move" in event or event == "power-gate-energy" for event in left), left


def test_every_alarm_of_the_pack_stands_on_the_board() -> None:
    assert uncovered_alarms(power.ALARMS, "power") == set()
    assert idle_alternatives(power.ALARMS, "power") == set()


def test_quantities_and_qualities_are_those_of_the_books() -> None:
    assert power.IMPORT == IMPORT
    assert {quality for quality, _ in power.QUALITIES} == set(Quality)
