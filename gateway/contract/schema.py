"""JSON Schemas of all messages, and the AsyncAPI 3 document of the topics, made from the structs themselves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.contract.alarm_orders import AlarmOrder, AlarmOutcome
from gateway.contract.batches import VERSION, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch, TickBatch
from gateway.contract.commands import Command, Outcome
from gateway.contract.events import Alarm, Event
from gateway.contract.flow import Ack, Resume, RulesStatus
from gateway.contract.ledger import EdgeLedger, RulesLedger
from gateway.contract.topics import ROOT
from gateway.docstrings import attributes, summary

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI: Final = "3.0.0"
MQTT_BINDING: Final = "0.2.0"


class Sent(StrEnum):
    """Whether the broker keeps the last message of a topic for those who subscribe later."""

    ONCE = "once"
    RETAINED = "retained"


@dataclass(frozen=True, slots=True)
class Channel:
    """One family of topics.

    Attributes:
        name: of the channel in the AsyncAPI document.
        address: below the site's root, with parameters in braces.
        sender, receivers: processes; a reader of this contract who writes a program of his own is a receiver.
    """

    name: str
    address: str
    message: type[msgspec.Struct]
    sent: Sent
    sender: str
    receivers: str
    summary: str


CHANNELS: Final = (
    Channel("reads", "{device}/reads", ReadBatch, Sent.ONCE, "edge", "rules", "tag reads of one device"),
    Channel("cards", "{device}/cards", CardBatch, Sent.ONCE, "edge", "rules", "card presentations at one device"),
    Channel("readings", "{device}/readings", ReadingBatch, Sent.ONCE, "edge", "rules", "readings of one meter"),
    Channel("signals", "{device}/signals", SignalBatch, Sent.ONCE, "edge", "rules", "inputs, weights, states"),
    Channel(
        "status",
        "{device}/status",
        StatusBatch,
        Sent.RETAINED,
        "edge",
        "rules, console",
        "state of one device; a gateway's own is its last will",
    ),
    Channel("tick", "{gateway}/tick", TickBatch, Sent.ONCE, "edge", "rules", "a second passed at this gateway"),
    Channel(
        "command",
        "{device}/command",
        Command,
        Sent.ONCE,
        "`tagwharf command`, your programs",
        "edge",
        "what a person orders, signed",
    ),
    Channel(
        "outcome",
        "{device}/outcome",
        Outcome,
        Sent.ONCE,
        "edge",
        "`tagwharf command`, your programs",
        "what became of an order",
    ),
    Channel("resume", "resume/{gateway}", Resume, Sent.ONCE, "edge", "rules", "from where batches are sent again"),
    Channel("ack", "ack/{gateway}", Ack, Sent.RETAINED, "rules", "edge", "up to where batches are judged durably"),
    Channel(
        "events", "events/{type}", Event, Sent.ONCE, "rules", "console, your programs", "what happened on the site"
    ),
    Channel(
        "alarms",
        "alarms/{id}",
        Alarm,
        Sent.RETAINED,
        "rules",
        "console, your programs",
        "one alarm; retained while raised",
    ),
    Channel(
        "alarm_order",
        "order/{alarm}",
        AlarmOrder,
        Sent.ONCE,
        "`tagwharf alarms`, your programs",
        "rules",
        "what a person does about an alarm, signed",
    ),
    Channel(
        "alarm_outcome",
        "order-outcome/{alarm}",
        AlarmOutcome,
        Sent.ONCE,
        "rules",
        "`tagwharf alarms`, your programs",
        "what became of that",
    ),
    Channel(
        "rules_status",
        "rules/status",
        RulesStatus,
        Sent.RETAINED,
        "rules",
        "edge, console",
        "whether the rules daemon runs; its last will says no",
    ),
    Channel(
        "edge_ledger",
        "ledger/{gateway}",
        EdgeLedger,
        Sent.RETAINED,
        "edge",
        "console, `tagwharf ledger`",
        "where every read and reading is",
    ),
    Channel(
        "rules_ledger",
        "ledger/rules",
        RulesLedger,
        Sent.RETAINED,
        "rules",
        "console, `tagwharf ledger`",
        "where every point is",
    ),
)
PARAMETERS: Final = {
    "site": "name of the site, from its site file",
    "device": "name of the reader or meter; of the gateway, for its own status",
    "gateway": "name of the edge daemon",
    "type": "`arrived`, `moved`, `departed`, `passage`, `card_presented`, or the name that a rule gives",
    "id": "id of the alarm, 20 hex digits",
    "alarm": "id of the alarm, 20 hex digits",
}
"""What stands in braces; each is one topic level of `[a-z0-9_-]`, 1 to 64 characters."""


def json_schema(message: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of one message, complete in itself."""
    (_,), definitions = msgspec.json.schema_components([message], ref_template="#/$defs/{name}")
    described = {name: _described(schema, name) for name, schema in definitions.items()}
    own = described.pop(message.__name__)
    identity = {"$schema": DIALECT, "$id": f"urn:{ROOT.replace('/', ':')}:{message.__name__}"}
    return {**identity, **own, **({"$defs": described} if described else {})}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document of the contract."""
    messages = [channel.message for channel in CHANNELS]
    _, definitions = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Tagwharf on MQTT",
            "version": f"{VERSION}.0.0",
            "description": "What travels between the daemons of Tagwharf, and what your programs may subscribe to. "
            "MQTT 3.1.1 is enough; payloads are JSON.",
            "license": {"name": "GPL-3.0-or-later"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": {"host": "127.0.0.1:1883", "protocol": "mqtt", "description": "[mqtt] of the site file"}},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": dict(operation for channel in CHANNELS for operation in _operations(channel)),
        "components": {
            "messages": {
                message.__name__: {
                    "name": message.__name__,
                    "summary": summary(message),
                    "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
                }
                for message in messages
            },
            "schemas": {name: _described(schema, name) for name, schema in definitions.items()},
        },
    }


def as_json(document: dict[str, Any]) -> str:
    """The text of a generated file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _structs() -> dict[str, type[msgspec.Struct]]:
    found: dict[str, type[msgspec.Struct]] = {}
    waiting = list(msgspec.Struct.__subclasses__())
    while waiting:
        struct = waiting.pop()
        if struct.__module__.startswith("gateway.contract."):
            found[struct.__name__] = struct
        waiting.extend(struct.__subclasses__())
    return found


