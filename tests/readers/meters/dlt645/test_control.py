from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.dlt645 import Decoder
from readers.codecs.dlt645_orders import Key
from readers.control import Action, Attempt, Controllable, Fate, Order, Shown, Value
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.meters.dlt645.control import is_done, key_of
from readers.meters.dlt645.driver import Dlt645Driver
from readers.observations import Condition, Observation, Signals
from readers.ports.memory import START_US, pair, run
from simulator.meters.dlt645 import Behaviour, Meter, serve
from tests.readers.meters.dlt645.scenes import A1, A2, Steady, driven, settings, spoilt

US = 1_000_000
CREDENTIAL = "meters"


@pytest.fixture(autouse=True)
def _credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / CREDENTIAL).write_text("741852 00000042\n")


def driver(*addresses: str | None, **more: Any) -> Dlt645Driver:
    given = {"read": ["status"], "status_s": 5, "control_credential": CREDENTIAL, **more}
    return Dlt645Driver(settings(addresses or (A1,), **given))


def order(action: Action, at_s: float, *, source: str = "m0", expires_s: float = 60, **more: Any) -> Order:
    return Order("relay", source, action, START_US + round((at_s + expires_s) * US), **more)


def played(
    scene: Callable[[Dlt645Driver], Awaitable[Any]],
    behaviour: Behaviour | None = None,
    given: Dlt645Driver | None = None,
    heard: list[Observation] | None = None,
) -> tuple[Any, Meter]:
    meter = Meter(A1, Steady(), behaviour)
    talking = given or driver()
    found: list[Any] = []

    async def whole() -> None:
        await asyncio.sleep(1)
        found.append(await scene(talking))

    run(driven(talking, {A1: meter, A2: Meter(A2, Steady())}, whole, [] if heard is None else heard))
    return found[0], meter


async def traced(talking: Dlt645Driver, action: Action, **more: Any) -> tuple[Shown, Attempt, Shown]:
    before = await talking.observe("m0", "relay")
    now_s = (before.at_us - START_US) / US
    attempt = await talking.attempt(order(action, now_s, **more))
    await asyncio.sleep(1)
    return before, attempt, await talking.observe("m0", "relay")


def test_the_driver_can_be_controlled_when_a_credential_is_named() -> None:
    given = driver(A1, A2)
    assert isinstance(given, Controllable)
    points = given.control_points()
    assert [(point.name, point.source) for point in points[:2]] == [("relay", "m0"), ("relay", "m1")]
    assert set(points[0].actions) >= {Action.TRIP, Action.PERMIT_CLOSE, Action.CLOSE, Action.PROTECT_ON}
    assert {point.name for point in Dlt645Driver(settings([A1])).control_points()} == {"snapshot"}


def test_what_a_relay_shows_is_what_its_point_says() -> None:
    shown, _ = played(lambda talking: talking.observe("m0", "relay"))
    assert shown.values == {
        "is_closed": True,
        "is_closing_permitted": True,
        "is_protected": False,
        "is_alarm": False,
        "current_a": Decimal("12.345"),
        "power_w": Decimal("2155.3"),
    }
    assert set(shown.values) == set(driver().control_points()[0].shows)


def test_a_trip_is_accepted_done_and_told_as_a_signal() -> None:
    heard: list[Observation] = []

    async def scene(talking: Dlt645Driver) -> tuple[Shown, Attempt, Shown]:
        found = await traced(talking, Action.TRIP)
        await asyncio.sleep(2)  # and not the whole period of the status
        return found

    (before, attempt, after), meter = played(scene, given=driver(status_s=60), heard=heard)
    assert attempt.fate is Fate.ACCEPTED
    assert not meter.relay.is_closed
    assert after.values["current_a"] == 0
    assert is_done(order(Action.TRIP, 0), before, after) is True
    record = meter.history.record_of(next(k for k in _kinds() if k.name == "disconnection"), 1)
    assert record is not None
    assert record.operator == 42
    closed = [s.value for o in heard if isinstance(o, Signals) for s in o.signals if s.name == "relay_closed"]
    assert closed == [True, False]


