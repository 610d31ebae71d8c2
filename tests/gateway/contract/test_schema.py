import json
from decimal import Decimal
from typing import Any

import jsonschema
import msgspec
import pytest

from gateway.contract.alarm_orders import AlarmOrder, AlarmOutcome
from gateway.contract.batches import (
    Batch,
    CardBatch,
    CardRead,
    Condition,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
    encode,
)
from gateway.contract.commands import Command, Outcome
from gateway.contract.events import Alarm, Event, Evidence
from gateway.contract.flow import Ack, Resume, RulesStatus
from gateway.contract.ledger import Account, EdgeLedger, PointAccount, RulesLedger
from gateway.contract.schema import CHANNELS, Sent, as_json, asyncapi, json_schema
from gateway.contract.topics import RESERVED, Topics

HEADER: dict[str, Any] = {"gateway": "edge-1", "epoch": 1, "sequence": 2, "ordinal": 3, "received_at_us": 4}
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=2, sequence_to=3, reads=4, read_points=("a",))
READ = TagRead(epc="30", antenna_port=1, read_point="a", seen_at_us=5, rssi_dbm=-50.5, tid="E2")
ACCOUNT = Account(heard=3, judged=1, dropped={"journal_full": 1}, waiting=1)
MESSAGES: list[msgspec.Struct] = [
    ReadBatch(**HEADER, device="gate", reads=[READ], clock_offset_us=-1),
    CardBatch(**HEADER, device="door", cards=[CardRead("nfca~last24#" + "0" * 24, "nfca", "door-1", 1, 5, "last24")]),
    ReadingBatch(
        **HEADER,
        device="m",
        readings=[Reading(quantity="power_w", obis="1-0:1.7.0*255", value=Decimal("1.50"), unit="W")],
    ),
    SignalBatch(**HEADER, device="gate", signals=[Signal(name="gpi-1", value=True), Signal("weight", "12.5", "kg")]),
    StatusBatch(
        **HEADER,
        device="gate",
        state="degraded",
        reason="condition",
        since_us=1,
        watched=["a"],
        conditions=[Condition(name="antenna_disconnected", severity="warning", since_us=1, key="2")],
        clock_offset_us=7,
    ),
    TickBatch(**HEADER, device="edge-1", watched=["a"]),
    Event(id="0" * 20, type="arrived", at_us=1, subject="30", evidence=EVIDENCE, fields={"a": 1.5, "b": None}),
    Alarm(
        id="0" * 20,
        rule="r",
        severity="info",
        subject="s",
        state="raised",
        since_us=1,
        at_us=1,
        message="m",
        evidence=EVIDENCE,
    ),  # one message, one line
    Command(
        id="01J0000000000000000000000A",
        gateway="edge-1",
        issued_at_us=1,
        expires_at_us=2,
        by="anna",
        kind="confirm",
        device="m",
        point="relay",
        action="trip",
        nonce="0" * 16,
        signature="0" * 64,
    ),
    Outcome(
        gateway="edge-1",
        id="01J0000000000000000000000A",
        state="verified",
        at_us=1,
        device="m",
        point="relay",
        shows={"is_closed": False, "current_a": "0.0"},
        audit_sequence=1,
        audit_hash="0" * 64,
    ),
    AlarmOrder(
        id="01J0000000000000000000000A",
        alarm="0" * 20,
        action="clear",
        by="anna",
        at_us=1,
        expires_at_us=2,
        comment="the fan was replaced",
        signature="0" * 64,
    ),
    AlarmOutcome(id="01J0000000000000000000000A", alarm="0" * 20, state="refused", at_us=1, code="x", detail="y"),
    Ack(gateway="edge-1", epoch=1, session="s", sequence=1, received=2, resend_from=2, judged={"reads": 1}),
    Resume(gateway="edge-1", epoch=1, from_sequence=4),
    RulesStatus(session="s", online=True),
    EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=1,
        next_sequence=2,
        watermark=1,
        tag_reads=ACCOUNT,
        readings=Account(),
        signals=Account(),
    ),  # one message, one line
    RulesLedger(
        at_us=1,
        session="s",
        judged={"edge-1": {"reads": 1}},
        events={"arrived": 1},
        points={"main": PointAccount(made=1)},
        latency_ms={"p50": 1.5},
    ),  # one message, one line
]


def payload_of(message: msgspec.Struct) -> Any:
    return json.loads(encode(message) if isinstance(message, Batch) else msgspec.json.encode(message))


def test_every_channel_has_an_example_here() -> None:
    assert {type(message) for message in MESSAGES} == {channel.message for channel in CHANNELS}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_sent_satisfies_its_schema(message: msgspec.Struct) -> None:
    schema = json_schema(type(message))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(payload_of(message))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_schema_refuses_a_message_without_a_required_field(message: msgspec.Struct) -> None:
    schema = json_schema(type(message))
    for name in schema["required"]:
        payload = payload_of(message)
        del payload[name]
        assert not jsonschema.Draft202012Validator(schema).is_valid(payload)


def test_schema_refuses_a_wrong_type_deep_inside() -> None:
    payload = payload_of(MESSAGES[0])
    payload["reads"][0]["seen_at_us"] = "now"
    with pytest.raises(jsonschema.ValidationError, match="'now' is not of type 'integer'"):
        jsonschema.validate(payload, json_schema(ReadBatch))


def test_docstrings_describe_the_fields() -> None:
    schema = json_schema(Event)
    assert schema["properties"]["at_us"]["description"] == "event time."
    assert schema["$defs"]["Evidence"]["properties"]["read_points"]["description"] == "where"
    assert "Attributes" not in as_json(schema)


def test_asyncapi_has_what_version_3_requires() -> None:
    """AsyncAPI 3.0.0: asyncapi, info.title and info.version are required; an operation needs action and channel."""
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["title"]
    assert document["info"]["version"]
    for server in document["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = followed(document, operation["channel"]["$ref"])
        assert all(reference["$ref"].startswith(operation["channel"]["$ref"]) for reference in operation["messages"])
        assert channel["address"].startswith("tagwharf/1/{site}/")
    for channel in document["channels"].values():
        named = set(channel["parameters"])
        assert {part[1:-1] for part in channel["address"].split("/") if part.startswith("{")} == named


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    references = set(references_in(document))
    assert len(references) > 30
    for reference in references:
        followed(document, reference)


def test_channels_are_the_topics_that_the_code_uses() -> None:
    topics = Topics("{site}")
    assert {f"{topics.root}/{channel.address}" for channel in CHANNELS} == {
        *(topics.device("{device}", kind) for kind in ("reads", "cards", "readings", "signals", "status")),
        *(topics.device("{device}", kind) for kind in ("command", "outcome")),
        topics.device("{gateway}", "tick"),
        topics.ack("{gateway}"),
        topics.resume("{gateway}"),
        topics.event("{type}"),
        topics.alarm("{id}"),
        topics.order("{alarm}"),
        topics.order_outcome("{alarm}"),
        topics.rules_status(),
        topics.ledger("{gateway}"),
        topics.ledger("rules"),
    }
    fixed = {channel.address.split("/")[0] for channel in CHANNELS if not channel.address.startswith("{")}
    assert fixed <= RESERVED


def test_batches_are_never_retained_but_for_the_status() -> None:
    retained = {channel.name for channel in CHANNELS if channel.sent is Sent.RETAINED}
    assert retained == {"status", "ack", "alarms", "rules_status", "edge_ledger", "rules_ledger"}


def followed(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def references_in(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in references_in(value)]
    if isinstance(node, list):
        return [each for value in node for each in references_in(value)]
    return []
