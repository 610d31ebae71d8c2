"""The objects of a simulated DLMS/COSEM meter: registers, clock, load profile, relay, and who may read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from simulator.device import Load, MeterState
from simulator.meters import dlms_axdr as axdr

CHINA_UTC_OFFSET_MIN: Final = 480
PERIOD_S: Final = 900
DENIED: Final = 3
UNDEFINED: Final = 4
OTHER_REASON: Final = 250
PUBLIC_CLIENT: Final = 16
CLOCK: Final = bytes.fromhex("0000010000FF")
PROFILE: Final = bytes.fromhex("0100630100FF")
RELAY: Final = bytes.fromhex("000060030AFF")
ASSOCIATION: Final = bytes.fromhex("0000280000FF")
DEVICE_NAME: Final = bytes.fromhex("00002A0000FF")
SERIAL: Final = bytes.fromhex("0000600100FF")
COUNTER: Final = bytes.fromhex("00002B0100FF")
POWER_FAILURES: Final = bytes.fromhex("0000600715FF")
SAP: Final = bytes.fromhex("0000290000FF")
STATUS: Final = bytes.fromhex("0000600A01FF")
_US: Final = 1_000_000
_CONNECTED, _READY = 1, 2
_VALUE, _SCALER = 2, 3

Attributes = Mapping[int, Callable[[], bytes]]


@dataclass(slots=True)
class Client:
    """One client that a meter knows.

    Attributes:
        password: of low level security; keys: encryption and authentication, of HLS-GMAC. Neither: anybody.
        counter: the highest invocation counter that was seen of it.
    """

    password: bytes | None = None
    encryption_key: bytes | None = None
    authentication_key: bytes | None = None
    counter: int = 0


@dataclass(slots=True)
class Behaviour:
    """How a meter differs from a good one.

    Attributes:
        reply_delay_s: how long it thinks.
        takes_lists, general_protection, selects: what it says it can; see the conformance block.
        max_pdu_bytes: the longest APDU it sends, whatever the client would take; None for no bound of its own.
        information_bytes: of HDLC, in one frame.
        denies: attributes that it does not give, by logical name and number.
        exception_on_lists: it says that it takes lists, and does not.
        forgets_after_s: it ends a link and an association that were idle for so long.
        says_deviation: its times say where they are.
        null_times: the profile leaves out times that follow from the period.
        clock_wrong_s: its clock is ahead by so much; clock_status: of its times.
        loses_reply: takes the number of a reply to an APDU and says whether it gets lost.
        control_mode: of its relay; sticks: the relay takes orders and does not move.
        kept_s: how far back its profile goes.
    """

    silent: bool = False
    reply_delay_s: float = 0.03
    takes_lists: bool = True
    general_protection: bool = True
    selects: bool = True
    max_pdu_bytes: int | None = None
    information_bytes: int = 128
    denies: frozenset[tuple[bytes, int]] = frozenset()
    exception_on_lists: bool = False
    forgets_after_s: float | None = None
    says_deviation: bool = True
    null_times: bool = False
    clock_wrong_s: float = 0.0
    clock_status: int = 0
    loses_reply: Callable[[int], bool] | None = None
    control_mode: int = 4
    sticks: bool = False
    kept_s: int = 40 * 86_400


@dataclass(slots=True)
class Meter:
    """One meter: what it measures and keeps.

    Attributes:
        logical, physical, address_bytes: its address; see the driver's settings.
        clients: by number; the public client is always known.
        counter: the invocation counter that it used last.
        relay: the control state of its relay; orders: the methods that were called on it.
    """

    load: Load
    serial: str = "TWG1000000001"
    logical: int = 1
    physical: int | None = None
    address_bytes: int | None = None
    clients: dict[int, Client] = field(default_factory=dict)
    behaviour: Behaviour = field(default_factory=Behaviour)
    utc_offset_min: int = CHINA_UTC_OFFSET_MIN
    system_title: bytes = bytes.fromhex("5457470000000064")
    counter: int = 0
    relay: int = _CONNECTED
    orders: list[int] = field(default_factory=list)

    def client(self, number: int) -> Client | None:
        """A client by its number."""
        return self.clients.get(number, Client() if number == PUBLIC_CLIENT else None)

    def attribute(self, class_id: int, name: bytes, number: int, selection: bytes, now_us: int) -> bytes | int:
        """The value of an attribute, or the Data-Access-Result."""
        if (name, number) in self.behaviour.denies:
            return DENIED
        if (class_id, name) == (7, PROFILE) and number == _VALUE:
            return self._rows(selection, now_us)
        found = self._objects(now_us).get((class_id, name), {}).get(number)
        return UNDEFINED if found is None else found()

    def call(self, class_id: int, name: bytes, method: int) -> int:
        """Call a method of the relay; the Action-Result."""
        if (class_id, name) != (70, RELAY):
            return UNDEFINED
        if method not in (1, 2) or self.behaviour.control_mode == 0:
            return DENIED
        self.orders.append(method)
        if not self.behaviour.sticks:
            if method == 1:
                self.relay = 0
            elif self.relay == 0:
                self.relay = _CONNECTED if self.behaviour.control_mode in (2, 4) else _READY
        return 0

    def press(self) -> None:
        """A person presses the button of a relay that is permitted to close."""
        if self.relay == _READY:
            self.relay = _CONNECTED

    def shown(self, now_us: int) -> MeterState:
        """What it measures."""
        return self.load.state(now_us)

    def _time(self, at_us: int) -> bytes:
        given = self.behaviour
        wrong_us = round(given.clock_wrong_s * _US)
        return axdr.date_time(
            at_us + wrong_us, self.utc_offset_min, says_deviation=given.says_deviation, status=given.clock_status
        )

    def _objects(self, now_us: int) -> dict[tuple[int, bytes], Attributes]:
        state = self.shown(now_us)
        period_us = now_us - now_us % (PERIOD_S * _US)
        demand = _whole(state.active_demand_w, -1)
        watts = axdr.scaler_unit(-1, 27)
        found = _registers(state, is_closed=self.relay == _CONNECTED)
        plain = {
            DEVICE_NAME: axdr.octets(self.serial.encode()),
            SERIAL: axdr.octets(self.serial[3:].encode()),
            COUNTER: axdr.uint32(max((client.counter for client in self.clients.values()), default=0)),
            POWER_FAILURES: axdr.uint16(3),
            STATUS: axdr.uint8(0),
        }
        found |= {(1, name): {_VALUE: _constant(value)} for name, value in plain.items()}
        found[4, _name(1, 6)] = _all(value=axdr.uint32(demand), scaler=watts) | {
            4: _constant(axdr.NULL),
            5: _constant(self._time(period_us - 3 * PERIOD_S * _US)),
        }
        found[5, _name(1, 4)] = {
            2: _constant(axdr.uint32(demand // 3)),
            3: _constant(axdr.uint32(demand)),
            4: _constant(watts),
            5: _constant(axdr.NULL),
            6: _constant(self._time(period_us)),
        }
        found[8, CLOCK] = {_VALUE: _constant(self._time(now_us))}
        found[7, PROFILE] = {3: _constant(_columns()), 4: _constant(axdr.uint32(PERIOD_S))}
        found[70, RELAY] = {
            2: _constant(axdr.boolean(self.relay == _CONNECTED)),
            3: _constant(axdr.enum(self.relay)),
            4: _constant(axdr.enum(self.behaviour.control_mode)),
        }
        found[17, SAP] = {}
        found[15, ASSOCIATION] = {_VALUE: lambda: _object_list(found)}
        return found

    def _rows(self, selection: bytes, now_us: int) -> bytes | int:
        given = self.behaviour
        step_us = PERIOD_S * _US
        since_us, until_us = now_us - given.kept_s * _US, now_us
        if selection:
            if not given.selects:
                return OTHER_REASON
            since_us, until_us = _range(selection, self.utc_offset_min)
            since_us = max(since_us, now_us - given.kept_s * _US)
        rows: list[bytes] = []
        first_us = -(-since_us // step_us) * step_us
        for at_us in range(first_us, min(until_us, now_us) + 1, step_us):
            state = self.shown(at_us)
            time = axdr.NULL if given.null_times and rows else self._time(at_us)
            imported = axdr.uint32(_whole(state.active_energy_import_wh, 1))
            exported = axdr.uint32(_whole(state.active_energy_export_wh, 1))
            rows.append(axdr.structure(time, axdr.uint8(0), imported, exported))
        return axdr.array(rows)


def _registers(state: MeterState, *, is_closed: bool) -> dict[tuple[int, bytes], Attributes]:
    found: dict[tuple[int, bytes], Attributes] = {}
    energies = [(1, 0, state.active_energy_import_wh), (2, 0, state.active_energy_export_wh)]
    energies += [(1, tariff, wh) for tariff, wh in enumerate(state.active_energy_import_by_tariff_wh, start=1)]
    for c, tariff, wh in energies:
        found[3, _name(c, 8, tariff)] = _all(axdr.uint32(_whole(wh, 1)), axdr.scaler_unit(1, 30))
    for n in range(3):
        amperes = state.current_a[n] if is_closed or state.current_a[n] is None else Decimal(0)
        voltage = _optional(state.voltage_v[n], -1, axdr.uint16)
        found[3, _name(32 + 20 * n, 7)] = _all(voltage, axdr.scaler_unit(-1, 35))
        found[3, _name(31 + 20 * n, 7)] = _all(_optional(amperes, -3, axdr.int32), axdr.scaler_unit(-3, 33))
        factor = _optional(state.power_factor[n], -3, axdr.int16)
        found[3, _name(33 + 20 * n, 7)] = _all(factor, axdr.scaler_unit(-3, 255))
    watts = sum((each for each in state.active_power_w if each is not None), Decimal(0)) if is_closed else Decimal(0)
    for c, value in ((1, max(watts, Decimal(0))), (2, max(-watts, Decimal(0)))):
        found[3, _name(c, 7)] = _all(axdr.uint32(_whole(value, -1)), axdr.scaler_unit(-1, 27))
    found[3, _name(16, 7)] = _all(axdr.int32(_whole(watts, -1)), axdr.scaler_unit(-1, 27))
    found[3, _name(14, 7)] = _all(axdr.uint16(_whole(state.frequency_hz, -2)), axdr.scaler_unit(-2, 44))
    return found


def _name(c: int, d: int, e: int = 0) -> bytes:
    return bytes([1, 0, c, d, e, 255])


def _whole(value: Decimal, exponent: int) -> int:
    return int(value.scaleb(-exponent))


def _optional(value: Decimal | None, exponent: int, write: Callable[[int], bytes]) -> bytes:
    return axdr.NULL if value is None else write(_whole(value, exponent))


def _constant(value: bytes) -> Callable[[], bytes]:
    return lambda: value


def _all(value: bytes, scaler: bytes) -> dict[int, Callable[[], bytes]]:
    return {_VALUE: _constant(value), _SCALER: _constant(scaler)}


def _columns() -> bytes:
    columns = [(8, CLOCK, 2), (1, STATUS, 2), (3, _name(1, 8), 2), (3, _name(2, 8), 2)]
    return axdr.array(
        [
            axdr.structure(axdr.uint16(class_id), axdr.octets(name), axdr.int8(number), axdr.uint16(0))
            for class_id, name, number in columns
        ]
    )


def _object_list(objects: Mapping[tuple[int, bytes], Attributes]) -> bytes:
    items = []
    for (class_id, name), attributes in objects.items():
        read = [axdr.structure(axdr.int8(number), axdr.enum(1), axdr.NULL) for number in (1, *attributes)]
        rights = axdr.structure(axdr.array(read), axdr.array([]))
        items.append(axdr.structure(axdr.uint16(class_id), axdr.uint8(0), axdr.octets(name), rights))
    return axdr.array(items)


def _range(selection: bytes, utc_offset_min: int) -> tuple[int, int]:
    """From and to of a range descriptor: selector 1, then a structure of column, from, to, and selected columns."""
    restricted = axdr.structure(axdr.uint16(8), axdr.octets(CLOCK), axdr.int8(2), axdr.uint16(0))
    begins = b"\x01\x02\x04" + restricted
    times = selection.removeprefix(begins)
    if times == selection or times[28:] != b"\x01\x00" or times[:2] != b"\x09\x0c" or times[14:16] != b"\x09\x0c":
        raise ValueError(f"{selection.hex(' ')} is no range of the clock")
    return axdr.moment(times[2:14], utc_offset_min), axdr.moment(times[16:28], utc_offset_min)
