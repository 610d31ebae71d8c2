from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.config.rules import Order
from gateway.contract.commands import Command, Outcome, as_command, fields_of, is_signed, signed
from gateway.contract.events import Event, Evidence, event_id
from gateway.contract.topics import Topics
from readers.control import Action
from rules.orders import ANSWER_WITHIN_US, MOST_WAITING, ORDER_FAILED, Orders
from rules.outputs import Outputs
from rules.own_events import OwnAlarms

KEY = b"0123456789abcdef0123456789abcdef"
TOPICS = Topics("harbour")
NOW_US = 1_790_000_000_000_000
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2)


class Desk:
    """Orders with a clock that is set by hand, and the alarms that they lead to."""

    def __init__(self, when: str = "e.verdict == 'open'") -> None:
        order = Order(
            name="open-lane-1", on="gate-decision", when=when, device="barriers", point="lane-1",
            action=Action.PULSE, person="gate-rules",
        )  # fmt: skip
        self.now_us = NOW_US
        self.orders = Orders([order], {"gate-rules": KEY}, TOPICS, lambda: self.now_us)
        self.told: list[Outputs] = []
        self.alarms = OwnAlarms({}, self.told.append, lambda: self.now_us)

    def give(self, event: Event, caused_at_us: int = NOW_US) -> list[tuple[str, bytes]]:
        return self.orders.messages([Outputs(caused_at_us, events=[event])])

    def answer(self, command: Command, state: Any, key: bytes = KEY, topic: str = "") -> None:
        topic = topic or TOPICS.device("barriers", "outcome")
        outcome = Outcome(
            gateway="edge-1", id=command.id, state=state, at_us=self.now_us, device="barriers", point="lane-1",
            by="gate-rules", code="interlock", detail="the loop is occupied",
        )  # fmt: skip
        self.orders.heard(topic, signed(outcome, key, topic), self.alarms)

    def states(self) -> list[tuple[str, str, str]]:
        return [(alarm.rule, alarm.state, alarm.message) for output in self.told for alarm in output.alarms]


def decision(verdict: str = "open", *, historical: bool = False, number: int = 1) -> Event:
    return Event(
        id=event_id("gate-decision", number), type="gate-decision", at_us=NOW_US, subject="lane-1", evidence=EVIDENCE,
        rule="gate", historical=historical, fields={"verdict": verdict},
    )  # fmt: skip


def command_in(payload: bytes) -> Command:
    return as_command(fields_of(payload))


def test_an_event_leads_to_a_signed_command_that_expires() -> None:
    desk = Desk()
    [(topic, payload)] = desk.give(decision())
    command = command_in(payload)
    assert topic == "tagwharf/1/harbour/barriers/command"
    assert is_signed(fields_of(payload), KEY, topic)
    assert (command.kind, command.device, command.point, command.action) == ("direct", "barriers", "lane-1", "pulse")
    assert (command.by, command.issued_at_us, command.expires_at_us) == ("gate-rules", NOW_US, NOW_US + 5_000_000)
    assert command.reason == f"rule gate: event {decision().id}"
    assert desk.orders.given == 1


def test_the_same_event_is_the_same_command_so_that_it_is_carried_out_once() -> None:
    one, other = Desk(), Desk()
    other.now_us += 1_000_000
    first, second = one.give(decision()), other.give(decision())
    assert command_in(first[0][1]).id == command_in(second[0][1]).id
    assert command_in(one.give(decision(number=2))[0][1]).id != command_in(first[0][1]).id


def test_what_is_not_asked_for_orders_nothing() -> None:
    desk = Desk()
    assert desk.give(decision("hold")) == []
    assert desk.give(msgspec.structs.replace(decision(), type="gate-transaction")) == []
    assert desk.orders.late == 0


def test_what_is_old_orders_nothing_and_is_counted() -> None:
    desk = Desk()
    assert desk.give(decision(historical=True)) == []
    assert desk.give(decision(), caused_at_us=NOW_US - 5_000_001) == []
    assert desk.orders.late == 2
    assert len(desk.give(decision(), caused_at_us=NOW_US - 5_000_000)) == 1


@pytest.mark.parametrize("state", ["refused", "failed", "unknown", "expired"])
def test_an_order_that_is_not_carried_out_is_an_alarm_until_one_is(state: str) -> None:
    desk = Desk()
    desk.answer(command_in(desk.give(decision())[0][1]), state)
    message = f"order 'open-lane-1': pulse of barriers/lane-1 is {state} (interlock): the loop is occupied"
    assert desk.states() == [(ORDER_FAILED, "raised", message)]
    desk.answer(command_in(desk.give(decision(number=2))[0][1]), "verified")
    assert desk.states()[1:] == [(ORDER_FAILED, "cleared", "order 'open-lane-1' was carried out")]


def test_only_the_gateway_can_answer_and_only_its_last_word_counts() -> None:
    desk = Desk()
    command = command_in(desk.give(decision())[0][1])
    desk.answer(command, "refused", key=b"another key of another person 123")
    desk.answer(command, "sending")
    desk.answer(msgspec.structs.replace(command, id="0" * 20), "refused")
    desk.orders.heard(TOPICS.device("barriers", "outcome"), b"{", desk.alarms)
    assert desk.states() == []
    desk.answer(command, "failed")
    desk.answer(command, "failed")
    assert len(desk.states()) == 1


def test_no_answer_is_an_alarm() -> None:
    desk = Desk()
    desk.give(decision())
    desk.now_us += 5_000_000 + ANSWER_WITHIN_US - 1
    desk.orders.check(desk.alarms)
    assert desk.states() == []
    desk.now_us += 1
    desk.orders.check(desk.alarms)
    desk.orders.check(desk.alarms)
    [(rule, state, message)] = desk.states()
    assert (rule, state) == (ORDER_FAILED, "raised")
    assert "gateway 'edge-1' did not answer" in message


def test_what_waits_for_answers_is_bounded() -> None:
    desk = Desk()
    for number in range(MOST_WAITING + 5):
        desk.give(decision(number=number))
    assert desk.orders.given == MOST_WAITING + 5
    assert len(desk.orders._waiting) == MOST_WAITING


def test_a_site_without_orders_looks_at_nothing() -> None:
    assert Orders([], {}, TOPICS, lambda: 0).messages([Outputs(0, events=[decision()])]) == []
