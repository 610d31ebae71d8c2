"""Scenarios: a world, the devices in it, and what really happened.

A scenario is `simulator/scenarios/NAME.toml`, and beside it `NAME.site.toml`, the site file of the gateway that serves
it, with `${DEVICE}` in place of addresses that are known only when the devices listen.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.world.containers import Container, container
from simulator.world.power import ThreePhaseLoad
from simulator.world.radio import Antenna, GateRadio, Mover, Place
from simulator.world.traffic import Lane, Truck, trucks

_US_PER_S: Final = 1_000_000
_DESK_PAPERS: Final = 900_000  # container numbers from here on are papers on the desk, apart from those on trucks

Position = tuple[float, float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LanePart(_Part):
    """A lane and its traffic."""

    name: str
    y_m: float
    inbound: Annotated[float, Field(ge=0, le=1)]
    every_s: Annotated[float, Field(gt=0)]


class ReaderPart(_Part):
    """A reader and where its antennas hang: antenna port to (x, y, z) in metres."""

    name: str
    twin: Literal["llrp", "m100"]
    identity: Literal["impinj", "zebra", "plain"] = "plain"
    antennas: dict[int, Position]


class DeskPart(_Part):
    """A desk where tagged papers are laid for a while."""

    at: Position
    every_s: Annotated[float, Field(gt=0)]
    stay_s: Annotated[float, Field(gt=0)]


class MeterPart(_Part):
    """A meter and its load."""

    name: str
    address: Annotated[str, Field(pattern=r"^\d{12}$")]
    base_w: Annotated[float, Field(gt=0)]
    swing: Annotated[float, Field(ge=0, lt=1)]
    start_wh: Annotated[float, Field(ge=0)]
    single_phase: bool = False


class LinePart(_Part):
    """A line of meters."""

    name: str
    twin: Literal["dlt645"]
    meters: list[MeterPart]


class ScenarioFile(_Part):
    """The whole of a scenario file."""

    summary: str
    lane: list[LanePart] = []
    reader: list[ReaderPart] = []
    desk: DeskPart | None = None
    line: list[LinePart] = []


@dataclass(frozen=True, slots=True)
class Paper:
    """A tag that lies still on the desk for a while. Implements `simulator.world.radio.Mover`."""

    container: Container
    at: Place
    present_from_us: int
    present_until_us: int

    @property
    def epc(self) -> bytes:
        """Its EPC."""
        return self.container.epc

    def place(self, at_us: int) -> Place:
        """Where it lies."""
        del at_us
        return self.at


@dataclass(frozen=True, slots=True)
class World:
    """A scenario that runs: everything in it is decided by the seed and the start."""

    file: ScenarioFile
    seed: int
    start_us: int
    trucks: list[Truck]
    papers: list[Paper]
    loads: dict[str, dict[str, ThreePhaseLoad]]

    def radio(self, reader: str) -> GateRadio:
        """The radio in front of one reader."""
        part = next(part for part in self.file.reader if part.name == reader)
        antennas = {port: Antenna(f"{reader}/{port}", Place(*at)) for port, at in part.antennas.items()}
        movers: list[Mover] = sorted([*self.trucks, *self.papers], key=lambda mover: mover.present_from_us)
        return GateRadio(self.seed, antennas, movers)

    def truth(self) -> dict[str, object]:
        """What really happens: passages in order of time, papers on the desk, and who is who."""
        passages = [
            {
                "epc": truck.epc.hex().upper(),
                "container": truck.container.code,
                "lane": truck.lane,
                "direction": truck.direction,
                "crosses_us": truck.crosses_us,
                "speed_m_per_s": round(truck.speed_m_per_s, 3),
            }
            for truck in sorted(self.trucks, key=lambda truck: truck.crosses_us)
        ]
        papers = [
            {
                "epc": paper.epc.hex().upper(),
                "container": paper.container.code,
                "from_us": paper.present_from_us,
                "until_us": paper.present_until_us,
            }
            for paper in self.papers
        ]
        return {"seed": self.seed, "start_us": self.start_us, "passages": passages, "papers": papers}

    def assets_csv(self) -> str:
        """Names of all tags, for the site file's `assets`."""
        things: list[Truck | Paper] = [*self.trucks, *self.papers]
        known = {thing.epc: thing.container.code for thing in things}
        lines = [f"{epc.hex().upper()},{code},container" for epc, code in known.items()]
        return "\n".join(["epc,name,kind", *lines]) + "\n"


def names() -> list[str]:
    """The scenarios that are there."""
    files = [entry.name for entry in resources.files("simulator").joinpath("scenarios").iterdir()]
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml") and ".site." not in name)


def load(name: str) -> ScenarioFile:
    """Read a scenario.

    Raises:
        ValueError: there is none of that name; the message lists those that are there.
    """
    if name not in names():
        raise ValueError(f"scenario {name!r} is unknown; there are: {', '.join(names())}")
    return ScenarioFile.model_validate(tomllib.loads(_text(f"{name}.toml")))


def site_template(name: str) -> str:
    """The site file that goes with a scenario, with `${...}` to be filled in."""
    return _text(f"{name}.site.toml")


def build(file: ScenarioFile, seed: int, start_us: int, duration_s: float) -> World:
    """Let a world begin at `start_us`; all traffic is over after `duration_s`."""
    lanes = [Lane(part.name, part.y_m, part.inbound, part.every_s) for part in file.lane]
    loads = {
        line.name: {
            meter.address: ThreePhaseLoad(
                name=meter.name,
                seed=seed * 1000 + index,
                start_us=start_us,
                start_wh=meter.start_wh,
                base_w=meter.base_w,
                swing=meter.swing,
                single_phase=meter.single_phase,
            )
            for index, meter in enumerate(line.meters)
        }
        for line in file.line
    }
    papers = _papers(file.desk, seed, start_us, duration_s) if file.desk else []
    return World(file, seed, start_us, trucks(seed, lanes, start_us, duration_s), papers, loads)


def _papers(desk: DeskPart, seed: int, start_us: int, duration_s: float) -> list[Paper]:
    draw = random.Random(seed + 1)
    papers: list[Paper] = []
    clock_s = draw.uniform(0.5, desk.every_s / 2)
    while clock_s + desk.stay_s < duration_s:
        begin_us = start_us + round(clock_s * _US_PER_S)
        end_us = begin_us + round(desk.stay_s * _US_PER_S)
        papers.append(Paper(container(seed, _DESK_PAPERS + len(papers)), Place(*desk.at), begin_us, end_us))
        clock_s += desk.stay_s + draw.expovariate(1 / desk.every_s)
    return papers


def _text(file_name: str) -> str:
    return resources.files("simulator").joinpath("scenarios", file_name).read_text(encoding="utf-8")
