"""What single makers need beyond the standard: chosen by the manufacturer number and the capabilities of the reader.

Source: IANA private enterprise numbers; Impinj Octane LLRP extensions; Impinj support article 360010785700 (an Impinj
reader keeps a session whose keepalives go unanswered until its link monitor is switched on, and so locks out every
later client). Zebra: RFID Reader Software Interface Control Guide 72E-131718-13EN, with the field widths that the
project LLRPClient measured on an FX9600, firmware 3.32.37.0 (the guide's own widths are wrong): parameters 110, 708
and 709 of vendor 161.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from readers.errors import DeviceRefusedError
from readers.rfid.llrp.framing import encode_custom
from readers.rfid.llrp.settings import LlrpSettings, SearchMode, TidBy

IMPINJ: Final = 25882
MOTOROLA: Final = 161  # Zebra's FX readers send it as their manufacturer and in all their parameters
IMPINJ_SERIALIZED_TID: Final = 55
IMPINJ_PHASE: Final = 56
IMPINJ_PEAK_RSSI: Final = 57
IMPINJ_DOPPLER: Final = 68
MOTOROLA_ADVANCED_CAPABILITIES: Final = 110
MOTOROLA_PHASE: Final = 709
_IMPINJ_SEARCH_MODE: Final = 23
_IMPINJ_FIXED_FREQUENCIES: Final = 26
_IMPINJ_LOW_DUTY_CYCLE: Final = 28
_IMPINJ_LINK_MONITOR: Final = 38
_IMPINJ_REPORT_CONTENT: Final = 50
_IMPINJ_ENABLE_TID: Final = 51
_IMPINJ_ENABLE_PHASE: Final = 52
_IMPINJ_ENABLE_PEAK_RSSI: Final = 53
_IMPINJ_ENABLE_DOPPLER: Final = 67
_IMPINJ_LINK_MONITOR_VALUE: Final = Struct(">HH")  # mode, LinkDownThreshold in unanswered keepalives
_IMPINJ_LINK_MONITOR_REQUESTED: Final = 2005
LINK_DOWN_KEEPALIVES: Final = 3
_AUTO_SELECT, _CHANNEL_LIST = 1, 2
_MOTOROLA_REPORT_CONTENT: Final = 708
_MOTOROLA_PHASE_FLAG: Final = 1 << 28
_CAN_PHASE_FLAG: Final = 0x80
_U16: Final = Struct(">H")
_U16_3: Final = Struct(">HHH")
_U32: Final = Struct(">I")
_ADVANCED: Final = Struct(">IB")  # version, flags: phase, GPS, zones, antenna radio, periodic reports ...
_ON: Final = _U16.pack(1)
_MS_PER_S: Final = 1000
_SEARCH_MODES: Final = {
    SearchMode.READER_SELECTED: 0,
    SearchMode.SINGLE_TARGET: 1,
    SearchMode.DUAL_TARGET: 2,
    SearchMode.TAG_FOCUS: 3,
}
SETTINGS: Final[dict[tuple[int, int], str]] = {
    (IMPINJ, _IMPINJ_SEARCH_MODE): "search_mode",
    (IMPINJ, _IMPINJ_FIXED_FREQUENCIES): "channels",
    (IMPINJ, _IMPINJ_LOW_DUTY_CYCLE): "low_duty_cycle",
}
"""Which setting a custom parameter of an inventory stands for, by vendor and subtype."""

NAMES: Final[dict[int, str]] = {
    161: "Motorola",  # the number that Zebra's FX readers still send
    10642: "Zebra",
    17996: "Alien",
    24831: "Sirit",
    25882: "Impinj",
    26554: "ThingMagic",
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """What one maker's readers are asked besides.

    Attributes:
        enable: whether IMPINJ_ENABLE_EXTENSIONS must come before any custom parameter.
        configuration: custom parameters for SET_READER_CONFIG; read back by ImpinjRequestedData `read_back`.
        impinj: whether the Impinj parameters of inventory and report exist.
        largest_mode: mode identifiers above it choose by themselves; their table entries say nothing.
        rate_is_blf: the mode table's data rate is really the backscatter link frequency.
    """

    enable: bool = False
    configuration: bytes = b""
    read_back: int | None = None
    impinj: bool = False
    largest_mode: int = 0xFFFF
    rate_is_blf: bool = False


_NONE: Final = Extensions()
_BY_MAKER: Final[dict[int, Extensions]] = {
    IMPINJ: Extensions(
        enable=True,
        configuration=encode_custom(
            IMPINJ, _IMPINJ_LINK_MONITOR, _IMPINJ_LINK_MONITOR_VALUE.pack(1, LINK_DOWN_KEEPALIVES)
        ),
        read_back=_IMPINJ_LINK_MONITOR_REQUESTED,
        impinj=True,
        largest_mode=999,
        rate_is_blf=True,
    ),
}


def extensions(manufacturer: int) -> Extensions:
    """What readers of this maker are asked besides; nothing for most."""
    return _BY_MAKER.get(manufacturer, _NONE)


def name(manufacturer: int) -> str:
    """The maker's name, or its number where the name is not known."""
    return NAMES.get(manufacturer, f"manufacturer {manufacturer}")


