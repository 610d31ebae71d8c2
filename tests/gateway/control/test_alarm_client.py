from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.config.models import Mqtt
from gateway.contract.alarm_orders import AlarmOrder, AlarmOutcome
from gateway.contract.commands import fields_of, is_signed, signed
from gateway.contract.events import Alarm, Evidence
from gateway.contract.flow import RulesStatus
from gateway.control.alarm_client import LIFE_US, AlarmSender, Answered, Standing, make_order, send_order, standing
from gateway.mqtt import session
from tests.support.broker import Broker, running_broker

KEY = b"0123456789abcdef" * 4
SENDER = AlarmSender("quay", "anna", KEY)
ALARM = "0123456789abcdef0123"
ROOT = "tagwharf/1/quay"
ORDER_TOPIC, OUTCOME_TOPIC = f"{ROOT}/order/{ALARM}", f"{ROOT}/order-outcome/{ALARM}"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def test_an_order_is_new_and_lives_half_a_minute() -> None:
    made = make_order(SENDER, "clear", ALARM, 1_000, "done")
    assert (made.expires_at_us - made.at_us, made.by, made.action, made.comment) == (LIFE_US, "anna", "clear", "done")
    assert made.id != make_order(SENDER, "clear", ALARM, 1_000).id
    assert KEY.decode() not in repr(SENDER)
    with pytest.raises(msgspec.ValidationError):
        make_order(SENDER, "clear", "door", 1_000)
    with pytest.raises(msgspec.ValidationError):
        make_order(SENDER, "clear", ALARM, 1_000, "x" * 501)


def answered(broker: Broker, *answers: tuple[dict[str, str], bytes | None], within_s: float) -> Answered:
    """What a sender makes of answers, each with the key that it is signed with."""
    order = make_order(SENDER, "acknowledge", ALARM, 1_000)

    async def daemon(settings: Mqtt, ready: asyncio.Event) -> None:
        async with session(settings, client_id="rules", topics=(ORDER_TOPIC,)) as link:
            ready.set()
            message = await link.receive()
            fields = fields_of(message.payload)
            assert is_signed(fields, KEY, ORDER_TOPIC)
            assert not message.retained
            assert msgspec.convert({**fields, "signature": ""}, AlarmOrder) == order
            for changes, key in answers:
                plain = {"id": order.id, "alarm": ALARM, "state": "done", "at_us": 1, **changes}
                outcome = msgspec.convert(plain, AlarmOutcome)
                payload = msgspec.json.encode(outcome) if key is None else signed(outcome, key, OUTCOME_TOPIC)
                await link.publish(OUTCOME_TOPIC, payload)
            await link.publish(OUTCOME_TOPIC, b"\x00")
            await asyncio.sleep(within_s)

    async def main() -> Answered:
        ready = asyncio.Event()
        answering = asyncio.create_task(daemon(broker.settings, ready))
        await ready.wait()
        found = await send_order(broker.settings, SENDER, order, within_s=within_s)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        return found

    return asyncio.run(main())


def test_the_outcome_is_that_of_the_order_and_has_the_key(broker: Broker) -> None:
    found = answered(
        broker,
        ({"id": "another-id"}, KEY),
        ({"state": "refused", "code": "signature"}, KEY[::-1]),
        ({"detail": "well"}, KEY),
        within_s=10,
    )
    assert found.outcome is not None
    assert (found.outcome.state, found.outcome.detail) == ("done", "well")


def test_what_does_not_have_the_key_is_not_believed(broker: Broker) -> None:
    found = answered(broker, ({"detail": "trust me"}, None), within_s=1.0)
    assert found == Answered(None, "done (): trust me")


def test_silence_ends(broker: Broker) -> None:
    assert answered(broker, within_s=0.5) == Answered(None)


def alarm(number: int, severity: str, state: str = "raised") -> Alarm:
    evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
    return Alarm(
        id=f"{number:020}", rule="door", severity=severity, subject="plc", state=state, since_us=number, at_us=9,
        message="m", evidence=evidence,
    )  # fmt: skip


def listed(broker: Broker, *alarms: Alarm, is_online: bool | None = True) -> Standing:
    async def main() -> Standing:
        async with session(broker.settings, client_id="rules") as link:
            for each in alarms:
                await link.publish(f"{ROOT}/alarms/{each.id}", msgspec.json.encode(each), retain=True)
            await link.publish(f"{ROOT}/alarms/broken", b"\xff", retain=True)
            if is_online is not None:
                status = RulesStatus(session="s", online=is_online)
                await link.publish(f"{ROOT}/rules/status", msgspec.json.encode(status), retain=True)
            return await standing(broker.settings, "quay", within_s=4.0 if is_online else 1.5)

    return asyncio.run(main())


def test_the_loudest_alarm_comes_first_then_the_oldest(broker: Broker) -> None:
    found = listed(
        broker,
        *(
            alarm(number, severity)
            for number, severity in enumerate(("info", "odd", "warning", "critical", "critical"))
        ),
        alarm(7, "critical", "cleared"),
    )
    assert [(each.severity, each.since_us) for each in found.alarms] == [
        ("critical", 3), ("critical", 4), ("warning", 2), ("info", 0), ("odd", 1),
    ]  # fmt: skip
    assert found.is_daemon_online


def test_without_a_daemon_it_says_so(broker: Broker) -> None:
    assert listed(broker, alarm(1, "info"), is_online=None) == Standing([alarm(1, "info")], is_daemon_online=False)
    assert not listed(broker, is_online=False).is_daemon_online
