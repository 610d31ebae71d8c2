"""Every driver with a device that it reads over a wire: what lies before the device, and what may be reported of it.

A new driver is one more entry of `PLANTS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any, Final

from readers.meters.modbus_meter.shipped import load as load_map
from readers.observations import CardReads, Observation, Readings, Signals, TagReads
from readers.quantities import Phase, Quantity
from readers.tagdata.cards import CardIdentity, Technology
from simulator.cards import ascii_line, osdp, pn532
from simulator.device import MeterState, Sighting, Weight
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.machines import modbus_io, modbus_machine, weighbridge
from simulator.meters import dlms, dlt645, dlt698, dsmr_p1, iec62056, mbus, modbus_meter, sml
from simulator.rfid import a0, cf, hopeland, m100, thingmagic, uhfreader
from tests.support.wires import Rough, Serve

US_PER_S: Final = 1_000_000
Item = tuple[Hashable, ...]
"""Where it was read, the antenna port or the source, and what was."""
Items = frozenset[Item]


class Link(StrEnum):
    """What a driver is read over."""

    SERIAL = "serial"
    ECHO = "echo"  # a serial line whose adapter gives back what is sent
    SOCKET = "socket"  # a serial line behind a device server
    TCP = "tcp"


LINES: Final = (Link.SERIAL, Link.ECHO, Link.SOCKET)
LISTENED: Final = (Link.SERIAL, Link.SOCKET)
"""For drivers that send nothing."""


@dataclass(frozen=True)
class Plant:
    """One driver, and its device before its part of the world.

    Attributes:
        twin: makes the device; what its flash memory keeps outlives an unplugging.
        truth: what is there, as `items` says it; each of it is heard again and again.
        more: what may be said besides, at times of the driver's own choice.
        slips: how many wrong items a run in rough weather may bring, for want of a better checksum; None for any
            number, where the protocol has none.
        rough: `network` where the protocol leaves it to TCP that bytes are right.
    """

    name: str
    driver: str
    twin: Callable[[], Serve]
    truth: Items
    settings: Mapping[str, Any] | None = None
    links: tuple[Link, ...] = LINES
    slips: int | None = 0
    more: Items = frozenset()
    rough: Rough = Rough.LINE

    @property
    def watches(self) -> int:
        """How many read points, or meters and machines, it watches when all is well."""
        return len({where for where, *_ in self.truth})


WEAK: Final = 1
"""A sum or an XOR of one byte lets one in 256 frames pass that lost bytes."""


def items(observation: Observation) -> Iterable[Item]:
    """What an observation says was there."""
    match observation:
        case TagReads():
            return [(read.antenna_port, read.epc) for read in observation.rows()]
        case CardReads():
            return [(card.antenna_port, card.identity) for card in observation.cards]
        case Readings(source=source):
            return [(source, each.quantity, each.phase, each.tariff, each.value) for each in observation.readings]
        case Signals(source=source):
            return [(source, signal.name, signal.value) for signal in observation.signals]
        case _:
            return []


EPCS: Final = tuple(
    bytes.fromhex(text)
    for text in (
        "BB7EAADD02220011BB0122FF",  # bytes that begin and end frames
        "A0A005AA55CF00FF00FFD4D5",
        "30751FEB705C5904E3D50D70",
        "E2801160600002054A3B1C2D",
        "3034257BF7194E4000001A85",
    )
)


class Shelf:
    """Tags that lie there, each heard every 30 ms, at all antennas alike. Implements `simulator.device.Radio`."""

    STEP_US: Final = 30_000

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `Radio`."""
        numbers = range(-(-start_us // self.STEP_US), -(-until_us // self.STEP_US))
        return [Sighting(number * self.STEP_US, antenna_port, epc, -50.0) for number in numbers for epc in EPCS]


RADIO: Final = Shelf()


def tags(*antenna_ports: int) -> Items:
    """Every tag at every one of these antennas."""
    return frozenset(product(antenna_ports, EPCS))


class CardsInTurn:
    """One card after the other, each for half a second. Implements `simulator.device.CardField`."""

    def __init__(self, cards: Sequence[CardIdentity]) -> None:
        self.cards = cards

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        """See `CardField`."""
        del antenna_port
        turn, within_us = divmod(now_us, US_PER_S // 2)
        return [self.cards[turn % len(self.cards)]] if within_us < 400_000 else []

    def at(self, *antenna_ports: int) -> Items:
        """Every card at every one of these readers."""
        return frozenset(product(antenna_ports, self.cards))


def cards_of(technology: Technology, *uids: str) -> CardsInTurn:
    """Cards by their UIDs."""
    return CardsInTurn([CardIdentity(technology, bytes.fromhex(uid)) for uid in uids])


PROXIMITY: Final = cards_of(Technology.EM4100, "6200123456", "0D00A1FF55", "1102030302", "FF0D0A7EBB")
MIFARE: Final = cards_of(Technology.NFC_A, "04A1B2C3D4E5F6", "0400FF00FFD5D4", "04535302037F01", "04AA55BB7ECF00")


class Bridge:
    """A truck that comes and goes, a second each. Implements `simulator.device.Scale`."""

    GROSS_KG: Final = (Decimal(0), Decimal(18_420), Decimal(40_060))

    def weight(self, now_us: int) -> Weight:
        """See `Scale`."""
        return Weight(self.GROSS_KG[now_us // US_PER_S % len(self.GROSS_KG)])


WEIGHED: Final[Items] = frozenset(
    [(None, "gross_weight", kg) for kg in Bridge.GROSS_KG]
    + [(None, "stable_weight", kg) for kg in Bridge.GROSS_KG if kg]
    + [(None, name, value) for name in ("is_stable", "is_empty") for value in (True, False)]
)


class Wires:
    """Inputs that change five times a second. Implements `simulator.device.Terminals`."""

    REGISTERS: Final = (257, 4_369, 65_281)

    def __init__(self) -> None:
        self._outputs = [True, False]

    def inputs(self, now_us: int) -> Sequence[bool]:
        """See `Terminals`."""
        turn = now_us // (US_PER_S // 5)
        return [bool(turn & 1), bool(turn & 2)]

    def analogue_inputs(self, now_us: int) -> Sequence[int]:
        """See `Terminals`."""
        return [self.REGISTERS[now_us // (US_PER_S // 5) % len(self.REGISTERS)]]

    def outputs(self) -> Sequence[bool]:
        """See `Terminals`."""
        return self._outputs

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        """See `Terminals`."""
        raise AssertionError(f"nobody asked for output {number} to be {is_on} at {now_us}")


MODULE: Final = {
    "inputs": [
        {"name": "loop", "address": 0},
        {"name": "photo-eye", "address": 1},
        {"name": "level", "table": "input", "address": 0},
    ]
}


def wired(*sources: str | None) -> Items:
    """All that modules with these wires can say."""
    said: list[Item] = [(name, value) for name in ("loop", "photo-eye") for value in (True, False)]
    said += [("level", Decimal(register)) for register in Wires.REGISTERS]
    return frozenset((source, *each) for source in sources for each in said)


class SteadyLoad:
    """A load that does not change. Implements `simulator.device.Load`."""

    def __init__(self, voltage_v: str) -> None:
        self._state = MeterState(
            active_energy_import_wh=Decimal(1_234_560),
            active_energy_import_by_tariff_wh=(Decimal(1_000_000), Decimal(200_000), Decimal(34_560), Decimal(0)),
            active_energy_export_wh=Decimal(0),
            voltage_v=(Decimal(voltage_v), Decimal("229.9"), Decimal("230.6")),
            current_a=(Decimal("5.012"), Decimal("4.998"), Decimal("5.101")),
            active_power_w=(Decimal("1100.1"), Decimal("1090.2"), Decimal("1111.3")),
            reactive_power_var=(Decimal(100), Decimal(100), Decimal(100)),
            power_factor=(Decimal("0.995"), Decimal("0.995"), Decimal("0.995")),
            frequency_hz=Decimal("50.01"),
            active_demand_w=Decimal(3301),
        )

    def state(self, now_us: int) -> MeterState:
        """See `Load`."""
        del now_us
        return self._state


METERS: Final = {"in-1": ("000000000011", "230.1"), "in-2": ("000000000016", "231.7")}
METERED: Final[Items] = frozenset(
    (name, quantity, phase, None, Decimal(value))
    for name, (_, first) in METERS.items()
    for quantity, phase, value in [
        (Quantity.VOLTAGE, Phase.A, first),
        (Quantity.VOLTAGE, Phase.B, "229.9"),
        (Quantity.VOLTAGE, Phase.C, "230.6"),
        (Quantity.FREQUENCY, None, "50.01"),
    ]
)


DLMS_METERS: Final = {"in-1": (11, "230.1"), "in-2": (300, "231.7")}
DLMS_CODES: Final = ["1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0", "1-0:14.7.0"]


def dlms_said(names: Iterable[str]) -> Items:
    """What such meters say once: their relay, and how wrong their clock is."""
    said: list[Item] = [("relay_closed", True), ("relay_state", "connected")]
    said += [(Quantity.CLOCK_OFFSET, None, None, Decimal(offset)) for offset in (-1, 0, 1)]
    return frozenset((name, *each) for name in names for each in said)


ENERGIES: Final = (
    (Quantity.ACTIVE_ENERGY_IMPORT, None, None, "1234560"),
    (Quantity.ACTIVE_ENERGY_EXPORT, None, None, "0"),
)
TARIFFS: Final = tuple(
    (Quantity.ACTIVE_ENERGY_IMPORT, None, tariff, value)
    for tariff, value in enumerate(("1000000", "200000", "34560", "0"), start=1)
)
"""Of `SteadyLoad`, as are all that follow: what its registers say in the resolution of each kind of meter."""


def phases(quantity: Quantity, *values: str) -> list[tuple[Quantity, Phase, None, str]]:
    """One value of each phase."""
    return [(quantity, phase, None, value) for phase, value in zip(Phase, values, strict=False)]


def told(source: str | None, *said: Iterable[tuple[Quantity, Phase | None, int | None, str]]) -> Items:
    """What one meter says: quantity, phase, tariff, value."""
    return frozenset(
        (source, quantity, phase, tariff, Decimal(value)) for part in said for quantity, phase, tariff, value in part
    )


VOLTAGES: Final = phases(Quantity.VOLTAGE, "230.1", "229.9", "230.6")
SML_TOLD: Final = told(
    None,
    ENERGIES,
    TARIFFS,
    VOLTAGES,
    phases(Quantity.CURRENT, "5.01", "5.00", "5.10"),
    [(Quantity.ACTIVE_POWER, None, None, "3301.6"), (Quantity.FREQUENCY, None, None, "50.01")],
)
P1_TOLD: Final = told(
    None,
    TARIFFS,
    VOLTAGES,
    phases(Quantity.CURRENT, "5", "4", "5"),  # cut off, as the meters do
    phases(Quantity.ACTIVE_POWER_IMPORT, "1100", "1090", "1111"),
    phases(Quantity.ACTIVE_POWER_EXPORT, "0", "0", "0"),
    [
        (Quantity.ACTIVE_ENERGY_EXPORT, None, 1, "0"),
        (Quantity.ACTIVE_POWER_IMPORT, None, None, "3301"),
        (Quantity.ACTIVE_POWER_EXPORT, None, None, "0"),
        (Quantity.POWER_FAILURES, None, None, "4"),
    ],
) | told("gas", [(Quantity.GAS_VOLUME, None, None, "1234.567")])
MBUS_METERS: Final = {f"in-{number}": (number, f"{number:08}") for number in range(1, 8)} | {"in-8": (0, "16686816")}
"""Primary address and number; the last is selected by its number. So many, since each is read seldom."""
MBUS_TOLD: Final[Items] = frozenset().union(
    *(
        told(
            name,
            ENERGIES,
            TARIFFS,
            [
                (Quantity.ACTIVE_POWER, None, None, "3301"),
                (Quantity.VOLTAGE, None, None, "230.1"),
                (Quantity.CURRENT, None, None, "5.012"),
            ],
        )
        for name in MBUS_METERS
    )
)
IEC_METERS: Final = {"in-1": "70831205"}
IEC_TOLD: Final[Items] = frozenset().union(
    *(
        told(
            name,
            ENERGIES,
            TARIFFS,
            VOLTAGES,
            phases(Quantity.CURRENT, "5.01", "4.99", "5.10"),
            [(Quantity.ACTIVE_DEMAND_MAX, None, 1, "3301"), (Quantity.FREQUENCY, None, None, "50.0")],
        )
        for name in IEC_METERS
    )
)


MODBUS_METERS: Final = {"in-1": (1, "230.1"), "in-2": (16, "231.7")}
MODBUS_METERED: Final[Items] = frozenset(
    (name, quantity, phase, None, Decimal(value))
    for name, (_, first) in MODBUS_METERS.items()
    for quantity, phase, value in [
        (Quantity.VOLTAGE, Phase.A, first),
        (Quantity.VOLTAGE, Phase.B, "229.9"),
        (Quantity.VOLTAGE, Phase.C, "230.6"),
        (Quantity.FREQUENCY, None, "50.01"),
    ]
)
ABB_B23: Final = load_map("abb_b23")

MACHINE: Final = {
    "state": {"address": 0, "states": {"4": "idle"}},
    "signals": [
        {"name": "good_count", "address": 3, "type": "u32", "unit": "m"},
        {"name": "stop_reason", "address": 5, "texts": {"0": "none"}},
    ],
    "remote_enabled": {"table": "discrete", "address": 0},
    "watchdog": {"address": 21},
}
MACHINE_TOLD: Final[Items] = frozenset(
    {
        (None, "machine_state", "idle"),
        (None, "good_count", Decimal(0)),
        (None, "stop_reason", "none"),
        (None, "remote_enabled", False),
    }
)


def before(serve: Callable[..., Awaitable[None]], world: object, *device: Any, **settings: Any) -> Callable[[], Serve]:
    """A device before its part of the world; `device` makes it, where it is more than its type."""

    def twin() -> Serve:
        made = [each() for each in device]
        return lambda port: serve(port, world, *made, **settings)

    return twin


PLANTS: Final = (
    Plant("m100", "m100", before(m100.serve, RADIO), tags(1), slips=WEAK),
    Plant(
        "a0",
        "a0",
        before(a0.serve, RADIO, lambda: a0.Module(1), lambda: a0.Module(2, first_port=5)),
        tags(1, 5),
        {"units": [{"address": 1}, {"address": 2, "first_port": 5}]},
        slips=WEAK,
        more=frozenset((None, f"temperature_{address}", Decimal(a0.Module().celsius)) for address in (1, 2)),
    ),
    Plant(
        "uhfreader",
        "uhfreader",
        before(uhfreader.serve, RADIO, lambda: uhfreader.Reader(1), lambda: uhfreader.Reader(2, first_port=5)),
        tags(1, 2, 5),
        {"units": [{"address": 1, "antennas": [1, 2]}, {"address": 2, "first_port": 5}]},
    ),
    Plant("uhfreader-rr18", "uhfreader", before(uhfreader.serve, RADIO, uhfreader.rr18), tags(1)),
    Plant("cf", "cf", before(cf.serve, RADIO, cf.Reader), tags(1, 2), {"antennas": [1, 2]}, (*LINES, Link.TCP)),
    Plant("thingmagic", "thingmagic", before(thingmagic.serve, RADIO), tags(1), {"region": "prc"}),
    Plant("hopeland", "hopeland", before(hopeland.serve, RADIO), tags(1, 3), {"antennas": [1, 3]}, (*LINES, Link.TCP)),
    Plant(
        "rdm6300",
        "ascii_line",
        before(ascii_line.serve, PROXIMITY),
        PROXIMITY.at(1),
        {"format": "rdm6300", "absent_after_s": 0.5},
        LISTENED,
        slips=WEAK,
    ),
    Plant(
        "ascii_line",
        "ascii_line",
        before(ascii_line.serve, MIFARE, lambda: ascii_line.Reader(write=ascii_line.lines(ascii_line.hexadecimal))),
        MIFARE.at(1),
        {"format": "line", "card": {"technology": "nfca"}, "absent_after_s": 0.5},
        LISTENED,
        slips=None,
    ),
    Plant(
        "osdp",
        "osdp",
        before(osdp.serve, MIFARE, lambda: (osdp.Reader(0), osdp.Reader(5, antenna_ports=(2,)))),
        MIFARE.at(1, 2),
        {"units": [{"address": 0}, {"address": 5, "first_port": 2}], "card": {"technology": "nfca"}},
    ),
    Plant("pn532", "pn532", before(pn532.serve, MIFARE), MIFARE.at(1), {"technologies": ["nfca"]}, slips=WEAK),
    Plant(
        "weighbridge",
        "weighbridge",
        before(weighbridge.serve, Bridge()),
        WEIGHED,
        {"stable_for_s": 0.4, "report_every_s": 0.1},
        LISTENED,
        slips=WEAK,
    ),
    Plant(
        "modbus_io",
        "modbus_io",
        before(modbus_io.serve, {1: Wires(), 7: Wires()}),
        wired("lane-1", "lane-2"),
        {"modules": [{"name": "lane-1", "address": 1, **MODULE}, {"name": "lane-2", "address": 7, **MODULE}]},
    ),
    Plant(
        "modbus_io-tcp",
        "modbus_io",
        before(modbus_io.serve, {1: Wires()}, lambda: modbus_io.Bank(is_tcp=True)),
        wired(None),
        {"framing": "tcp", "modules": [MODULE]},
        (Link.TCP,),
        rough=Rough.NETWORK,
    ),
    Plant(
        "dlt645",
        "dlt645",
        before(dlt645.serve, {address: SteadyLoad(voltage_v) for address, voltage_v in METERS.values()}),
        METERED,
        {
            "meters": [{"name": name, "address": address} for name, (address, _) in METERS.items()],
            "read": ["voltage", "frequency"],
            "poll_s": 1,
        },
        slips=WEAK,
    ),
    Plant(
        "dlt698",
        "dlt698",
        before(dlt698.serve, {address: SteadyLoad(voltage_v) for address, voltage_v in METERS.values()}),
        METERED,
        {
            "meters": [{"name": name, "address": address} for name, (address, _) in METERS.items()],
            "read": ["voltage", "frequency"],
            "poll_s": 1,
            "backfill_days": 0,
        },
    ),
    Plant(
        "modbus_meter",
        "modbus_meter",
        lambda: partial(
            modbus_meter.serve,
            meters={unit: modbus_meter.Meter(ABB_B23, SteadyLoad(volts)) for unit, volts in MODBUS_METERS.values()},
        ),
        MODBUS_METERED,
        {
            "meters": [{"name": name, "address": unit, "map": "abb_b23"} for name, (unit, _) in MODBUS_METERS.items()],
            "read": ["voltage", "frequency"],
            "power_s": 1,
        },
    ),
    Plant(
        "modbus_meter-tcp",
        "modbus_meter",
        lambda: partial(modbus_meter.serve, meters={1: modbus_meter.Meter(ABB_B23, SteadyLoad("230.1"))}, is_tcp=True),
        frozenset(item for item in MODBUS_METERED if item[0] == "in-1"),
        {
            "framing": "tcp",
            "meters": [{"name": "in-1", "address": 1, "map": "abb_b23"}],
            "read": ["voltage", "frequency"],
            "power_s": 1,
        },
        (Link.TCP,),
        rough=Rough.NETWORK,
    ),
    Plant(
        "modbus_machine",
        "modbus_machine",
        lambda: partial(modbus_machine.serve, machines={1: modbus_machine.WarpingMachine()}),
        MACHINE_TOLD,
        {"framing": "rtu", "machines": [MACHINE], "repeat_s": 1},
    ),
    Plant(
        "modbus_machine-tcp",
        "modbus_machine",
        lambda: partial(modbus_machine.serve, machines={1: modbus_machine.WarpingMachine()}, is_tcp=True),
        MACHINE_TOLD,
        {"framing": "tcp", "machines": [MACHINE], "repeat_s": 1},
        (Link.TCP,),
        rough=Rough.NETWORK,
    ),
    Plant(
        "sml",
        "sml",
        before(sml.serve, SteadyLoad("230.1"), lambda: sml.Meter(every_s=0.2)),
        SML_TOLD,
        {"telegram_every_s": 1, "energy_every_s": 0},
        LISTENED,
    ),
    Plant(
        "dsmr_p1",
        "dsmr_p1",
        before(
            dsmr_p1.serve,
            SteadyLoad("230.1"),
            lambda: dsmr_p1.Meter(
                every_s=0.2, sub_meters=[dsmr_p1.SubMeter(1, device_type=3, register=lambda _: Decimal("1234.567"))]
            ),
        ),
        P1_TOLD,
        {"telegram_every_s": 1, "energy_every_s": 0, "sub_meters": [{"name": "gas", "channel": 1}]},
        LISTENED,
    ),
    Plant(
        "mbus",
        "mbus",
        lambda: partial(
            mbus.serve,
            meters={
                address: mbus.Meter(mbus.electricity(SteadyLoad("230.1")), number, device_type=2, records_per_frame=4)
                for address, number in MBUS_METERS.values()
            },
        ),
        MBUS_TOLD,
        {
            "meters": [
                {"name": name, "address": address} if address else {"name": name, "number": number}
                for name, (address, number) in MBUS_METERS.items()
            ],
            "read_every_s": 10,
        },
        slips=WEAK,
    ),
    Plant(
        "iec62056",
        "iec62056",
        lambda: partial(
            iec62056.serve,
            meters={address: iec62056.Meter(SteadyLoad("230.1"), serial=address) for address in IEC_METERS.values()},
            at_line_speed=True,
            sign_on=9_600,
        ),
        IEC_TOLD,
        {
            "meters": [{"name": name, "address": address} for name, address in IEC_METERS.items()],
            "read_every_s": 10,
            "fixed_baud": 9_600,
        },
        slips=WEAK,
    ),
    Plant(
        "dlms",
        "dlms",
        lambda: partial(
            dlms.serve,
            meters=[dlms.Meter(SteadyLoad(voltage_v), physical=number) for number, voltage_v in DLMS_METERS.values()],
        ),
        METERED,
        {
            "meters": [{"name": name, "physical": number} for name, (number, _) in DLMS_METERS.items()],
            "read": DLMS_CODES,
            "power_s": 1,
            "answer_within_s": 0.5,
            "backfill_days": 0,
        },
        more=dlms_said(DLMS_METERS),
    ),
    Plant(
        "dlms-wrapper",
        "dlms",
        lambda: partial(dlms.serve, meters=[dlms.Meter(SteadyLoad(METERS["in-1"][1]))], framing=dlms.Framing.WRAPPER),
        frozenset(item for item in METERED if item[0] == "in-1"),
        {
            "framing": "wrapper",
            "meters": [{"name": "in-1"}],
            "read": DLMS_CODES,
            "power_s": 1,
            "answer_within_s": 0.5,
            "backfill_days": 0,
        },
        (Link.TCP,),
        more=dlms_said(["in-1"]),
        rough=Rough.NETWORK,
    ),
    Plant(
        "llrp",
        "llrp",
        lambda: SimulatedReader(IDENTITIES["impinj"], RADIO).serve,
        tags(1, 2),
        {"antennas": [1, 2], "keepalive_s": 1.0},
        (Link.TCP,),
        rough=Rough.NETWORK,
    ),
)
