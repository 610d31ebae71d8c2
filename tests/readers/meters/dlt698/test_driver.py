from __future__ import annotations

import asyncio
import contextlib
import itertools
from decimal import Decimal
from random import Random

import pytest

from readers.errors import LinkError
from readers.meters.dlt698.driver import DRIVER, Dlt698Driver
from readers.observations import Condition, DeviceInfo, Observation, Readings, Rejected, Watching
from readers.ports.memory import run
from readers.quantities import Phase, Quantity
from simulator.meters.dlt698 import Behaviour, serve
from tests.readers.meters.dlt698.scenes import A1, A2, D, by_name, conditions, listen, readings, settings
from tests.simulator.meters.loads import Steady
from tests.support.talk import linked, talk_for

MOST = [
    "energy",
    "energy_export",
    "voltage",
    "current",
    "power",
    "reactive_power",
    "power_factor",
    "frequency",
    "demand",
]


def test_all_is_read_exactly() -> None:
    heard = listen(14, settings(read=MOST))
    q, a, b = Quantity, Phase.A, Phase.B
    expected: dict[tuple[Quantity, Phase | None, int | None], Decimal | None] = {
        (q.ACTIVE_ENERGY_IMPORT, None, None): D(1_234_560),
        (q.ACTIVE_ENERGY_IMPORT, None, 1): D(34_560),
        (q.ACTIVE_ENERGY_IMPORT, None, 2): D(200_000),
        (q.ACTIVE_ENERGY_IMPORT, None, 3): D(400_000),
        (q.ACTIVE_ENERGY_IMPORT, None, 4): D(600_000),
        (q.ACTIVE_ENERGY_EXPORT, None, None): D(260),
        (q.VOLTAGE, a, None): D("230.3"),
        (q.VOLTAGE, b, None): D("229.8"),
        (q.CURRENT, a, None): D("12.345"),
        (q.CURRENT, b, None): D("-1.5"),
        (q.ACTIVE_POWER, None, None): D("2155.3"),
        (q.ACTIVE_POWER, a, None): D(2500),
        (q.ACTIVE_POWER, b, None): D("-344.7"),
        (q.REACTIVE_POWER, None, None): D(50),
        (q.REACTIVE_POWER, a, None): D(100),
        (q.REACTIVE_POWER, b, None): D(-50),
        (q.POWER_FACTOR, None, None): D("0.756"),
        (q.POWER_FACTOR, a, None): D("0.995"),
        (q.POWER_FACTOR, b, None): D("-0.5"),
        (q.FREQUENCY, None, None): D("49.98"),
        (q.ACTIVE_DEMAND, None, None): D(3250),
    }
    expected |= {(q.ACTIVE_ENERGY_EXPORT, None, tariff): D(0) for tariff in range(1, 5)}
    assert by_name(heard) == expected
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [DeviceInfo(serial=A1, source="m0")]
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]
    assert len([o for o in heard if isinstance(o, Readings)]) == 3  # powers, energies, demands: one request each


def test_the_poll_keeps_its_rhythm() -> None:
    heard = listen(600 - 5, settings(read=["energy_export"]))
    times = [o.received_at_us for o in heard if isinstance(o, Readings)]
    assert len(times) == 10
    assert {later - sooner for sooner, later in itertools.pairwise(times)} <= {
        60_000_000 + slip for slip in range(-2, 3)
    }


@pytest.mark.parametrize("baud", [1200, 2400, 9600])
def test_true_byte_times_fit_into_the_deadlines(baud: int) -> None:
    heard = listen(58, settings(read=MOST, power_s=60), {A1: Behaviour(reply_delay_s=0.5)}, baud=baud)
    assert by_name(heard) == by_name(listen(14, settings(read=MOST)))
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_meter_alone_on_its_line_needs_no_address() -> None:
    for behaviour in (Behaviour(), Behaviour(wants_single=True)):
        given = DRIVER.settings.model_validate({"meters": [{"name": "m0"}], "read": ["frequency"], "backfill_days": 0})
        heard = listen(14, given, {A2: behaviour}, addresses=[A2])
        assert [r.value for r in readings(heard)] == [D("49.98")]
        assert DeviceInfo(serial=A2, source="m0") in heard


