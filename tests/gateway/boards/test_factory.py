import re

from gateway.boards import factory
from gateway.contract.measurements import MEASUREMENTS
from rules.machines.row import STATES
from tests.support.board_checks import check_events, idle_alternatives, packs, uncovered_alarms


def test_events_figures_and_fields_are_those_of_the_pack() -> None:
    check_events(factory.BOARD, "factory")


def test_every_alarm_of_the_pack_stands_on_the_board() -> None:
    assert uncovered_alarms(factory.ALARMS, "factory") == set()
    assert idle_alternatives(factory.ALARMS, "factory") == set()


def test_names_of_rules_of_lines_are_as_the_board_asks_for_them() -> None:
    rules = {f"use-{each['rule']}" for each in packs()["factory"]["alarms"]}
    assert any(re.search(factory.WORK_IN_PROGRESS, rule) for rule in rules)
    assert any(re.search(factory.STEPS, rule) for rule in rules)


def test_states_of_machines_are_those_of_the_books() -> None:
    assert tuple(state.value for state in factory.MACHINE_STATES) == STATES
    times = {name for name, _ in factory.KINDS_OF_TIME}
    assert times == {f"{state}_s" for state in (*STATES, "unknown", "no_data")}
    assert times <= MEASUREMENTS["production"].fields.keys()
