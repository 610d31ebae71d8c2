from gateway.boards import port_gate, yard
from rules.packs.port.gate import DECISION, TRANSACTION
from rules.packs.port.verdicts import HOLD, TROUBLE
from tests.support.board_checks import check_events, idle_alternatives, uncovered_alarms


def test_events_figures_and_fields_are_those_of_the_pack() -> None:
    check_events(port_gate.BOARD, "port")
    assert (port_gate.DECISION, port_gate.TRANSACTION) == (DECISION, TRANSACTION)


def test_verdicts_are_those_of_the_pack() -> None:
    assert {state.value for state in port_gate.VERDICTS} == {"open", HOLD, TROUBLE}


def test_every_alarm_of_the_pack_stands_on_this_board_or_on_that_of_the_yard() -> None:
    assert idle_alternatives(port_gate.ALARMS, "port") == set()
    assert not uncovered_alarms(port_gate.ALARMS, "port") & uncovered_alarms(yard.ALARMS, "port")
