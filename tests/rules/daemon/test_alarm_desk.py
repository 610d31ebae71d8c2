from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config.control import Control, Person
from gateway.config.models import Mqtt, RulesSettings, Site, SiteFile
from gateway.config.rules import AlarmSettings, MatchRule, Severity
from gateway.contract.alarm_orders import Action, AlarmOrder, AlarmOutcome, as_alarm_outcome
from gateway.contract.batches import Signal, SignalBatch, encode
from gateway.contract.commands import fields_of, is_signed, signature_of, signed
from gateway.contract.events import Alarm, decode_alarm
from gateway.control.alarm_client import AlarmSender, Answered, make_order, send_order
from gateway.event_history import EventHistory
from gateway.health import Health
from gateway.mqtt import session
from readers.errors import ConfigError
from rules.daemon.alarm_desk import MOST_PER_MINUTE, AlarmDesk
from rules.daemon.pipeline import Pipeline
from rules.daemon.runner import Runner
from rules.engine import Engine
from rules.outputs import Outputs
from rules.own_events import SINK_STOPPED, OwnAlarms
from tests.rules.edge import TOPICS, listening, until
from tests.rules.passthrough import NOW_US, pipeline
from tests.rules.things.registries import NOTHING
from tests.support.broker import Broker, running_broker

KEYS = {"control-anna": "0123456789abcdef" * 2, "control-ben": "fedcba9876543210" * 2}
PEOPLE = [
    Person(name="anna", key_credential="control-anna", roles=["operator"]),
    Person(name="ben", key_credential="control-ben", roles=["guest"]),
    Person(name="carl", key_credential="control-carl", roles=["operator"]),
]
DOOR = MatchRule(shape="match", name="door", on="signal", when="e.value", alarm=AlarmSettings(latch=True))


def site(*roles: str) -> SiteFile:
    return SiteFile(
        site=Site(name="port"),
        control=Control(person=PEOPLE),
        rules=RulesSettings(alarm_roles=list(roles)),
        rule=[DOOR],
    )


def secret(name: str) -> str:
    if name not in KEYS:
        raise ConfigError(f"credential {name!r}: is not there")
    return KEYS[name]


def door(sequence: int, *, is_open: bool) -> SignalBatch:
    return SignalBatch(
        gateway="edge-1",
        epoch=1,
        sequence=sequence,
        ordinal=sequence - 1,
        device="plc",
        received_at_us=NOW_US + sequence * 1_000_000,
        signals=[Signal("door", is_open)],
    )


class Scene:
    """A desk before a real engine in which the alarm of the door stands, and what it lets out."""

    def __init__(self, *roles: str) -> None:
        self.now_us = NOW_US
        self.told: list[Outputs] = []
        self.engine = Engine(site(*roles), NOTHING)
        self.health = Health("rules")
        self.own = OwnAlarms({}, self.told.append, lambda: self.now_us)
        self.desk = AlarmDesk(
            site(*roles),
            self.engine,
            self.own,
            self.told.append,
            self.health,
            secret=secret,
            now_us=lambda: self.now_us,
        )
        [raised] = self.engine.step(door(1, is_open=True)).alarms
        self.alarm = raised.id
        self.made = 0

    def order(self, action: str = "acknowledge", **more: Any) -> AlarmOrder:
        self.made += 1
        fields = {
            "id": f"order-{self.made:04}", "alarm": self.alarm, "action": action, "by": "anna", "at_us": self.now_us,
            "expires_at_us": self.now_us + 30_000_000, **more,
        }  # fmt: skip
        return msgspec.convert(fields, AlarmOrder)

    def give(
        self, order: AlarmOrder, *, key: str = "control-anna", topic: str | None = None, retained: bool = False
    ) -> tuple[AlarmOutcome, list[Alarm]]:
        """Send it, and return what comes of it."""
        level = topic or order.alarm
        before = len(self.told)
        self.desk.take(level, signed(order, KEYS[key].encode(), TOPICS.order(level)), retained=retained)
        [made] = self.told[before:]
        [(where, payload)] = made.answers
        assert where == TOPICS.order_outcome(level)
        fields = fields_of(payload)
        outcome = as_alarm_outcome(fields)
        if outcome.by:
            assert is_signed(fields, KEYS[f"control-{outcome.by}"].encode(), where)
        else:
            assert not outcome.signature
        return outcome, made.alarms

    def counted(self, code: str) -> float:
        return self.health.registry.get_sample_value("tagwharf_alarm_orders_total", {"code": code}) or 0.0


