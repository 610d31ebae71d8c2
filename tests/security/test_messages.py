"""Every attack on MQTT: as a message, as each text in one, as a topic; to the rules, to control, to the console."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway.config.control import Person
from gateway.console.live import Live
from gateway.contract import batches
from gateway.contract.commands import signature_of
from gateway.contract.flow import decode_ack, decode_resume, decode_rules_status
from gateway.contract.topics import NAME, Topics
from gateway.control.people import UNREADABLE, People, StrangerError, claimed
from gateway.event_history import EventHistory
from gateway.event_journal import EventJournal
from rules.engine import Engine
from rules.sinks.journal import JournalSink
from tests.rules.passthrough import pipeline
from tests.rules.play import START_US, Play, site
from tests.rules.things.registries import NOTHING
from tests.security.attacks import ATTACKS, IDS, PAYLOADS, Attack
from tests.security.bounds import bounded
from tests.security.stores import lines

HEAD: Final[dict[str, Any]] = {"gateway": "edge-1", "epoch": 1, "device": "gate-1", "received_at_us": START_US}
KEY: Final = b"0123456789abcdef" * 2
TOPIC: Final = "tagwharf/1/harbour/gate-1/command"
OURS: Final = re.compile(
    r"tagwharf/1/port/(ack|resume|ledger|rules|events|alarms|[a-z0-9][a-z0-9_-]{0,63})/[a-z0-9_-]{1,64}"
)
WITH_TEXT: Final = [attack for attack in ATTACKS if attack.payloads]
TEXT_IDS: Final = [str(attack.number) for attack in WITH_TEXT]
MOST_TREE_BYTES: Final = 4 << 20
"""Of what JSON of 400 kB becomes before a model refuses it."""


def told_by(attack: Attack) -> Iterator[batches.Batch]:
    """Batches of which every text is one of the attack."""
    for text in attack.texts():
        read = batches.TagRead(text, 1, text, START_US, tid=text, user_memory=text)
        yield batches.ReadBatch(**HEAD, reads=[read])
        yield batches.ReadingBatch(
            **HEAD, readings=[batches.Reading(text, text, Decimal(5), text, phase=text, quality=text)]
        )
        card = batches.CardRead(text, text, read_point=text, antenna_port=1, seen_at_us=START_US, part=text)
        yield batches.CardBatch(**HEAD, cards=[card])
        yield batches.SignalBatch(**HEAD, signals=[batches.Signal(text, text, text), batches.Signal(text, value=True)])
        stands = batches.Condition(name=text, severity=text, since_us=START_US, key=text, detail=text)
        yield batches.StatusBatch(
            **HEAD, state=text, reason=text, since_us=START_US, detail=text, watched=[text], conditions=[stands],
            driver=text, manufacturer=text, model=text, firmware=text, in_force={text: text}, serial=text,
        )  # fmt: skip


def as_hostile_json(batch: batches.Batch) -> bytes:
    """The JSON of a batch, whose texts may hold halves of surrogate pairs; as Python's json writes it."""
    fields = {"kind": batches.kind_of(batch), **{name: getattr(batch, name) for name in batch.__struct_fields__}}
    fields = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    return json.dumps(fields, default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    assert isinstance(value, msgspec.Struct)
    return {name: each for name in value.__struct_fields__ if (each := getattr(value, name)) is not None}


@pytest.mark.parametrize("attack", WITH_TEXT, ids=TEXT_IDS)
def test_texts_in_batches_reach_the_stores_as_text_or_not_at_all(attack: Attack, tmp_path: Path) -> None:
    play = Play(site())
    outputs, sequence = [], 0
    ordinals: dict[str, int] = {}
    for made in told_by(attack):
        try:
            batch = batches.decode(as_hostile_json(made))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            assert any("\ud800" <= character <= "\udfff" for text in attack.texts() for character in text)
            continue
        sequence += 1
        kind = batches.kind_of(batch)
        batch.sequence, batch.ordinal = sequence, ordinals.get(kind, 0)
        ordinals[kind] = batch.ordinal + batches.item_count(batch)
        try:
            outputs += [play.give(batch)]
        except ValueError:  # what the pipeline tells as `not_judged`: no edge daemon names a card so
            assert isinstance(batch, batches.CardBatch)
    outputs += [play.tick(float(second)) for second in range(1, 40)]
    rows, _ = lines(outputs)
    # Of each batch what it holds, and of its tag what presence makes of it: no text makes a point of its own.
    assert len([row for row in rows if row.measurement == "tag_read"]) <= len(attack.payloads)
    assert len([row for row in rows if row.measurement == "reading"]) <= len(attack.payloads)
    assert len([row for row in rows if row.measurement == "signal"]) <= 2 * len(attack.payloads)
    if outputs:

        async def write() -> None:
            sink = JournalSink("events", EventJournal(tmp_path, keep_days=36_500), store_reads=True)
            await sink.write(sink.encode(outputs))
            await sink.close()

        asyncio.run(write())
        EventHistory(tmp_path).recent_events()


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_any_payload_is_a_batch_or_counted(payload: bytes, tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            before = made.intake.flows.copy()
            for device in ("gate-1", None, payload.decode("latin-1")[:100]):
                made.take(payload, device)
            made.reception.resume(payload)
            made.reception.take_retained_status(payload, "edge-1")
            counted = sum(made.malformed.values()) + sum(made.intake.refused.values())
            judged = sum(flow.expected - 1 + flow.duplicates for flow in made.intake.flows.values())
            assert counted + judged >= 5 - 1
            assert len(made.intake.flows) <= len(before) + 1
            await made.commit()
            for topic in made.publication.retained:
                assert OURS.fullmatch(topic), topic
            assert all(NAME.fullmatch(flow.gateway) for flow in made.intake.flows.values())

    asyncio.run(main())


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_decoder_of_messages_is_quick_and_small(payload: bytes) -> None:
    def decode_all() -> None:
        for decode in (batches.decode, decode_ack, decode_resume, decode_rules_status):
            try:
                decode(payload)
            except (*UNREADABLE, RecursionError):
                continue

    bounded(decode_all, len(payload), extra_bytes=MOST_TREE_BYTES)


@pytest.mark.parametrize("attack", WITH_TEXT, ids=TEXT_IDS)
def test_no_text_is_a_level_of_a_topic(attack: Attack) -> None:
    topics = Topics("harbour")
    for text in attack.texts():
        assert NAME.fullmatch(text) is None
        level = text.encode("utf-8", "surrogateescape").hex()[:64] or "0"
        assert NAME.fullmatch(level)
        assert topics.of(batches.ReadBatch(**{**HEAD, "device": level}, reads=[])) == f"{topics.root}/{level}/reads"


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_the_console_lives_with_any_message(payload: bytes) -> None:
    live = Live("harbour", {})
    for topic in ("gate-1/reads", "gate-1/status", "events/passage", "alarms/a", "ledger/rules", "rules/status"):
        live.feed(f"tagwharf/1/harbour/{topic}", payload)
    for text in (payload.decode("latin-1"), payload.decode("utf-8", "replace")):
        live.feed(f"tagwharf/1/harbour/{text}", b"{}")
        live.feed(text, payload)


def people() -> People:
    return People([Person(name="anna", key_credential="control-anna", roles=["operator"])], lambda _: KEY.decode())


def hostile_commands(attack: Attack) -> Iterator[bytes]:
    """Signed by Anna, with a text of the attack in each field."""
    sound = {
        "id": "0123456789abcdef", "gateway": "edge-1", "issued_at_us": START_US, "expires_at_us": START_US + 1,
        "by": "anna", "kind": "direct", "device": "gate-1", "point": "relay", "action": "on",
    }  # fmt: skip
    for text in attack.texts():
        for name in (*sound, "nonce", "value", "extra"):
            if name == "by":
                continue
            fields: dict[str, Any] = {**sound, name: text}
            try:
                signature = signature_of(KEY, TOPIC, fields)
                yield msgspec.json.encode({**fields, "signature": signature})
            except UnicodeEncodeError:
                yield json.dumps({**fields, "signature": "0" * 64}).encode()


@pytest.mark.parametrize("attack", WITH_TEXT, ids=TEXT_IDS)
def test_commands_are_nobodys_or_malformed(attack: Attack) -> None:
    known = people()
    for payload in (*attack.payloads, *hostile_commands(attack)):

        def take(payload: bytes = payload) -> None:
            with pytest.raises(StrangerError):
                known.command(TOPIC, payload)
            claimed(payload)

        bounded(take, len(payload), extra_bytes=1 << 20)


@pytest.mark.parametrize("field", ["reason"])
def test_a_reason_may_be_any_text_and_is_only_kept(field: str) -> None:
    for attack in WITH_TEXT:
        for text in attack.texts():
            if len(text) > 200 or any("\ud800" <= each <= "\udfff" for each in text):
                continue
            fields = {
                "id": "0123456789abcdef", "gateway": "edge-1", "issued_at_us": START_US,
                "expires_at_us": START_US + 1, "by": "anna", "kind": "direct", "device": "gate-1", "point": "relay",
                "action": "on", field: text,
            }  # fmt: skip
            signature = signature_of(KEY, TOPIC, fields)
            taken = people().command(TOPIC, msgspec.json.encode({**fields, "signature": signature}))
            assert taken.reason == text


def test_rules_take_a_hundred_thousand_tags_in_bounded_memory() -> None:
    engine = Engine(site(), NOTHING)
    for sequence in range(1, 201):
        reads = [
            batches.TagRead(f"{sequence * 500 + number:024X}", 1, "lane-1", START_US + sequence)
            for number in range(500)
        ]
        outputs = engine.step(
            batches.ReadBatch(
                gateway="edge-1", epoch=1, sequence=sequence, ordinal=(sequence - 1) * 500, device="gate-1",
                received_at_us=START_US + sequence, reads=reads,
            )
        )  # fmt: skip
        if sequence % 40:
            continue
        rows, refused = lines([outputs], budget=16)
        assert refused == 0
        assert len({tuple(row.tags.items()) for row in rows if row.measurement == "tag_read"}) == 1
    quiet_us = START_US + 3_600_000_000
    for number in range(1, 4):
        engine.step(
            batches.TickBatch(
                gateway="edge-1", epoch=1, sequence=200 + number, device="edge-1",
                received_at_us=quiet_us + number * 3_600_000_000, watched=["lane-1"],
            )
        )  # fmt: skip
    assert sum(value for name, value in engine.counters().items() if "present" in name) == 0