def can_report_phase(vendor: int, subtype: int, value: bytes) -> bool:
    """Whether a custom parameter of the capabilities says that the reader reports phase (Zebra: MotoAdvanced...)."""
    if (vendor, subtype) != (MOTOROLA, MOTOROLA_ADVANCED_CAPABILITIES) or len(value) < _ADVANCED.size:
        return False
    _, flags = _ADVANCED.unpack_from(value)
    return bool(flags & _CAN_PHASE_FLAG)


def uses_fast_id(settings: LlrpSettings, maker: Extensions) -> bool:
    """Whether TIDs come by FastID, and so need no read of each tag.

    Raises:
        DeviceRefusedError: FastID is asked of a reader that has none.
    """
    if not settings.read_tid or settings.tid_by is TidBy.READ:
        return False
    if settings.tid_by is TidBy.FAST_ID and not maker.impinj:
        raise DeviceRefusedError('tid_by = "fast_id": only Impinj readers have FastID; set tid_by to auto or read')
    return maker.impinj


def inventory(settings: LlrpSettings, maker: Extensions, *, any_channel: bool) -> bytes:
    """Custom parameters inside C1G2InventoryCommand.

    Raises:
        DeviceRefusedError: a setting needs an extension that this reader does not have.
    """
    if not maker.impinj:
        only = {
            "search_mode": settings.search_mode,
            "low_duty_cycle": settings.low_duty_cycle,
            "channels": settings.channels,
        }
        for setting, asked in only.items():
            if asked is not None:
                raise DeviceRefusedError(f"{setting}: only Impinj readers can do that; leave it out")
        return b""
    mode = _SEARCH_MODES[settings.search_mode or SearchMode.DUAL_TARGET]
    made = encode_custom(IMPINJ, _IMPINJ_SEARCH_MODE, _U16.pack(mode))
    if settings.channels is not None:
        listed = b"".join(map(_U16.pack, settings.channels))
        value = _U16_3.pack(_CHANNEL_LIST, 0, len(settings.channels)) + listed
        made += encode_custom(IMPINJ, _IMPINJ_FIXED_FREQUENCIES, value)
    elif any_channel:
        made += encode_custom(IMPINJ, _IMPINJ_FIXED_FREQUENCIES, _U16_3.pack(_AUTO_SELECT, 0, 0))
    if (duty := settings.low_duty_cycle) is not None:
        times = round(duty.empty_field_s * _MS_PER_S), round(duty.ping_s * _MS_PER_S)
        made += encode_custom(IMPINJ, _IMPINJ_LOW_DUTY_CYCLE, _U16_3.pack(1, *times))
    return made


def report(settings: LlrpSettings, maker: Extensions, *, can_phase: bool) -> bytes:
    """Custom parameters inside ROReportSpec: phase wherever it can be had, FastID and Doppler where asked for.

    Raises:
        DeviceRefusedError: a setting needs an extension that this reader does not have.
    """
    fast_id = uses_fast_id(settings, maker)
    if not maker.impinj:
        if settings.doppler:
            raise DeviceRefusedError("doppler: only Impinj readers can do that; leave it out")
        if can_phase:
            return encode_custom(MOTOROLA, _MOTOROLA_REPORT_CONTENT, _U32.pack(_MOTOROLA_PHASE_FLAG))
        return b""
    wanted = {
        _IMPINJ_ENABLE_TID: fast_id,
        _IMPINJ_ENABLE_PHASE: True,
        _IMPINJ_ENABLE_PEAK_RSSI: True,
        _IMPINJ_ENABLE_DOPPLER: settings.doppler,
    }
    parts = [encode_custom(IMPINJ, subtype, _ON) for subtype, is_wanted in wanted.items() if is_wanted]
    return encode_custom(IMPINJ, _IMPINJ_REPORT_CONTENT, b"".join(parts))
