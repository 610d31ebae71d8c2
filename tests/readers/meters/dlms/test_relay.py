from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from readers.control import Action, Attempt, Controllable, Fate, Order, Shown
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.meters.dlms.driver import DlmsDriver
from readers.meters.dlms.settings import DlmsSettings
from readers.observations import Observation
from readers.ports.memory import START_US, run
from simulator.meters.dlms import Behaviour, Framing, Meter, serve
from simulator.meters.dlms_meter import RELAY
from tests.readers.meters.dlms.scenes import (
    AARE,
    GMAC,
    HDLC,
    LOW,
    D,
    Scripted,
    credentials,
    listen,
    meter,
    settings,
    signals,
)
from tests.support.talk import linked

FAR_US = START_US + 600_000_000
MODE, STATE, OUTPUT = (f"C001004600006003 0AFF{n:02X}".replace(" ", "") for n in (4, 3, 2))
CALL = "C301" + "0046" + "000060030AFF"
Scene = Callable[[DlmsDriver], Coroutine[Any, Any, Any]]


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)


def order(action: Action, *, expires_at_us: int = FAR_US, source: str | None = "m0", point: str = "relay") -> Order:
    return Order(point, source, action, expires_at_us)


def during(
    scene: Scene, device: Meter | Scripted, given: DlmsSettings | None = None, heard: list[Observation] | None = None
) -> Any:
    """What the scene returns while the driver talks to the meter."""
    chosen = given or settings(LOW, relay_orders=True, read=["1-0:1.8.0"], answer_within_s=1)
    driver = DlmsDriver(chosen)
    told: list[Observation] = [] if heard is None else heard

    async def main() -> Any:
        ours, theirs = linked()
        framing = Framing(chosen.framing)
        serving = device.serve(theirs) if isinstance(device, Scripted) else serve(theirs, [device], framing)
        tasks = [asyncio.create_task(serving), asyncio.create_task(driver.run(ours, told.append))]
        try:
            await asyncio.sleep(5)
            return await scene(driver)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return run(main())


def attempt(given: Order, device: Meter | Scripted, chosen: DlmsSettings | None = None) -> Attempt:
    async def scene(driver: DlmsDriver) -> Attempt:
        return await driver.attempt(given)

    found = during(scene, device, chosen)
    assert isinstance(found, Attempt)
    return found


def test_the_driver_is_controllable() -> None:
    driver = DlmsDriver(settings(LOW, relay_orders=True))
    assert isinstance(driver, Controllable)
    assert [point.source for point in driver.control_points()] == ["m0"]


@pytest.mark.parametrize(
    ("mode", "action", "started", "state", "method"),
    [
        (4, Action.TRIP, 1, 0, 1),
        (4, Action.CLOSE, 0, 1, 2),
        (2, Action.CLOSE, 0, 1, 2),
        (1, Action.PERMIT_CLOSE, 0, 2, 2),
        (6, Action.TRIP, 1, 0, 1),
    ],
)
@pytest.mark.parametrize("client", [LOW, GMAC], ids=["password", "keys"])
def test_an_order_is_carried_out_once_and_read_back(
    client: dict[str, Any], mode: int, action: Action, started: int, state: int, method: int
) -> None:
    device = meter(behaviour=Behaviour(control_mode=mode), relay=started)

    async def scene(driver: DlmsDriver) -> tuple[Shown, Attempt, Shown]:
        before = await driver.observe("m0", "relay")
        done = await driver.attempt(order(action))
        return before, done, await driver.observe("m0", "relay")

    before, done, after = during(scene, device, settings(client, relay_orders=True))
    assert done.fate is Fate.ACCEPTED
    assert device.orders == [method]
    assert device.relay == state
    driver = DlmsDriver(settings(LOW))
    assert driver.is_done(order(action), before, after) is True
    assert driver.is_done(order(action), before, before) is False


def test_what_a_relay_shows() -> None:
    async def scene(driver: DlmsDriver) -> Shown:
        return await driver.observe("m0", "relay")

    assert during(scene, meter()).values == {
        "is_closed": True,
        "is_closing_permitted": False,
        "control_mode": D(4),
        "current_a": D("12.345"),
        "power_w": D("2155.3"),
    }
    opened = during(scene, meter(relay=0)).values
    assert (opened["is_closed"], opened["current_a"], opened["power_w"]) == (False, D(0), D(0))


