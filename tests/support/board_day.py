"""A day of a port, its power room, a factory line and a car park, in virtual time: what boards show, and what is true.

What happens is counted here while it is made up; what the rules make of it comes out of the engine alone, and goes
through the encoder of the sink, as it does in the daemon.
"""

from __future__ import annotations

import csv
import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from gateway.contract.batches import (
    ITEM_KINDS,
    Batch,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
)
from gateway.contract.quantities import UNITS
from readers.machine_states import BAD_COUNT, GOOD_COUNT, STATE, STOP_REASON
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from rules.testing import workbench
from simulator.world.containers import check_digit

SITE: Final = "harbour"
GATEWAY: Final = "edge-1"
US: Final = 1_000_000
MINUTE_S: Final = 60
HOUR_S: Final = 3600
PART_BEGINS_HOUR: Final = 13
INTERVAL_S: Final = 900
TICK_S: Final = 3
MOST_SERIES: Final = 10_000
SITE_FILE: Final = Path(__file__).with_name("board_site.toml")
DEVICES: Final = {
    "lane-tags": ("lane-1-tags", "lane-2-tags", "queue-tags"),
    "yard-tags": ("block-a-tags", "block-b-tags"),
    "line-tags": ("fill", "seal", "label", "dispatch"),
    "park-cards": ("north-card", "south-card"),
}
READER_OF: Final = {point: (device, port) for device, points in DEVICES.items() for port, point in enumerate(points, 1)}
REEFERS: Final = {"reefer-1": -18.0, "reefer-2": -20.0, "reefer-3": 2.0}
MAINS_W: Final = (62_000, 38_000)  # at night, and what the day adds
TARIFFS: Final = ((22, "valley"), (18, "peak"), (14, "flat"), (10, "peak"), (7, "flat"), (0, "valley"))
LONGEST_STAY_S: Final = 10_800
CARDS: Final = 24
BLOCKED: Final = 3  # of the cards, the first


@dataclass(slots=True)
class Truth:
    """What really happened, counted while it was made up.

    Attributes:
        verdicts: of trucks by lane and verdict; `turns_s`: gate-in to gate-out, of each truck that left.
        exceptions: alarms of the first lane.
        energy_wh: of the mains by tariff, in whole intervals; `demands_w`: the mean of each.
        overdue, overstays: containers in the yard, holders in the car park, for longer than they may be.
        reads: by read point; known when all lines were made.
    """

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    turns_s: list[float] = field(default_factory=list)
    queues_s: list[float] = field(default_factory=list)
    weights_kg: list[float] = field(default_factory=list)
    exceptions: int = 0
    moves: int = 0
    overdue: int = 0
    energy_wh: Counter[str] = field(default_factory=Counter)
    demands_w: list[float] = field(default_factory=list)
    complete: int = 0
    incomplete: int = 0
    granted: int = 0
    refused: int = 0
    inside: int = 0
    visits: int = 0
    violations: int = 0
    overstays: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    good: int = 0
    bad: int = 0


@dataclass(slots=True, order=True)
class _Act:
    at_s: float
    order: int
    make: Callable[[], Batch] = field(compare=False)


