"""Connects to an LLRP reader once, hears whether it is free, and hangs up as the standard asks.

A reader that has a client turns us away and keeps its client; one that is free is ours until we hang up, and hands us
what it has kept for a client. So this is done with consent only.

    TT LLLL IIII ...      message: 3 reserved bits, version 3, type 10; length 4 with the header; id 4
    tt ll ...             parameter: 6 reserved bits, type 10; length 2 with the header

    READER_EVENT_NOTIFICATION 63 > ReaderEventNotificationData 246 > ConnectionAttemptEvent 256 > status 2
    CLOSE_CONNECTION 14, CLOSE_CONNECTION_RESPONSE 4, RO_ACCESS_REPORT 61

Source: LLRP 1.0.1 sections 12, 13.2.7, 16.1 and 18.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WITHIN_S: Final = 5.0
GOODBYE_WITHIN_S: Final = 2.0
LARGEST_BYTES: Final = 1 << 20  # a reader's batch of kept reports; a greeting has 32
_MESSAGE: Final = struct.Struct("!HII")
_PARAMETER: Final = struct.Struct("!HH")
_TYPE_BITS: Final = 0x3FF
_NOTIFICATION, _DATA, _ATTEMPT, _REPORT = 63, 246, 256, 61
_CLOSE, _CLOSED = 14, 4
_TV_BIT: Final = 0x80
_VERSION_1: Final = 1 << 10
_STATUS: Final = struct.Struct("!H")
_FREE, _READER_INITIATED, _CLIENT_INITIATED = 0, 1, 2


class Answer(StrEnum):
    """How a reader took us."""

    FREE = "free"
    BUSY = "busy"
    ELSE = "no LLRP"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What it said; `kept_reports` are messages of tag reports that it sent to us before we had hung up."""

    answer: Answer
    kept_reports: int = 0


async def greet(host: str, port: int, within_s: float = WITHIN_S) -> Greeting:
    """Ask one reader; never raises for what a device does."""
    try:
        async with asyncio.timeout(within_s):
            reading, writing = await asyncio.open_connection(host, port, limit=LARGEST_BYTES)
    except (OSError, TimeoutError):
        return Greeting(Answer.SILENT)
    try:
        async with asyncio.timeout(within_s):
            kind, body = await _message(reading)
        status = attempt_status(body) if kind == _NOTIFICATION else None
        if status in (_READER_INITIATED, _CLIENT_INITIATED):
            return Greeting(Answer.BUSY)
        if status != _FREE:
            return Greeting(Answer.ELSE)
        return Greeting(Answer.FREE, await _goodbye(reading, writing))
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return Greeting(Answer.SILENT)
    except ValueError:
        return Greeting(Answer.ELSE)
    finally:
        writing.close()
        with contextlib.suppress(OSError, TimeoutError):  # it may hang up before us, or never
            async with asyncio.timeout(GOODBYE_WITHIN_S):
                await writing.wait_closed()


async def _message(reading: asyncio.StreamReader) -> tuple[int, bytes]:
    """Type and body of the next message.

    Raises:
        ValueError: this is no LLRP.
    """
    head, length, _ = _MESSAGE.unpack(await reading.readexactly(_MESSAGE.size))
    if not _MESSAGE.size <= length <= LARGEST_BYTES or not 1 <= head >> 10 & 7 <= 2:  # noqa: PLR2004  # versions
        raise ValueError("this is no header of LLRP")
    return head & _TYPE_BITS, await reading.readexactly(length - _MESSAGE.size)


async def _goodbye(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> int:
    """Hang up; returns how many messages of reports came meanwhile."""
    reports = 0
    writing.write(_MESSAGE.pack(_VERSION_1 | _CLOSE, _MESSAGE.size, 1))
    with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):  # it is free all the same
        async with asyncio.timeout(GOODBYE_WITHIN_S):
            await writing.drain()
            kind = 0
            while kind != _CLOSED:
                kind, _ = await _message(reading)
                reports += kind == _REPORT
    return reports


def attempt_status(body: bytes) -> int | None:
    """The status of the ConnectionAttemptEvent in the body of a READER_EVENT_NOTIFICATION; None without one."""
    data = _find(body, _DATA)
    event = None if data is None else _find(data, _ATTEMPT)
    return None if event is None or len(event) < _STATUS.size else int(_STATUS.unpack_from(event)[0])


def _find(body: bytes, wanted: int) -> bytes | None:
    """The body of the first parameter of a type; None without one, or after one that cannot be followed."""
    at = 0
    while at + _PARAMETER.size <= len(body):
        if body[at] & _TV_BIT:  # short parameters have no length; none stands before those that we look for
            return None
        kind, length = _PARAMETER.unpack_from(body, at)
        if length < _PARAMETER.size or at + length > len(body):
            return None
        if kind & _TYPE_BITS == wanted:
            return body[at + _PARAMETER.size : at + length]
        at += length
    return None
