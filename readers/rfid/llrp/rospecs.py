"""ROSpecs: written from a plan, read back from the reader, and compared.

    ROSpec 177              id x 32 | priority x 8 | state x 8
      ROBoundarySpec 178
        ROSpecStartTrigger 179    type x 8 | GPITriggerValue 181
        ROSpecStopTrigger 182     type x 8 | duration x 32, ms | GPITriggerValue 181
      AISpec 183                  number x 16, antenna x 16 ...
        AISpecStopTrigger 184     type x 8 | duration x 32
        InventoryParameterSpec 186    id x 16 | protocol x 8
          AntennaConfiguration 222    antenna x 16 | RFReceiver 223 | RFTransmitter 224
            C1G2InventoryCommand 330  flags x 8
              C1G2Filter 331 ... | C1G2RFControl 335 | C1G2SingulationControl 336 | custom ...
      ROReportSpec 237            trigger x 8 | N x 16 | TagReportContentSelector 238 | custom

sllurp has no encoder for a filter's action and gives GPITriggerValue a wrong number, so this is a codec of our own; the
tests hold it against sllurp's wherever that can say the same.

Source: LLRP 1.0.1 sections 16.2.4 and 16.3.1; LLRP 1.1 section 17.2.4 (report triggers by time).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from readers.errors import FrameError
from readers.rfid.llrp import vendors
from readers.rfid.llrp.access import BANKS
from readers.rfid.llrp.answers import Capabilities
from readers.rfid.llrp.framing import CUSTOM, Parameter, encode_tlv, parameters
from readers.rfid.llrp.intent import ALL_ANTENNAS, BY_COUNT, BY_TIME, AntennaPlan, Plan
from readers.rfid.llrp.settings import TagFilter, Trigger

ROSPEC_ID: Final = 1
DISABLED, INACTIVE, ACTIVE = 0, 1, 2
COMPARED: Final = (
    "antennas",
    "tx_power_dbm",
    "rx_attenuation_db",
    "session",
    "tag_population",
    "mode_identifier",
    "channel_index",
    "filter",
    "trigger",
    *vendors.SETTINGS.values(),
    "report_within_s",
    "report_every_n",
)
_ROSPEC, _BOUNDARY, _START, _GPI_VALUE, _STOP = 177, 178, 179, 181, 182
_AISPEC, _AISPEC_STOP, _INVENTORY_SPEC = 183, 184, 186
_ANTENNA, _RECEIVER, _TRANSMITTER = 222, 223, 224
_REPORT, _CONTENT, _EPC_MEMORY = 237, 238, 348
_COMMAND, _FILTER, _MASK, _UNAWARE_ACTION, _RF_CONTROL, _SINGULATION = 330, 331, 332, 334, 335, 336
_BY_REQUEST, _IMMEDIATE, _BY_GPI = 0, 1, 3
_NEVER, _BY_DURATION, _BY_GPI_OR_TIMEOUT = 0, 1, 2
_GEN2: Final = 1
_ANTENNA_CHANNEL_RSSI_TIMES_COUNT: Final = 0x1F80
_PC_BITS: Final = 0x40
_SELECT_OR_UNSELECT, _SELECT_OR_KEEP = 0, 1  # what a filter does with tags that fit or do not
_SESSION_SHIFT: Final = 6
_BANK_SHIFT: Final = 6
_FLAG: Final = 0x80
_BITS_PER_DIGIT: Final = 4
_MS_PER_S: Final = 1000
_U8, _U16, _U16_3 = Struct(">B"), Struct(">H"), Struct(">HHH")
_U8_U16, _U8_U32, _U16_2 = Struct(">BH"), Struct(">BI"), Struct(">HH")
_ROSPEC_HEAD: Final = Struct(">IBB")
_GPI: Final = Struct(">HBI")
_SPEC_HEAD: Final = Struct(">HB")
_MASK_HEAD: Final = Struct(">BHH")
_SINGULATION_VALUE: Final = Struct(">BHI")


@dataclass(frozen=True, slots=True)
class AntennaSetting:
    """What one AntennaConfiguration of a ROSpec says; antenna port 0 means all, None that nothing is said.

    Attributes:
        filters: the C1G2Filters, encoded. custom: the maker's parameters by vendor and subtype.
    """

    antenna_port: int
    power_index: int | None = None
    sensitivity_index: int | None = None
    hop_table_id: int | None = None
    channel_index: int | None = None
    mode_identifier: int | None = None
    session: int | None = None
    tag_population: int | None = None
    filters: tuple[bytes, ...] = ()
    custom: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Rospec:
    """A ROSpec as the reader holds it. `state` is 0 disabled, 1 inactive, 2 active."""

    id: int
    state: int
    antenna_ports: tuple[int, ...]
    antennas: tuple[AntennaSetting, ...]
    report_trigger: int | None
    report_n: int | None
    boundary: bytes = b""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not as asked."""

    setting: str
    asked: str
    actual: str

    def __str__(self) -> str:
        return f"{self.setting}: asked {self.asked}, the reader has {self.actual}"


