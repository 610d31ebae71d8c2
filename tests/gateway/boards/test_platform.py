from gateway.boards import platform
from tests.support.board_checks import queries


def test_it_asks_for_everything_that_the_platform_tells_of_itself() -> None:
    measured = {query.measurement for _, query in queries(platform.BOARD)}
    assert measured == {"ledger", "dropped", "sink", "latency", "rule_time", "alarm"}


def test_counters_are_shown_by_what_they_grew() -> None:
    grown = [query.text for _, query in queries(platform.BOARD) if query.measurement == "dropped"]
    assert grown
    assert all("non_negative_difference(last(" in text for text in grown)