def _kinds() -> list[Any]:
    from readers.codecs.dlt645_events import KINDS

    return list(KINDS.values())


def test_the_operator_of_an_order_goes_before_that_of_the_credential() -> None:
    _, meter = played(lambda talking: traced(talking, Action.TRIP, operator=77))
    record = meter.history.record_of(next(k for k in _kinds() if k.name == "disconnection"), 1)
    assert record is not None
    assert record.operator == 77


def test_a_permit_lets_a_person_close_it() -> None:
    async def scene(talking: Dlt645Driver) -> tuple[Shown, Shown]:
        await traced(talking, Action.TRIP)
        before, attempt, after = await traced(talking, Action.PERMIT_CLOSE)
        assert attempt.fate is Fate.ACCEPTED
        return before, after

    (before, after), meter = played(scene)
    assert not meter.relay.is_closed
    assert is_done(order(Action.PERMIT_CLOSE, 0), before, before) is False
    assert is_done(order(Action.PERMIT_CLOSE, 0), before, after) is True
    assert is_done(order(Action.CLOSE, 0), before, after) is False


@pytest.mark.parametrize("action", [Action.ALARM_ON, Action.PROTECT_ON, Action.CLOSE])
def test_other_orders_are_carried_out_too(action: Action) -> None:
    (before, attempt, after), _ = played(lambda talking: traced(talking, action))
    assert attempt.fate is Fate.ACCEPTED
    assert is_done(order(action, 0), before, after) is True


def test_a_protected_supply_refuses_to_trip() -> None:
    async def scene(talking: Dlt645Driver) -> Attempt:
        await traced(talking, Action.PROTECT_ON)
        return (await traced(talking, Action.TRIP))[1]

    attempt, meter = played(scene)
    assert attempt.fate is Fate.REFUSED
    assert "error 01 (other)" in attempt.detail
    assert meter.relay.is_closed


def test_a_wrong_password_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_text("741853")
    (_, attempt, _), meter = played(lambda talking: traced(talking, Action.TRIP))
    assert attempt.fate is Fate.REFUSED
    assert "not authorised" in attempt.detail
    assert meter.passwords.wrong == 1


def test_a_meter_with_a_security_module_refuses_and_says_so() -> None:
    (_, attempt, _), meter = played(lambda talking: traced(talking, Action.TRIP), Behaviour(wants_security_module=True))
    assert attempt.fate is Fate.REFUSED
    assert meter.relay.is_closed


