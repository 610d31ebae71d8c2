from decimal import Decimal

from gateway.control.interlocks import parse
from gateway.control.latest import Latest
from readers.obis import ObisCode
from readers.observations import Reading, Readings, Signal, Signals, Watching
from readers.quantities import Phase, Quality, Quantity

OBIS = ObisCode.parse("1-0:1.7.0*255")
LOOP = parse("signal io loop = false")
POWER = parse("reading m-1 active_power < 5")
CURRENT = parse("reading m-1 current:a < 5")


def readings(value: Decimal | None, quality: Quality = Quality.GOOD, at_us: int = 100, **more: object) -> Readings:
    del more
    return Readings(at_us, [Reading(Quantity.ACTIVE_POWER, OBIS, value, quality=quality)], source="m-1")


def test_the_latest_value_is_known_while_it_is_fresh() -> None:
    latest = Latest([LOOP, POWER, CURRENT], lambda _: True)
    latest.take("line", readings(Decimal(7)))
    latest.take("io", Signals(100, [Signal("loop", True), Signal("beam", False)]))  # noqa: FBT003  # the value itself
    latest.take("io", Signals(100, [Signal("loop", False)], source="other"))  # noqa: FBT003  # the same
    latest.take("io", Watching())
    assert latest.value(LOOP, 50, 150) is True
    assert latest.value(LOOP, 50, 151) is None
    assert latest.value(LOOP, 50, 49) is None
    assert latest.value(POWER, 50, 120) == 7
    assert latest.value(CURRENT, 50, 120) is None
    latest.take("line", Readings(110, [Reading(Quantity.CURRENT, OBIS, Decimal(2), Phase.A)], source="m-1"))
    latest.take("line", Readings(110, [Reading(Quantity.CURRENT, OBIS, Decimal(3), Phase.B)], source="m-1"))
    assert latest.value(CURRENT, 50, 120) == 2


def test_a_value_that_is_no_good_makes_the_one_before_unknown() -> None:
    latest = Latest([POWER], lambda _: True)
    latest.take("line", readings(Decimal(7)))
    latest.take("line", readings(Decimal(9), Quality.BACKFILLED))
    assert latest.value(POWER, 50, 100) == 7
    latest.take("line", readings(Decimal(9), Quality.SUSPECT))
    assert latest.value(POWER, 50, 100) is None
    latest.take("line", readings(Decimal(8), Quality.COMPUTED))
    assert latest.value(POWER, 50, 100) == 8
    latest.take("line", readings(None, Quality.ABSENT))
    assert latest.value(POWER, 50, 100) is None


def test_a_device_that_is_away_is_not_known() -> None:
    online = {"io"}
    latest = Latest([LOOP, parse("is_on = true")], online.__contains__)
    latest.take("io", Signals(100, [Signal("loop", False)]))  # noqa: FBT003  # the value itself
    assert latest.value(LOOP, 50, 100) is False
    online.clear()
    assert latest.value(LOOP, 50, 100) is None
