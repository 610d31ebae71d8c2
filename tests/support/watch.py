"""A bystander on MQTT: keeps every ledger, status and event that it sees, and the names of all topics."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.contract.batches import ITEM_KINDS, StatusBatch, decode
from gateway.contract.events import Event, decode_event
from gateway.contract.ledger import EdgeLedger, RulesLedger, decode_edge_ledger, decode_rules_ledger
from tests.support.servers import Server

RECORDED_MOST: Final = 50_000


class Watch:
    """Listens to a site until the end, through every loss of the broker.

    Attributes:
        edge, rules: the ledgers, in order of arrival.
        statuses: by device, in order of arrival; `state` is the last of each.
        recorded: (topic, payload) of all batches, the oldest ones.
    """

    def __init__(self, broker: Server, site: str) -> None:
        self.root = f"tagwharf/1/{site}"
        self.edge: list[EdgeLedger] = []
        self.rules: list[RulesLedger] = []
        self.statuses: dict[str, list[tuple[float, StatusBatch]]] = defaultdict(list)
        self.events: list[Event] = []
        self.topics: set[str] = set()
        self.recorded: list[tuple[str, bytes]] = []
        self.faults: list[str] = []
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bystander")
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]  # whole seconds by its annotation, any by its code
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self.root}/#", qos=1)
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._broker = broker

    def __enter__(self) -> Self:
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=5)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, within_s: float = 10.0) -> None:
        """Say something oneself, and wait until the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(within_s)

    def say(self, messages: list[tuple[str, bytes]], within_s: float = 30.0) -> None:
        """Say much, and wait until the broker has it all."""
        handed = [self._client.publish(topic, payload, qos=1) for topic, payload in messages]
        deadline = time.monotonic() + within_s
        for each in handed:
            each.wait_for_publish(max(0.1, deadline - time.monotonic()))

    def states(self) -> dict[str, str]:
        """The last state of each device."""
        with self._lock:
            return {device: told[-1][1].state for device, told in self.statuses.items()}

    def reached(self, device: str, state: str, after_s: float) -> float | None:
        """When the device was first in that state after a moment of time.monotonic, None if not yet."""
        with self._lock:
            return next((at for at, told in self.statuses[device] if at > after_s and told.state == state), None)

    def _take(self, message: Any) -> None:
        topic, payload = message.topic, bytes(message.payload)
        name = topic.removeprefix(self.root + "/")
        with self._lock:
            self.topics.add(name)
            try:
                self._keep(name, topic, payload)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self.faults.append(f"{name}: {error}: {payload[:200]!r}")  # what the product says must be readable

    def _keep(self, name: str, topic: str, payload: bytes) -> None:
        first, _, second = name.partition("/")
        if first == "ledger" and payload:
            if second == "rules":
                self.rules.append(decode_rules_ledger(payload))
                self._check(name, [(n, p.balanced) for n, p in self.rules[-1].points.items()], payload)
            else:
                self.edge.append(ledger := decode_edge_ledger(payload))
                self._check(name, [(kind, account.balanced) for kind, account in ledger.accounts.items()], payload)
        elif first == "events":
            self.events.append(decode_event(payload))
        elif second == "status" and first != "rules":
            told = decode(payload)
            if isinstance(told, StatusBatch):
                self.statuses[first].append((time.monotonic(), told))
        if second in (*ITEM_KINDS, "status", "tick") and len(self.recorded) < RECORDED_MOST:
            self.recorded.append((topic, payload))

    def _check(self, name: str, accounts: list[tuple[str, bool]], payload: bytes) -> None:
        self.faults += [f"{name}: {kind} does not balance: {payload!r}" for kind, balanced in accounts if not balanced]


def wait_until(met: Callable[[], object], within_s: float, what: Callable[[], object] | str) -> float:
    """Look again and again until it is so; returns after how many seconds."""
    started = time.monotonic()
    while not met():
        waited = time.monotonic() - started
        assert waited < within_s, f"not within {within_s} s: {what if isinstance(what, str) else what()}"
        time.sleep(0.05)
    return time.monotonic() - started