def encode(what: Plan, rospec_id: int = ROSPEC_ID, bounds: bytes | None = None) -> bytes:
    """The plan as a ROSpec parameter; `bounds`, made by `for_a_while`, in place of its own start and stop.

    Without a trigger it starts at once and stops never, and its AISpec too: a stop trigger "after N tags" would switch
    the radio off and on at each report, and some readers do not know it. Batching is the ROReportSpec's business alone.
    """
    inventory = encode_tlv(
        _INVENTORY_SPEC,
        _SPEC_HEAD.pack(1, _GEN2) + b"".join(_antenna(antenna, what) for antenna in what.antennas),
    )
    aispec = _U16.pack(len(what.antenna_ports)) + b"".join(map(_U16.pack, what.antenna_ports))
    aispec += encode_tlv(_AISPEC_STOP, _U8_U32.pack(_NEVER, 0)) + inventory
    content = _U16.pack(_ANTENNA_CHANNEL_RSSI_TIMES_COUNT) + encode_tlv(_EPC_MEMORY, _U8.pack(_PC_BITS))
    report = _U8_U16.pack(what.report_trigger, what.report_n) + encode_tlv(_CONTENT, content) + what.report
    return encode_tlv(
        _ROSPEC,
        _ROSPEC_HEAD.pack(rospec_id, 0, DISABLED)
        + encode_tlv(_BOUNDARY, boundary(what.trigger) if bounds is None else bounds)
        + encode_tlv(_AISPEC, aispec)
        + encode_tlv(_REPORT, report),
    )


def boundary(trigger: Trigger | None) -> bytes:
    """What starts and stops a ROSpec: the content of ROBoundarySpec."""
    if trigger is None:
        return encode_tlv(_START, _U8.pack(_IMMEDIATE)) + encode_tlv(_STOP, _U8_U32.pack(_NEVER, 0))
    timeout_ms = round((trigger.timeout_s or 0) * _MS_PER_S)
    start = _U8.pack(_BY_GPI) + _gpi(trigger.gpi, 0, is_high=trigger.is_high)
    if trigger.until == "timeout":
        return encode_tlv(_START, start) + encode_tlv(_STOP, _U8_U32.pack(_BY_DURATION, timeout_ms))
    stop = _U8_U32.pack(_BY_GPI_OR_TIMEOUT, 0) + _gpi(trigger.gpi, timeout_ms, is_high=not trigger.is_high)
    return encode_tlv(_START, start) + encode_tlv(_STOP, stop)


def for_a_while(duration_s: float) -> bytes:
    """A ROSpec that starts when it is told to, and stops after this time."""
    duration_ms = max(1, round(duration_s * _MS_PER_S))
    return encode_tlv(_START, _U8.pack(_BY_REQUEST)) + encode_tlv(_STOP, _U8_U32.pack(_BY_DURATION, duration_ms))


