"""What answers a connection to each device of a scenario: its twin, before its part of the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any, Final

from readers.codecs.modbus_map import MeterMap
from readers.codecs.modbus_map_file import parse
from readers.codecs.weighbridge import Form
from readers.driver import Port
from simulator.cards import ascii_line, osdp, pn532
from simulator.device import Load, Radio
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.machines import modbus_io, modbus_machine, weighbridge
from simulator.meters import dlt645, modbus_meter
from simulator.modbus_server import serve as serve_units
from simulator.rfid import a0, cf, hopeland, impinj_iot, m100, thingmagic, uhfreader, zebra_iotc
from simulator.scenario import World
from simulator.scenario_file import LinePart, MachinePart, ModbusLinePart
from simulator.world.attended import Attended
from simulator.world.car_park import BarrierWires, ReaderField
from simulator.world.truck_gate import GateWires
from simulator.world.weighing import Bridge

Serve = Callable[[Port], Awaitable[None]]
METER_BAUD: Final = 9600
MODULE_ADDRESS: Final = 1

_READERS: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "a0": a0.serve,
    "cf": cf.serve,
    "hopeland": hopeland.serve,
    "impinj_iot": impinj_iot.serve,
    "m100": m100.serve,
    "thingmagic": thingmagic.serve,
    "uhfreader": uhfreader.serve,
    "zebra_iotc": zebra_iotc.serve,
}
_UID_WRITER: Final = ascii_line.Reader(write=ascii_line.lines(ascii_line.hexadecimal))
_CARD_READERS: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "ascii_line": lambda port, field: ascii_line.serve(port, field, _UID_WRITER),
    "osdp": osdp.serve,
    "pn532": pn532.serve,
}


def devices(world: World) -> dict[str, Serve]:
    """Every device of the world by name."""
    file = world.file
    found: dict[str, Serve] = {}
    for reader in file.reader:
        radio = world.radio(reader.name)
        if reader.twin == "llrp":
            found[reader.name] = SimulatedReader(IDENTITIES[reader.identity], radio).serve
        else:
            found[reader.name] = _before(_READERS[reader.twin], radio)
    for card_reader in file.card_reader:
        field = ReaderField([each for each in world.shown if each.place == card_reader.place])
        found[card_reader.name] = _before(_CARD_READERS[card_reader.twin], field)
    for module in file.module:
        found[module.name] = _before(modbus_io.serve, {module.address: BarrierWires(world.shown)})
    for scale in file.scale:
        bridge = Bridge(world.seed, world.weighed[scale.name])
        found[scale.name] = _before(weighbridge.serve, bridge, weighbridge.Indicator(form=scale.form))
    found |= _gates(world)
    for line in file.line:
        found[line.name] = _line(line, world.loads[line.name])
    for machine in file.machine:
        found[machine.name] = _machine(machine, world.start_us)
    return found


def _gates(world: World) -> dict[str, Serve]:
    """The modules, scales and card readers of the gates; several gates may share a module."""
    gates = world.file.gate
    found: dict[str, Serve] = {}
    for module in dict.fromkeys(gate.module for gate in gates):
        wires = GateWires([gate.name for gate in gates if gate.module == module], world.stopped)
        found[module] = _before(modbus_io.serve, {MODULE_ADDRESS: wires})
    for gate in gates:
        here = [visit for visit in world.stopped if visit.gate.name == gate.name]
        if gate.scale is not None:
            bridge = Bridge(world.seed, [visit.weighing() for visit in here])
            found[gate.scale] = _before(weighbridge.serve, bridge, weighbridge.Indicator(form=Form.TOLEDO))
        if gate.card_reader is not None:
            field = ReaderField([visit.presentation() for visit in here])
            found[gate.card_reader] = _before(ascii_line.serve, field, _UID_WRITER)
    return found


def _line(line: LinePart | ModbusLinePart, loads: Mapping[str, Load]) -> Serve:
    if isinstance(line, LinePart):
        meters = {address: _meter(address, load) for address, load in loads.items()}
        return lambda port: dlt645.serve(port, meters, baud=METER_BAUD)
    units = {
        part.address: modbus_meter.Meter(registers(part.map), loads[str(part.address)], ct_ratio=part.ct_ratio)
        for part in line.meters
    }
    return lambda port: modbus_meter.serve(port, units, baud=METER_BAUD)


def _meter(address: str, load: Load) -> dlt645.Meter:
    """A meter that keeps its relay, its clock and its records from one link to the next."""
    return dlt645.Meter(address, load, dlt645.Behaviour(slots=dlt645.DAY_SLOTS))


def _machine(part: MachinePart, start_us: int) -> Serve:
    machine = modbus_machine.WarpingMachine(beam_m=part.beam_m, is_remote=part.remote)
    machine.start()
    if part.breaks_s is None:
        return lambda port: modbus_machine.serve(port, {part.address: machine}, is_tcp=True)
    attended = Attended(machine, *part.stop_us(start_us))
    return lambda port: serve_units(port, {part.address: attended}, is_tcp=True)


def registers(name: str) -> MeterMap:
    """A register map that comes with the product; it is data, and not the driver's alone."""
    file = files("readers").joinpath("meters", "modbus_meter", "maps", f"{name}.toml")
    return parse(file.read_text(encoding="utf-8"), file.name)


def _before(serve: Callable[..., Awaitable[None]], *world: Radio | Any) -> Serve:
    return lambda port: serve(port, *world)
