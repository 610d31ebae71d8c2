"""Makes observations of what a reader says that is only listened to: reads, whether it reads, and its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from readers.clock import ClockOffset
from readers.codecs.iot_json import Decoder, Event, ParseEvent, State
from readers.observations import Condition, Observation, Rejected, TagReads, Watching

NO_ANTENNA: Final = "antenna_disconnected"
PURGED: Final = "purged_by_reader"


class StatusMessage(StrEnum):
    """What a text means that a reader was set to publish, which need not be JSON."""

    ALIVE = "alive"
    GONE = "gone"


class Listener:
    """Takes bytes and the time, and gives observations.

    Args:
        antennas: the antenna ports that are read while an inventory runs; those that tags name are added.
        silent_after_s: a reader that says nothing for so long is taken to read no more.
        status_messages: texts of the reader's last will and the like, and what they mean.

    Attributes:
        is_gone: the last that was said is that the reader has left.
    """

    def __init__(
        self,
        parse: ParseEvent,
        antennas: Iterable[int],
        silent_after_s: float,
        status_messages: Mapping[str, StatusMessage] | None = None,
    ) -> None:
        self._decoder = Decoder(self._event)
        self._parse = parse
        self._status = {_as_delivered(text): meaning for text, meaning in (status_messages or {}).items()}
        self._clock = ClockOffset()
        self._ports = set(antennas)
        self._disconnected: frozenset[int] = frozenset()
        self._named: frozenset[int] = frozenset()
        self._silent_after_s = silent_after_s
        self._is_running = False
        self._told: frozenset[int] = frozenset()
        self._stopped_us: int | None = None
        self._heard_s: float | None = None
        self.is_gone = False

    def take(self, data: bytes, received_us: int, now_s: float) -> list[Observation]:
        """What these bytes mean."""
        events = [event for record in self._decoder.feed(data) for event in record.events]
        said = self._rejected()
        if not events:
            return said
        self._heard_s = now_s
        device_times = [event.device_us for event in events if event.device_us is not None]
        if device_times:
            self._clock.update(max(device_times), received_us)
        for event in events:
            said += self._changed(event)
        said += self._watching()
        reads = [event.read for event in events if event.read is not None]
        if reads:
            said.append(TagReads.of(received_us, *reads, clock_offset_us=self._clock.offset_us))
        return said

    def wait(self, now_s: float) -> list[Observation]:
        """Nothing came until now."""
        if not self._is_running or self._heard_s is None or now_s - self._heard_s < self._silent_after_s:
            return []
        self._is_running = False
        return self._watching()

    def gap(self) -> list[Observation]:
        """A pause that no record has inside."""
        self._decoder.gap()
        return self._rejected()

    def _event(self, text: bytes | msgspec.Raw) -> Event:
        meaning = self._status.get(bytes(text)) if self._status else None
        if meaning is None:
            event = self._parse(text)
            self.is_gone = False
            return event
        self.is_gone = meaning is StatusMessage.GONE
        return Event(state=State.IDLE if self.is_gone else None)

    def _changed(self, event: Event) -> list[Observation]:
        """Notes whether the inventory runs; a tag proves it, unless it was read before the inventory stopped."""
        self._disconnected = (self._disconnected | event.disconnected) - event.connected
        if event.read is not None:
            self._ports.add(event.read.antenna_port)
            self._disconnected -= {event.read.antenna_port}
            late = self._stopped_us is not None and event.device_us is not None and event.device_us <= self._stopped_us
            self._is_running = self._is_running or not late
        elif event.state is not None:
            self._is_running = event.state is State.RUNNING
            if not self._is_running:
                self._stopped_us = event.device_us
        return [*self._antennas(), *([Rejected(PURGED, event.purged)] if event.purged else ())]

    def _antennas(self) -> list[Observation]:
        """Conditions of the antennas that are read with; a reader may have more sockets than antennas."""
        gone = self._disconnected & self._ports
        changed = sorted(gone ^ self._named)
        self._named = gone
        return [Condition(NO_ANTENNA, active=port in gone, key=str(port)) for port in changed]

    def _watching(self) -> list[Observation]:
        watched = frozenset(self._ports - self._disconnected if self._is_running else ())
        if watched == self._told:
            return []
        self._told = watched
        return [Watching(watched)]

    def _rejected(self) -> list[Observation]:
        rejects = self._decoder.take_rejects()
        return [Rejected(reason, count, sample=self._decoder.reject_sample) for reason, count in rejects.items()]


def _as_delivered(text: str) -> bytes:
    """As the record of a message has it: on one line, without blanks around it."""
    return text.translate({ord("\r"): " ", ord("\n"): " "}).strip(" \t\x00").encode()