def _gpi(port: int, timeout_ms: int, *, is_high: bool) -> bytes:
    return encode_tlv(_GPI_VALUE, _GPI.pack(port, _FLAG if is_high else 0, timeout_ms))


def _antenna(antenna: AntennaPlan, what: Plan) -> bytes:
    parts = [_U16.pack(antenna.port)]
    if antenna.sensitivity_index is not None:
        parts.append(encode_tlv(_RECEIVER, _U16.pack(antenna.sensitivity_index)))
    transmitter = _U16_3.pack(what.hop_table_id, what.channel_index, antenna.power_index)
    parts += [encode_tlv(_TRANSMITTER, transmitter), encode_tlv(_COMMAND, _command(what))]
    return encode_tlv(_ANTENNA, b"".join(parts))


def _command(what: Plan) -> bytes:
    parts = [_U8.pack(0), *filters(what.filters)]
    if what.mode_identifier is not None:
        # The standard says "index", yet readers of every make want the mode's identifier. Tari 0: the reader chooses.
        parts.append(encode_tlv(_RF_CONTROL, _U16_2.pack(what.mode_identifier, 0)))
    singulation = _SINGULATION_VALUE.pack(what.session << _SESSION_SHIFT, what.tag_population, 0)
    return b"".join([*parts, encode_tlv(_SINGULATION, singulation), what.inventory])


def filters(wanted: tuple[TagFilter, ...]) -> list[bytes]:
    """C1G2Filters: the first one selects what fits and unselects the rest, each further one selects more."""
    made = []
    for number, each in enumerate(wanted):
        digits = each.mask + "0" * (len(each.mask) % 2)
        head = _MASK_HEAD.pack(BANKS[each.bank] << _BANK_SHIFT, each.bit, len(each.mask) * _BITS_PER_DIGIT)
        mask = encode_tlv(_MASK, head + bytes.fromhex(digits))
        action = encode_tlv(_UNAWARE_ACTION, _U8.pack(_SELECT_OR_KEEP if number else _SELECT_OR_UNSELECT))
        made.append(encode_tlv(_FILTER, _U8.pack(0) + mask + action))
    return made


def held(payload: bytes) -> tuple[Rospec, ...]:
    """Read the ROSpecs of GET_ROSPECS_RESPONSE.

    Raises:
        FrameError: one is damaged.
    """
    try:
        return tuple(_rospec(parameter.value) for parameter in parameters(payload) if parameter.type == _ROSPEC)
    except struct.error as error:
        raise FrameError("rospec", f"cannot be read: {error!r}", payload) from error


def _rospec(value: bytes) -> Rospec:
    rospec_id, _, state = _ROSPEC_HEAD.unpack_from(value)
    ports: list[int] = []
    antennas: list[AntennaSetting] = []
    trigger = n = None
    bounds = b""
    for part in parameters(value[_ROSPEC_HEAD.size :]):
        if part.type == _BOUNDARY:
            bounds = part.value
        elif part.type == _AISPEC:
            some, inner = _numbers(part.value)
            ports += some
            antennas += _antennas(inner)
        elif part.type == _REPORT:
            trigger, n = _U8_U16.unpack_from(part.value)
    return Rospec(rospec_id, state, tuple(ports), tuple(antennas), trigger, n, bounds)


def _numbers(value: bytes) -> tuple[list[int], bytes]:
    """A counted array of 16-bit numbers, and what follows it."""
    (count,) = _U16.unpack_from(value)
    end = _U16.size * (1 + count)
    return [_U16.unpack_from(value, at)[0] for at in range(_U16.size, end, _U16.size)], value[end:]


def _antennas(value: bytes) -> Iterator[AntennaSetting]:
    for spec in parameters(value):
        if spec.type == _INVENTORY_SPEC:
            for each in parameters(spec.value[_SPEC_HEAD.size :]):
                if each.type == _ANTENNA:
                    yield _setting(each.value)


