"""What the JSON interfaces of readers say: Impinj's IoT device interface and Zebra's IoT Connector.

    {"timestamp": "2021-02-02T22:18:35.658476625Z", "eventType": "tagInventory", "tagInventoryEvent":
      {"epcHex": "E28011606000020A6681F23F", "antennaPort": 1, "lastSeenTime": "2021-02-02T22:18:35.499734Z"}}
    {"timestamp": "2026-05-22T23:40:14.471+0000", "type": "CUSTOM", "data":
      {"idHex": "3144343036", "antenna": 1, "peakRssi": -48}}
    {"timestamp": "2026-05-22T23:40:15.000+0000", "type": "heartbeat", "component": "RC", "data":
      {"radio_control": {"radioActivity": "active", "antennas": {"1": "connected", "2": "disconnected"}}}}

Impinj (R700 and later). `tagInventoryEvent` has `epcHex` or `epc` (base64url, padding optional), `tidHex` or `tid`,
`pc` (base64url), `antennaPort`, `peakRssiCdbm` (1/100 dBm), `phaseAngle` (degrees), `lastSeenTime`; `timestamp` is the
event's own, to the nanosecond. `inventoryStatusEvent.status` is `running`, `idle` or `armed`; `antennaConnectedEvent`
and `antennaDisconnectedEvent` have an `antennaPort`, `overflowEvent` has `eventsPurged`.
Zebra (FX7500, FX9600, ATR7000, FXR90). Of a tag, `timestamp` is that of the read, `data` has `idHex`, `antenna`,
`peakRssi` (dBm), and, when asked for, `PC`, `TID`, `USER` (hexadecimal), `phase` (degrees) and `reads`. A management
event has a `component`; the heartbeat among them says whether the radio reads, and which antennas are connected.

Source for Impinj: the names, states and events, the models of Impinj.Atlas, Impinj's own client library for that
interface; their forms, the messages that public receivers of R700 events print and parse (`pc` "NAA=", `phaseAngle`
208.82), and the Python package impinj-iot 0.4.0. Intel's simulated R700 (BSD-3-Clause) says `inventoryStatus` for
`status`, which is read too.
Source for Zebra: the models of tag data and management events in Zebra's sample RFID-IoTConnector-MQTT-dotnet-
DockDoorSample; meanings and units, "TagStorage Settings Tutorial" and "Configuration of Management Events" of
zebradevs.github.io/rfid-ziotc-docs. From memory: the names `TID` and `USER` in Zebra's `data`.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from readers.codecs.iot_json import Event, State, decoded
from readers.errors import FrameError
from readers.observations import TagRead

ValueT = TypeVar("ValueT", int, float)

MOST_EPC_BYTES: Final = 62
MOST_MEMORY_BYTES: Final = 8_192
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_PC_HEX: Final = re.compile(r"[0-9A-Fa-f]{4}")
_PC_BYTES: Final = 2
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_FIRST_YEAR: Final = 1970  # a reader without a clock begins there
_LAST_YEAR: Final = 2199
_MOST_PORT: Final = 255
_PORT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_LEAST_DBM: Final = -150.0
_MOST_DBM: Final = 30.0
_FULL_CIRCLE_DEG: Final = 360.0
_MOST_COUNT: Final = 1_000_000
_CENTI: Final = 100


class _ImpinjTag(msgspec.Struct):
    epc: str | None = None
    epc_hex: str | None = msgspec.field(default=None, name="epcHex")
    tid: str | None = None
    tid_hex: str | None = msgspec.field(default=None, name="tidHex")
    pc: str | None = None
    antenna_port: int = msgspec.field(default=1, name="antennaPort")
    peak_rssi_cdbm: int | None = msgspec.field(default=None, name="peakRssiCdbm")
    phase_angle: float | None = msgspec.field(default=None, name="phaseAngle")
    last_seen_time: str | None = msgspec.field(default=None, name="lastSeenTime")


class _ImpinjStatus(msgspec.Struct):
    status: State | None = None
    inventory_status: State | None = msgspec.field(default=None, name="inventoryStatus")


class _ImpinjAntenna(msgspec.Struct):
    antenna_port: int = msgspec.field(name="antennaPort")


class _ImpinjOverflow(msgspec.Struct):
    events_purged: int = msgspec.field(default=0, name="eventsPurged")


class _ImpinjEvent(msgspec.Struct):
    timestamp: str | None = None
    event_type: str | None = msgspec.field(default=None, name="eventType")
    tag: _ImpinjTag | None = msgspec.field(default=None, name="tagInventoryEvent")
    status: _ImpinjStatus | None = msgspec.field(default=None, name="inventoryStatusEvent")
    connected: _ImpinjAntenna | None = msgspec.field(default=None, name="antennaConnectedEvent")
    disconnected: _ImpinjAntenna | None = msgspec.field(default=None, name="antennaDisconnectedEvent")
    overflow: _ImpinjOverflow | None = msgspec.field(default=None, name="overflowEvent")


class _ZebraEvent(msgspec.Struct):
    timestamp: str | None = None
    type: str | None = None
    component: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _ZebraTag(msgspec.Struct):
    id_hex: str | None = msgspec.field(default=None, name="idHex")
    antenna: int = 1
    peak_rssi: float | None = msgspec.field(default=None, name="peakRssi")
    pc: str | None = msgspec.field(default=None, name="PC")
    tid: str | None = msgspec.field(default=None, name="TID")
    user: str | None = msgspec.field(default=None, name="USER")
    phase: float | None = None
    reads: int = 1


class _ZebraRadio(msgspec.Struct):
    activity: str | None = msgspec.field(default=None, name="radioActivity")
    connection: str | None = msgspec.field(default=None, name="radioConnection")
    antennas: dict[str, str] | None = None


class _ZebraHeartbeat(msgspec.Struct):
    radio_control: _ZebraRadio = msgspec.field(default_factory=_ZebraRadio)


_IMPINJ: Final = msgspec.json.Decoder(_ImpinjEvent)
_ZEBRA: Final = msgspec.json.Decoder(_ZebraEvent)
_ZEBRA_TAG: Final = msgspec.json.Decoder(_ZebraTag)
_ZEBRA_HEARTBEAT: Final = msgspec.json.Decoder(_ZebraHeartbeat)
_HEARTBEAT: Final = "heartbeat"
_ACTIVITIES: Final = {"active": State.RUNNING, "inactive": State.IDLE}
_CONNECTED: Final = "connected"
_DISCONNECTED: Final = "disconnected"


def parse_impinj(text: bytes | msgspec.Raw) -> Event:
    """Read one event of the IoT device interface.

    Raises:
        FrameError: `json`, `fields`, `unknown`, `time`, `epc`, `memory` or `range`.
    """
    event: _ImpinjEvent = decoded(_IMPINJ, text)
    device_us = None if event.timestamp is None else time_us(event.timestamp)
    if event.tag is not None:
        return Event(device_us, read=_impinj_read(event.tag, device_us))
    if event.status is not None:
        return Event(device_us, state=_impinj_state(event.status))
    if event.overflow is not None:
        return Event(device_us, purged=_within(event.overflow.events_purged, 0, _MOST_COUNT, "eventsPurged"))
    connected, disconnected = _impinj_antenna(event.connected), _impinj_antenna(event.disconnected)
    if event.event_type is None and not connected | disconnected:
        raise FrameError("unknown", "no event that is known, and no eventType")
    return Event(device_us, connected=connected, disconnected=disconnected)


def parse_zebra(text: bytes | msgspec.Raw) -> Event:
    """Read one event of the IoT Connector.

    Raises:
        FrameError: `json`, `fields`, `unknown`, `time`, `epc`, `memory` or `range`.
    """
    event: _ZebraEvent = decoded(_ZEBRA, text)
    device_us = None if event.timestamp is None else time_us(event.timestamp)
    if event.type == _HEARTBEAT:
        return _zebra_heartbeat(event.data, device_us)
    if event.component is not None and b'"idHex"' not in bytes(event.data):
        return Event(device_us)
    if not bytes(event.data):
        raise FrameError("unknown", "neither data nor a component")
    tag: _ZebraTag = decoded(_ZEBRA_TAG, event.data)
    if tag.id_hex is None:
        return Event(device_us)
    read = TagRead(
        _epc(_from_hex(tag.id_hex, "epc")),
        _within(tag.antenna, 1, _MOST_PORT, "antenna"),
        rssi_dbm=None if tag.peak_rssi is None else _within(tag.peak_rssi, _LEAST_DBM, _MOST_DBM, "peakRssi"),
        last_seen_us=device_us,
        count=_within(tag.reads, 1, _MOST_COUNT, "reads"),
        pc_bits=None if tag.pc is None else _pc_bits(tag.pc),
        tid=None if tag.tid is None else _memory(_from_hex(tag.tid, "memory")),
        user_memory=None if tag.user is None else _memory(_from_hex(tag.user, "memory")),
        phase_deg=_phase(tag.phase),
    )
    return Event(device_us, read=read)


def _zebra_heartbeat(data: msgspec.Raw, device_us: int | None) -> Event:
    """A sign of life, whatever it holds; fields that it is configured without, and unknown words, say nothing."""
    try:
        heartbeat: _ZebraHeartbeat = decoded(_ZEBRA_HEARTBEAT, data)
    except FrameError:
        return Event(device_us)
    radio = heartbeat.radio_control
    state = None if radio.activity is None else _ACTIVITIES.get(radio.activity)
    if radio.connection == _DISCONNECTED:
        state = State.IDLE
    ports = {int(port): said for port, said in (radio.antennas or {}).items() if _PORT.fullmatch(port)}
    connected, disconnected = (
        frozenset(port for port, said in ports.items() if said == word) for word in (_CONNECTED, _DISCONNECTED)
    )
    return Event(device_us, state=state, connected=connected, disconnected=disconnected)


def _impinj_state(status: _ImpinjStatus) -> State:
    state = status.status or status.inventory_status
    if state is None:
        raise FrameError("fields", "an inventoryStatusEvent without its status")
    return state


def _impinj_antenna(said: _ImpinjAntenna | None) -> frozenset[int]:
    return frozenset() if said is None else frozenset({_within(said.antenna_port, 1, _MOST_PORT, "antennaPort")})


def _impinj_read(tag: _ImpinjTag, device_us: int | None) -> TagRead:
    if tag.epc_hex is not None:
        epc = _from_hex(tag.epc_hex, "epc")
    elif tag.epc is not None:
        epc = _from_base64(tag.epc, "epc")
    else:
        raise FrameError("epc", "neither epcHex nor epc; enable one of them in the reader's eventConfig")
    tid = None
    if tag.tid_hex is not None:
        tid = _memory(_from_hex(tag.tid_hex, "memory"))
    elif tag.tid is not None:
        tid = _memory(_from_base64(tag.tid, "memory"))
    rssi_dbm = None if tag.peak_rssi_cdbm is None else tag.peak_rssi_cdbm / _CENTI
    return TagRead(
        _epc(epc),
        _within(tag.antenna_port, 1, _MOST_PORT, "antennaPort"),
        rssi_dbm=None if rssi_dbm is None else _within(rssi_dbm, _LEAST_DBM, _MOST_DBM, "peakRssiCdbm"),
        last_seen_us=device_us if tag.last_seen_time is None else time_us(tag.last_seen_time),
        pc_bits=None if tag.pc is None else _pc_bits(tag.pc),
        tid=tid,
        phase_deg=_phase(tag.phase_angle),
    )


def encode_impinj(event: Event) -> bytes:
    """The JSON text of an event, as an R700 writes it; one antenna at the most."""
    table: dict[str, Any] = {"timestamp": _time(event.device_us, "Z")}
    if event.read is not None:
        read = event.read
        tag = {
            "epcHex": read.epc.hex().upper(),
            "tidHex": None if read.tid is None else read.tid.hex().upper(),
            "pc": None if read.pc_bits is None else base64.urlsafe_b64encode(read.pc_bits.to_bytes(2, "big")).decode(),
            "antennaPort": read.antenna_port,
            "peakRssiCdbm": None if read.rssi_dbm is None else round(read.rssi_dbm * _CENTI),
            "phaseAngle": read.phase_deg,
            "lastSeenTime": _time(read.last_seen_us, "Z"),
        }
        table |= {"eventType": "tagInventory", "tagInventoryEvent": _given(tag)}
    elif event.state is not None:
        table |= {"eventType": "inventoryStatus", "inventoryStatusEvent": {"status": event.state}}
    elif event.purged:
        table |= {"eventType": "overflow", "overflowEvent": {"eventsPurged": event.purged}}
    elif event.connected or event.disconnected:
        (port,) = event.connected | event.disconnected
        kind = "antennaConnected" if event.connected else "antennaDisconnected"
        table |= {"eventType": kind, f"{kind}Event": {"antennaPort": port}}
    else:
        table |= {"eventType": "keepalive"}
    return msgspec.json.encode(_given(table))


def encode_zebra(event: Event) -> bytes:
    """The JSON text of an event, as an IoT Connector writes it; without a read a heartbeat."""
    stamp = _time(event.device_us, "+0000", milliseconds=True)
    if event.read is None:
        return msgspec.json.encode(
            _given({"type": _HEARTBEAT, "timestamp": stamp, "component": "RC", "data": _zebra_radio(event)})
        )
    read = event.read
    data = {
        "idHex": read.epc.hex(),
        "antenna": read.antenna_port,
        "peakRssi": read.rssi_dbm,
        "PC": None if read.pc_bits is None else f"{read.pc_bits:04x}",
        "TID": None if read.tid is None else read.tid.hex(),
        "USER": None if read.user_memory is None else read.user_memory.hex(),
        "phase": read.phase_deg,
        "reads": read.count,
        "format": "epc",
    }
    return msgspec.json.encode(_given({"type": "CUSTOM", "timestamp": stamp, "data": _given(data)}))


def _zebra_radio(event: Event) -> dict[str, Any]:
    radio: dict[str, Any] = {}
    if event.state is not None:
        radio["radioActivity"] = "active" if event.state is State.RUNNING else "inactive"
    if ports := sorted(event.connected | event.disconnected):
        radio["antennas"] = {str(port): _CONNECTED if port in event.connected else _DISCONNECTED for port in ports}
    return {"radio_control": radio} if radio else {}


def time_us(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time with its zone; `Z`, `+0000` and `+00:00` are known.

    Raises:
        FrameError: `time`, when it is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise FrameError("time", "no ISO 8601 time with a zone", text.encode("utf-8", "replace"))
    fraction_us = int((match[7] or "0").ljust(9, "0")) // 1000
    try:
        when = datetime(*(int(match[part]) for part in range(1, 7)), tzinfo=UTC)  # type: ignore[arg-type,misc]  # six
    except ValueError as error:
        raise FrameError("time", str(error), text.encode()) from error
    if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
        raise FrameError("time", f"a year that is none of {_FIRST_YEAR} to {_LAST_YEAR}", text.encode())
    zone = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    return (when - _EPOCH + (zone if match[8] == "-" else -zone)) // _US + fraction_us


def _time(when_us: int | None, zone: str, *, milliseconds: bool = False) -> str | None:
    if when_us is None:
        return None
    when = _EPOCH + when_us * _US
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds" if milliseconds else "microseconds") + zone


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _from_hex(text: str, reason: str) -> bytes:
    if not _HEX.fullmatch(text):
        _refuse(reason, "no pairs of hexadecimal digits", text)
    return bytes.fromhex(text)


def _from_base64(text: str, reason: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        _refuse(reason, "no base64url", text)


def _refuse(reason: str, detail: str, text: str) -> NoReturn:
    raise FrameError(reason, detail, text.encode("utf-8", "replace"))


def _epc(epc: bytes) -> bytes:
    if len(epc) > MOST_EPC_BYTES:
        raise FrameError("epc", f"{len(epc)} bytes, at most {MOST_EPC_BYTES}", epc)
    return epc


def _memory(data: bytes) -> bytes | None:
    if len(data) > MOST_MEMORY_BYTES:
        raise FrameError("memory", f"{len(data)} bytes, at most {MOST_MEMORY_BYTES}", data)
    return data or None


def _pc_bits(text: str) -> int:
    """Four hexadecimal digits, or two bytes in base64url, which are three digits and perhaps padding."""
    data = bytes.fromhex(text) if _PC_HEX.fullmatch(text) else _from_base64(text, "memory")
    if len(data) != _PC_BYTES:
        _refuse("memory", "a PC word that is none", text)
    return int.from_bytes(data, "big")


def _phase(phase_deg: float | None) -> float | None:
    if phase_deg is None:
        return None
    return _within(phase_deg, -_FULL_CIRCLE_DEG, _FULL_CIRCLE_DEG, "phase") % _FULL_CIRCLE_DEG


def _within(value: ValueT, least: float, most: float, name: str) -> ValueT:
    if not least <= value <= most:
        raise FrameError("range", f"{name} = {value!r} is none of {least:g} to {most:g}")
    return value
