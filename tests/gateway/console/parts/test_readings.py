from decimal import Decimal

from gateway.console.parts.readings import Readings
from gateway.contract.batches import Reading, ReadingBatch
from tests.support.console import told


def a_batch(meter: str, value: str) -> ReadingBatch:
    reading = Reading(quantity="voltage", obis="1-0:32.7.0", value=Decimal(value), unit="V", phase="a")
    return ReadingBatch(gateway="edge-1", device=meter, received_at_us=7, readings=[reading])


def test_the_latest_reading_of_each_register_stands() -> None:
    readings = Readings()
    for value in ("100.1", "100.2"):
        readings.take(a_batch("crane-1", value))
    row = readings.whole()["crane-1/voltage/a/"]
    assert (row["meter"], row["value"], row["received_at_us"]) == ("crane-1", "100.2", 7)


def test_a_page_of_one_meter_hears_only_of_it() -> None:
    readings = Readings()
    cursor = readings.follow({"meter": "crane-1"})
    assert cursor.news() == {"whole": True, "rows": {}}
    readings.take(a_batch("crane-10", "1"))
    assert cursor.news() is None
    readings.take(a_batch("crane-1", "2"))
    assert set(told(cursor)["rows"]) == {"crane-1/voltage/a/"}
