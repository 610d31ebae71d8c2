"""What rules of every shape are made of, and what stands beside them: `[[table]]`, `[[pack]]`, `[[order]]`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.config.table import FieldName, Name, PositiveSeconds, Table
from readers.control import Action

Condition = Annotated[str, Field(max_length=4000)]
MostKeys = Annotated[int, Field(ge=1, le=10_000_000)]


class Severity(StrEnum):
    """How loud an alarm is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmSettings(Table):
    """What a rule raises."""

    severity: Severity = Field(Severity.WARNING, description="info, warning or critical.")
    message: str = Field("", max_length=500, description="What the operator reads; empty for the rule's name.")
    latch: bool = Field(default=False, description="Stays raised when the condition ends, until a person clears it.")
    acknowledge_within_s: PositiveSeconds | None = Field(
        None, description="Escalates when nobody acknowledges it in this time."
    )
    escalate_to: Severity = Field(Severity.CRITICAL, description="Its severity from then on.")


class LookUp(Table):
    """Finds one row of a table, and puts its columns among the fields."""

    table: Name = Field(description="Name of a [[table]].")
    key: FieldName = Field(description="The field whose value is looked for in the key column.")


class LookUpTable(Table):
    """`[[table]]`: a list that rules look things up in; read again when it changes, its version told in events."""

    name: Name = Field(description="Name of the table.")
    file: Path = Field(description="CSV with a header, or SQLite (`.db`, `.sqlite`), relative to the site file.")
    key: FieldName = Field(description="The column that is looked in; each value stands there once.")
    sqlite_table: FieldName | None = Field(None, description="Table of an SQLite file; `name` with _ for - if absent.")
    columns: dict[FieldName, Literal["string", "int", "double", "bool", "time"]] = Field(
        min_length=1,
        description="The columns that rules may ask for, and their types; `time` is RFC 3339, as microseconds of 1970.",
    )


class PackUse(Table):
    """`[[pack]]`: rules that come with Tagwharf, for a place described by its settings."""

    name: Name = Field(description="Name of this use; the names of its rules begin with it.")
    kind: Name = Field(description="port, factory, power or parking.")
    settings: dict[str, Any] = Field(default_factory=dict, description="See the page of the pack.")


class Order(Table):
    """`[[order]]`: what an event has done by a device, on the safe path of the orders of people."""

    name: Name = Field(description="Name of the order.")
    on: Name = Field(description="Type of the event that leads to it.")
    when: Condition = Field("true", description="Which of them.")
    gateway: Name = Field("edge-1", description="The gateway that has the device.")
    device: Name = Field(description="The device.")
    point: Name = Field(description="Its point; a [[control.point]] must allow the action in one step.")
    action: Action = Field(description="`pulse`, `on`, `off` ...; never one that is armed and confirmed.")
    value: str | None = Field(None, pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$", description="Of `set`.")
    person: Name = Field(description="The [[control.person]] that stands for the rules, and whose key signs.")
    within_s: Annotated[float, Field(ge=1, le=60)] = Field(
        5, description="Not later than this after the batch that led to the event came in."
    )


class RuleHead(Table):
    """What every rule has."""

    name: Name = Field(description="Name of the rule, unique; state is kept under it.")
    alarm: AlarmSettings | None = Field(None, description="Raise an alarm.")
    emit: Name | None = Field(
        None, description="Make an event of this type; the rule's own name when it asks for no alarm."
    )
    lookup: dict[FieldName, LookUp] = Field(
        default={},
        description="Fields from tables: `truck = { table = ..., key = ... }` gives e.truck_found, e.truck_version and "
        "e.truck_COLUMN.",
    )
    during: Name | None = Field(
        None, description="A [[production.calendar]]: items outside its planned time do not concern the rule."
    )
    figures: list[FieldName] = Field(
        default=[], description="Number fields of its event that are also points of the measurement `figure`."
    )


class RuleBase(RuleHead):
    """A rule on one kind of item."""

    on: str = Field(description="What it looks at: `read`, `card`, `reading`, `signal`, `status`, or an event type.")
    when: Condition = Field("true", description="A condition in the subset of CEL that the rules page lists.")


class Input(Table):
    """One kind of item that a rule takes."""

    on: str = Field(description="`read`, `card`, `reading`, `signal`, `status`, or an event type.")
    when: Condition = Field("true", description="Which of them.")
    key: FieldName | None = Field(
        None, description="The field that joins it with the others; the rule's key if absent."
    )


class Outcome(Table):
    """What a rule makes when what it waits for does not come."""

    emit: Name | None = Field(None, description="Make an event of this type.")
    alarm: AlarmSettings | None = Field(None, description="Raise an alarm.")


class OrderedHead(RuleHead):
    """What the rules have that take items in the order of event time."""

    key: FieldName = Field("subject", description="The field that tells apart what is watched: one state per value.")
    places: dict[Name, list[str]] = Field(
        default={},
        description="Values of key fields that mean one place: `lane-1 = ['loop-1', 'desk-1']`. With it, items whose "
        "value is not listed do not concern the rule.",
    )
    most_keys: MostKeys = Field(200_000, description="States at most; items of further keys are counted as refused.")
