from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from gateway.contract.commands import Command
from gateway.control.desk import Act, Answer, Desk, Look, Stage, Ticket
from readers.control import Action, Value
from tests.gateway.control.scenes import CLOSED, NOW_US, Office, S, order, shown


def looked(desk: Desk, sent: Command, values: Mapping[str, Value] = CLOSED, at_us: int = NOW_US) -> Answer | Act:
    """What becomes of a command when the device shows this."""
    decision = desk.take(sent, at_us)
    if isinstance(decision, Look):
        decision = desk.looked(decision.ticket, shown(values, at_us), at_us)
    assert isinstance(decision, Answer | Act)
    return decision


def armed(desk: Desk, sent: Command, values: Mapping[str, Value] = CLOSED, at_us: int = NOW_US) -> str:
    answer = looked(desk, sent, values, at_us)
    assert isinstance(answer, Answer)
    assert answer.state == "armed", answer
    assert answer.nonce is not None
    return answer.nonce


def is_busy(desk: Desk) -> bool:
    return desk.is_busy


def refusal(decision: object) -> str:
    assert isinstance(decision, Answer)
    assert decision.state == "refused"
    assert decision.detail
    return decision.code


def test_arm_shows_the_state_and_confirm_lets_one_order_go() -> None:
    desk = Office().desk
    answer = looked(desk, order("arm", reason="unpaid"))
    assert isinstance(answer, Answer)
    assert (answer.state, dict(answer.shows), answer.expires_at_us) == ("armed", dict(CLOSED), NOW_US + 45 * S)
    confirm = order("confirm", by="ben", nonce=answer.nonce)
    act = looked(desk, confirm)
    assert isinstance(act, Act)
    assert (act.order.action, act.order.source, act.order.operator) == (Action.TRIP, "m-1", 0)
    assert act.order.expires_at_us == confirm.expires_at_us
    assert act.before.values == CLOSED
    assert is_busy(desk)
    assert refusal(desk.take(order("confirm", nonce=answer.nonce), NOW_US)) == "confirmed"
    assert refusal(desk.take(order("cancel", action=None, nonce=answer.nonce), NOW_US)) == "confirmed"
    assert refusal(desk.take(order("arm"), NOW_US)) == "rate"
    desk.close(act.ticket)
    assert not is_busy(desk)
    assert refusal(desk.take(order("confirm", nonce=answer.nonce, at_us=NOW_US + 20 * S), NOW_US + 20 * S)) == "nonce"


def test_the_operator_code_is_that_of_who_confirms() -> None:
    desk = Office().desk
    act = looked(desk, order("confirm", nonce=armed(desk, order("arm", by="ben"))))
    assert isinstance(act, Act)
    assert act.order.operator == 17


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"device": "m-9"}, "not_allowed"),
        ({"point": "lamp"}, "not_allowed"),
        ({"action": "on"}, "not_allowed"),
        ({"action": "explode"}, "not_allowed"),
        ({"action": None}, "not_allowed"),
        ({"by": "carl"}, "not_permitted"),
        ({"by": "dora"}, "not_permitted"),
        ({"action": "close"}, "not_permitted"),  # Anna has not the role for that
        ({"value": "1"}, "value"),
        ({"kind": "direct"}, "two_steps"),
        ({"nonce": "0" * 16}, "nonce"),
        ({"kind": "confirm"}, "nonce"),
        ({"kind": "confirm", "nonce": "0" * 16}, "nonce"),
        ({"kind": "cancel", "nonce": "0" * 16}, "nonce"),
        ({"kind": "cancel", "by": "carl", "nonce": "0" * 16}, "not_permitted"),
        ({"kind": "cancel", "device": "m-9"}, "not_permitted"),
        ({"expires_at_us": NOW_US + 61 * S}, "life"),
        ({"at_us": NOW_US - 30 * S}, "expired"),
        ({"at_us": NOW_US + 6 * S}, "sender_clock"),
        ({"device": "io", "point": "pump", "action": "on"}, "locked"),
        ({"device": "io", "point": "speed", "action": "set"}, "value"),
        ({"device": "io", "point": "speed", "action": "set", "value": "60.1"}, "value"),
    ],
)
def test_what_is_refused_before_the_device_is_asked(more: dict[str, Any], code: str) -> None:
    assert refusal(Office().desk.take(order(**{"kind": "arm", **more}), NOW_US)) == code