def test_an_order_is_done_and_answered_to_whom_it_is_from() -> None:
    scene = Scene()
    order = scene.order(comment="on my way")
    outcome, [alarm] = scene.give(order)
    assert (outcome.id, outcome.state, outcome.by, outcome.action) == (order.id, "done", "anna", "acknowledge")
    assert (alarm.id, alarm.state, alarm.acknowledged_by, alarm.acknowledged_at_us) == (
        scene.alarm, "raised", "anna", scene.now_us,
    )  # fmt: skip
    assert alarm.comment == "on my way"
    assert scene.counted("done") == 1
    keys = [key for key, _ in scene.engine.changes()]
    assert {f"alarm/book/{alarm.id}", f"order/book/{order.id}"} <= set(keys)  # with the same commit


def test_an_order_that_the_rule_is_against_is_refused_with_its_reason() -> None:
    scene = Scene()
    outcome, alarms = scene.give(scene.order("clear"))
    assert (outcome.state, outcome.code, alarms) == ("refused", "standing", [])
    assert "condition still holds" in outcome.detail
    scene.engine.step(door(2, is_open=False))
    outcome, [alarm] = scene.give(scene.order("clear"))
    assert (outcome.state, alarm.state) == ("done", "cleared")
    outcome, alarms = scene.give(scene.order("clear"))
    assert (outcome.code, alarms) == ("unknown", [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"at_us": NOW_US - 1, "expires_at_us": NOW_US}, "expired"),
        ({"expires_at_us": NOW_US + 61_000_000}, "lifetime"),
        ({"at_us": NOW_US + 6_000_000}, "ahead"),
        ({"at_us": NOW_US - 40_000_000, "expires_at_us": NOW_US - 1}, "expired"),
        ({"at_us": NOW_US + 1, "expires_at_us": NOW_US}, "lifetime"),
        ({"action": "comment"}, "comment"),
    ],
)
def test_an_order_of_a_known_person_that_is_refused(changes: dict[str, Any], code: str) -> None:
    scene = Scene()
    changes = dict(changes)
    outcome, alarms = scene.give(scene.order(changes.pop("action", "acknowledge"), **changes))
    assert (outcome.state, outcome.code, alarms) == ("refused", code, [])
    assert scene.counted(code) == 1


def test_a_person_escalates_an_alarm_until_it_is_as_loud_as_can_be() -> None:
    scene = Scene()
    scene.give(scene.order())
    order = scene.order("escalate", comment="it is the wrong door")
    outcome, [alarm] = scene.give(order)
    assert (outcome.state, outcome.action, outcome.by) == ("done", "escalate", "anna")
    assert (alarm.severity, alarm.escalated_by, alarm.acknowledged_by) == ("critical", "anna", None)
    assert scene.give(order)[0].code == "replayed"
    outcome, alarms = scene.give(scene.order("escalate"))
    assert (outcome.state, outcome.code, alarms) == ("refused", "loudest", [])
    assert scene.counted("loudest") == 1
    scene.own.put(SINK_STOPPED, "store", "401")
    [standing] = scene.told.pop().alarms
    assert scene.give(scene.order("escalate", alarm=standing.id), topic=standing.id)[0].code == "loudest"


def test_an_escalated_alarm_that_was_acknowledged_begins_its_time_again_by_the_clock_of_its_gateway() -> None:
    settings = AlarmSettings(severity=Severity.INFO, latch=True, acknowledge_within_s=5)
    within = DOOR.model_copy(update={"alarm": settings})
    engine = Engine(site().model_copy(update={"rule": [within]}), NOTHING)
    [raised] = engine.step(door(1, is_open=True)).alarms
    fields: dict[str, Any] = {"alarm": raised.id, "by": "anna", "at_us": NOW_US, "expires_at_us": NOW_US + 1}
    assert engine.order(AlarmOrder(id="order-1", action="acknowledge", **fields)).alarm
    engine.step(door(20, is_open=True))
    assert engine.order(AlarmOrder(id="order-2", action="escalate", **fields)).alarm
    assert engine.step(door(24, is_open=True)).alarms == []
    [louder] = engine.step(door(25, is_open=True)).alarms
    assert (louder.severity, louder.escalated_by) == ("critical", "anna")


def test_an_order_is_taken_once() -> None:
    scene = Scene()
    order = scene.order("comment", comment="first")
    assert scene.give(order)[0].state == "done"
    outcome, alarms = scene.give(order)
    assert (outcome.code, alarms) == ("replayed", [])


def test_only_those_with_the_role_may_order_where_the_site_file_names_some() -> None:
    scene = Scene("operator")
    assert scene.give(scene.order(by="ben"), key="control-ben")[0].code == "role"
    assert scene.give(scene.order())[0].state == "done"
    everybody = Scene()
    assert everybody.give(everybody.order(by="ben"), key="control-ben")[0].state == "done"


