from __future__ import annotations

import pytest

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_orders import Command, ControlOrder, Key
from simulator.meters.dlt645_behaviour import Behaviour
from simulator.meters.dlt645_relay import Movement, Passwords, Relay

GOOD = Key("741852", operator=7)
BEHAVIOUR = Behaviour()


def order(relay: Relay, command: Command, behaviour: Behaviour = BEHAVIOUR, key: Key = GOOD) -> ErrorBit | None:
    return relay.order(ControlOrder(command, key, 1), behaviour, 1_000_000)


def test_a_trip_takes_its_time() -> None:
    relay = Relay()
    assert order(relay, Command.TRIP) is None
    assert (relay.is_closed, relay.is_ordered_closed) == (True, False)
    assert relay.finish() == Movement(1_200_000, closes=False, operator=7)
    assert not relay.is_closed
    assert relay.finish() is None


def test_a_permit_waits_for_the_key() -> None:
    relay = Relay(is_closed=False, is_ordered_closed=False)
    assert not relay.press_key(BEHAVIOUR, 0)
    assert order(relay, Command.PERMIT_CLOSE) is None
    assert (relay.is_closed, relay.is_ordered_closed, relay.movement) == (False, True, None)
    assert relay.press_key(BEHAVIOUR, 5_000_000)
    assert relay.finish() == Movement(5_200_000, closes=True, operator=7)
    assert not relay.press_key(BEHAVIOUR, 6_000_000)


def test_a_trip_takes_a_permit_away() -> None:
    relay = Relay(is_closed=False, is_ordered_closed=False)
    order(relay, Command.PERMIT_CLOSE)
    order(relay, Command.TRIP)
    assert not relay.press_key(BEHAVIOUR, 0)
    assert relay.finish() is None  # it was open
    assert not relay.is_closed


def test_some_close_at_once() -> None:
    for command, behaviour in ((Command.CLOSE, BEHAVIOUR), (Command.PERMIT_CLOSE, Behaviour(closes_on_permit=True))):
        relay = Relay(is_closed=False, is_ordered_closed=False)
        assert order(relay, command, behaviour) is None
        relay.finish()
        assert relay.is_closed


def test_a_relay_that_sticks_says_yes_and_stays() -> None:
    relay = Relay()
    assert order(relay, Command.TRIP, Behaviour(relay_stuck=True)) is None
    assert relay.finish() is None
    assert (relay.is_closed, relay.is_ordered_closed) == (True, False)


def test_a_protected_supply_is_not_tripped() -> None:
    relay = Relay()
    assert order(relay, Command.PROTECT_ON) is None
    assert order(relay, Command.TRIP) is ErrorBit.OTHER
    assert order(relay, Command.PROTECT_OFF) is None
    assert order(relay, Command.TRIP) is None


def test_an_alarm_goes_on_and_off() -> None:
    relay = Relay()
    order(relay, Command.ALARM_ON)
    assert relay.is_alarmed
    order(relay, Command.ALARM_OFF)
    assert not relay.is_alarmed


@pytest.mark.parametrize(
    ("key", "behaviour"), [(Key("963147", level=4), BEHAVIOUR), (GOOD, Behaviour(wants_security_module=True))]
)
def test_only_plain_orders_of_one_level_are_obeyed(key: Key, behaviour: Behaviour) -> None:
    assert order(Relay(), Command.TRIP, behaviour, key) is ErrorBit.NOT_AUTHORISED


def test_three_wrong_passwords_lock_the_meter_for_the_day() -> None:
    passwords, wrong = Passwords(), Key("000000")
    assert not passwords.accepts(wrong, BEHAVIOUR, 1)
    assert not passwords.accepts(wrong, BEHAVIOUR, 1)
    assert passwords.accepts(GOOD, BEHAVIOUR, 1)
    for _ in range(3):
        assert not passwords.accepts(wrong, BEHAVIOUR, 1)
    assert not passwords.accepts(GOOD, BEHAVIOUR, 1)
    assert passwords.accepts(GOOD, BEHAVIOUR, 2)
    assert not passwords.accepts(Key("741852", level=3), BEHAVIOUR, 2)