def test_a_lost_answer_is_unknown_and_the_order_was_sent_once() -> None:
    sent = 0

    async def scene() -> Attempt:
        nonlocal sent
        ours, theirs = pair("line")
        meter = Meter(A1, Steady(), Behaviour(loses_replies_to=frozenset({0x1C})))
        talking = driver()
        tasks = [
            asyncio.create_task(serve(theirs, {A1: meter})),
            asyncio.create_task(talking.run(ours, lambda _: None)),
        ]
        await asyncio.sleep(1)
        attempt = await talking.attempt(order(Action.TRIP, 1))
        await asyncio.sleep(100)
        sent = sum(frame.control == 0x1C for frame in Decoder().feed(bytes(ours.sent)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not meter.relay.is_closed  # it did it all the same
        return attempt

    attempt = run(scene())
    assert attempt.fate is Fate.UNKNOWN
    assert "may have carried it out" in attempt.detail
    assert sent == 1


@pytest.mark.parametrize(("cut_after_s", "fate"), [(0.001, Fate.UNKNOWN), (None, Fate.NOT_SENT)])
def test_a_line_that_dies_leaves_no_doubt_whether_the_order_was_sent(cut_after_s: float | None, fate: Fate) -> None:
    async def scene() -> Attempt:
        ours, theirs = pair("line")
        talking = driver()
        task = asyncio.create_task(talking.run(ours, lambda _: None))
        await asyncio.sleep(200)  # nobody answers
        if cut_after_s is None:  # the line is in the middle of a question
            while not ours.sent:
                await asyncio.sleep(0.001)
            ours.sent.clear()
            while not ours.sent:
                await asyncio.sleep(0.001)
        attempt = asyncio.create_task(talking.attempt(order(Action.TRIP, ours.monotonic_s())))
        await asyncio.sleep(cut_after_s or 0.01)
        await theirs.close()
        result = await attempt
        with pytest.raises(LinkError):
            await task
        return result

    assert run(scene()).fate is fate


def test_an_order_that_expired_before_its_turn_is_not_sent() -> None:
    attempt, meter = played(lambda talking: talking.attempt(order(Action.TRIP, 0, expires_s=1)))
    assert attempt.fate is Fate.NOT_SENT
    assert "expired" in attempt.detail
    assert meter.relay.is_closed


def test_an_order_that_lives_too_long_is_refused() -> None:
    attempt, meter = played(lambda talking: talking.attempt(order(Action.TRIP, 1, expires_s=700)))
    assert attempt == Attempt(
        Fate.NOT_SENT, "the order would hold for 700 s; must be at most 600 s, or whoever records it can use it again"
    )
    assert meter.relay.is_closed


@pytest.mark.parametrize(("action", "fate"), [(Action.SET, Fate.NOT_SENT), (Action.START, Fate.NOT_SENT)])
def test_an_action_that_no_relay_has_is_not_sent(action: Action, fate: Fate) -> None:
    attempt, _ = played(lambda talking: talking.attempt(order(action, 1)))
    assert attempt.fate is fate


def test_a_meter_that_is_not_there_is_named() -> None:
    attempt, _ = played(lambda talking: talking.attempt(order(Action.TRIP, 1, source="m9")))
    assert attempt == Attempt(Fate.NOT_SENT, "there is no relay of m9; the meters of this line are m0")
    with pytest.raises(ConfigError, match="there is no output of m0"):
        played(lambda talking: talking.observe("m0", "output"))


def test_without_a_credential_nothing_can_be_ordered() -> None:
    given = Dlt645Driver(settings([A1]))
    attempt, _ = played(lambda talking: talking.attempt(order(Action.TRIP, 1)), given=given)
    assert attempt.fate is Fate.NOT_SENT
    assert "without control_credential" in attempt.detail


def test_a_driver_that_does_not_run_cannot_be_asked() -> None:
    async def scene() -> None:
        with pytest.raises(LinkError, match="not open"):
            await driver().observe("m0", "relay")
        with pytest.raises(LinkError, match="not open"):
            await driver().attempt(order(Action.TRIP, 1))

    run(scene())


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (Behaviour(lacks=frozenset({0x04000503})), DeviceRefusedError, "does not tell the state of its relay"),
        (Behaviour(ignores=frozenset({0x04000503})), LinkError, "answers, but not when asked for its relay"),
        (Behaviour(silent=True), LinkError, "did not answer"),
    ],
)
def test_a_relay_that_cannot_be_read_says_why(behaviour: Behaviour, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        played(lambda talking: talking.observe("m0", "relay"), behaviour)


def test_a_meter_that_answers_an_order_only_is_not_taken_for_watched() -> None:
    """It was left alone as silent, answers an order, and is silent again: the condition must not be lost."""
    behaviour = Behaviour(silent=True)
    heard: list[Observation] = []

    async def scene(talking: Dlt645Driver) -> None:
        await asyncio.sleep(100)
        behaviour.silent = False
        await talking.observe("m0", "relay")
        behaviour.silent = True
        await asyncio.sleep(100)

    played(scene, behaviour, heard=heard)
    told = [o.active for o in heard if isinstance(o, Condition) and o.name == "meter_silent"]
    assert told == [True, False, True]


def test_currents_are_read_one_by_one_from_a_meter_without_blocks() -> None:
    shown, _ = played(lambda talking: talking.observe("m0", "relay"), Behaviour(refuses_blocks=True))
    assert shown.values["current_a"] == Decimal("12.345")


def test_an_order_to_a_meter_whose_address_nobody_knows_is_not_sent() -> None:
    async def scene() -> Attempt:
        ours, theirs = pair("line")
        talking = driver(None)
        tasks = [
            asyncio.create_task(serve(theirs, {A1: Meter(A1, Steady(), Behaviour(silent=True))})),
            asyncio.create_task(talking.run(ours, lambda _: None)),
        ]
        await asyncio.sleep(5)
        attempt = await talking.attempt(order(Action.TRIP, 5))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not [frame for frame in Decoder().feed(bytes(ours.sent)) if frame.control == 0x1C]
        return attempt

    attempt = run(scene())
    assert attempt.fate is Fate.NOT_SENT
    assert "did not answer" in attempt.detail


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000000", "everybody knows"),
        ("111111", "everybody knows"),
        ("123456", "everybody knows"),
        ("000002 42", "everybody knows"),
        ("74185", "must be the meters' password of 6 digits"),
        ("hunter2", "must be the meters' password of 6 digits"),
        ("741852 123456789", "must be the meters' password of 6 digits"),
        ("741852 me", "must be the meters' password of 6 digits"),
    ],
)
def test_a_password_that_everybody_knows_or_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / CREDENTIAL).write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        key_of(CREDENTIAL, 2)
    assert text.split(maxsplit=1)[0] not in str(raised.value)

    async def scene() -> None:
        await driver().run(pair()[0], lambda _: None)

    with pytest.raises(ConfigError, match=message):
        run(scene())