def test_somebody_without_a_key_here_cannot_order_and_hinders_nobody() -> None:
    scene = Scene()
    assert scene.give(scene.order(by="carl"))[0].code == "person"
    troubles = {"event": "alarm_person_without_key", "level": "warning"}
    assert scene.health.registry.get_sample_value("tagwharf_troubles_total", troubles) == 1


def test_a_key_that_is_none_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="is no key"):
        AlarmDesk(site(), Scene().engine, Scene().own, Scene().told.append, Health("x"), secret=lambda _: "short")


def test_strangers_are_counted_and_answered_unsigned() -> None:
    scene = Scene()
    outcome, alarms = scene.give(scene.order(), key="control-ben")
    assert (outcome.code, outcome.by, alarms) == ("signature", "", [])
    assert scene.give(scene.order(), retained=True)[0].code == "retained"
    assert scene.give(scene.order(), topic="0" * 20)[0].code == "topic"
    told = len(scene.told)
    topic = TOPICS.order(scene.alarm)
    fields = {"by": "anna", "id": "order-9999", "alarm": scene.alarm, "action": "explode"}
    wrong = {**fields, "signature": signed_text(fields, topic)}
    for payload in (b"\x00", b"{}", b"[" * 5_000, msgspec.json.encode(wrong), b""):
        scene.desk.take(scene.alarm, payload, retained=False)
    assert len(scene.told) == told + 1  # one names an id to answer
    assert scene.counted("malformed") == 3
    assert scene.counted("person") == 1
    scene.desk.take("Not/A$Name", msgspec.json.encode(wrong), retained=False)
    assert len(scene.told) == told + 1
    assert not scene.engine.order(scene.order("comment", comment="x")).code


def signed_text(fields: dict[str, Any], topic: str) -> str:
    return signature_of(KEYS["control-anna"].encode(), topic, fields)


def test_nobody_may_order_without_end() -> None:
    scene = Scene()
    for _ in range(MOST_PER_MINUTE):
        assert scene.give(scene.order("comment", comment="x"))[0].state == "done"
    assert scene.give(scene.order("comment", comment="x"))[0].code == "rate"
    assert scene.give(scene.order(by="ben"), key="control-ben")[0].state == "done"
    for _ in range(MOST_PER_MINUTE):
        scene.give(scene.order(), key="control-ben")
    told = len(scene.told)
    order = scene.order()
    scene.desk.take(order.alarm, signed(order, b"x" * 32, TOPICS.order(order.alarm)), retained=False)
    assert len(scene.told) == told
    scene.now_us += 60_000_000
    assert scene.give(scene.order("comment", comment="x"))[0].state == "done"


def test_alarms_of_the_daemon_itself_are_acknowledged_too_and_end_by_themselves() -> None:
    scene = Scene()
    scene.own.put(SINK_STOPPED, "store", "401")
    [standing] = scene.told.pop().alarms
    scene.alarm = standing.id
    outcome, [alarm] = scene.give(scene.order(comment="token is on its way"))
    assert (outcome.state, alarm.acknowledged_by) == ("done", "anna")
    assert scene.give(scene.order("clear"))[0].code == "standing"
    scene.own.put(SINK_STOPPED, "store", "403")
    [again] = scene.told[-1].alarms
    assert (again.message, again.acknowledged_by) == ("403", "anna")


# With a database and a broker.


@asynccontextmanager
async def running(tmp_path: Path, mqtt: Mqtt) -> AsyncIterator[Pipeline]:
    """The rules daemon in this process, with a desk."""
    engine = Engine(site(), NOTHING)
    async with pipeline(tmp_path, engine) as made:
        desk = AlarmDesk(site(), engine, made.alarms, made.tell, made._health, secret=secret)
        runner = Runner(made, mqtt=mqtt, client_id="test-rules", health=made._health, directory=tmp_path, desk=desk)
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        try:
            await asyncio.sleep(0)
            await until(lambda: not made._health.not_ready)
            yield made
        finally:
            stop.set()
            async with asyncio.timeout(20):
                await task


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def now_us() -> int:
    return time.time_ns() // 1_000


def sender(name: str = "anna", key: str = "control-anna") -> AlarmSender:
    return AlarmSender("port", name, KEYS[key].encode())


