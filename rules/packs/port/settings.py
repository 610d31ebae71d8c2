"""The settings of the pack `port`: the lanes of a terminal, its lists, its yard, seals and reefers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.config.table import FieldName, Name, PositiveSeconds, Table

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\"\\]{1,64}$")]
"""What may stand in a condition between quotes."""
Hex = Annotated[str, StringConstraints(pattern=r"^(?:[0-9A-F]{4}){1,32}$")]
Kelvin = Annotated[float, Field(gt=0, le=50)]


class Direction(StrEnum):
    """Which way trucks go; `in` is into the terminal."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Needed(StrEnum):
    """What may be asked of every truck."""

    TRUCK = "truck"
    CONTAINER = "container"
    SEAL = "seal"
    WEIGHT = "weight_kg"
    DRIVER = "driver"


class SignalAt(Table):
    """One signal of one device."""

    device: Name = Field(description="The device that tells it.")
    name: Text = Field(description="Name of the signal.")


class Lane(Table):
    """`[[pack.settings.lane]]`: one lane of the gate."""

    name: Name = Field(description="Name of the lane: the subject of its events.")
    direction: Direction = Field(description="in, out or both.")
    arrives: SignalAt = Field(
        description="The loop or photo-eye before the barrier: true while a truck stands there. Of a lane for both "
        "directions, that on the outside."
    )
    arrives_inside: SignalAt | None = Field(
        None, description="Of a lane for both directions: the detector on the inside; its name is another."
    )
    left: SignalAt | None = Field(
        None,
        description="What says that the truck has gone: the exit loop, or, of a lane for both directions, the contact "
        "of the closed barrier. Without it a transaction ends when nothing was heard for `quiet_s`.",
    )
    left_is: bool = Field(
        default=False, description="The value that says so: `false` of a loop that is free, `true` of a contact."
    )
    read_points: list[Name] = Field(default=[], description="Where tags of trucks, containers and seals are read.")
    rssi_floor_dbm: float | None = Field(None, description="Weaker reads are of the neighbouring lane.")
    plate: SignalAt | None = Field(None, description="Where a camera tells the plate.")
    cameras: list[SignalAt] = Field(
        default=[], max_length=8, description="Where cameras tell the container number, as a text."
    )
    seal_state: SignalAt | None = Field(
        None, description="Where a seal reader tells `sealed` or `opened`, or true while the seal is whole."
    )
    scale: Name | None = Field(None, description="The weighbridge: a device of the driver weighbridge.")
    card_point: Name | None = Field(None, description="Read point of the driver's card.")
    require: list[Needed] = Field(
        default=[Needed.TRUCK, Needed.CONTAINER],
        description="What must have been read: truck, container, seal, weight_kg, driver. What is missing is trouble.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.direction is Direction.BOTH) != (self.arrives_inside is not None):
            raise ValueError("arrives_inside: goes with direction = 'both', and only with it")
        if self.arrives_inside is not None and self.arrives_inside.name == self.arrives.name:
            raise ValueError("arrives_inside.name: must differ from arrives.name, for it tells the direction")
        sources = {
            Needed.TRUCK: bool(self.read_points) or self.plate is not None,
            Needed.CONTAINER: bool(self.read_points) or bool(self.cameras),
            Needed.SEAL: bool(self.read_points),
            Needed.WEIGHT: self.scale is not None,
            Needed.DRIVER: self.card_point is not None,
        }
        settings = {
            Needed.TRUCK: "read_points or plate",
            Needed.CONTAINER: "read_points or cameras",
            Needed.SEAL: "read_points",
            Needed.WEIGHT: "scale",
            Needed.DRIVER: "card_point",
        }
        for each in self.require:
            if not sources[each]:
                raise ValueError(f"require: nothing tells {each.value!r} here; set {settings[each]}, or leave it out")
        return self


class Appointments(Table):
    """`appointments`: who is expected. What a truck is checked against is what columns are named."""

    table: Name = Field(description="Name of the [[table]].")
    key: Literal["container", "truck"] = Field("container", description="What its key column holds.")
    direction: Direction = Field(Direction.BOTH, description="Which lanes ask for it.")
    truck: FieldName | None = Field(None, description="Column with the truck; with key = 'container'.")
    container: FieldName | None = Field(None, description="Column with the container; with key = 'truck'.")
    not_before: FieldName | None = Field(None, description="Column of type time: the truck may come from then.")
    not_after: FieldName | None = Field(None, description="Column of type time: and until then.")
    declared_kg: FieldName | None = Field(None, description="Column of type double or int: the verified gross mass.")
    seal: FieldName | None = Field(None, description="Column with the number of the seal.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if getattr(self, self.key) is not None:
            raise ValueError(f"{self.key}: is the key of the table already; leave it out")
        return self


class Customs(Table):
    """`customs`: what customs have released."""

    table: Name = Field(description="Name of the [[table]], whose key column holds container numbers.")
    released: FieldName = Field("released", description="Column of type bool.")
    direction: Direction = Field(Direction.BOTH, description="Which lanes ask for it.")
    unlisted: Literal["hold", "open"] = Field("hold", description="What becomes of a container that is not in it.")


class Vehicles(Table):
    """`vehicles`: the trucks that are known."""

    table: Name = Field(description="Name of the [[table]], whose key column holds names of trucks.")
    tare_kg: FieldName | None = Field(None, description="Column: what truck, chassis and driver weigh.")
    must_be_listed: bool = Field(default=False, description="Hold trucks that are not in it.")


class Drivers(Table):
    """`drivers`: until when drivers may come."""

    table: Name = Field(description="Name of the [[table]], whose key column holds names of drivers.")
    valid_until: FieldName = Field("valid_until", description="Column of type time.")


class Weighing(Table):
    """`weighing`: how far the weight may be from what was declared; what is beyond both bounds is held."""

    tolerance_kg: Annotated[float, Field(ge=0, le=20_000)] = Field(500, description="Kilograms.")
    tolerance_percent: Annotated[float, Field(ge=0, le=100)] = Field(5, description="Of the declared mass.")
    heaviest_kg: Annotated[float, Field(gt=0, le=200_000)] | None = Field(
        None, description="The whole vehicle is never heavier."
    )


class Queue(Table):
    """`queue`: where trucks wait before the gate."""

    zone: Name = Field(description="The [[zone]] of the queue.")
    longest_s: PositiveSeconds | None = Field(None, description="Waiting longer raises an alarm.")


class Yard(Table):
    """`yard`: where containers stand."""

    zones: list[Name] = Field(min_length=1, description="The [[zone]]s of the yard.")
    move_within_s: PositiveSeconds = Field(
        3600, description="Seen again in another zone so long after it was last seen, a container was moved."
    )
    longest_dwell_s: PositiveSeconds | None = Field(
        None, description="A container that came in by a lane of the gate and stays longer raises an alarm."
    )


class Seals(Table):
    """`seals`: what tags of electronic seals say."""

    opened_memory: Hex = Field(
        description="How the user memory of an opened seal begins, in hex, as its maker writes it; else it is whole."
    )
    allowed_points: list[Name] = Field(
        default=[], description="Read points where seals may be opened: those of customs. Those of lanes decide there."
    )


class Reefers(Table):
    """`reefers`: refrigerated containers that are plugged in; their monitoring is a device each."""

    table: Name = Field(description="Name of the [[table]] with a row for each device.")
    set_point_celsius: FieldName = Field("set_point_celsius", description="Column with the set-point.")
    signal: Text | None = Field(None, description="Signal with the temperature of the return air, in degrees Celsius.")
    quantity: Text | None = Field(None, description="Or the quantity of a reading, if a meter tells it.")
    above_k: Kelvin = Field(2.0, description="Warmer than the set-point by more than this is an alarm.")
    below_k: Kelvin = Field(2.0, description="Colder by more than this, too.")
    within_s: PositiveSeconds = Field(900, description="When it lasts so long: a defrost does not.")
    power_signal: Text | None = Field(None, description="Signal that is false when the reefer has no power.")
    power_within_s: PositiveSeconds = Field(120, description="When it lasts so long.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.signal is None) == (self.quantity is None):
            raise ValueError("signal: either this, or quantity")
        return self


class PortSettings(Table):
    """`[pack.settings]` of the pack `port`."""

    lane: list[Lane] = Field(min_length=1, max_length=64, description="The lanes of the gate.")
    truck_kind: Text = Field("truck", description="Kind of trucks in the list of things.")
    container_kind: Text = Field("container", description="Kind of containers there; their names are ISO 6346 numbers.")
    seal_kind: Text = Field("seal", description="Kind of seals there.")
    appointments: Appointments | None = Field(None, description="Absent: nobody is asked for an appointment.")
    customs: Customs | None = Field(None, description="Absent: nobody is asked for a release.")
    vehicles: Vehicles | None = Field(None, description="Absent: `declared_kg` is of the whole vehicle.")
    drivers: Drivers | None = Field(None, description="Absent: a card that is enrolled is valid.")
    weighing: Weighing = Field(Weighing(), description="Tolerances.")
    least_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.6, description="Share of the readings of a container number that must agree."
    )
    before_s: Annotated[float, Field(ge=0, le=600)] = Field(
        5, description="What was read so long before the truck came onto the detector belongs to it."
    )
    settle_s: Annotated[float, Field(ge=0, le=600)] = Field(
        1.5, description="The decision waits so long after all that is required was read."
    )
    decide_within_s: PositiveSeconds = Field(30, description="It is made at the latest so long after the arrival.")
    quiet_s: PositiveSeconds = Field(300, description="A transaction of which nothing is heard for so long is over.")
    longest_s: PositiveSeconds = Field(1800, description="No transaction is longer.")
    queue: Queue | None = Field(None, description="Absent: no queue times.")
    yard: Yard | None = Field(None, description="Absent: no yard moves.")
    seals: Seals | None = Field(None, description="Absent: seals are numbers only.")
    reefers: Reefers | None = Field(None, description="Absent: no alarms of reefers.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names: set[str] = set()
        for lane in self.lane:
            if lane.name in names:
                raise ValueError(f"lane.name = {lane.name!r}: another lane has this name; choose one of its own")
            names.add(lane.name)
            self._asks_enough(lane)
        if self.decide_within_s > self.longest_s:
            raise ValueError(f"decide_within_s: must not be more than longest_s = {self.longest_s:g}")
        if self.quiet_s < self.decide_within_s:
            raise ValueError(f"quiet_s: must not be less than decide_within_s = {self.decide_within_s:g}")
        return self

    def _asks_enough(self, lane: Lane) -> None:
        """A tag alone never opens: a truck and what it carries, or is expected for."""
        by_truck = (
            self.appointments is not None
            and self.appointments.key == "truck"
            and self.appointments.direction in {Direction.BOTH, lane.direction}
        )
        if Needed.TRUCK not in lane.require or (Needed.CONTAINER not in lane.require and not by_truck):
            raise ValueError(
                f"lane {lane.name!r}: require: a truck alone opens nothing; ask for truck and container, or for truck "
                "and appointments with key = 'truck'"
            )
