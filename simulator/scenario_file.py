"""Scenario files: what a world is made of, and the site file of the gateway that serves it.

A scenario is `simulator/scenarios/NAME.toml`, and beside it `NAME.site.toml`, the site file, with `${DEVICE}` in place
of addresses that are known only when the devices listen: HOST:PORT, or HOST:PORT/TOPIC of a device that publishes. A
scenario may include others: its world is theirs together, and a line `# include: NAME` of its site file stands for the
devices and rules of theirs.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from importlib import resources
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from readers.codecs.weighbridge import Form
from simulator.world.clones import Case as CloneCase
from simulator.world.pallet_ways import Mishap
from simulator.world.truck_gate import Case

Position = tuple[float, float, float]
UnitAddress = Annotated[int, Field(ge=1, le=247)]
PARTS: Final = "# --- devices and rules ---"
"""Above it a site file speaks of the site, below it of what another site file may include."""
_INCLUDE: Final = re.compile(r"^# include: (\w+)$", re.MULTILINE)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LanePart(_Part):
    """A lane and its traffic."""

    name: str
    y_m: float
    inbound: Annotated[float, Field(ge=0, le=1)]
    every_s: Annotated[float, Field(gt=0)]


class ConveyorPart(_Part):
    """A conveyor with its stations: read point to place along x, in the order of travel."""

    name: str
    y_m: float
    stations: dict[str, float]
    every_s: Annotated[float, Field(gt=0)]
    speed_m_per_s: Annotated[float, Field(gt=0)]
    mishaps: dict[Annotated[int, Field(ge=1)], Mishap] = {}
    mishaps_of: Annotated[int, Field(ge=1)] = 10


class ReaderPart(_Part):
    """A reader and where its antennas hang: antenna port to (x, y, z) in metres.

    One with a topic does not listen: it publishes there, at the broker that the simulation is told of.
    """

    name: str
    twin: Literal["llrp", "m100", "a0", "uhfreader", "thingmagic", "cf", "hopeland", "impinj_iot", "zebra_iotc"]
    topic: Annotated[str, Field(pattern=r"^[^#+\x00]+$")] | None = None
    identity: Literal["impinj", "zebra", "plain"] = "plain"
    antennas: dict[int, Position]


class GatePart(_Part):
    """A lane with a barrier, where trucks stop, one after the other: what is right or wrong with each in turn.

    The module has its inputs in the order of the gates that name it: loop, exit loop, barrier up of each.
    """

    name: str
    direction: Literal["in", "out"]
    at: Position
    cases: Annotated[list[Case], Field(min_length=1)]
    module: str
    scale: str | None = None
    card_reader: str | None = None


class ClonesPart(_Part):
    """Tags that are seen at one place and then at another: what is right or wrong with each in turn."""

    first: str
    first_at: Position
    second: str
    second_at: Position
    way_s: Annotated[float, Field(gt=0)]
    hurry_s: Annotated[float, Field(gt=0)]
    every_s: Annotated[float, Field(gt=0)]
    cases: Annotated[list[CloneCase], Field(min_length=1)]


class DeskPart(_Part):
    """A desk where tagged papers are laid for a while."""

    at: Position
    every_s: Annotated[float, Field(gt=0)]
    stay_s: Annotated[float, Field(gt=0)]


class CarParkPart(_Part):
    """A car park: how often cars come, how long they stay, and the shares of cards that are not known or expired.

    Who lingers stays longer than `longest_s`, and meanwhile somebody else comes with their card.
    """

    every_s: Annotated[float, Field(gt=0)]
    stay_s: Annotated[float, Field(gt=0)]
    longest_s: Annotated[float, Field(gt=0)]
    strangers: Annotated[float, Field(ge=0, le=1)]
    expired: Annotated[float, Field(ge=0, le=1)]


class CardReaderPart(_Part):
    """A card reader of the car park."""

    name: str
    twin: Literal["ascii_line", "osdp", "pn532"]
    place: Literal["entry", "exit"]


class ModulePart(_Part):
    """A module of inputs and outputs on the wires of the car park's loops and barriers."""

    name: str
    address: int = 1


class ScalePart(_Part):
    """A weighbridge and its traffic."""

    name: str
    form: Form = Form.XK3190
    every_s: Annotated[float, Field(gt=0)]


class ChangePart(_Part):
    """What happens to a load so long after the beginning, unless the scenario is over soon after."""

    at_s: Annotated[float, Field(ge=0)]
    added_w: float = 0.0
    power_factor: Annotated[float, Field(gt=0, le=1)] | None = None
    lost_phase: Literal["a", "b", "c"] | None = None


