from gateway.boards import yard
from rules.packs.port import cargo
from rules.packs.port import yard as pack
from tests.support.board_checks import check_events, idle_alternatives


def test_events_figures_and_fields_are_those_of_the_pack() -> None:
    check_events(yard.BOARD, "port")
    assert (yard.MOVE, yard.STAY, yard.DWELL, yard.OVERDUE) == (pack.MOVE, pack.STAY, pack.DWELL, pack.OVERDUE)
    assert (yard.SEAL, yard.REEFERS) == (cargo.SEAL_OPENED, (cargo.REEFER_TEMPERATURE, cargo.REEFER_POWER))


def test_every_pattern_of_alarms_has_its_rule() -> None:
    assert idle_alternatives(yard.ALARMS, "port") == set()