@pytest.mark.parametrize(
    ("sent", "values", "code"),
    [
        (order("arm"), {**CLOSED, "current_a": Decimal(5)}, "interlock"),
        (order("arm"), {"is_closed": True, "is_protected": False}, "interlock"),
        (order("arm"), {**CLOSED, "is_protected": True}, "protected"),
        (order("arm"), {"current_a": Decimal(1)}, "protected"),
        (order("arm", "loom", "run", "start"), {"is_remote_enabled": False}, "remote_disabled"),
        (order("arm", "loom", "run", "start"), {}, "remote_disabled"),
        (order("arm", "io", "speed", "set", value="50"), {"value": Decimal(29)}, "value"),
        (order("arm", "io", "speed", "set", value="50"), {}, "value"),
    ],
)
def test_what_the_state_of_the_device_refuses(sent: Command, values: dict[str, Value], code: str) -> None:
    desk = Office().desk
    assert refusal(looked(desk, sent, values)) == code
    assert isinstance(desk.take(order("arm", sent.device, sent.point, sent.action, value=sent.value), NOW_US), Look)


def test_interlocks_are_judged_again_when_it_is_confirmed() -> None:
    office = Office()
    nonce = armed(office.desk, order("arm"))
    office.loop = None
    assert refusal(looked(office.desk, order("confirm", nonce=nonce))) == "interlock"
    office.loop = False
    assert refusal(looked(office.desk, order("confirm", nonce=nonce))) == "nonce"


def test_a_stop_needs_no_remote_bit_and_a_start_does() -> None:
    desk = Office().desk
    armed(desk, order("arm", "loom", "run", "stop"), {})
    desk = Office().desk
    armed(desk, order("arm", "loom", "run", "start"), {"is_remote_enabled": True})


def test_a_second_person_confirms_where_that_is_asked() -> None:
    desk = Office().desk
    nonce = armed(desk, order("arm", "m-2"), {"is_closed": True})
    assert refusal(desk.take(order("confirm", "m-2", nonce=nonce), NOW_US)) == "second_person"
    assert isinstance(looked(desk, order("confirm", "m-2", by="ben", nonce=nonce), {"is_closed": True}), Act)


def test_a_direct_order_is_one_step_where_it_is_allowed() -> None:
    desk = Office().desk
    act = looked(desk, order("direct", "io", "red", "on"), {"is_on": False})
    assert isinstance(act, Act)
    assert act.ticket.stage is Stage.SENDING


def test_another_order_waits_for_its_turn() -> None:
    desk = Office().desk
    nonce = armed(desk, order("arm"))
    assert refusal(desk.take(order("arm", by="ben"), NOW_US)) == "busy"
    answer = desk.take(order("cancel", action=None, by="ben", nonce=nonce), NOW_US)
    assert isinstance(answer, Answer)
    assert answer.state == "cancelled"
    armed(desk, order("arm", by="ben"))


def test_what_is_not_confirmed_in_time_is_over() -> None:
    desk = Office().desk
    sent = order("arm")
    nonce = armed(desk, sent)
    assert desk.expire(NOW_US + 44 * S) == []
    later_us = NOW_US + 45 * S
    assert refusal(desk.take(order("confirm", nonce=nonce, at_us=later_us), later_us)) == "late"
    armed(desk, order("arm", at_us=later_us), at_us=later_us)
    (answer,) = desk.expire(later_us + 45 * S)
    assert (answer.state, answer.order) == ("expired", answer.command.id)
    assert desk.expire(later_us + 45 * S) == []


def test_an_old_order_that_nobody_told_of_does_not_hold_the_point() -> None:
    desk = Office().desk
    armed(desk, order("arm"))
    armed(desk, order("arm", at_us=NOW_US + 45 * S), at_us=NOW_US + 45 * S)


def test_confirming_another_thing_than_what_is_armed() -> None:
    desk = Office().desk
    nonce = armed(desk, order("arm", "io", "speed", "set", value="30"), {"value": Decimal(20)})
    sent = order("confirm", "io", "speed", "set", value="31", nonce=nonce)
    assert refusal(desk.take(sent, NOW_US)) == "differs"
    act = looked(desk, order("confirm", "io", "speed", "set", value="30", nonce=nonce), {"value": Decimal(20)})
    assert isinstance(act, Act)
    assert act.order.value == 30


def test_attempts_are_counted_across_restarts() -> None:
    desk = Office().desk
    for minutes in (50, 40, 30):
        desk.remember("m-1", "relay", NOW_US - minutes * 60 * S)
    desk.remember("gone", "relay", NOW_US)
    assert refusal(desk.take(order("arm"), NOW_US)) == "rate"
    later_us = NOW_US + 11 * 60 * S
    armed(desk, order("arm", at_us=later_us), at_us=later_us)