def test_after_an_order_the_relay_is_read_soon() -> None:
    async def scene(driver: DlmsDriver) -> None:
        await driver.attempt(order(Action.TRIP))
        await asyncio.sleep(5)

    heard: list[Observation] = []
    during(scene, meter(), heard=heard)
    assert signals(heard) == [
        ("relay_closed", True),
        ("relay_state", "connected"),
        ("relay_closed", False),
        ("relay_state", "disconnected"),
    ]


@pytest.mark.parametrize(
    ("given", "mode", "match"),
    [
        (order(Action.CLOSE), 1, "order permit_close"),
        (order(Action.PERMIT_CLOSE), 4, "order close"),
        (order(Action.TRIP), 0, "takes no orders"),
        (order(Action.TRIP), 9, "control mode is unknown"),
        (order(Action.ALARM_ON), 4, "has no alarm_on"),
        (order(Action.TRIP, expires_at_us=START_US), 4, "expired before its turn"),
        (order(Action.TRIP, source="other"), 4, "there is no relay of other"),
        (order(Action.TRIP, source=None), 4, "there is no relay of None"),
        (order(Action.TRIP, point="barrier"), 4, "there is no barrier"),
    ],
)
def test_what_must_not_be_sent_is_not(given: Order, mode: int, match: str) -> None:
    device = meter(behaviour=Behaviour(control_mode=mode), relay=0)
    found = attempt(given, device)
    assert found.fate is Fate.NOT_SENT
    assert match in found.detail
    assert device.orders == []


def test_without_leave_nothing_is_ordered() -> None:
    device = meter()
    found = attempt(order(Action.TRIP), device, settings(LOW))
    assert (found.fate, device.orders) == (Fate.NOT_SENT, [])
    assert "relay_orders" in found.detail


def test_a_relay_that_sticks_is_not_done() -> None:
    device = meter(behaviour=Behaviour(sticks=True))

    async def scene(driver: DlmsDriver) -> bool | None:
        before = await driver.observe("m0", "relay")
        assert (await driver.attempt(order(Action.TRIP))).fate is Fate.ACCEPTED
        return driver.is_done(order(Action.TRIP), before, await driver.observe("m0", "relay"))

    assert during(scene, device) is False


@pytest.mark.parametrize("framing", [{}, HDLC], ids=["wrapper", "line"])
def test_an_order_whose_answer_is_lost_is_unknown_and_not_repeated(framing: dict[str, Any]) -> None:
    device = meter()
    losing = False

    def loses(number: int) -> bool:
        del number
        return losing and bool(device.orders)

    device.behaviour.loses_reply = loses

    async def scene(driver: DlmsDriver) -> Attempt:
        nonlocal losing
        losing = True
        return await driver.attempt(order(Action.TRIP))

    found = during(scene, device, settings(LOW, relay_orders=True, answer_within_s=1, **framing))
    assert found.fate is Fate.UNKNOWN
    assert "read its state" in found.detail
    assert device.orders == [1]


def test_a_meter_that_has_fallen_silent_is_sent_nothing() -> None:
    device = meter()

    async def scene(driver: DlmsDriver) -> Attempt:
        device.behaviour.silent = True
        return await driver.attempt(order(Action.TRIP))

    found = during(scene, device, settings(LOW, relay_orders=True, **HDLC))
    assert found.fate is Fate.NOT_SENT
    assert device.orders == []


def scripted(**answers: str | list[str]) -> Scripted:
    return Scripted({"60": AARE, MODE: "C401C1001604", **answers})


@pytest.mark.parametrize(
    ("answer", "fate", "match"),
    [
        ("C701C10000", Fate.ACCEPTED, "says not yet that it is done"),
        ("C701C10300", Fate.REFUSED, "read or write denied (3)"),
        ("C701C1FA00", Fate.REFUSED, "other reason (250)"),
        ("D80202", Fate.REFUSED, "exception 02 02"),
        ("C701C14400", Fate.UNKNOWN, "read its state"),
        ("0E010601", Fate.UNKNOWN, "read its state"),
    ],
)
def test_what_a_meter_answers_to_an_order(answer: str, fate: Fate, match: str) -> None:
    device = scripted(**{CALL: answer})
    found = attempt(order(Action.TRIP), device)
    assert found.fate is fate
    assert match in found.detail
    assert device.count(CALL) == 1


