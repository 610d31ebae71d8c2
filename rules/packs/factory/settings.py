"""`[[pack]] settings` of the pack `factory`: what the hall is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.config.table import FieldName, Name, PositiveSeconds, Table
from rules.shapes.session_fields import TAKEN

ShortName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,15}$")]
"""Part of the names of rules, which have 64 characters in all."""
Kind = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f\"\\]{1,64}$")]
"""A kind or class of the list of things."""
Share = Annotated[float, Field(gt=0, le=1)]
MOST_STATIONS: Final = 24
_DAY_S: Final = 86_400.0


class Station(Table):
    """`[[pack.settings.line.station]]`: one station of a line."""

    zone: Name = Field(description="The zone in which a thing is at this station.")
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,15}$")] | None = Field(
        None, description="Its name in rules and events; that of the zone, with _ for -, if absent."
    )
    optional: bool = Field(default=False, description="A thing may pass it by.")
    cycle_s: PositiveSeconds | None = Field(
        None, description="Standard time from the arrival here to the arrival at the next station."
    )
    stuck_after_s: PositiveSeconds | None = Field(
        None, description="A thing that has not come to another station so long after its arrival here is stuck."
    )
    watched: list[Name] = Field(
        default=[],
        description="Read points of the stations that may come next: time counts for `stuck_after_s` only while all "
        "of them are read; while the gateway lives, if empty.",
    )
    queue_most: int | None = Field(
        None, ge=1, description="More things that came here, and to no other station yet, are a full queue."
    )

    @property
    def called(self) -> str:
        """Its name in rules and events."""
        return self.name or self.zone.replace("-", "_")

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        called = self.called
        if not called[0].isalpha() or len(called) > _LONGEST_STATION:
            raise ValueError(
                f"name: is missing; {called!r} is no name of a field of {_LONGEST_STATION} characters at most that "
                "begins with a letter"
            )
        if called in TAKEN or called in TOLD:
            raise ValueError(f"name: {called!r} is the name of another field of its events; choose another")
        if self.watched and self.stuck_after_s is None:
            raise ValueError("watched: goes with stuck_after_s, and only with it")
        return self


_LONGEST_STATION: Final = 16
TOLD: Final = frozenset({"order", "kind", "class"})
"""Fields of `route-completed` that no station can have."""


class Line(Table):
    """`[[pack.settings.line]]`: stations that things pass in one order."""

    name: ShortName = Field(description="Name of the line.")
    kinds: list[Kind] = Field(default=[], description="Kinds of things that run on it; all tags, if empty.")
    classes: list[Kind] = Field(default=[], description="Their classes; all, if empty.")
    station: list[Station] = Field(
        min_length=2, max_length=MOST_STATIONS, description="The stations, in the order of the route."
    )
    exits: list[Name] = Field(
        default=[], description="Zones where things are taken off the line: their route ends there, complete or not."
    )
    cycle_s: PositiveSeconds | None = Field(
        None, description="Standard time from the arrival at the first station to the arrival at the last."
    )
    tolerance: Annotated[float, Field(ge=0, le=10)] = Field(
        0.1, description="By what share of its standard a time may be longer."
    )
    wip_most: int | None = Field(None, ge=1, description="More things on the line at once are too many.")
    give_up_s: PositiveSeconds = Field(
        _DAY_S, description="A thing not seen at any station for so long is no longer on its way."
    )

    @model_validator(mode="after")
    def _is_a_route(self) -> Self:
        if twice := _twice(each.zone for each in self.station):
            raise ValueError(f"station: zone {twice!r} stands twice; a route passes a zone once")
        if twice := _twice(each.called for each in self.station):
            raise ValueError(f"station: two are called {twice!r}; give one of them another name")
        first, last = self.station[0], self.station[-1]
        for end, which in ((first, "begins"), (last, "ends")):
            if end.optional:
                raise ValueError(f"station: {end.called!r} cannot be optional: the route {which} there")
        for key in ("cycle_s", "stuck_after_s", "queue_most"):
            if getattr(last, key) is not None:
                raise ValueError(f"station: {key} of the last, {last.called!r}, is never asked for; delete it")
        if both := {each.zone for each in self.station} & set(self.exits):
            raise ValueError(f"exits: {min(both)!r} is a station, too")
        standard_s = sum(each.cycle_s or 0 for each in self.station)
        if self.cycle_s is not None and self.cycle_s < standard_s:
            raise ValueError(f"cycle_s: is less than that of its stations together, {standard_s:g}")
        longest_s = max(each.stuck_after_s or 0 for each in self.station)
        if self.give_up_s <= max(standard_s, self.cycle_s or 0, longest_s):
            raise ValueError("give_up_s: must be more than every time of the line and its stations")
        return self


class Custody(Table):
    """`[[pack.settings.custody]]`: tools, pallets or other things that have a home and come back to it."""

    name: ShortName = Field(description="Name of the group: tools, pallets.")
    kinds: list[Kind] = Field(default=[], description="Kinds of things in it.")
    classes: list[Kind] = Field(default=[], description="Their classes.")
    homes: list[Name] = Field(default=[], description="Zones that are home to all of them.")
    table: Name | None = Field(None, description="A [[table]] whose key is the EPC, for `home` and `due`.")
    home: FieldName | None = Field(None, description="Its column with the zone that is home, instead of `homes`.")
    due: FieldName | None = Field(None, description="Its column with the time when calibration is due, of type `time`.")
    warn_days: Annotated[float, Field(ge=0, le=366)] = Field(
        14, description="So long before it is due, the thing is told when it is seen."
    )
    back_within_days: Annotated[float, Field(gt=0, le=365)] | None = Field(
        None, description="It must be home again so long after it left, counted while `watched` is watched."
    )
    watched: list[Name] = Field(default=[], description="Read points of the homes.")
    areas: list[Name] = Field(default=[], description="Zones where they may be, beside home; anywhere, if empty.")
    gates: list[Name] = Field(default=[], description="Portals that none of them may leave by.")
    desks: dict[Name, list[Name]] = Field(
        default={}, description="Read points of card readers at a home: who takes something shows a card there."
    )
    card_within_s: Annotated[float, Field(gt=0, le=600)] = Field(
        60, description="The card is shown so long before the thing leaves, at most."
    )
    most_out: int | None = Field(None, ge=1, description="More of them away from home at once are too many.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.kinds and not self.classes:
            raise ValueError("kinds: is missing; without it and without classes every tag would be in it")
        if (self.home is None) == (not self.homes):
            raise ValueError("homes: either this, or home with a column of the table")
        if (self.table is None) != (self.home is None and self.due is None):
            raise ValueError("table: goes with home or due, and only with them")
        if stray := sorted(set(self.desks) - set(self.homes)):
            raise ValueError(f"desks: {stray[0]!r} is none of homes")
        if self.watched and self.back_within_days is None:
            raise ValueError("watched: goes with back_within_days, and only with it")
        if any(not points for points in self.desks.values()):
            raise ValueError("desks: a home without a read point; name that of its card reader")
        return self


class Machine(Table):
    """`[[pack.settings.machine]]`: a machine, and what of it is an alarm."""

    name: Name = Field(description="Name of a [[production.machine]].")
    device: Name | None = Field(None, description="Its device, as there; its name when absent.")
    calendar: Name | None = Field(None, description="A [[production.calendar]]: stops outside of it are none.")
    longest_stop_s: PositiveSeconds | None = Field(None, description="A stop that lasts longer is told.")
    planned_reasons: list[Kind] = Field(default=[], description="Stop reasons that are none: set-up, cleaning.")
    stops_most: int | None = Field(None, ge=1, description="More stops than this within `stops_within_s` are told.")
    stops_within_s: PositiveSeconds = Field(3600, description="See `stops_most`.")
    oee_least: Share | None = Field(None, description="A shift with a lower OEE is told: 0.6.")
    scrap_most: Share | None = Field(None, description="A shift of which a greater share is bad is told: 0.02.")
    energy_per_unit_most_wh: Annotated[float, Field(gt=0)] | None = Field(
        None, description="A shift that took more energy for each unit is told; the machine needs a meter of its own."
    )
    speed_signal: Name | None = Field(None, description="The signal of its speed.")
    speed_least: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Running more slowly, in the unit of that signal, for `speed_for_s` is told."
    )
    speed_for_s: PositiveSeconds = Field(60, description="See `speed_least`.")

    @property
    def heard_from(self) -> str:
        """Its device."""
        return self.device or self.name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.speed_signal is None) != (self.speed_least is None):
            raise ValueError("speed_least: goes with speed_signal, and only with it")
        asked = (self.longest_stop_s, self.stops_most, self.oee_least, self.scrap_most, self.energy_per_unit_most_wh)
        if all(each is None for each in (*asked, self.speed_least)):
            raise ValueError("longest_stop_s: is missing; without any limit nothing would be told of this machine")
        if self.planned_reasons and self.longest_stop_s is None and self.stops_most is None:
            raise ValueError("planned_reasons: goes with longest_stop_s or stops_most, and only with them")
        return self


class FactorySettings(Table):
    """`[pack.settings]` of a pack of the kind `factory`."""

    line: list[Line] = Field(default=[], max_length=100, description="Lines with their stations.")
    custody: list[Custody] = Field(default=[], max_length=100, description="Groups of tools, pallets and the like.")
    machine: list[Machine] = Field(default=[], max_length=1000, description="Machines.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.line or self.custody or self.machine):
            raise ValueError("line: is missing; describe at least one line, custody or machine")
        if twice := _twice([*(each.name for each in self.line), *(each.name for each in self.custody)]):
            raise ValueError(f"line, custody: two are called {twice!r}; rules are named by them")
        if twice := _twice(each.name for each in self.machine):
            raise ValueError(f"machine: {twice!r} stands twice")
        return self


def _twice(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)
