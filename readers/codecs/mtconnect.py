"""Documents of an MTConnect agent: what devices there are, what they do, and what went wrong.

    MTConnectDevices                       MTConnectStreams                         MTConnectError
      Header instanceId ...                  Header instanceId firstSequence          Header instanceId ...
      Devices                                       lastSequence nextSequence         Errors
        Device name uuid                     Streams                                    Error errorCode  text
          Description manufacturer ...         DeviceStream name uuid
          DataItems                              ComponentStream component
            DataItem id category type              Samples | Events | Condition
                                                     TYPE dataItemId sequence timestamp  value

Elements are taken by their local names, so that every edition of the schema is read alike. A document with a DTD or an
entity is refused before it is parsed, as is one that is not UTF-8, nested too deeply, or too large: nothing in it can
name a file or grow.

Source: ANSI/MTC1.4-2018 Part 1 (protocol), Part 2 (devices), Part 3 (streams). Editions 1.0 to 2.x from memory where
they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from readers.codecs.framing import Scanner
from readers.errors import FrameError
from readers.http_messages import START, Answer, parse
from readers.machine_states import MachineMode, MachineState

DEEPEST: Final = 64
MOST_TEXT: Final = 1_000
MOST_ITEMS: Final = 50_000
"""Observations, data items and errors of one document."""
UNAVAILABLE: Final = "UNAVAILABLE"
OUT_OF_RANGE: Final = "OUT_OF_RANGE"
_US_PER_S: Final = 1_000_000
_MOST_NUMBER: Final = 1 << 64
_CATEGORIES: Final = {"Samples": "SAMPLE", "Events": "EVENT", "Condition": "CONDITION"}
_ROOTS: Final = frozenset({"MTConnectDevices", "MTConnectStreams", "MTConnectError"})

EXECUTION: Final[Mapping[str, MachineState]] = {
    "ACTIVE": MachineState.EXECUTE,
    "READY": MachineState.IDLE,
    "PROGRAM_COMPLETED": MachineState.IDLE,
    "INTERRUPTED": MachineState.HELD,
    "FEED_HOLD": MachineState.HELD,
    "OPTIONAL_STOP": MachineState.HELD,
    "PROGRAM_OPTIONAL_STOP": MachineState.HELD,
    "PROGRAM_STOPPED": MachineState.HELD,
    "WAIT": MachineState.HELD,
    "STOPPED": MachineState.STOPPED,
}
"""What `Execution` says, as a state."""
CONTROLLER_MODE: Final[Mapping[str, MachineMode]] = {
    "AUTOMATIC": MachineMode.AUTOMATIC,
    "SEMI_AUTOMATIC": MachineMode.AUTOMATIC,
    "MANUAL": MachineMode.MANUAL,
    "MANUAL_DATA_INPUT": MachineMode.MANUAL,
    "EDIT": MachineMode.MANUAL,
}
"""What `ControllerMode` says, as a mode."""


class Decoder(Scanner[Answer]):
    """Finds answers. Reject reasons: noise_bytes, delimiter, length, truncated."""

    def __init__(self) -> None:
        super().__init__(START, parse)


@dataclass(frozen=True, slots=True)
class Header:
    """What every document begins with; numbers are 0 where it does not tell them.

    Attributes:
        instance: another one means that the agent has started again, and counts anew.
        first, last, following: sequence numbers in its buffer, and the one that comes next.
        created_us: the agent's time.
    """

    instance: int = 0
    first: int = 0
    last: int = 0
    following: int = 0
    created_us: int | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class DataItem:
    """One thing that a device tells; `type` is as written, `PART_COUNT`."""

    id: str
    category: str
    type: str
    sub_type: str = ""
    name: str = ""
    units: str = ""


@dataclass(slots=True)
class Device:
    """One device of an agent, with its items in the order of the document."""

    name: str
    uuid: str
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    items: list[DataItem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Observation:
    """One value. For a condition `kind` is its level: Normal, Warning, Fault or Unavailable."""

    device: str
    category: str
    kind: str
    item: str
    text: str
    sequence: int = 0
    at_us: int | None = None
    native_code: str = ""
    type: str = ""


@dataclass(slots=True)
class Document:
    """What a document says; only what belongs to its `root` is filled."""

    root: str
    header: Header
    devices: list[Device] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)


def read_document(body: bytes) -> Document:
    """Read one document.

    Raises:
        FrameError: `encoding`, `entity`, `xml`, `depth`, `length`, or `root` where it is none of an agent's.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FrameError("encoding", f"the document is not UTF-8: {error.reason}", body) from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FrameError("entity", "the document declares a type or an entity, which no agent needs", body)
    builder = _Builder()
    parser = ET.XMLParser(target=builder)  # noqa: S314 - what makes XML dangerous was refused above
    try:
        parser.feed(text)
        parser.close()
    except (ET.ParseError, ValueError) as error:
        raise FrameError("xml", str(error), body) from error
    if builder.document is None:
        raise FrameError("root", "the document has no Header", body)
    return builder.document


