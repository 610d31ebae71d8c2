"""What a site file says of an area that is entered and left with cards."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.config.rules import AntiPassback
from gateway.config.table import FieldName, Name, PositiveSeconds, Table

PlainText = Annotated[str, StringConstraints(pattern=r'^[^"\'\\\x00-\x1f\x7f]{1,50}$')]
"""A text that stands in a condition as it is: no quotes, no backslash, no control characters."""


class Direction(StrEnum):
    """Which way a lane leads."""

    ENTRY = "entry"
    EXIT = "exit"


class Exit(StrEnum):
    """For whom the exits open."""

    COUNTED = "counted"
    ANYONE = "anyone"


class By(StrEnum):
    """What stands for a person: the name that the list of things has for the card, or the card."""

    HOLDER = "holder"
    CARD = "card"


class Contact(Table):
    """An input of a module, or another signal that is on or off."""

    device: Name = Field(description="The device that tells it.")
    signal: Name = Field(description="Its name there.")


class Lane(Table):
    """One lane with its card readers."""

    name: Name = Field(description="Name of the lane: the `subject` of its decisions.")
    direction: Direction = Field(description="entry or exit.")
    read_points: list[Name] = Field(min_length=1, description="Read points of its card readers.")
    loop: Contact | None = Field(None, description="On while a car stands at the card reader.")
    barrier_up: Contact | None = Field(None, description="On while the barrier is up.")


class CardList(Table):
    """Holders of one list of the table, and when they may enter."""

    name: PlainText = Field(description="As it stands in the column `list` of the table.")
    hours: Name | None = Field(
        None, description="A [[production.calendar]]: they may enter in its planned time. At any time if absent."
    )


class Holders(Table):
    """The [[table]] that says who may enter. A column that is not named is not asked for."""

    table: Name = Field(description="Name of the [[table]].")
    by: By = Field(By.HOLDER, description="holder: its key is the holder's name; card: the card, as events name it.")
    list: FieldName | None = Field(None, description="Its column with the list that the holder is on.")
    valid_from: FieldName | None = Field(None, description="Its column, a `time`: not valid before. Empty: no bound.")
    valid_until: FieldName | None = Field(None, description="Its column, a `time`: expired then. Empty: no bound.")
    duress: FieldName | None = Field(None, description="Its column, a `bool`: used under duress.")


class ParkingSettings(Table):
    """One area; for several, use the pack several times."""

    lane: list[Lane] = Field(min_length=1, max_length=64, description="Its lanes.")
    holders: Holders | None = Field(None, description="Who may enter; every card that is known, if absent.")
    lists: list[CardList] = Field(
        default=[], max_length=64, description="Lists that may enter; all that are in the table, if empty."
    )
    capacity: int | None = Field(
        None, ge=1, le=1_000_000, description="With so many inside it is full, and nobody more may enter."
    )
    antipassback: AntiPassback = Field(
        AntiPassback.HARD,
        description="Who entered and did not leave: `hard` may not enter, `timed` not within `forgive_after_s`, `soft` "
        "may, and it is told, `none` may. The same of who leaves and did not enter.",
    )
    forgive_after_s: PositiveSeconds | None = Field(None, description="For `timed`.")
    count_by: By = Field(By.HOLDER, description="holder: all cards of one name count as one; card: each by itself.")
    exit: Exit = Field(
        Exit.COUNTED,
        description="`counted`: opens for a known card that the anti-passback lets leave; `anyone`: for every card.",
    )
    cooldown_s: Annotated[float, Field(ge=0.5, le=60)] = Field(
        3.0, description="A card that is shown again within this time, at a lane of the same direction, is being held."
    )
    longest_stay_s: PositiveSeconds | None = Field(None, description="Who stays longer is told.")
    forget_after_s: PositiveSeconds = Field(2_592_000, description="Who entered so long ago is inside no longer.")
    duress_class: PlainText | None = Field(
        None, description="Cards of this `class` in the list of things are shown under duress only."
    )
    fire: Contact | None = Field(None, description="On while the fire alarm is on.")
    reset: Contact | None = Field(None, description="Its going on forgives everybody: a key switch, after an outage.")
    wait_s: PositiveSeconds = Field(60, description="A car that stands on a `loop` for longer needs help.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._needs()
        _once("lane: two lanes have the name", [lane.name for lane in self.lane])
        _once("lane: two lanes have the read point", [point for lane in self.lane for point in lane.read_points])
        _once("lists: two have the name", [each.name for each in self.lists])
        points = {point: lane.name for lane in self.lane for point in lane.read_points}
        for lane in self.lane:
            if points.get(lane.name, lane.name) != lane.name:
                raise ValueError(f"lane: {lane.name!r} is a read point of another lane; choose another name")
        contacts = [(lane.barrier_up.device, lane.barrier_up.signal) for lane in self.lane if lane.barrier_up]
        _once("barrier_up: two lanes have the input", ["/".join(each) for each in contacts])
        return self

    def lanes(self, direction: Direction) -> list[Lane]:
        """Those that lead this way."""
        return [lane for lane in self.lane if lane.direction is direction]

    def _needs(self) -> None:
        if (self.antipassback is AntiPassback.TIMED) != (self.forgive_after_s is not None):
            raise ValueError("forgive_after_s: goes with antipassback = 'timed', and only with it")
        if not self.lanes(Direction.ENTRY) or not self.lanes(Direction.EXIT):
            raise ValueError("lane: needs an entry and an exit at the least; without them nobody knows who is inside")
        if self.lists and (self.holders is None or self.holders.list is None):
            raise ValueError("lists: needs holders.list, the column of the table that says who is on which list")
        if self.fire is not None and self.fire == self.reset:
            raise ValueError("reset: is the input of fire, which forgives everybody anyway; leave it out")


def _once(what: str, values: list[str]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r}; each stands once")
