"""Plays the answers of meters to an engine and keeps the books that it writes. Times in minutes, energy in kWh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.config.energy import Energy
from gateway.config.models import Site, SiteFile
from gateway.config.rules import Rule
from gateway.contract.batches import Reading, ReadingBatch, StatusBatch
from gateway.contract.events import Event
from rules.engine import Engine
from rules.outputs import Outputs
from tests.rules.energy.substation import START_US
from tests.rules.play import Play
from tests.rules.things.registries import NOTHING

IMPORT = "active_energy_import"


def minute_us(minute: float) -> int:
    """Minutes after midnight of the first day, in Shanghai."""
    return START_US + round(minute * 60e6)


class Row(NamedTuple):
    """One interval as it stands in the store."""

    minute: float
    kwh: str
    quality: str


class Desk(Play):
    """One gateway with meters."""

    def __init__(self, energy: Mapping[str, Any] | None = None, rules: Iterable[Rule] = ()) -> None:
        self.table = dict(energy or {})
        super().__init__(self._file(list(rules)))

    def _file(self, rules: list[Rule]) -> SiteFile:
        return SiteFile(site=Site(name="harbour"), energy=Energy.model_validate(self.table), rule=rules)

    def at(self, minute: float) -> float:
        """That minute, as `Play` counts."""
        return (minute_us(minute) - 1_790_000_000_000_000) / 1e6

    def show(
        self,
        minute: float,
        *registers: str | None,
        quantity: str = IMPORT,
        meter: str = "meter-1",
        recorded: float | None = None,
        quality: str | None = None,
        obis: str = "1-0:1.8.0*255",
        phase: str | None = None,
        unit: str = "Wh",
    ) -> Outputs:
        """The total and the tariffs from 1 on, in kWh; `recorded` is the meter's time of a record."""
        quality = quality or ("good" if recorded is None else "backfilled")
        readings = [
            Reading(
                quantity,
                obis,
                None if kwh is None else Decimal(kwh) * 1000,
                unit,
                phase,
                tariff or None,
                quality,
                None if recorded is None else minute_us(recorded),
            )
            for tariff, kwh in enumerate(registers)
        ]
        return self.answer(minute, *readings, meter=meter)

    def answer(self, minute: float, *readings: Reading, meter: str = "meter-1") -> Outputs:
        head = self.head(self.at(minute), meter, "readings", len(readings))
        return self.give(ReadingBatch(**head, readings=list(readings)))  # type: ignore[arg-type]  # the header's fields

    def says(
        self,
        minute: float,
        *,
        serial: str = "",
        offset_s: float | None = None,
        in_force: dict[str, str] | None = None,
        meter: str = "meter-1",
    ) -> Outputs:
        """A status of a meter."""
        batch = StatusBatch(
            **self.head(self.at(minute), meter),  # type: ignore[arg-type]  # as above
            state="online",
            reason="ok",
            since_us=minute_us(0),
            serial=serial,
            clock_offset_us=None if offset_s is None else round(offset_s * 1e6),
            in_force=in_force or {},
        )
        return self.give(batch)

    def restart(self, energy: Mapping[str, Any] | None = None) -> None:
        """Stop and start again, with another table `[energy]` if given."""
        kept = [(key, value) for key, value in self.kept().items() if value is not None]
        if energy is not None:
            self.table = dict(energy)
            self.file = self._file(list(self.file.rule))
        self.engine = Engine(self.file, NOTHING)
        self.engine.restore(kept)

    def kept(self) -> dict[str, bytes | None]:
        """What was committed until now."""
        self._kept: dict[str, bytes | None] = getattr(self, "_kept", {})
        self._kept.update(self.engine.changes())
        return self._kept

    def stored(self, measurement: str = "energy") -> dict[tuple[tuple[tuple[str, str], ...], int], dict[str, Any]]:
        """What a store holds: of each series and time, what was written last."""
        return {(p.tags, p.at_ns): dict(p.fields) for p in self.points if p.measurement == measurement}

    def rows(
        self, tariff: str = "", source: str = "meter", quantity: str = IMPORT, meter: str = "meter-1"
    ) -> list[Row]:
        """Intervals of one register in the order of time, all segments."""
        found = []
        for (tags, at_ns), fields in self.stored().items():
            named = dict(tags)
            if (named["meter"], named["quantity"], named.get("tariff", ""), named["source"]) == (
                meter,
                quantity,
                tariff,
                source,
            ):
                kwh = fields["energy"] / 1000
                minute = (at_ns // 1000 - START_US) / 60e6
                found.append((fields["from_us"], Row(minute, f"{kwh:.2f}", fields["quality"])))
        return [row for _, row in sorted(found)]

    def told(self, *kinds: str) -> list[Event]:
        """Events, of these types or of all."""
        return [event for event in self.events if not kinds or event.type in kinds]

    @property
    def counters(self) -> dict[str, int]:
        counters = self.engine.counters()
        assert self.engine._books.unbalanced() == []
        assert counters["energy_unbalanced"] == 0
        return counters