class Day:
    """The day: `truth` is known when it was made, `lines` gives what the stores get of it.

    Args:
        directory: for its lists.
        end_us: its end; it begins `hours` before, at a full quarter of an hour.
    """

    def __init__(self, directory: Path, end_us: int, hours: int) -> None:
        self.start_us = end_us // (INTERVAL_S * US) * INTERVAL_S * US - hours * HOUR_S * US
        self.length_s = (end_us - self.start_us) / US
        self.truth = Truth()
        self._rng = random.Random(7)
        self._acts: list[_Act] = []
        self._sequence = 0
        self._ordinals = dict.fromkeys(ITEM_KINDS, 0)
        self._things: list[tuple[str, str, str, str]] = []
        self._containers: list[tuple[str, str]] = []
        for make in (self._readers, self._gate, self._reefers, self._seal, self._meters, self._machine, self._line):
            make()
        self._car_park()
        self._lists(directory)
        site = workbench.site_of_tables(self._tables(directory), directory / "site.toml")
        self._bench = workbench.of_tests(site, ())

    def lines(self) -> Iterator[list[str]]:
        """Line protocol, step by step."""
        engine = self._bench.engine()
        encoder = Encoder(site=SITE, guard=SeriesGuard(MOST_SERIES, lambda *_: None), store_reads=False)
        for batch in self._batches():
            outputs = engine.step(batch)
            lines, _ = encoder.lines(outputs)
            if lines:
                yield lines
        self._bench.close()

    # --- what happens ---

    def _readers(self) -> None:
        """A tag that hangs at each antenna; one reader is away for a while."""
        away = (self.length_s * 0.55, self.length_s * 0.55 + 20 * MINUTE_S)
        for number, (device, points) in enumerate(DEVICES.items()):
            is_away = device == "line-tags"
            self._status(0.5, device, "online", 0)
            if device == "park-cards":
                continue
            if is_away:
                self._status(away[0], device, "offline", 0)
                self._status(away[1], device, "online", 1)
            for at_s in self._every(30, 3 + number):
                if is_away and away[0] - 5 < at_s < away[1] + 5:
                    continue
                reads = [
                    (point, f"E2801160600002000000{index:04X}", self._busy(at_s, index), -52.0 - 4 * index)
                    for index, point in enumerate(points)
                ]
                self._add(at_s, partial(self._reads, at_s, device, reads))

    def _gate(self) -> None:
        at_s, number = 400.0, 0
        leaves: list[float] = []
        verdict = "open"
        while at_s < self.length_s - 600:
            number += 1
            truck, container = f"HX-{number:03d}", f"TWHU{number:06d}{check_digit(f'TWHU{number:06d}')}"
            tags = f"3000000000000000000{number:05X}", f"3000000000000000001{number:05X}"
            self._things += [(tags[0], "", truck, "truck"), (tags[1], "", container, "container")]
            is_held, is_blank = number % 9 == 0, number % 14 == 0
            if not is_held:
                self._containers.append((container, truck))
            queued_s = 60 + 500 * self._day_share(at_s) * self._rng.random()
            for second in range(0, 0 if is_blank else round(queued_s) - 5, 4):
                self._read(at_s - queued_s + second, "queue-tags", tags[0])
            last, verdict = verdict, "trouble" if is_blank else "hold" if is_held else "open"
            self.truth.exceptions += last == "open" != verdict  # the alarm of a lane stands until it opens
            gross = 14_000 + self._rng.randrange(4_000, 26_000, 20)
            self._pass(at_s, "in", "lane-1-tags", None if is_blank else tags[0], tags[1], gross)
            self.truth.verdicts["lane-1", verdict] += 1
            self.truth.weights_kg.append(gross)
            if not is_blank:
                self.truth.queues_s.append(queued_s)
            self._in_yard(at_s, number, tags, leaves, is_known=not is_blank)
            at_s += 150 + 1500 * (1.05 - self._day_share(at_s)) * self._rng.random()

    def _in_yard(self, in_s: float, number: int, tags: tuple[str, str], leaves: list[float], *, is_known: bool) -> None:
        """It is put down in a block, perhaps moved, and leaves with its truck, when the other lane is free."""
        stays_s = 1500 + 2400 * self._day_share(in_s) * self._rng.random()
        is_long = number % 40 == 5
        out_s = in_s + (5 * HOUR_S if is_long else stays_s)
        while any(abs(out_s - other_s) < MINUTE_S for other_s in leaves):
            out_s += MINUTE_S
        leaves.append(out_s)
        self._stay(in_s + 200, "block-a-tags", tags[1], 20 + 60 * self._rng.random())
        moved_s = in_s + 500 + 700 * self._rng.random()
        if number % 3 == 0 and moved_s < self.length_s - 120:
            self._stay(moved_s, "block-b-tags", tags[1], 20 + 60 * self._rng.random())
            self.truth.moves += 1
        if is_long and in_s + 4 * HOUR_S + 120 < self.length_s:
            self.truth.overdue += 1
        if out_s < self.length_s - 600:
            self._pass(out_s, "out", "lane-2-tags", tags[0], tags[1], None)
            self.truth.verdicts["lane-2", "open"] += 1
            if is_known:
                self.truth.turns_s.append(out_s - in_s)

    def _pass(self, at_s: float, way: str, point: str, truck: str | None, container: str, gross_kg: int | None) -> None:
        self._signal(at_s - 1, "gate-io", f"{way}-loop", value=True)
        for second in (0.0, 1.0, 2.0):
            for tag in (truck, container):
                if tag is not None:
                    self._read(at_s + second, point, tag)
        if gross_kg is not None:
            self._signal(at_s + 4, "gate-scale", "stable_weight", value=str(gross_kg), unit="kg")
        self._signal(at_s + 20, "gate-io", f"{way}-loop", value=False)
        self._signal(at_s + 21, "gate-io", f"{way}-exit", value=True)
        self._signal(at_s + 24, "gate-io", f"{way}-exit", value=False)

    def _reefers(self) -> None:
        warm = (self.length_s * 0.4, self.length_s * 0.4 + 2400)
        for number, (device, set_point) in enumerate(REEFERS.items()):
            self._status(1, device, "online", 0)
            self._signal(2 + number, device, "power", value=True)
            for at_s in self._every(MINUTE_S, 5 + number):
                value = set_point + 0.6 * math.sin(at_s / 900 + number) + self._rng.uniform(-0.1, 0.1)
                if number == 0 and warm[0] < at_s < warm[1]:
                    value += 6.0
                self._signal(at_s, device, "return_air", value=f"{value:.1f}", unit="degC")
        self._signal(self.length_s * 0.7, "reefer-2", "power", value=False)
        self._signal(self.length_s * 0.7 + 600, "reefer-2", "power", value=True)

    def _seal(self) -> None:
        self._things.append(("300000000000000000300001", "", "SEAL-1", "seal"))
        self._read(self.length_s * 0.8, "block-a-tags", "300000000000000000300001", user_memory="00FF0001")

    def _meters(self) -> None:
        energy = {
            "mains": 812_345_000.0,
            "cranes": 90_112_000.0,
            "reefer-row": 120_776_000.0,
            "loom-meter": 3_100_000.0,
        }
        begun: dict[str, int] = {}
        whole = int(self.length_s // INTERVAL_S)
        for minute in range(int(self.length_s // MINUTE_S)):
            at_s = minute * MINUTE_S
            share = self._day_share(at_s)
            loads: dict[str, float] = {
                "mains": MAINS_W[0] + MAINS_W[1] * share + (24_000 if 0.62 < at_s / self.length_s < 0.66 else 0),
                "cranes": 18_000 + 14_000 * share * (1 + math.sin(at_s / 240)),
                "reefer-row": 16_000 + 2_000 * math.sin(at_s / 1800),
                "loom-meter": 5_400.0,
            }
            if at_s % INTERVAL_S == 0:
                if begun and at_s // INTERVAL_S <= whole:
                    drawn = round(energy["mains"]) - begun["mains"]
                    self.truth.energy_wh[_tariff(self.start_us // US + at_s - INTERVAL_S)] += drawn
                    self.truth.demands_w.append(drawn * HOUR_S / INTERVAL_S)
                begun = {"mains": round(energy["mains"])}
            for number, (meter, load) in enumerate(loads.items()):
                load_w = round(load * self._rng.uniform(0.98, 1.02))
                told = self._told(meter, load_w, round(energy[meter]), share, number)
                self._add(at_s, partial(self._readings, at_s, meter, told))
                energy[meter] += load_w / 60

    def _told(self, meter: str, load_w: int, energy_wh: int, share: float, number: int) -> list[Reading]:
        made = [_reading("active_power", load_w), _reading("active_energy_import", energy_wh, "1-0:1.8.0*255")]
        if meter == "loom-meter":
            return made
        factor = (0.97, 0.91, 0.94, 0.9)[number] - 0.03 * share
        volts = [232.0 - 6 * share + off + self._rng.uniform(-0.4, 0.4) for off in (0.0, 0.8, -0.7)]
        made.append(_reading("power_factor", round(factor, 3)))
        made.append(_reading("frequency", round(50 + self._rng.uniform(-0.03, 0.03), 3)))
        for phase, value in zip("abc", volts, strict=True):
            amps = load_w / 3 / factor / value
            made.append(_reading("voltage", round(value, 1), phase=phase))
            made.append(_reading("current", round(amps * (1 + 0.02 * "abc".index(phase)), 2), phase=phase))
            made.append(_reading("voltage_thd", round(2.1 + share + self._rng.uniform(-0.2, 0.2), 2), phase=phase))
        return made

    def _machine(self) -> None:
        """It stands for six minutes after each hour and fifty, and makes a bad metre now and then."""
        good = bad = 0
        reasons = ("yarn_break", "beam_full", "yarn_break", "no_operator")
        self._signal(1, "loom", STATE, value="execute")
        stood_from = -1.0
        for at_s in self._every(MINUTE_S, 20):
            within = at_s % (110 * MINUTE_S)
            if stood_from >= 0 and at_s - stood_from >= 6 * MINUTE_S:
                self._signal(at_s - 10, "loom", STATE, value="execute")
                stood_from = -1.0
            elif stood_from < 0 and within >= 104 * MINUTE_S and at_s + 8 * MINUTE_S < self.length_s:
                self._signal(at_s - 10, "loom", STATE, value="stopped")
                self._signal(at_s - 9, "loom", STOP_REASON, value=reasons[self.truth.stops % len(reasons)])
                self.truth.stops += 1
                stood_from = at_s
            if stood_from < 0 and at_s > 30:
                good += 10
                bad += int(self._rng.random() < 0.2)
            self._signal(at_s, "loom", GOOD_COUNT, value=str(good), unit="m")
            self._signal(at_s, "loom", BAD_COUNT, value=str(bad), unit="m")
            if at_s < self.length_s // INTERVAL_S * INTERVAL_S:
                self.truth.good, self.truth.bad = good, bad

    def _line(self) -> None:
        away = (self.length_s * 0.55 - 600, self.length_s * 0.55 + 30 * MINUTE_S)
        at_s, number = 300.0, 0
        while at_s < self.length_s - 300:
            if away[0] < at_s < away[1]:
                at_s += 60
                continue
            number += 1
            epc = f"3034257BF7194E4{number:09X}"
            self._things.append((epc, "", f"pallet {number}", "pallet"))
            stations = [s for s in ("fill", "seal", "label", "dispatch") if not (s == "label" and number % 11 == 0)]
            came_s = at_s
            for station in stations:
                self._stay(came_s, station, epc, for_s=15)
                end_s, came_s = came_s, came_s + 40 + 35 * self._rng.random()
            if end_s < self.length_s - 30:
                if len(stations) == 4:
                    self.truth.complete += 1
                else:
                    self.truth.incomplete += 1
            at_s += 80 + 300 * (1.1 - self._day_share(at_s)) * self._rng.random()

    def _car_park(self) -> None:
        inside: dict[int, float] = {}
        at_s = 700.0
        while at_s < self.length_s - 120:
            card = self._rng.randrange(CARDS)
            if card < BLOCKED:
                self._card(at_s, "north-card", card)
                self.truth.refused += 1
            elif card in inside:
                if at_s - inside[card] > 1200:
                    self.truth.overstays += at_s - inside.pop(card) > LONGEST_STAY_S
                    self._card(at_s, "south-card", card)
                    self._raise(at_s + 0.9, "south-up")
                    self.truth.granted += 1
                    self.truth.visits += 1
            else:
                inside[card] = at_s
                self._card(at_s, "north-card", card)
                self._raise(at_s + 0.6 + 0.5 * self._rng.random(), "north-up")
                self.truth.granted += 1
            at_s += 120 + 500 * (1.1 - self._day_share(at_s)) * self._rng.random()
        self.truth.overstays += sum(self.length_s - entered_s > LONGEST_STAY_S for entered_s in inside.values())
        self.truth.inside = len(inside)
        self._card(self.length_s - 60, "north-card", next(iter(inside)))  # who is inside already
        self.truth.refused += 1
        self.truth.violations += 1
        self._raise(self.length_s - 40, "south-up")  # without a card

    # --- how it is told ---

    def _day_share(self, at_s: float) -> float:
        """How busy it is: nothing at four at night, all at four in the afternoon, by the clock of UTC.

        A part of a day is its busiest part, so that as much happens in it at whatever hour it is made.
        """
        is_whole = self.length_s >= 24 * HOUR_S
        hour = (self.start_us / US + at_s) / HOUR_S % 24 if is_whole else PART_BEGINS_HOUR + at_s / HOUR_S
        return 0.5 - 0.5 * math.cos((hour - 4) / 24 * 2 * math.pi)

    def _busy(self, at_s: float, index: int) -> int:
        return round(40 + 25 * self._day_share(at_s) + 12 * index + self._rng.uniform(-4, 4))

    def _every(self, step_s: float, first_s: float) -> Iterator[float]:
        at_s = first_s
        while at_s < self.length_s:
            yield at_s
            at_s += step_s

    def _add(self, at_s: float, make: Callable[[], Batch]) -> None:
        if 0 <= at_s < self.length_s:
            self._acts.append(_Act(at_s, len(self._acts), make))

    def _stay(self, at_s: float, point: str, epc: str, for_s: float = 30) -> None:
        for second in range(0, round(for_s) + 1, 3):
            self._read(at_s + second, point, epc)

    def _read(self, at_s: float, point: str, epc: str, user_memory: str | None = None) -> None:
        device, _ = READER_OF[point]
        rssi = -50.0 - 8 * self._rng.random()
        self._add(at_s, lambda: self._reads(at_s, device, [(point, epc, 4, round(rssi, 1))], user_memory))

    def _signal(self, at_s: float, device: str, name: str, *, value: bool | str, unit: str | None = None) -> None:
        signals = [Signal(name, value, unit)]
        self._add(at_s, lambda: SignalBatch(**self._head(at_s, device, "signals"), signals=signals))  # type: ignore[arg-type]  # head holds the fields of the header

    def _raise(self, at_s: float, name: str) -> None:
        self._signal(at_s, "park-io", name, value=True)
        self._signal(at_s + 6, "park-io", name, value=False)

    def _card(self, at_s: float, point: str, card: int) -> None:
        device, port = READER_OF[point]
        self._add(
            at_s,
            lambda: CardBatch(
                **self._head(at_s, device, "cards"),  # type: ignore[arg-type]  # as above
                cards=[CardRead(self._card_name(card), "nfca", point, port, self._us(at_s))],
            ),
        )

    def _card_name(self, card: int) -> str:
        return workbench.card_name(_number(card), self._bench.identities)

    def _status(self, at_s: float, device: str, state: str, reconnects: int) -> None:
        watched = [*DEVICES.get(device, ()), device] if state == "online" else []

        def make() -> Batch:
            return StatusBatch(
                **self._head(at_s, device),  # type: ignore[arg-type]  # as above
                state=state,
                reason="connected" if state == "online" else "no answer",
                since_us=self._us(at_s),
                driver="llrp" if device.endswith("tags") else "modbus_io",
                watched=watched,
                reconnects=reconnects,
                clock_offset_us=1200 + 300 * reconnects,
            )

        self._add(at_s, make)

    def _reads(
        self, at_s: float, device: str, rows: Iterable[tuple[str, str, int, float]], user_memory: str | None = None
    ) -> Batch:
        reads = [
            TagRead(epc, READER_OF[point][1], point, self._us(at_s), rssi, count, user_memory=user_memory)
            for point, epc, count, rssi in rows
        ]
        self.truth.reads.update({read.read_point: read.count for read in reads})
        return ReadBatch(**self._head(at_s, device, "reads", len(reads)), reads=reads)  # type: ignore[arg-type]  # as above

    def _readings(self, at_s: float, meter: str, told: list[Reading]) -> Batch:
        return ReadingBatch(**self._head(at_s, meter, "readings", len(told)), readings=told)  # type: ignore[arg-type]  # as above

    def _us(self, at_s: float) -> int:
        return self.start_us + round(at_s * US)

    def _head(self, at_s: float, device: str, kind: str = "", items: int = 1) -> dict[str, object]:
        self._sequence += 1
        ordinal = self._ordinals.get(kind, 0)
        if kind:
            self._ordinals[kind] += items
        head: dict[str, object] = {"gateway": GATEWAY, "epoch": 1, "sequence": self._sequence, "ordinal": ordinal}
        return head | {"device": device, "received_at_us": self._us(at_s)}

    def _batches(self) -> Iterator[Batch]:
        """All in the order of time, and a tick before each full TICK_S; what is away is not watched."""
        points = {point for points in DEVICES.values() for point in points}
        meters = {"mains", "cranes", "reefer-row", "loom-meter", "loom", "gate-io", "gate-scale", "park-io", *REEFERS}
        away: set[str] = set()
        tick_s = 0.0
        for act in sorted(self._acts):
            while tick_s <= act.at_s:
                watched = sorted((points | meters | set(DEVICES)) - away)
                yield TickBatch(**self._head(tick_s, GATEWAY), watched=watched)  # type: ignore[arg-type]  # as above
                tick_s += TICK_S
            batch = act.make()
            if isinstance(batch, StatusBatch):
                gone = {*DEVICES.get(batch.device, ()), batch.device}
                away = away | gone if batch.state == "offline" else away - gone
            yield batch

    # --- its lists ---

    def _lists(self, directory: Path) -> None:
        holders = [(f"Holder {card}", "blocked" if card < BLOCKED else "staff") for card in range(CARDS)]
        _write(directory / "holders.csv", ("holder", "list"), holders)
        _write(directory / "appointments.csv", ("container", "truck"), self._containers)
        _write(directory / "reefers.csv", ("device", "set_point_celsius"), REEFERS.items())
        cards = [("", _number(card), f"Holder {card}", "person") for card in range(CARDS)]
        _write(directory / "things.csv", ("epc", "card", "name", "kind"), [*self._things, *cards])

    @staticmethod
    def _tables(directory: Path) -> dict[str, object]:
        tables = tomllib.loads(SITE_FILE.read_text())
        tables["site"]["assets"] = str(directory / "things.csv")
        return tables


def _reading(quantity: str, value: float, obis: str = "", phase: str | None = None) -> Reading:
    return Reading(quantity, obis, Decimal(str(value)), UNITS[quantity], phase)


def _tariff(at_s: float) -> str:
    hour = at_s / HOUR_S % 24
    return next(name for begins, name in TARIFFS if hour >= begins)


def _number(card: int) -> str:
    return f"nfca:0400000000{card:04X}"


def _write(path: Path, head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
