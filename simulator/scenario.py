"""A scenario that runs: its world, what really happens in it, and who is who. See `simulator.scenario_file`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from simulator.scenario_file import ClonesPart, DeskPart, GatePart, ScenarioFile
from simulator.world.attended import expected as expected_of_stop
from simulator.world.car_park import Presentation, presentations
from simulator.world.car_park_truth import FORBIDDEN, holders_csv
from simulator.world.car_park_truth import expected as expected_of_cards
from simulator.world.clones import Course, Suspect, suspects
from simulator.world.clones import expected as expected_of_clones
from simulator.world.containers import Container, container
from simulator.world.expected import Expected
from simulator.world.pallet_rules import expected as expected_of_pallets
from simulator.world.pallet_rules import never as never_of_pallets
from simulator.world.pallets import Conveyor, Pallet, pallets
from simulator.world.power import ThreePhaseLoad
from simulator.world.power_truth import change_of
from simulator.world.power_truth import expected as expected_of_loads
from simulator.world.radio import Antenna, GateRadio, Mover, Place
from simulator.world.traffic import Lane, Truck, trucks
from simulator.world.truck_gate import Gate, Visit, visits
from simulator.world.truck_gate_truth import expected as expected_of_gates
from simulator.world.truck_gate_truth import tables as tables_of_gates
from simulator.world.weighing import Weighing, weighings

_US_PER_S: Final = 1_000_000
_DESK_PAPERS: Final = 900_000  # container numbers from here on are papers on the desk, apart from those on trucks


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
    """A scenario that runs: everything in it is decided by the seed and the start.

    Attributes:
        loads: of each line, by the addresses of its meters.
        weighed: trucks on each weighbridge, by its name. shown: cards, in order.
        expected: what rules should conclude of it.
        stopped: trucks that stop at gates, in order of arrival.
        suspects: tags that may be copied.
    """

    file: ScenarioFile
    seed: int
    start_us: int
    trucks: list[Truck]
    papers: list[Paper]
    loads: dict[str, dict[str, ThreePhaseLoad]]
    pallets: list[Pallet]
    shown: list[Presentation]
    weighed: dict[str, list[Weighing]]
    expected: list[Expected]
    stopped: list[Visit] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)

    def radio(self, reader: str) -> GateRadio:
        """The radio in front of one reader."""
        part = next(part for part in self.file.reader if part.name == reader)
        antennas = {port: Antenna(f"{reader}/{port}", Place(*at)) for port, at in part.antennas.items()}
        things: list[Mover] = [*self.trucks, *self.papers, *self.pallets]
        things += [tag for visit in self.stopped for tag in visit.tags()]
        things += [stay for suspect in self.suspects for stay in suspect.stays]
        return GateRadio(self.seed, antennas, sorted(things, key=lambda mover: mover.present_from_us))

    def truth(self) -> dict[str, object]:
        """What really happens, in order of time."""
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
        visits = [
            {"epc": pallet.epc.hex().upper(), "pallet": pallet.name, "station": station, "at_us": at_us}
            for pallet in self.pallets
            for station, at_us in pallet.visits()
        ]
        cards = [
            {
                "holder": shown.holder.name,
                "is_enrolled": shown.holder.is_enrolled,
                "reader": reader.name,
                "at_us": shown.at_us,
            }
            for shown in self.shown
            for reader in self.file.card_reader
            if reader.place == shown.place
        ]
        cards += [
            {"holder": visit.driver.name, "is_enrolled": True, "reader": gate.card_reader, "at_us": shown.at_us}
            for visit in self.stopped
            for gate in self.file.gate
            if gate.name == visit.gate.name and gate.card_reader is not None
            for shown in [visit.presentation()]
        ]
        weights = [
            {"scale": scale, "gross_kg": truck.gross_kg, "stands_us": truck.stands_us, "moves_us": truck.moves_us}
            for scale, trucks_on_it in self.weighed.items()
            for truck in trucks_on_it
        ]
        return {
            "seed": self.seed,
            "start_us": self.start_us,
            "passages": passages,
            "papers": papers,
            "visits": sorted(visits, key=lambda visit: (visit["at_us"], visit["epc"])),
            "cards": cards,
            "weighings": weights,
            "never": [*([FORBIDDEN] if self.file.car_park is not None else []), *never_of_pallets(self.pallets)],
            "expected": [each.told() for each in sorted(self.expected, key=lambda each: each.at_us)],
        }

    def assets_csv(self) -> str:
        """Names of all tags and enrolled cards, for the site file's `assets`."""
        things: list[Truck | Paper] = [*self.trucks, *self.papers]
        known = {thing.epc: thing.container.code for thing in things}
        known |= {visit.container.epc: visit.container.code for visit in self.stopped}
        lines = [f"{epc.hex().upper()},,{code},container" for epc, code in known.items()]
        lines += [f"{pallet.epc.hex().upper()},,{pallet.name},pallet" for pallet in self.pallets]
        holders = {shown.holder.name: shown.holder for shown in self.shown if shown.holder.is_enrolled}
        holders |= {visit.driver.name: visit.driver for visit in self.stopped if visit.gate.has_cards}
        hauliers = {visit.truck: visit.truck_epc for visit in self.stopped}
        lines += [f"{epc.hex().upper()},,{name},truck" for name, epc in hauliers.items()]
        lines += [f"{suspect.epc.hex().upper()},,{suspect.name},tool" for suspect in self.suspects]
        lines += [f",{holder.card.text},{name},person" for name, holder in sorted(holders.items())]
        return "\n".join(["epc,card,name,kind", *lines]) + "\n"

    def tables(self) -> dict[str, str]:
        """The lists that its rules look things up in, by the names of their files."""
        found = tables_of_gates(self.stopped) if self.file.gate else {}
        if self.file.car_park is not None:
            found["holders.csv"] = holders_csv(self.shown, self.start_us)
        return found