def microseconds(text: str) -> int | None:
    """Microseconds since 1970 of a time as agents write it; None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    found = round(aware.timestamp() * _US_PER_S)
    return found if found >= 0 else None


class _Builder:
    """Takes elements as they come, and keeps no tree."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self._path: list[str] = []
        self._count = 0
        self._attributes: dict[str, str] = {}
        self._text = ""
        self._stream = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        path = self._path
        if len(path) >= DEEPEST:
            raise FrameError("depth", f"elements are nested deeper than {DEEPEST}")
        if not path and name not in _ROOTS:
            raise FrameError("root", f"the document is a {name[:MOST_TEXT]}, none of an agent's")
        path.append(name)
        named = {_local(key): value[:MOST_TEXT] for key, value in attributes.items()}
        document = self.document
        if document is None:
            if name == "Header" and len(path) == 2:  # noqa: PLR2004 - below the root
                self.document = Document(path[0], _header(named))
            return
        if name == "Device" and document.root == "MTConnectDevices":
            self._enough()
            document.devices.append(Device(named.get("name", ""), named.get("uuid", "")))
        elif name == "Description" and path[-2] == "Device" and document.devices:
            device = document.devices[-1]
            device.manufacturer, device.model = named.get("manufacturer", ""), named.get("model", "")
            device.serial = named.get("serialNumber", "")
        elif name == "DataItem" and document.devices:
            self._enough()
            document.devices[-1].items.append(_item(named))
        elif name == "DeviceStream":
            self._stream = named.get("name", "")
        elif self._is_value(path):
            self._attributes, self._text = named, ""

    def data(self, text: str) -> None:
        if len(self._text) < MOST_TEXT and self._is_value(self._path):
            self._text += text[: MOST_TEXT - len(self._text)]

    def end(self, tag: str) -> None:
        path, document = self._path, self.document
        if document is not None and self._is_value(path):
            self._enough()
            if document.root == "MTConnectError":
                document.errors.append((self._attributes.get("errorCode", ""), self._text.strip()))
            else:
                document.observations.append(self._observation(_local(tag)))
        path.pop()

    def close(self) -> None:
        """Called by the parser."""

    def _is_value(self, path: list[str]) -> bool:
        if self.document is None or len(path) < 2:  # noqa: PLR2004 - a value has a parent
            return False
        if self.document.root == "MTConnectError":
            return path[-1] == "Error"
        return self.document.root == "MTConnectStreams" and path[-2] in _CATEGORIES and "ComponentStream" in path

    def _observation(self, kind: str) -> Observation:
        named = self._attributes
        return Observation(
            device=self._stream,
            category=_CATEGORIES[self._path[-2]],
            kind=kind,
            item=named.get("dataItemId", ""),
            text=self._text.strip(),
            sequence=_number(named.get("sequence", "")),
            at_us=microseconds(named.get("timestamp", "")),
            native_code=named.get("nativeCode", ""),
            type=named.get("type", ""),
        )

    def _enough(self) -> None:
        self._count += 1
        if self._count > MOST_ITEMS:
            raise FrameError("length", f"more than {MOST_ITEMS} items in one document")


def _header(named: Mapping[str, str]) -> Header:
    return Header(
        instance=_number(named.get("instanceId", "")),
        first=_number(named.get("firstSequence", "")),
        last=_number(named.get("lastSequence", "")),
        following=_number(named.get("nextSequence", "")),
        created_us=microseconds(named.get("creationTime", "")),
        version=named.get("version", ""),
    )


def _item(named: Mapping[str, str]) -> DataItem:
    return DataItem(
        id=named.get("id", ""),
        category=named.get("category", ""),
        type=named.get("type", ""),
        sub_type=named.get("subType", ""),
        name=named.get("name", ""),
        units=named.get("units", ""),
    )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _number(text: str) -> int:
    """A count of at most 64 bits; 0 for what is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_MOST_NUMBER)):
        return 0
    return min(int(text), _MOST_NUMBER)
