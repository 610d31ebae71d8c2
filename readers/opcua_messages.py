"""Messages between the driver and the port of an OPC UA server.

The library owns the session, its keys and its clock. This form of what passes lets the driver be run, recorded and
replayed like any other:

    ST.......TN
    S   1  0x1E
    T   n  one JSON object, UTF-8, at most 256 KiB, without S and N inside; `type` says which of the messages below
    N   1  0x0A

Source: this project; no device speaks it. The words of the status codes are those of OPC UA Part 6, annex A.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from readers.errors import FrameError

START: Final = b"\x1e"
END: Final = b"\n"
MOST_BYTES: Final = 256 << 10
MOST_TEXT: Final = 1_000
"""Characters of one text that a server tells."""


class Policy(StrEnum):
    """How a session is secured; the value is the end of the policy's URI. Older policies are broken and refused."""

    NONE = "None"
    BASIC256_SHA256 = "Basic256Sha256"
    AES128_SHA256_RSA_OAEP = "Aes128_Sha256_RsaOaep"
    AES256_SHA256_RSA_PSS = "Aes256_Sha256_RsaPss"


STRONGEST_FIRST: Final = (Policy.AES256_SHA256_RSA_PSS, Policy.AES128_SHA256_RSA_OAEP, Policy.BASIC256_SHA256)


class Mode(StrEnum):
    """What is done to each message."""

    NONE = "None"
    SIGN = "Sign"
    SIGN_AND_ENCRYPT = "SignAndEncrypt"


Value = bool | str | None
"""A truth, a text, or a number written out; None where there is no value."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value of one node.

    Attributes:
        is_number: `value` is a decimal number.
        status: the word of its status code.
        level: 0 good, 1 uncertain, 2 bad.
        source_us, server_us: when it held, and when the server had it, by their own clocks.
        overflowed: values before this one were lost, because the queue of the server was full.
    """

    value: Value = None
    is_number: bool = False
    status: str = "Good"
    level: int = 0
    source_us: int | None = None
    server_us: int | None = None
    overflowed: bool = False


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One node to be watched; `deadband` is a decimal number in the node's own unit, empty for none."""

    handle: int
    node: str
    sampling_ms: int
    queue: int
    deadband: str = ""


class Change(msgspec.Struct, frozen=True):
    """A new value of a watched node."""

    handle: int
    sample: Sample


class Open(msgspec.Struct, frozen=True, tag="open"):
    """To the port, first of all: begin a session. `policy` None is for the best that there is."""

    policy: Policy | None
    mode: Mode


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """To the port: tell these nodes from now on, in publications so far apart."""

    publish_ms: int
    items: tuple[Item, ...]


class Browse(msgspec.Struct, frozen=True, tag="browse"):
    """To the port: which variables are there? At most so many."""

    most: int


class Read(msgspec.Struct, frozen=True, tag="read"):
    """To the port: read these nodes now. The answer has one sample for each."""

    request: int
    nodes: tuple[str, ...]


class Write(msgspec.Struct, frozen=True, tag="write"):
    """To the port: write a node once. The answer has one sample with the status."""

    request: int
    node: str
    value: bool | str


class Call(msgspec.Struct, frozen=True, tag="call"):
    """To the port: call a method without arguments once. The answer has one sample with the status."""

    request: int
    owner: str
    method: str


class Server(msgspec.Struct, frozen=True, tag="server"):
    """To the driver: the session stands, and this is who it is with.

    Attributes:
        policy, mode: what is in force.
        state: of the server, 0 is running.
        offset_us: our clock minus the server's.
        fingerprint: SHA-256 of its certificate in hex; empty where it has none.
    """

    manufacturer: str
    product: str
    version: str
    uri: str
    policy: Policy
    mode: Mode
    namespaces: tuple[str, ...]
    state: int
    offset_us: int | None
    fingerprint: str = ""


class Watched(msgspec.Struct, frozen=True, tag="watched"):
    """To the driver: how the nodes are watched.

    Attributes:
        refused: words of status codes, by handle.
        unfiltered: handles of nodes whose deadband the server does not know.
    """

    publish_ms: int
    refused: dict[int, str] = {}
    unfiltered: tuple[int, ...] = ()


class Found(msgspec.Struct, frozen=True, tag="found"):
    """To the driver: variables of the server, each node with its name."""

    nodes: tuple[tuple[str, str], ...]


class Data(msgspec.Struct, frozen=True, tag="data"):
    """To the driver: what a publication told; the values of one node are in the order that they held."""

    changes: tuple[Change, ...]


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """To the driver, now and then: the server answers; see `Server`."""

    state: int
    offset_us: int | None


class Missed(msgspec.Struct, frozen=True, tag="missed"):
    """To the driver: so many publications, or changes, were lost on the way."""

    reason: str
    count: int


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, tag="answer"):
    """To the driver: what became of a request.

    Attributes:
        not_sent: why certainly nothing left; empty when it did.
        lost: why no answer came to what was sent; empty when one came.
    """

    request: int
    samples: tuple[Sample, ...] = ()
    not_sent: str = ""
    lost: str = ""


Message = Open | Watch | Browse | Read | Write | Call | Server | Watched | Found | Data | Alive | Missed | Answer

_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The message as bytes.

    Raises:
        FrameError: it is too long.
    """
    text = _encode(message)
    if len(text) > MOST_BYTES:
        raise FrameError("length", f"{len(text)} bytes; at most {MOST_BYTES} go into a message")
    return START + text + END


def parse(buffer: bytearray, start: int) -> tuple[Message, int] | None:
    """Read the message that starts there, and its length; None when it is not whole yet.

    Raises:
        FrameError: `length`, `truncated` where another begins before it has ended, `json`, or `fields`.
    """
    end = buffer.find(END, start, start + MOST_BYTES + 2)
    if (another := buffer.find(START, start + 1, end if end >= 0 else len(buffer))) >= 0:
        raise FrameError("truncated", f"another message begins {another - start} bytes later")
    if end < 0:
        if len(buffer) - start > MOST_BYTES + 1:
            raise FrameError("length", f"no end within {MOST_BYTES} bytes")
        return None
    text = bytes(buffer[start + 1 : end])
    try:
        return _decoder.decode(text), end + 1 - start
    except msgspec.ValidationError as error:
        raise FrameError("fields", str(error), text) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError("json", str(error), text) from error