def test_an_alarm_lives_through_people_and_restarts(tmp_path: Path, broker: Broker) -> None:
    def shown(made: Pipeline) -> Alarm:
        [payload] = made.publication.retained.values()
        return decode_alarm(payload)

    async def send(action: Action, alarm: str, comment: str = "", **who: str) -> Answered:
        order = make_order(sender(**who), action, alarm, now_us(), comment)
        return await send_order(broker.settings, sender(**who), order)

    async def say(batch: SignalBatch) -> None:
        async with session(broker.settings, client_id="test-edge") as edge:
            await edge.publish(TOPICS.of(batch), encode(batch))

    async def main() -> None:
        async with running(tmp_path, broker.settings) as made:
            await say(door(1, is_open=True))
            await until(lambda: bool(made.publication.retained))
            alarm = shown(made).id
            answer = await send("clear", alarm)
            assert answer.outcome is not None
            assert answer.outcome.code == "standing"
            answer = await send("acknowledge", alarm, "on my way")
            assert answer.outcome is not None
            assert answer.outcome.state == "done"
            assert shown(made).acknowledged_by == "anna"  # as durable as its outcome
            answer = await send("comment", alarm, "x", key="control-ben")
            assert (answer.outcome, "signature" in answer.unproven) == (None, True)
            order = make_order(sender(), "comment", alarm, now_us(), "kept by the broker")
            topic = TOPICS.order(alarm)
            kept = signed(order, sender().key, topic)
            async with session(broker.settings, client_id="test-person") as person:
                await person.publish(topic, kept, retain=True)
            await until(lambda: shown(made).comment == "kept by the broker")
        async with running(tmp_path, broker.settings) as made:
            assert (shown(made).acknowledged_by, shown(made).comment) == ("anna", "kept by the broker")
            async with listening(broker.settings, TOPICS.order_outcome("+")) as heard:
                await until(lambda: counted(made, "retained") == 1)  # it comes again, and is nobody's
                async with session(broker.settings, client_id="test-person") as person:
                    await person.publish(topic, kept)
                await until(lambda: b"replayed" in told(heard))
            await say(door(2, is_open=False))
            await until(lambda: shown(made).ended)
            answer = await send("clear", alarm, "new hinge")
            assert answer.outcome is not None
            assert answer.outcome.state == "done"
            await until(lambda: not made.publication.retained)

    def counted(made: Pipeline, code: str) -> float | None:
        return made._health.registry.get_sample_value("tagwharf_alarm_orders_total", {"code": code})

    def told(heard: dict[str, list[tuple[bytes, bool]]]) -> bytes:
        return b"".join(payload for messages in heard.values() for payload, _ in messages)

    asyncio.run(main())
    states = [
        (alarm.state, alarm.ended, alarm.acknowledged_by, alarm.comment)
        for alarm in reversed(EventHistory(tmp_path / "events").recent_alarms())
    ]
    assert states == [
        ("raised", False, None, None),
        ("raised", False, "anna", "on my way"),
        ("raised", False, "anna", "kept by the broker"),
        ("raised", True, "anna", "kept by the broker"),
        ("cleared", True, "anna", "new hinge"),
    ]


def test_what_was_not_committed_was_never_done_and_can_be_ordered_again(tmp_path: Path) -> None:
    async def life(order: AlarmOrder | None, *, commits: bool) -> tuple[str | None, int]:
        """A life that may end before its commit, as by kill -9: who has acknowledged, and how many answers say so."""
        engine = Engine(site(), NOTHING)
        async with pipeline(tmp_path, engine) as made:
            answers: list[Outputs] = []

            def tell(outputs: Outputs) -> None:
                answers.append(outputs)
                made.tell(outputs)

            desk = AlarmDesk(site(), engine, made.alarms, tell, made._health, secret=secret)
            made.take(encode(door(1, is_open=True)))
            await made.commit()
            [alarm] = [decode_alarm(payload) for payload in made.publication.retained.values()]
            if order is not None:
                desk.take(order.alarm, signed(order, sender().key, TOPICS.order(order.alarm)), retained=False)
            if commits:
                await made.commit()
            done = [each for one in answers for each in one.answers if b'"done"' in each[1]]
            [alarm] = [decode_alarm(payload) for payload in made.publication.retained.values()]
            return alarm.acknowledged_by, len(done)

    async def main() -> None:
        await life(None, commits=True)
        async with pipeline(tmp_path, Engine(site(), NOTHING)) as made:
            [alarm] = [decode_alarm(payload) for payload in made.publication.retained.values()]
        order = make_order(sender(), "acknowledge", alarm.id, now_us())
        assert await life(order, commits=False) == (None, 1)
        assert await life(order, commits=True) == ("anna", 1)
        assert await life(order, commits=True) == ("anna", 0)

    asyncio.run(main())
