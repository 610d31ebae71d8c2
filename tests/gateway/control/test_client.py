from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.config.models import Mqtt
from gateway.contract.commands import Command, Outcome, fields_of, is_signed, signed
from gateway.control.client import LIFE_US, Heard, Sender, make, send
from gateway.mqtt import session
from tests.support.broker import Broker

KEY = b"0123456789abcdef" * 4
SENDER = Sender("quay", "edge-1", "anna", KEY)
COMMAND_TOPIC, OUTCOME_TOPIC = "tagwharf/1/quay/m-1/command", "tagwharf/1/quay/m-1/outcome"


def test_a_command_is_new_and_lives_half_a_minute() -> None:
    made = make(SENDER, "arm", "m-1", "relay", 1_000, action="trip", value=None, reason="unpaid")
    assert (made.expires_at_us - made.issued_at_us, made.by, made.value) == (LIFE_US, "anna", None)
    assert made.id != make(SENDER, "arm", "m-1", "relay", 1_000, action="trip").id
    assert "KEY" not in repr(SENDER)
    assert KEY.decode() not in repr(SENDER)


@pytest.mark.parametrize("wrong", [{"value": "five"}, {"action": "trip it"}, {"nonce": "?"}, {"reason": "x" * 300}])
def test_a_wrong_field_is_told(wrong: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        make(SENDER, "arm", "m-1", "relay", 1_000, **{"action": "trip", **wrong})


def exchanged(
    tmp_path: Path, *answers: tuple[dict[str, str], bytes | None], within_s: float
) -> tuple[Heard, list[str]]:
    """What a sender makes of answers, each with the key that it is signed with."""
    command = make(SENDER, "arm", "m-1", "relay", 1_000, action="trip")
    told: list[str] = []

    async def gateway(settings: Mqtt, ready: asyncio.Event) -> None:
        async with session(settings, client_id="gateway", topics=(COMMAND_TOPIC,)) as link:
            ready.set()
            message = await link.receive()
            fields = fields_of(message.payload)
            assert is_signed(fields, KEY, COMMAND_TOPIC)
            assert not message.retained
            assert msgspec.convert({**fields, "signature": ""}, Command) == command
            for changes, key in answers:
                outcome = Outcome(
                    gateway="edge-1", id=command.id, state="sending", at_us=1, device="m-1", point="relay", by="anna"
                )
                outcome = msgspec.convert({**msgspec.to_builtins(outcome), **changes}, Outcome)
                payload = msgspec.json.encode(outcome) if key is None else signed(outcome, key, OUTCOME_TOPIC)
                await link.publish(OUTCOME_TOPIC, payload)
            await asyncio.sleep(within_s)

    async def main(settings: Mqtt) -> Heard:
        ready = asyncio.Event()
        answering = asyncio.create_task(gateway(settings, ready))
        await ready.wait()
        heard = await send(settings, SENDER, command, within_s=within_s, told=lambda each: told.append(each.state))
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        return heard

    with Broker(tmp_path / "broker") as broker:
        return asyncio.run(main(Mqtt(port=broker.port))), told


def test_outcomes_are_told_until_the_last_one(tmp_path: Path) -> None:
    heard, told = exchanged(
        tmp_path,
        ({"id": "another-id", "state": "failed"}, KEY),
        ({"state": "sending"}, KEY),
        ({"state": "verified"}, KEY),
        within_s=10,
    )
    assert told == ["sending", "verified"]
    assert heard.outcome is not None
    assert heard.unproven == ""


def test_what_does_not_have_the_key_is_not_believed(tmp_path: Path) -> None:
    heard, told = exchanged(
        tmp_path,
        ({"state": "verified", "detail": "trust me"}, KEY[::-1]),
        ({"state": "refused", "code": "signature", "detail": "not yours"}, None),
        within_s=1.0,
    )
    assert told == []
    assert heard == Heard(None, "refused (signature): not yours")


def test_silence_ends(tmp_path: Path) -> None:
    assert exchanged(tmp_path, within_s=0.5) == (Heard(None), [])