def test_a_state_that_is_old_or_late_lets_nothing_go() -> None:
    desk = Office().desk
    decision = desk.take(order("direct", "io", "red", "on"), NOW_US)
    assert isinstance(decision, Look)
    assert refusal(desk.looked(decision.ticket, shown({}, NOW_US - 11 * S), NOW_US)) == "no_state"
    decision = desk.take(order("direct", "io", "red", "on"), NOW_US)
    assert isinstance(decision, Look)
    assert refusal(desk.looked(decision.ticket, shown({}, NOW_US + 30 * S), NOW_US + 30 * S)) == "expired"
    decision = desk.take(order("direct", "io", "red", "on"), NOW_US)
    assert isinstance(decision, Look)
    assert refusal(desk.not_shown(decision.ticket, "the link is down")) == "no_state"
    assert refusal(desk.looked(decision.ticket, shown({}), NOW_US)) == "not_open"


def test_the_same_command_again_is_not_decided_again() -> None:
    desk = Office().desk
    sent = order("arm")
    assert isinstance(desk.take(sent, NOW_US), Look)
    assert desk.take(sent, NOW_US) is None
    hours_us = NOW_US + 2 * 3_600 * S
    assert refusal(desk.take(sent, hours_us)) == "expired"


def test_a_clock_that_went_back_refuses() -> None:
    desk = Office(newest_us=NOW_US + 6 * S).desk
    assert refusal(desk.take(order("arm"), NOW_US)) == "gateway_clock"
    assert isinstance(Office(newest_us=NOW_US + 5 * S).desk.take(order("arm"), NOW_US), Look)


def test_an_answer_that_was_not_recorded_frees_the_point() -> None:
    desk = Office().desk
    sent = order("arm")
    nonce = armed(desk, sent)
    desk.drop(order("arm"))  # another's
    desk.drop(sent)
    assert refusal(desk.take(order("confirm", nonce=nonce), NOW_US)) == "nonce"


PEOPLE = st.sampled_from(["anna", "anna", "ben", "ben", "carl"])
AGES = st.sampled_from([0, 0, 0, 0, 0, 29, 31, -6])
WHERE = st.sampled_from([("m-1", "relay", "trip"), ("m-2", "relay", "trip"), ("io", "red", "on"), ("io", "pump", "on")])