def _described(schema: dict[str, Any], name: str) -> dict[str, Any]:
    struct = _structs()[name]
    texts = attributes(struct, struct.__struct_fields__)
    fields = {
        field: {**value, "description": texts[field]} if field in texts else value
        for field, value in schema.get("properties", {}).items()
    }
    return {**schema, "description": summary(struct), "properties": fields}


def _channel(channel: Channel) -> dict[str, Any]:
    address = f"{ROOT}/{{site}}/{channel.address}"
    return {
        "address": address,
        "description": channel.summary,
        "parameters": {name: {"description": PARAMETERS[name]} for name in re.findall(r"{(\w+)}", address)},
        "messages": {channel.message.__name__: {"$ref": f"#/components/messages/{channel.message.__name__}"}},
    }


def _operations(channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    reference = f"#/channels/{channel.name}"
    common = {
        "channel": {"$ref": reference},
        "messages": [{"$ref": f"{reference}/messages/{channel.message.__name__}"}],
    }
    sending = {"mqtt": {"qos": 1, "retain": channel.sent is Sent.RETAINED, "bindingVersion": MQTT_BINDING}}
    receiving = {"mqtt": {"qos": 1, "bindingVersion": MQTT_BINDING}}
    return [
        (f"send_{channel.name}", {"action": "send", "summary": f"by {channel.sender}", **common, "bindings": sending}),
        (
            f"receive_{channel.name}",
            {"action": "receive", "summary": f"by {channel.receivers}", **common, "bindings": receiving},
        ),
    ]
