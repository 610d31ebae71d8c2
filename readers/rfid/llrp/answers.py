"""What the reader says, apart from tag reads: sllurp's tables decode the messages that they know.

Nothing of sllurp leaves this module but plain numbers, texts and bytes in the dataclasses below.
Source of what sllurp lacks: LLRP 1.0.1 section 16.1, LLRP 1.1 section 17.1 (message and parameter numbers).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sllurp import llrp_proto

from readers.errors import FrameError
from readers.rfid.llrp.control import CUSTOM_HEAD
from readers.rfid.llrp.framing import parameters
from readers.rfid.llrp.vendors import can_report_phase

_LLRP_STATUS: Final = 287
_FIELD_ERROR: Final = 288
_PARAMETER_ERROR: Final = 289
_STATUS_HEAD: Final = struct.Struct(">HH")
DEVICE_ERROR: Final = 401  # R_DeviceError: a fault of the reader itself, which may pass
_LONGEST_TEXT: Final = 200
# Real answers are a few KiB. sllurp needs some 3 us for each parameter, of 4 bytes at least, and nothing else of this
# process runs meanwhile: this keeps a hostile answer below half a second.
_LARGEST_ANSWER_BYTES: Final = 1 << 19

# It logs each byte that it stumbles over; a reader must not be able to fill a disk. What matters is raised or counted.
logging.getLogger(llrp_proto.__name__).setLevel(logging.CRITICAL)
# Everything that sllurp's decoders can throw at bytes that are not what they should be.
_SLLURP_ERRORS: Final = (
    struct.error,
    llrp_proto.LLRPError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Status:
    """LLRPStatus: code 0 is success."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the reader did what it was asked."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class RfMode:
    """One entry of UHFC1G2RFModeTable. `miller` is 1 for FM0, else 2, 4, 8; `spectral_mask` 3 is for dense readers."""

    identifier: int
    miller: int
    spectral_mask: int
    rate_bps: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the reader can do, of GET_READER_CAPABILITIES_RESPONSE. Frequencies in kHz.

    Attributes:
        power_dbm: by table index. attenuation_db: how much less than the best sensitivity, by table index.
        max_filters: C1G2Filters in one inventory. max_opspecs: operations in one AccessSpec; 0 for no limit.
        can_report_phase: a reader that must be asked for the phase by a maker's parameter, and says that it has it.
    """

    manufacturer: int
    model: int
    firmware: str
    antenna_count: int
    has_utc_clock: bool
    can_hold: bool
    can_warn_buffer: bool
    power_dbm: Mapping[int, float]
    hop_table_ids: tuple[int, ...]
    fixed_channels_khz: tuple[int, ...]
    modes: tuple[RfMode, ...]
    hopping: bool
    attenuation_db: Mapping[int, float]
    gpi_count: int
    gpo_count: int
    max_filters: int
    max_opspecs: int
    can_block_write: bool
    can_report_phase: bool


@dataclass(frozen=True, slots=True)
class Configuration:
    """What GET_READER_CONFIG_RESPONSE says; None where it says nothing.

    Attributes:
        gpi_high: inputs whose level the reader knows. gpo_high: its outputs.
    """

    reader_id: str
    connected: Mapping[int, bool]
    keepalive_ms: int | None
    holds: bool | None
    link_monitor_keepalives: int | None
    gpi_enabled: Mapping[int, bool] = field(default_factory=dict)
    gpi_high: Mapping[int, bool] = field(default_factory=dict)
    gpo_high: Mapping[int, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """READER_EVENT_NOTIFICATION; None where it says nothing of that sort."""

    utc_us: int | None = None
    uptime_us: int | None = None
    connection_attempt: int | None = None
    closes: bool = False
    antenna: tuple[int, bool] | None = None  # port, connected
    buffer_fill_percent: int | None = None
    buffer_overflow: bool = False
    exception: str | None = None
    rospec: tuple[str, int] | None = None  # what happened, ROSpec id
    gpi: tuple[int, bool] | None = None
    unknown: int = 0


def status(payload: bytes) -> Status:
    """The LLRPStatus among the parameters of an answer.

    Raises:
        FrameError: there is none, or the answer is damaged.
    """
    for parameter in parameters(payload):
        if parameter.type == _LLRP_STATUS:
            code, text_bytes = _STATUS_HEAD.unpack_from(_long_enough(parameter.value, _STATUS_HEAD.size))
            text = shown(parameter.value[_STATUS_HEAD.size : _STATUS_HEAD.size + text_bytes])
            inner = _causes(parameter.value[_STATUS_HEAD.size + text_bytes :])
            name = llrp_proto.Error_Type2Name.get(code, "an unknown code")
            return Status(code, "; ".join(part for part in (f"{name} ({code})", text, *inner) if part))
    raise FrameError("status", "an answer without LLRPStatus", payload)


def _causes(value: bytes) -> list[str]:
    """FieldError and ParameterError inside a status, from the outside in."""
    causes: list[str] = []
    while value:
        inside = b""
        for parameter in parameters(value):
            if parameter.type not in (_FIELD_ERROR, _PARAMETER_ERROR):
                continue
            number, code = _STATUS_HEAD.unpack_from(_long_enough(parameter.value, _STATUS_HEAD.size))
            name = llrp_proto.Error_Type2Name.get(code, code)
            if parameter.type == _FIELD_ERROR:
                causes.append(f"field {number}: {name}")
            else:
                what = llrp_proto.Param_Type2Name.get((number, 0, 0), f"parameter {number}")
                causes.append(f"{what}: {name}")
                inside = parameter.value[_STATUS_HEAD.size :]
        value = inside
    return causes


def custom_status(payload: bytes) -> Status:
    """The LLRPStatus of a custom answer."""
    return status(payload[CUSTOM_HEAD.size :])


def supported_version(payload: bytes) -> tuple[int, int, Status]:
    """The version in force, the highest that the reader speaks, and its LLRPStatus.

    Raises:
        FrameError: the answer is damaged.
    """
    _long_enough(payload, 2)
    return payload[0], payload[1], status(payload[2:])


def capabilities(payload: bytes) -> Capabilities:
    """Read GET_READER_CAPABILITIES_RESPONSE.

    Raises:
        FrameError: it is damaged, or says nothing of the device or of its power levels.
    """
    try:
        fields = _decode("GET_READER_CAPABILITIES_RESPONSE", payload)
        general = fields["GeneralDeviceCapabilities"]
        llrp, gen2 = fields.get("LLRPCapabilities", {}), fields.get("C1G2LLRPCapabilities", {})
        io = general.get("GPIOCapabilities", {})
        band = fields["RegulatoryCapabilities"]["UHFBandCapabilities"]
        frequencies = band.get("FrequencyInformation", {})
        fixed = frequencies.get("FixedFrequencyTable", {}).get("Frequency", ())
        return Capabilities(
            manufacturer=general["DeviceManufacturerName"],
            model=general["ModelName"],
            firmware=shown(bytes(general["ReaderFirmwareVersion"])),
            antenna_count=general["MaxNumberOfAntennaSupported"],
            has_utc_clock=general["HasUTCClockCapability"],
            can_hold=llrp.get("SupportsEventAndReportHolding", False),
            can_warn_buffer=llrp.get("CanReportBufferFillWarning", False),
            power_dbm={
                entry["Index"]: _signed(entry["TransmitPowerValue"]) / 100
                for entry in band["TransmitPowerLevelTableEntry"]
            },
            hop_table_ids=tuple(table["HopTableId"] for table in frequencies.get("FrequencyHopTable", ())),
            fixed_channels_khz=tuple(fixed),
            modes=tuple(
                RfMode(entry["ModeIdentifier"], 1 << min(entry["Mod"], 3), entry["M"], entry["BDR"])
                for entry in band.get("UHFC1G2RFModeTable", {}).get("UHFC1G2RFModeTableEntry", ())
            ),
            hopping=frequencies.get("Hopping", False),
            attenuation_db={
                entry["Index"]: float(_signed(entry["ReceiveSensitivityValue"]))
                for entry in general.get("ReceiveSensitivityTableEntry", ())
            },
            gpi_count=io.get("NumGPIs", 0),
            gpo_count=io.get("NumGPOs", 0),
            max_filters=gen2.get("MaxNumSelectFiltersPerQuery", 0),
            max_opspecs=llrp.get("MaxNumOpSpecsPerAccessSpec", 0),
            can_block_write=gen2.get("CanSupportBlockWrite", False),
            can_report_phase=any(
                can_report_phase(each.vendor, each.subtype, each.value) for each in parameters(payload)
            ),
        )
    except _SLLURP_ERRORS as error:
        raise FrameError("capabilities", f"cannot be read: {error!r}", payload) from error


def configuration(payload: bytes) -> Configuration:
    """Read GET_READER_CONFIG_RESPONSE.

    Raises:
        FrameError: it is damaged.
    """
    try:
        fields = _decode("GET_READER_CONFIG_RESPONSE", payload)
        monitor, inputs = fields.get("ImpinjLinkMonitorConfiguration", {}), fields.get("GPIPortCurrentState", ())
        return Configuration(
            reader_id=fields.get("Identification", {}).get("ReaderID", b"").decode().upper(),
            connected={
                antenna["AntennaID"]: antenna["AntennaConnected"] for antenna in fields.get("AntennaProperties", ())
            },
            keepalive_ms=fields.get("KeepaliveSpec", {}).get("TimeInterval"),
            holds=fields.get("EventsAndReports", {}).get("HoldEventsAndReportsUponReconnect"),
            link_monitor_keepalives=monitor.get("LinkDownThreshold") if monitor.get("LinkMonitorMode") else None,
            gpi_enabled={gpi["GPIPortNum"]: gpi["GPIConfig"] for gpi in inputs},
            gpi_high={gpi["GPIPortNum"]: gpi["GPIState"] == 1 for gpi in inputs if gpi["GPIState"] in (0, 1)},
            gpo_high={gpo["GPOPortNumber"]: gpo["GPOData"] for gpo in fields.get("GPOWriteData", ())},
        )
    except _SLLURP_ERRORS as error:
        raise FrameError("configuration", f"cannot be read: {error!r}", payload) from error


def event(payload: bytes) -> Event:
    """Read READER_EVENT_NOTIFICATION.

    Raises:
        FrameError: it is damaged.
    """
    try:
        message = _decode("READER_EVENT_NOTIFICATION", payload)
        fields = message["ReaderEventNotificationData"]
        get = fields.get
        attempt = get("ConnectionAttemptEvent")
        antenna, rospec, gpi, exception = (
            get("AntennaEvent"),
            get("ROSpecEvent"),
            get("GPIEvent"),
            get("ReaderExceptionEvent"),
        )
        return Event(
            utc_us=get("UTCTimestamp", {}).get("Microseconds"),
            uptime_us=get("Uptime", {}).get("Microseconds"),
            connection_attempt=llrp_proto.ConnEvent_Name2Type[attempt["Status"]] if attempt else None,
            closes="ConnectionCloseEvent" in fields,
            antenna=(antenna["AntennaID"], antenna["EventType"] == "Connected") if antenna else None,
            buffer_fill_percent=get("ReportBufferLevelWarning", {}).get("ReportBufferPercentageFull"),
            buffer_overflow="ReportBufferOverflowErrorEvent" in fields,
            exception=shown(bytes(exception["Message"])) if exception else None,
            rospec=(rospec["EventType"], rospec["ROSpecID"]) if rospec else None,
            gpi=(gpi["GPIPortNumber"], gpi["GPIEvent"]) if gpi else None,
            unknown=len(get(llrp_proto.DECODE_ERROR_PARNAME, ())),
        )
    except _SLLURP_ERRORS as error:
        raise FrameError("event", f"cannot be read: {error!r}", payload) from error


def _decode(name: str, payload: bytes) -> Mapping[str, Any]:
    if len(payload) > _LARGEST_ANSWER_BYTES:
        raise FrameError("length", f"{name} of {len(payload)} bytes; at most {_LARGEST_ANSWER_BYTES}", payload)
    # A view, because sllurp slices what is left after each parameter, which would copy it.
    fields: Mapping[str, Any] = llrp_proto.Message_struct[name]["decode"](memoryview(payload), name)
    return fields


def shown(text: bytes) -> str:
    """Text of a device, fit to be shown: no control characters, at most 200 of the others."""
    decoded = text.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "·" for char in decoded[:_LONGEST_TEXT]).strip()


def _signed(value: int) -> int:
    """TransmitPowerValue is signed; sllurp reads it as unsigned."""
    return value - 0x10000 if value & 0x8000 else value


def _long_enough(value: bytes, needed: int) -> bytes:
    if len(value) < needed:
        raise FrameError("truncated", f"{len(value)} bytes, at least {needed}", value)
    return value