class DeskMachine(RuleBasedStateMachine):
    """Whatever comes in whatever order: an attempt is armed, confirmed, interlocked, and the only one."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.now_us = NOW_US
        self.current_a = 1
        self.last_us = 0
        self.sent: list[Command] = []
        self.nonces: dict[str, Command] = {}
        self.armed: list[tuple[str, Command]] = []
        self.looks: list[Ticket] = []
        self.sending: list[Ticket] = []
        self.acts: list[Act] = []

    def taken(self, decision: object) -> None:
        if isinstance(decision, Look):
            self.looks.append(decision.ticket)
        elif isinstance(decision, Act):
            self.judge(decision)
        elif isinstance(decision, Answer) and decision.state == "armed":
            assert decision.nonce is not None
            self.nonces[decision.nonce] = decision.command
            self.armed.append((decision.nonce, decision.command))

    def judge(self, act: Act) -> None:
        command, opened = act.ticket.command, act.ticket.opened
        assert all(each.ticket.opened.id != opened.id and each.ticket.command.id != command.id for each in self.acts)
        assert all(each.key != act.ticket.key for each in self.sending)
        assert self.now_us < command.expires_at_us
        assert command.by in ("anna", "ben")
        assert (command.device, command.point) != ("io", "pump")
        if command.kind == "confirm":
            assert command.nonce is not None
            assert self.nonces.pop(command.nonce) is opened  # each nonce lets one order go
        else:
            assert (command.kind, command.device, command.point) == ("direct", "io", "red")
        if command.device == "m-2":
            assert command.by != opened.by
        if command.device == "m-1":
            assert self.office.loop is False
            current = act.before.values["current_a"]
            assert isinstance(current, Decimal)
            assert current < 5
            assert self.now_us - self.last_us >= 10 * S
            self.last_us = self.now_us
        event(f"attempt at {act.ticket.key}")
        self.acts.append(act)
        self.sending.append(act.ticket)

    @rule(kind=st.sampled_from(["arm", "arm", "direct"]), where=WHERE, by=PEOPLE, age=AGES)
    def open(self, kind: str, where: tuple[str, str, str], by: str, age: int) -> None:
        self.send(order(kind, *where, by=by, at_us=self.now_us - age * S))

    @rule(kind=st.sampled_from(["confirm", "confirm", "confirm", "cancel"]), by=PEOPLE, age=AGES, data=st.data())
    def follow(self, kind: str, by: str, age: int, data: st.DataObject) -> None:
        """Confirm or cancel, mostly with the right nonce at the right place, also one that was used."""
        if not self.armed:
            return
        nonce, armed = data.draw(st.sampled_from(self.armed[-3:]))
        action = None if kind == "cancel" else armed.action
        where = data.draw(st.sampled_from([(armed.device, armed.point, action)] * 7 + [("m-2", "relay", "trip")]))
        self.send(order(kind, *where, by=by, nonce=nonce, at_us=self.now_us - age * S))

    @rule(where=WHERE, people=st.sampled_from([("anna", "ben"), ("ben", "anna"), ("anna", "anna")]), data=st.data())
    def live(self, where: tuple[str, str, str], people: tuple[str, str], data: st.DataObject) -> None:
        """A whole order as it should go, with anything in between."""
        opener, confirmer = people
        self.send(order("direct" if where[0] == "io" else "arm", *where, by=opener, at_us=self.now_us))
        self.disturb(data)
        self.look_at(-1)
        self.disturb(data)
        if self.armed:
            nonce, armed = self.armed[-1]
            place = (armed.device, armed.point, armed.action)
            for by in dict.fromkeys((confirmer, opener)) if data.draw(st.booleans()) else (confirmer,):
                self.send(order("confirm", *place, by=by, nonce=nonce, at_us=self.now_us))
            self.disturb(data)
            self.look_at(-1)
            self.disturb(data)
        if data.draw(st.booleans()):  # once more, when nothing else stands in its way
            self.end()
            self.now_us += data.draw(st.sampled_from([6, 11])) * S
            self.send(self.sent[-1])
            self.look_at(-1)

    def disturb(self, data: st.DataObject) -> None:
        what = data.draw(st.sampled_from(["", "", "", "again", "look", "time", "loop", "load", "end"]))
        if what == "again":
            self.send(self.sent[-1])
        elif what == "look":
            self.look_at(-data.draw(st.integers(1, 2)))
        elif what == "time":
            self.now_us += data.draw(st.sampled_from([1, 3, 31, 46])) * S
        elif what == "loop":
            self.office.loop = data.draw(st.sampled_from([True, None, False]))
        elif what == "load":
            self.current_a = data.draw(st.sampled_from([5, 1]))
        elif what == "end":
            self.end()

    def look_at(self, place: int) -> None:
        if len(self.looks) >= -place:
            values: dict[str, Value] = {"current_a": Decimal(self.current_a), "is_protected": False, "is_on": False}
            self.taken(self.office.desk.looked(self.looks[place], shown(values, self.now_us), self.now_us))

    @rule(nonce=st.sampled_from(["f" * 16, "0" * 16]), where=WHERE)
    def guess(self, nonce: str, where: tuple[str, str, str]) -> None:
        self.send(order("confirm", *where, nonce=nonce, at_us=self.now_us))

    def send(self, sent: Command) -> None:
        self.sent.append(sent)
        self.taken(self.office.desk.take(sent, self.now_us))

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        if self.sent:
            self.taken(self.office.desk.take(data.draw(st.sampled_from(self.sent[-6:])), self.now_us))

    @rule(data=st.data(), current=st.sampled_from([1, 1, 1, 5]), is_protected=st.sampled_from([False] * 5 + [True]))
    def look(self, data: st.DataObject, current: int, is_protected: bool) -> None:  # noqa: FBT001  # drawn by Hypothesis
        if self.looks:
            ticket = data.draw(st.sampled_from(self.looks[-3:]))  # also one that was looked at before
            values: dict[str, Value] = {"current_a": Decimal(current), "is_protected": is_protected, "is_on": False}
            self.taken(self.office.desk.looked(ticket, shown(values, self.now_us), self.now_us))

    @rule(data=st.data())
    def fail_to_look(self, data: st.DataObject) -> None:
        if self.looks:
            self.taken(self.office.desk.not_shown(data.draw(st.sampled_from(self.looks[-2:])), "silent"))

    @rule()
    def end(self) -> None:
        if self.sending:
            self.office.desk.close(self.sending.pop(0))

    @rule(seconds=st.sampled_from([0.1, 0.1, 3, 11, 46]))
    def pass_time(self, seconds: float) -> None:
        self.now_us += round(seconds * S)

    @rule()
    def expire(self) -> None:
        for answer in self.office.desk.expire(self.now_us):
            assert answer.state == "expired"

    @rule(loop=st.sampled_from([False, False, False, True, None]))
    def move(self, loop: bool | None) -> None:  # noqa: FBT001  # drawn by Hypothesis
        self.office.loop = loop


DeskMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestDesk = DeskMachine.TestCase