def test_a_credential_may_do_without_an_operator(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_text("741852")
    assert key_of(CREDENTIAL, 4) == Key("741852", 4, 0)
    with pytest.raises(ConfigError, match="LoadCredential"):
        key_of("other", 2)


OPEN: dict[str, Value] = {"is_closed": False, "current_a": Decimal("0.01")}


@pytest.mark.parametrize(
    ("action", "before", "after", "done"),
    [
        (Action.TRIP, {}, OPEN, True),
        (Action.TRIP, {}, {"is_closed": True, "current_a": Decimal(0)}, False),
        (Action.TRIP, {}, {"is_closed": False, "current_a": Decimal(-5)}, False),
        (Action.TRIP, {}, {"is_closed": False}, None),
        (Action.TRIP, {}, {"current_a": Decimal(0)}, None),
        (Action.CLOSE, {}, {"is_closed": True}, True),
        (Action.CLOSE, {}, OPEN, False),
        (Action.CLOSE, {}, {}, None),
        (Action.PERMIT_CLOSE, {}, {**OPEN, "is_closing_permitted": True}, True),
        (Action.PERMIT_CLOSE, {}, {**OPEN, "is_closing_permitted": False}, False),
        (Action.PERMIT_CLOSE, {}, {"is_closed": True}, True),
        (Action.PERMIT_CLOSE, {}, {}, None),
        (Action.ALARM_ON, {}, {"is_alarm": True}, True),
        (Action.ALARM_OFF, {}, {"is_alarm": True}, False),
        (Action.ALARM_OFF, {}, {}, None),
        (Action.PROTECT_ON, {}, {"is_protected": True}, True),
        (Action.PROTECT_ON, {}, {"is_protected": False}, None),
        (Action.PROTECT_OFF, {"is_protected": True}, {"is_protected": False}, True),
        (Action.PROTECT_OFF, {"is_protected": True}, {"is_protected": True}, False),
        (Action.PROTECT_OFF, {}, {"is_protected": False}, None),
        (Action.SET, {}, {}, None),
    ],
)
def test_whether_it_is_done_is_read_from_relay_and_current(
    action: Action, before: dict[str, Value], after: dict[str, Value], *, done: bool | None
) -> None:
    given = driver()
    assert given.is_done(order(action, 0), Shown(0, before), Shown(1, after)) is done


def test_a_relay_that_answers_nonsense_cannot_be_read() -> None:
    behaviour = Behaviour(garbles=lambda raw: spoilt(raw, 0x04000503, lambda data: data + b"\x00"))
    with pytest.raises(LinkError, match="answered nonsense for its relay"):
        played(lambda talking: talking.observe("m0", "relay"), behaviour)


def test_an_order_needs_no_status_among_what_is_read() -> None:
    (_, attempt, after), _ = played(
        lambda talking: traced(talking, Action.TRIP), given=driver(read=["energy"], status_s=60)
    )
    assert attempt.fate is Fate.ACCEPTED
    assert after.values["is_closed"] is False