def test_many_meters_share_a_line() -> None:
    addresses = [f"{number:012d}" for number in range(1, 21)]
    heard = listen(30, settings(addresses, read=MOST), addresses=addresses, baud=9600)
    assert {o.source for o in heard if isinstance(o, Watching)} == {f"m{number}" for number in range(20)}
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_silent_meter_does_not_starve_the_others_and_comes_back() -> None:
    quiet = Behaviour(silent=True)

    async def meanwhile() -> None:
        await asyncio.sleep(300)
        quiet.silent = False

    given = settings([A1, A2], read=["voltage"])
    meters = {A1: Steady(), A2: Steady()}

    async def scene() -> list[Observation]:
        return await talk_for(
            600, Dlt698Driver(given), lambda port: serve(port, meters, {A1: quiet}), meanwhile=meanwhile
        )

    heard = run(scene())
    assert len([o for o in heard if isinstance(o, Readings) and o.source == "m1"]) == 40
    assert conditions(heard) == [("meter_silent", "", True), ("meter_silent", "", False)]
    assert [(o.source, o.active) for o in heard if isinstance(o, Watching)] == [
        ("m0", False),
        ("m1", True),
        ("m0", True),
    ]


def test_a_line_on_which_nobody_answers_is_named_and_comes_back_as_a_whole() -> None:
    quiet = {A1: Behaviour(silent=True), A2: Behaviour(silent=True)}

    async def meanwhile() -> None:
        await asyncio.sleep(100)
        quiet[A1].silent = quiet[A2].silent = False

    async def scene() -> list[Observation]:
        meters = {A1: Steady(), A2: Steady()}
        driver = Dlt698Driver(settings([A1, A2], read=["voltage"]))
        return await talk_for(250, driver, lambda port: serve(port, meters, quiet), meanwhile=meanwhile)

    told = conditions(run(scene()))
    assert told.count(("line_silent", "", True)) == told.count(("line_silent", "", False)) == 1
    assert told.count(("meter_silent", "", False)) == 2


def test_a_late_reply_is_not_taken_for_the_next_answer() -> None:
    late = Behaviour(reply_delay_s=1.5)  # beyond the deadline of this question, within that of the next
    heard = listen(300, settings([A1, A2], read=["energy_export"]), {A1: late}, addresses=[A1, A2])
    totals = [
        r.value for o in heard if isinstance(o, Readings) and o.source == "m1" for r in o.readings if not r.tariff
    ]
    assert set(totals) == {D(260)}
    assert {o.reason for o in heard if isinstance(o, Rejected)} & {"late", "foreign_address", "foreign_number"}


def mangler(seed: int) -> object:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        dice = rng.random()
        at = rng.randrange(len(data))
        if dice < 0.05:
            return []
        if dice < 0.10:
            return [data[:at]]
        if dice < 0.15:
            return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
        if dice < 0.20:
            return [rng.randbytes(9), data]
        return [data[:at], data[at:]]

    return mangle


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(fragment_bytes=40), Behaviour(block_bytes=60)])
def test_on_a_bad_line_no_wrong_value_is_reported(seed: int, behaviour: Behaviour) -> None:
    right = set(by_name(listen(14, settings(read=MOST))).items())
    heard = listen(1800, settings(read=MOST), {A1: behaviour}, mangle=mangler(seed))  # type: ignore[arg-type]  # a function
    found = {((r.quantity, r.phase, r.tariff), r.value) for r in readings(heard)}
    assert found == right
    assert len(readings(heard)) > 20 * len(right)


def test_a_line_that_is_cut_is_a_link_error_and_the_next_one_goes_on() -> None:
    async def scene() -> None:
        driver = Dlt698Driver(settings(read=["voltage"]))
        heard: list[Observation] = []
        for _ in range(2):
            ours, device = linked()
            served = asyncio.create_task(serve(device, {A1: Steady()}))
            running = asyncio.create_task(driver.run(ours, heard.append))
            await ours.pause(20)
            await device.close()
            with pytest.raises(LinkError):
                await running
            served.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkError):
                await served
        assert len([o for o in heard if isinstance(o, Watching) and o.active]) == 2

    run(scene())


def test_it_is_known_by_its_name() -> None:
    assert (DRIVER.name, DRIVER.line) is not None
    assert DRIVER.line is not None
    assert (DRIVER.line.baud, DRIVER.line.parity) == (9600, "even")
