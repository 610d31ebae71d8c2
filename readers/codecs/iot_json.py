"""JSON events in a stream of bytes, as readers with a JSON interface send them.

    T.......TN            newline-delimited JSON (NDJSON), as over TCP
    ST.......TN           JSON text sequence (RFC 7464), as the MQTT port delivers each message
    S   1  0x1E; what was begun before it and has no end is dropped
    T   n  a JSON object, or an array of them, UTF-8, at most 256 KiB, without S and N inside
    N   1  0x0A
A record whose T begins with 0x1A is no JSON: it says why the MQTT port has dropped messages, and how many.

Source: RFC 7464 for S; what stands in T, `readers.codecs.iot_messages`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from readers.errors import SHOWN_FRAME_BYTES, FrameError
from readers.observations import TagRead

MOST_RECORD_BYTES: Final = 256 << 10  # a batch of a thousand reads with all their fields
DROPPED: Final = b"\x1a"
DROPPED_REASONS: Final = frozenset({"control_character", "too_long", "overflow", "retained"})
START: Final = b"\x1e"
END: Final = b"\n"
_BLANK: Final = b" \t\r\x00"
_NOTE: Final = re.compile(rb"\x1a([a-z_]{1,32}) ([1-9][0-9]{0,8})")
_MARK: Final = re.compile(rb"[\x1e\n]")


class State(StrEnum):
    """What a reader says of its inventory: Impinj in these words, Zebra as `active` (running) and `inactive` (idle)."""

    RUNNING = "running"
    IDLE = "idle"
    ARMED = "armed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a reader says; with nothing else it is a sign of life.

    Attributes:
        device_us: the reader's time of the event.
        connected, disconnected: antenna ports of which the reader says that an antenna is there, or is not.
        purged: events that the reader has thrown away, since it could not get rid of them.
    """

    device_us: int | None = None
    read: TagRead | None = None
    state: State | None = None
    connected: frozenset[int] = frozenset()
    disconnected: frozenset[int] = frozenset()
    purged: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its JSON text, and the events of it that could be understood."""

    text: bytes
    events: tuple[Event, ...]


ParseEvent = Callable[[bytes | msgspec.Raw], Event]
"""Reads one JSON object. Raises FrameError."""


def encode(text: bytes, *, is_sequence: bool = False) -> bytes:
    """A record, as a line of its own or as RFC 7464 has it."""
    return (START if is_sequence else b"") + text + END


class Decoder:
    """Cuts a stream into records and reads them; holds at most one unfinished record."""

    def __init__(self, parse: ParseEvent) -> None:
        self._parse = parse
        self._buffer = bytearray()
        self._is_skipping = False
        self._rejects: Counter[str] = Counter()
        self.reject_sample = b""

    @property
    def holds(self) -> int:
        """How many bytes of an unfinished record are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Record]:
        """Take bytes in any slicing and return the records that are whole now. Never raises."""
        records: list[Record] = []
        at = 0
        for mark in _MARK.finditer(data):
            self._hold(data[at : mark.start()])
            at = mark.end()
            if mark[0] == END:
                records += self._finish()
            else:
                self._drop()
        self._hold(data[at:])
        return records

    def gap(self) -> list[Record]:
        """The link was silent for longer than any pause inside a record."""
        self._drop()
        return []

    def take_rejects(self) -> dict[str, int]:
        """Rejects by reason since the last call: records, or objects of an array."""
        rejects = dict(self._rejects)
        self._rejects.clear()
        return rejects

    def _hold(self, data: bytes) -> None:
        if self._is_skipping:
            return
        if len(self._buffer) + len(data) > MOST_RECORD_BYTES:
            self._reject("too_long", bytes(self._buffer[:SHOWN_FRAME_BYTES]))
            self._is_skipping = True
            self._buffer.clear()
            return
        self._buffer += data

    def _drop(self) -> None:
        if self._buffer.strip(_BLANK):
            self._reject("truncated", bytes(self._buffer[:SHOWN_FRAME_BYTES]))
        self._buffer.clear()
        self._is_skipping = False

    def _finish(self) -> list[Record]:
        text = bytes(self._buffer.strip(_BLANK))
        self._buffer.clear()
        if self._is_skipping or not text:
            self._is_skipping = False
            return []
        if text.startswith(DROPPED):
            note = _NOTE.fullmatch(text)
            if note is not None and note[1].decode() in DROPPED_REASONS:
                self._reject(note[1].decode(), text, int(note[2]))
            else:
                self._reject("json", text)
            return []
        events = []
        try:
            for item in _items(text):
                try:
                    events.append(self._parse(item))
                except FrameError as error:
                    self._reject(error.reason, bytes(item))
        except FrameError as error:
            self._reject(error.reason, text)
        return [Record(text, tuple(events))] if events else []

    def _reject(self, reason: str, sample: bytes, count: int = 1) -> None:
        self._rejects[reason] += count
        self.reject_sample = sample[:SHOWN_FRAME_BYTES]


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _items(text: bytes) -> list[msgspec.Raw] | list[bytes]:
    if not text.startswith(b"["):
        return [text]
    items: list[msgspec.Raw] = decoded(_LIST, text)
    if not items:
        raise FrameError("unknown", "an empty array")
    return items


def decoded(decoder: msgspec.json.Decoder[Any], text: bytes | msgspec.Raw) -> Any:
    """Decode JSON.

    Raises:
        FrameError: `json` when it is none, `fields` when a field is none of its type.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise FrameError("fields", str(error), bytes(text)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError("json", str(error), bytes(text)) from error
