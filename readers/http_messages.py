"""Messages between a driver and the port of an HTTP server: one question, one answer.

The library owns connections and their framing. This form of what passes lets a driver be run, recorded and replayed:

    G.. P.......N            driver to port: GET, a blank, the path with its query
    S CCC LLLLL N BBBB..     port to driver
    │ │   │     │ └ body, L bytes, at most 4 MiB
    │ │   │     └── 0x0A
    │ │   └──────── length of the body, 1 to 7 decimal digits, after a blank
    │ └──────────── status code, 3 decimal digits
    └────────────── 0x1E

Source: this project; no device speaks it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from readers.errors import FrameError

START: Final = b"\x1e"
END: Final = b"\n"
MOST_BODY_BYTES: Final = 4 << 20
MOST_PATH: Final = 2_000
_HEAD: Final = re.compile(rb"\x1e([1-5][0-9]{2}) ([0-9]{1,7})\n")
_MOST_HEAD_BYTES: Final = 13
_REQUEST: Final = re.compile(rb"GET (/[!-~]{0,1999})\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes


def request(path: str) -> bytes:
    """The question for a path.

    Raises:
        FrameError: it is none.
    """
    data = f"GET {path}\n".encode()
    if _REQUEST.fullmatch(data) is None:
        raise FrameError("range", f"{path[:MOST_PATH]!r} is no path")
    return data


def paths(data: bytes) -> list[str]:
    """The paths that are asked for; raises FrameError when something else is."""
    found = []
    for line in data.splitlines(keepends=True):
        match = _REQUEST.fullmatch(line)
        if match is None:
            raise FrameError("range", "no question", line)
        found.append(match[1].decode())
    return found


def encode(answer: Answer) -> bytes:
    """The answer as bytes.

    Raises:
        FrameError: it is too long.
    """
    if len(answer.body) > MOST_BODY_BYTES:
        raise FrameError("length", f"{len(answer.body)} bytes; at most {MOST_BODY_BYTES} go into an answer")
    return START + f"{answer.status} {len(answer.body)}\n".encode() + answer.body


def parse(buffer: bytearray, start: int) -> tuple[Answer, int] | None:
    """Read the answer that starts there, and its length; None when it is not whole yet.

    Raises:
        FrameError: `delimiter` where it does not begin as one does, or `length`.
    """
    head = _HEAD.match(buffer, start)
    if head is None:
        if len(buffer) - start >= _MOST_HEAD_BYTES or not _may_begin(bytes(buffer[start:])):
            raise FrameError("delimiter", "no status, length and line break", bytes(buffer[start : start + 16]))
        return None
    size = int(head[2])
    if size > MOST_BODY_BYTES:
        raise FrameError("length", f"{size} bytes; at most {MOST_BODY_BYTES} are possible")
    end = head.end() + size
    if end > len(buffer):
        return None
    return Answer(int(head[1]), bytes(buffer[head.end() : end])), end - start


def _may_begin(data: bytes) -> bool:
    """Whether more bytes could make it a head."""
    return re.fullmatch(rb"\x1e([1-5]([0-9]([0-9]( [0-9]{0,7})?)?)?)?", data) is not None