def _setting(value: bytes) -> AntennaSetting:
    (port,) = _U16.unpack_from(value)
    power = sensitivity = table = channel = mode = session = population = None
    found_filters: list[bytes] = []
    custom: list[Parameter] = []
    for part in parameters(value[_U16.size :]):
        if part.type == _RECEIVER:
            (sensitivity,) = _U16.unpack_from(part.value)
        elif part.type == _TRANSMITTER:
            table, channel, power = _U16_3.unpack_from(part.value)
        elif part.type == _COMMAND:
            for inner in parameters(part.value[_U8.size :]):
                if inner.type == _RF_CONTROL:
                    mode, _ = _U16_2.unpack_from(inner.value)
                elif inner.type == _SINGULATION:
                    session, population, _ = _SINGULATION_VALUE.unpack_from(inner.value)
                    session >>= _SESSION_SHIFT
                elif inner.type == _FILTER:
                    found_filters.append(encode_tlv(_FILTER, inner.value))
                elif inner.type == CUSTOM:
                    custom.append(inner)
    return AntennaSetting(
        port, power, sensitivity, table, channel, mode, session, population, tuple(found_filters), tuple(custom)
    )


def differences(what: Plan, actual: Rospec, can: Capabilities) -> list[Difference]:
    """Where the ROSpec that the reader holds is not the one that it was given, by the names of the settings."""
    found: dict[str, Difference] = {}
    batching = "report_within_s" if what.report_trigger == BY_TIME else "report_every_n"
    compared: list[tuple[str, object, object]] = []
    if what.antenna_ports != (ALL_ANTENNAS,) or any(port > can.antenna_count for port in actual.antenna_ports):
        compared.append(("antennas", sorted(what.antenna_ports), sorted(actual.antenna_ports)))
    for antenna in actual.antennas or (AntennaSetting(ALL_ANTENNAS),):
        compared += _compared(what, antenna, can)
    if what.trigger is not None:
        compared.append(("trigger", boundary(what.trigger).hex(), actual.boundary.hex()))
    asked, has = (what.report_trigger, what.report_n), (actual.report_trigger, actual.report_n)
    compared.append((batching, _batching(*asked), _batching(*has)))
    for setting, wanted, there in compared:
        if wanted != there and setting not in found:
            found[setting] = Difference(setting, str(wanted), "nothing stated" if there is None else str(there))
    return list(found.values())


def _compared(what: Plan, has: AntennaSetting, can: Capabilities) -> Iterator[tuple[str, object, object]]:
    """One antenna: setting, as asked, as it is."""
    asked = next((antenna for antenna in what.antennas if antenna.port == has.antenna_port), what.antennas[0])
    power_dbm = None if has.power_index is None else can.power_dbm.get(has.power_index)
    yield "tx_power_dbm", asked.power_dbm, power_dbm
    if asked.sensitivity_index is not None:
        attenuation_db = None if has.sensitivity_index is None else can.attenuation_db.get(has.sensitivity_index)
        yield "rx_attenuation_db", asked.attenuation_db, attenuation_db
    yield "session", what.session, has.session
    yield "tag_population", what.tag_population, has.tag_population
    if what.mode_identifier is not None:
        yield "mode_identifier", what.mode_identifier, has.mode_identifier
    if not can.hopping and not what.any_channel:
        yield "channel_index", what.channel_index, has.channel_index
    if what.filters:
        yield "filter", _hex(filters(what.filters)), _hex(has.filters) or None
    there = {(part.vendor, part.subtype): part.value for part in has.custom}
    for part in parameters(what.inventory):
        # A reader that does not read its own parameters back says nothing about them.
        value = there.get((part.vendor, part.subtype), part.value)
        yield vendors.SETTINGS[part.vendor, part.subtype], part.value.hex(), value.hex()


def _hex(values: Iterable[bytes]) -> str:
    return " ".join(value.hex() for value in values)


def _batching(trigger: int | None, n: int | None) -> str | None:
    if trigger is None:
        return None
    units = {BY_COUNT: f"after {n} tags", BY_TIME: f"every {n} ms"}
    return units.get(trigger, f"trigger {trigger} with N = {n}")
