"""Listens to the alarms of a site: how old the read was when its alarm came, by gateway."""

from __future__ import annotations

import math
import threading
import time
from typing import Any, Final, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.site import SITE
from gateway.contract.events import decode_alarm
from gateway.contract.topics import Topics

_NS_PER_US: Final = 1_000
_US_PER_MS: Final = 1_000


class Heard(NamedTuple):
    """An alarm that was raised: when it came here and when its read was made, microseconds since 1970."""

    came_us: int
    at_us: int
    gateway: str


class AlarmWatch:
    """A client of its own, from `with` to the end. Retained alarms are of before, and not taken."""

    def __init__(self, host: str, port: int) -> None:
        self.heard: list[Heard] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak-alarms")
        self._client.on_connect = lambda client, *_: client.subscribe(Topics(SITE).alarm("+"), qos=1)
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._lock = threading.Lock()
        self._address = (host, port)

    def __enter__(self) -> Self:
        self._client.connect_async(*self._address)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, message: Any) -> None:
        if message.retain or not message.payload:
            return
        alarm = decode_alarm(message.payload)
        if alarm.state == "raised":
            with self._lock:
                self.heard.append(Heard(time.time_ns() // _NS_PER_US, alarm.at_us, alarm.evidence.gateway))

    def of(self, gateway: str, from_us: int, until_us: int) -> list[Heard]:
        """Alarms of this gateway whose reads were made in this time."""
        with self._lock:
            return [heard for heard in self.heard if heard.gateway == gateway and from_us <= heard.at_us < until_us]


def percentile_ms(alarms: list[Heard], percent: float) -> float:
    """How old the reads of these alarms were, in milliseconds; not a number when there is none."""
    ages_us = sorted(heard.came_us - heard.at_us for heard in alarms)
    if not ages_us:
        return math.nan
    return ages_us[max(0, math.ceil(len(ages_us) * percent / 100) - 1)] / _US_PER_MS