class LoadPart(_Part):
    """A meter and its load, on the primary side."""

    name: str
    address: str | int
    base_w: Annotated[float, Field(gt=0)]
    swing: Annotated[float, Field(ge=0, lt=1)]
    start_wh: Annotated[float, Field(ge=0)]
    single_phase: bool = False
    change: ChangePart | None = None


class MeterPart(LoadPart):
    """A meter that speaks DL/T 645."""

    address: Annotated[str, Field(pattern=r"^\d{12}$")]


class ModbusMeterPart(LoadPart):
    """A meter with the registers of a map that comes with the product, behind current transformers of that ratio."""

    address: UnitAddress
    map: Annotated[str, Field(pattern=r"^\w+$")]
    ct_ratio: Annotated[Decimal, Field(gt=0)] = Decimal(1)


class LinePart(_Part):
    """A line of meters that speak DL/T 645."""

    name: str
    twin: Literal["dlt645"]
    meters: list[MeterPart]


class ModbusLinePart(_Part):
    """A line of meters that speak Modbus RTU."""

    name: str
    twin: Literal["modbus_meter"]
    meters: list[ModbusMeterPart]


class MachinePart(_Part):
    """A warping machine with a PLC on Modbus TCP, which its operator has started.

    One with `remote` takes orders from afar. Of one with `breaks_s` a yarn breaks so long after the beginning, and it
    is started again `mended_s` after the beginning.
    """

    name: str
    twin: Literal["modbus_machine"]
    address: UnitAddress = 1
    beam_m: Annotated[float, Field(gt=0)] = 20_000.0
    remote: bool = False
    breaks_s: Annotated[float, Field(ge=0)] | None = None
    mended_s: Annotated[float, Field(gt=0)] = 20.0

    def stop_us(self, start_us: int) -> tuple[int, int]:
        """When it stops, if its yarn breaks, and when it is started again, in a world that begins then."""
        return start_us + round((self.breaks_s or 0.0) * 1e6), start_us + round(self.mended_s * 1e6)


class ScenarioFile(_Part):
    """The whole of a scenario file."""

    summary: str
    include: list[str] = []
    lane: list[LanePart] = []
    conveyor: list[ConveyorPart] = []
    reader: list[ReaderPart] = []
    desk: DeskPart | None = None
    clones: ClonesPart | None = None
    car_park: CarParkPart | None = None
    card_reader: list[CardReaderPart] = []
    module: list[ModulePart] = []
    scale: list[ScalePart] = []
    gate: list[GatePart] = []
    line: list[Annotated[LinePart | ModbusLinePart, Field(discriminator="twin")]] = []
    machine: list[MachinePart] = []

    @property
    def devices(self) -> list[str]:
        """Names of all devices, in the order of the file."""
        parts = (self.reader, self.card_reader, self.module, self.scale, self.line, self.machine)
        of_gates = [name for gate in self.gate for name in (gate.module, gate.scale, gate.card_reader) if name]
        return [*(device.name for part in parts for device in part), *dict.fromkeys(of_gates)]

    @property
    def topics(self) -> dict[str, str]:
        """Where each device publishes that does."""
        return {reader.name: reader.topic for reader in self.reader if reader.topic is not None}


def names() -> list[str]:
    """The scenarios that are there."""
    files = [entry.name for entry in resources.files("simulator").joinpath("scenarios").iterdir()]
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml") and ".site." not in name)


def load(name: str) -> ScenarioFile:
    """Read a scenario, with those that it includes.

    Raises:
        ValueError: there is none of that name; the message lists those that are there.
    """
    if name not in names():
        raise ValueError(f"scenario {name!r} is unknown; there are: {', '.join(names())}")
    file = ScenarioFile.model_validate(tomllib.loads(_text(f"{name}.toml")))
    for other in map(load, file.include):
        file = _together(file, other)
    return file


def site_template(name: str) -> str:
    """The site file that goes with a scenario, with `${...}` to be filled in."""
    return _INCLUDE.sub(lambda match: site_template(match[1]).partition(PARTS)[2].strip(), _text(f"{name}.site.toml"))


def _together(file: ScenarioFile, other: ScenarioFile) -> ScenarioFile:
    joined: dict[str, object] = {}
    for field in ScenarioFile.model_fields:
        ours, theirs = getattr(file, field), getattr(other, field)
        if field in {"summary", "include"}:
            joined[field] = ours
        elif isinstance(ours, list):
            joined[field] = [*ours, *theirs]
        else:
            joined[field] = theirs if ours is None else ours
    return ScenarioFile.model_validate(joined)


def _text(file_name: str) -> str:
    return resources.files("simulator").joinpath("scenarios", file_name).read_text(encoding="utf-8")
