from decimal import Decimal
from typing import Any

from gateway.console.metering import latest
from gateway.console.metering.latest import LatestMeters
from gateway.contract.batches import Reading, ReadingBatch, SignalBatch

S = 1_000_000


def told(at_s: float, *readings: Reading, meter: str = "m") -> ReadingBatch:
    return ReadingBatch(gateway="g", device=meter, received_at_us=round(at_s * S), readings=list(readings))


def power(value: str, **more: Any) -> Reading:
    return Reading(**{"quantity": "active_power", "obis": "1-0:16.7.0", "value": Decimal(value), "unit": "W", **more})


def rows(part: LatestMeters, **query: str) -> Any:
    news = part.follow(query).news()
    assert news is not None
    return news["rows"]


def test_a_row_has_the_newest_figures_and_how_often_they_come() -> None:
    part = LatestMeters()
    cursor = part.follow({})
    assert cursor.news() == {"whole": True, "rows": {}}
    part.take(told(10, power("5"), power("2", phase="a")))
    part.take(told(12, power("7", quality="suspect")))
    part.take(told(12, power("1"), meter="n"))
    part.take(SignalBatch(gateway="g", device="m", received_at_us=13 * S, signals=[]))
    assert cursor.news() == {
        "whole": False,
        "rows": {
            "m": {
                "meter": "m",
                "received_at_us": 12 * S,
                "figures": {
                    "active_power": (Decimal(7), "W", "suspect", 12 * S, 2 * S),
                    "active_power/a": (Decimal(2), "W", "good", 10 * S, 0),
                },
            },
            "n": {
                "meter": "n",
                "received_at_us": 12 * S,
                "figures": {"active_power": (Decimal(1), "W", "good", 12 * S, 0)},
            },
        },
    }
    assert cursor.news() is None


def test_what_was_told_later_than_it_happened_changes_nothing() -> None:
    part = LatestMeters()
    part.take(told(100, power("5")))
    part.take(told(40, power("1")))
    part.take(told(101, power("2", quality="backfilled")))
    assert rows(part)["m"]["figures"]["active_power"] == (Decimal(5), "W", "good", 100 * S, 0)
    assert rows(part)["m"]["received_at_us"] == 101 * S


def test_the_pace_follows_slowly_so_that_a_gap_is_forgotten() -> None:
    part = LatestMeters()
    for at_s in (0, 4, 8, 48, 52, 56):
        part.take(told(at_s, power("5")))
    every_s = 4 + (40 - 4) / 4
    for _ in range(2):
        every_s += (4 - every_s) / 4
    assert rows(part)["m"]["figures"]["active_power"][4] == every_s * S


def test_tariffs_and_other_registers_are_not_of_the_list_but_have_a_pace() -> None:
    part = LatestMeters()
    for at_s in (1, 4):
        part.take(told(at_s, power("5", tariff=2), power("0", quantity="magnetic_influences", unit="1")))
    assert rows(part)["m"]["figures"] == {}
    alone = rows(part, meter="m")
    assert alone == {
        "m": rows(part)["m"] | {"paces": {"active_power//2": 3 * S, "magnetic_influences//": 3 * S}},
    }


def test_who_follows_one_meter_hears_of_no_other() -> None:
    part = LatestMeters()
    cursor = part.follow({"meter": "m"})
    assert cursor.news() == {"whole": True, "rows": {}}
    part.take(told(1, power("5"), meter="n"))
    assert cursor.news() is None
    part.take(told(1, power("5")))
    news = cursor.news()
    assert news is not None
    assert list(news["rows"]) == ["m"]


def test_everything_is_bounded() -> None:
    part = LatestMeters()
    part.take(told(1, *(power("1", quantity=f"q{n}") for n in range(latest.REGISTERS_MOST + 5))))
    assert len(rows(part, meter="m")["m"]["paces"]) == latest.REGISTERS_MOST
    for n in range(latest.METERS_MOST + 5):
        part.take(told(1, power("1"), meter=f"m{n}"))
    assert len(rows(part)) == latest.METERS_MOST