def test_a_link_that_ends_meanwhile_leaves_an_order_unknown() -> None:
    device = scripted(**{CALL: "C701C10000"})

    async def scene(driver: DlmsDriver) -> Attempt:
        session = driver._session
        assert session is not None
        sending = asyncio.create_task(driver.attempt(order(Action.TRIP)))
        while not device.count(CALL):
            await asyncio.sleep(0.001)
        await session._port.close()
        return await sending

    found = during(scene, device)
    assert found.fate is Fate.UNKNOWN


def test_nothing_is_controlled_while_nothing_runs() -> None:
    driver = DlmsDriver(settings(LOW, relay_orders=True))
    for call in (driver.observe("m0", "relay"), driver.attempt(order(Action.TRIP))):
        with pytest.raises(LinkError, match="not open"):
            run(call)


def test_a_relay_that_is_not_there_is_told() -> None:
    async def scene(driver: DlmsDriver) -> None:
        with pytest.raises(ConfigError, match="there is no relay of m7"):
            await driver.observe("m7", "relay")
        with pytest.raises(DeviceRefusedError, match=r"object unavailable \(11\)"):
            await driver.observe("m0", "relay")

    during(scene, Scripted({}))


def test_a_silent_meter_shows_nothing() -> None:
    device = meter()

    async def scene(driver: DlmsDriver) -> None:
        device.behaviour.silent = True
        with pytest.raises(LinkError, match="does not answer"):
            await driver.observe("m0", "relay")

    during(scene, device, settings(LOW, **HDLC))


def test_a_meter_that_refuses_now_shows_nothing() -> None:
    device = meter()

    async def scene(driver: DlmsDriver) -> None:
        await driver.attempt(order(Action.TRIP, point="x"))
        device.clients.clear()
        device.behaviour.forgets_after_s = 0.5
        await asyncio.sleep(1)
        with pytest.raises(DeviceRefusedError, match="calling ap title"):
            await driver.observe("m0", "relay")

    during(scene, device, settings(LOW, **HDLC))


def test_what_a_relay_tells_in_part_is_shown_in_part() -> None:
    nonsense = {OUTPUT: "C401C1001105", STATE: "C401C1001609", MODE: "C401C1010B"}
    partly = {
        "C00100030100010700FF02": "C401C1000901FF",
        "C00100030100010700FF03": "C401C10002020F00161B",
    }

    async def scene(driver: DlmsDriver) -> Shown:
        return await driver.observe("m0", "relay")

    found = during(scene, scripted(**nonsense, **partly))
    assert found.values == {}
    given = order(Action.TRIP)
    assert DlmsDriver(settings(LOW)).is_done(given, found, found) is None


def test_what_shows_an_effect() -> None:
    driver = DlmsDriver(settings(LOW))
    closed, opened = Shown(0, {"is_closed": True}), Shown(0, {"is_closed": False})
    assert driver.is_done(order(Action.TRIP), closed, opened) is None
    flowing = Shown(0, {"is_closed": False, "current_a": D("3")})
    assert driver.is_done(order(Action.TRIP), closed, flowing) is False
    assert driver.is_done(order(Action.PERMIT_CLOSE), opened, opened) is None
    assert driver.is_done(order(Action.PERMIT_CLOSE), opened, closed) is True
    assert driver.is_done(order(Action.ALARM_ON), closed, closed) is None


def test_a_meter_without_a_relay_is_not_asked_again() -> None:
    behaviour = Behaviour(denies=frozenset({(RELAY, 2), (RELAY, 3)}))
    heard = listen(300, settings(status_s=10), [meter(behaviour=behaviour)])
    assert signals(heard) == []
    half = Behaviour(denies=frozenset({(RELAY, 2)}))
    assert signals(listen(30, settings(), [meter(behaviour=half)])) == [("relay_state", "connected")]
