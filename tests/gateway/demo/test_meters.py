from decimal import Decimal

from gateway.console.live import Live
from gateway.contract.batches import Reading, ReadingBatch, encode
from gateway.demo.meters import meters
from readers.quantities import Quantity


def reading(quantity: Quantity, value: str | None, **more: object) -> Reading:
    shown = None if value is None else Decimal(value)
    return Reading(quantity.value, "1-0:1.8.0", shown, quantity.unit, **more)  # type: ignore[arg-type]  # by name


def test_the_last_of_each_is_shown_and_phases_are_left_out() -> None:
    live = Live("site")
    for readings in (
        [reading(Quantity.ACTIVE_POWER, "1"), reading(Quantity.ACTIVE_POWER, "7", phase="a")],
        [
            reading(Quantity.ACTIVE_POWER, "18500.5"),
            reading(Quantity.ACTIVE_DEMAND, "18000"),
            reading(Quantity.ACTIVE_DEMAND_MAX, "19000"),
            reading(Quantity.ACTIVE_ENERGY_IMPORT, "402118500"),
            reading(Quantity.ACTIVE_ENERGY_IMPORT, "100", tariff=1),
            reading(Quantity.ACTIVE_ENERGY_IMPORT, None, tariff=4, quality="absent"),
            reading(Quantity.VOLTAGE, "230"),
        ],
    ):
        batch = ReadingBatch(gateway="edge-1", device="feeder-7", received_at_us=1, readings=readings)
        live.feed("tagwharf/1/site/feeder-7/readings", encode(batch))
    assert meters(live.whole()["readings"]) == {
        "feeder-7": {
            "active_power_w": "18500.5",
            "active_demand_w": "18000",
            "active_demand_max_w": "19000",
            "active_energy_import_wh": "402118500",
            "by_tariff_wh": {"1": "100"},
        }
    }
