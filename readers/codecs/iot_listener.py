"""Makes observations of what a reader says that is only listened to: reads, whether it reads, and its clock."""

from __future__ import annotations

from collections.abc import Iterable

from readers.clock import ClockOffset
from readers.codecs.iot_json import Decoder, Event, ParseEvent, State
from readers.observations import Observation, Rejected, TagReads, Watching


class Listener:
    """Takes bytes and the time, and gives observations.

    Args:
        antennas: the antenna ports that are read while an inventory runs; those that tags name are added.
        silent_after_s: a reader that says nothing for so long is taken to read no more.
    """

    def __init__(self, parse: ParseEvent, antennas: Iterable[int], silent_after_s: float) -> None:
        self._decoder = Decoder(parse)
        self._clock = ClockOffset()
        self._ports = set(antennas)
        self._silent_after_s = silent_after_s
        self._is_running = False
        self._stopped_us: int | None = None
        self._heard_s: float | None = None

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
        before = self._watched()
        for event in events:
            said += self._changed(event)
        if self._is_running and self._watched() != before:
            said.append(Watching(self._watched()))
        reads = [event.read for event in events if event.read is not None]
        if reads:
            said.append(TagReads.of(received_us, *reads, clock_offset_us=self._clock.offset_us))
        return said

    def wait(self, now_s: float) -> list[Observation]:
        """Nothing came until now."""
        if not self._is_running or self._heard_s is None or now_s - self._heard_s < self._silent_after_s:
            return []
        return self._stop()

    def gap(self) -> list[Observation]:
        """A pause that no record has inside."""
        self._decoder.gap()
        return self._rejected()

    def _changed(self, event: Event) -> list[Observation]:
        """Notes whether the inventory runs; a tag proves it, unless it was read before the inventory stopped."""
        if event.read is not None:
            self._ports.add(event.read.antenna_port)
            late = self._stopped_us is not None and event.device_us is not None and event.device_us <= self._stopped_us
            if not late:
                self._is_running = True
        elif event.state is State.RUNNING:
            self._is_running = True
        elif event.state is not None:
            self._stopped_us = event.device_us
            return self._stop()
        return []

    def _stop(self) -> list[Observation]:
        was_running, self._is_running = self._is_running, False
        return [Watching()] if was_running else []

    def _watched(self) -> frozenset[int]:
        return frozenset(self._ports) if self._is_running else frozenset()

    def _rejected(self) -> list[Observation]:
        rejects = self._decoder.take_rejects()
        return [Rejected(reason, count, sample=self._decoder.reject_sample) for reason, count in rejects.items()]