def build(file: ScenarioFile, seed: int, start_us: int, duration_s: float) -> World:
    """Let a world begin at `start_us`; all traffic is over after `duration_s`."""
    lanes = [Lane(part.name, part.y_m, part.inbound, part.every_s) for part in file.lane]
    conveyors = [
        Conveyor(part.name, part.y_m, part.stations, part.every_s, part.speed_m_per_s, part.mishaps, part.mishaps_of)
        for part in file.conveyor
    ]
    loads = {
        line.name: {
            str(meter.address): ThreePhaseLoad(
                name=meter.name,
                seed=seed * 1000 + index,
                start_us=start_us,
                start_wh=meter.start_wh,
                base_w=meter.base_w,
                swing=meter.swing,
                single_phase=meter.single_phase,
                change=change_of(meter.change, start_us, duration_s),
            )
            for index, meter in enumerate(line.meters)
        }
        for line in file.line
    }
    stopped = visits(seed, [_gate(part) for part in file.gate], start_us, duration_s)
    shown = _shown(file, seed, start_us, duration_s)
    cards = expected_of_cards(shown, file.car_park.longest_s) if file.car_park is not None else []
    on_conveyors = pallets(seed, conveyors, start_us, duration_s)
    perhaps_copied = _suspects(file.clones, seed, start_us, duration_s) if file.clones is not None else []
    halts = [
        each
        for part in file.machine
        if part.breaks_s is not None and part.mended_s < duration_s
        for each in expected_of_stop(part.name, *part.stop_us(start_us))
    ]
    return World(
        file,
        seed,
        start_us,
        trucks(seed, lanes, start_us, duration_s),
        _papers(file.desk, seed, start_us, duration_s) if file.desk else [],
        loads,
        on_conveyors,
        shown,
        {
            scale.name: weighings(seed + number, start_us, duration_s, scale.every_s)
            for number, scale in enumerate(file.scale)
        },
        [
            *expected_of_pallets(on_conveyors),
            *halts,
            *expected_of_gates(stopped),
            *cards,
            *expected_of_loads(loads),
            *expected_of_clones(perhaps_copied),
        ],
        stopped,
        perhaps_copied,
    )


def _gate(part: GatePart) -> Gate:
    return Gate(
        part.name,
        part.direction,
        Place(*part.at),
        part.cases,
        is_weighed=part.scale is not None,
        has_cards=part.card_reader is not None,
    )


def _suspects(part: ClonesPart, seed: int, start_us: int, duration_s: float) -> list[Suspect]:
    course = Course(part.first, Place(*part.first_at), part.second, Place(*part.second_at), part.way_s, part.hurry_s)
    return suspects(seed, course, part.cases, start_us, duration_s, part.every_s)


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


def _shown(file: ScenarioFile, seed: int, start_us: int, duration_s: float) -> list[Presentation]:
    part = file.car_park
    if part is None:
        return []
    return presentations(
        seed,
        start_us,
        duration_s,
        every_s=part.every_s,
        stay_s=part.stay_s,
        longest_s=part.longest_s,
        strangers=part.strangers,
        expired=part.expired,
    )
