from gateway.boards import catalogue, overview
from tests.support.board_checks import check_events, panels


def test_events_figures_and_fields_are_those_of_the_packs() -> None:
    check_events(overview.BOARD, "port", "factory", "parking", "power")


def test_every_other_board_is_reached_from_the_wall_screen() -> None:
    reached = {panel.leads_to for panel in panels(overview.BOARD) if panel.leads_to}
    assert reached == catalogue.found().keys() - {"overview"}
