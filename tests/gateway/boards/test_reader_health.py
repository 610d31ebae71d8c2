from gateway.boards import reader_health
from gateway.boards.making.queries import Span
from tests.support.board_checks import panels, queries


def test_antennas_are_compared_with_themselves() -> None:
    now, before = next(
        panel.queries for panel in panels(reader_health.BOARD) if panel.title.startswith("Read rate now")
    )
    assert Span.SHOWN in now.text
    assert Span.WEEK_BEFORE in before.text
    assert now.text.split(" AS ")[0] == before.text.split(" AS ")[0]


def test_the_day_before_asks_the_same_as_today() -> None:
    today, yesterday = (panel for panel in panels(reader_health.BOARD) if panel.title in {"Read rate", *_DAY_BEFORE})
    assert today.queries == yesterday.queries
    assert (today.time_shift, yesterday.time_shift) == ("", "1d")


def test_rates_are_of_watched_time() -> None:
    rates = [query.text for _, query in queries(reader_health.BOARD) if '"reads"' in query.text]
    assert rates
    assert all('sum("reads") / sum("watched_s")' in text for text in rates)


_DAY_BEFORE = ("Read rate, a day before",)
