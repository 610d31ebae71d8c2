"""Files of tests, `NAME.tests.toml`: what a site hears, and what the rules must make of it.

rules = "gate.toml"          the site file, beside this one; or its tables under [inline]
[[test]]
name = "a truck that stays is told"
given = [{ at = "0s", stay = { epc = "...", point = "gate-1", for = "70s" } }]
expect = [{ alarm = "truck-waits", subject = "...", at = "60s..62s" }]
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from gateway.config import ConfigError
from gateway.config.faults import Faults
from gateway.config.models import Epc
from gateway.config.positions import Positions
from gateway.config.table import Name, Table
from gateway.config.toml_file import parse, read
from gateway.durations import seconds

SUFFIX: Final = ".tests.toml"
LONGEST_S: Final = 31 * 86_400.0
"""Of one test: every second of it is played."""
Scalar = str | int | float | bool
Model = TypeVar("Model", "CaseFile", "Timeline")
_ZERO: Final = re.compile(r"0+(?:\.0+)?\s*(?:ms|s|min|m|h|d)?")
_ADVICE: Final = "name a file of tests, or a directory that holds some"


def moment(value: object) -> object:
    """Seconds of `90s`, `1.5h` or a number; `0s` is the beginning."""
    if not isinstance(value, str):
        return value
    return 0.0 if _ZERO.fullmatch(value.strip()) else seconds(value)


Moment = Annotated[float, BeforeValidator(moment), Field(ge=0, le=LONGEST_S)]
Length = Annotated[float, BeforeValidator(moment), Field(gt=0, le=LONGEST_S)]


class ReadStep(Table):
    """A tag is read."""

    epc: Epc
    point: Name
    rssi_dbm: float = -50.0
    count: int = Field(1, ge=1)
    late: Moment = Field(0.0, description="It was seen so long before it arrived.")
    tid: str | None = None
    user_memory: str | None = None


class StayStep(Table):
    """A tag is read again and again."""

    epc: Epc
    point: Name
    length: Length = Field(alias="for", description="How long.")
    every: Length = Field(0.5, description="Time from one read to the next.")
    rssi_dbm: float = -50.0


class PassageStep(Table):
    """A tag passes a portal of the site file."""

    epc: Epc
    portal: Name
    direction: Literal["in", "out"]
    takes: Length = Field(2.0, description="From the first read to the last.")


class ReadingStep(Table):
    """A meter tells a value."""

    meter: Name
    quantity: str
    value: float | str | None
    unit: str | None = Field(None, description="That of the quantity, if absent.")
    phase: str | None = None
    tariff: int | None = None
    quality: str = "good"
    obis: str = ""


class SignalStep(Table):
    """A device tells a signal."""

    device: Name
    name: str
    value: bool | str | float
    unit: str | None = None


class CardStep(Table):
    """A card is presented."""

    card: str = Field(description="`nfca:04A1B2C3D4E5F6`; events name it as the site's [cards] say.")
    point: Name
    device: Name | None = None


class StatusStep(Table):
    """The state of a device changes."""

    device: Name
    state: Literal["online", "degraded", "offline"]
    reason: str = "test"
    conditions: list[str] = Field([], description="Names of the troubles that stand.")


class Given(Table):
    """One thing that happens; exactly one of the keys beside `at`, `gateway` and `waited`."""

    at: Moment = Field(description="When, from the beginning of the test.")
    gateway: Name | None = Field(None, description="Who hears it; the gateway of the site file, if absent.")
    waited: Length | None = Field(None, description="It waited at the gateway so long before it was sent: a backlog.")
    read: ReadStep | None = None
    stay: StayStep | None = None
    passage: PassageStep | None = None
    reading: ReadingStep | None = None
    signal: SignalStep | None = None
    card: CardStep | None = None
    status: StatusStep | None = None
    watched: list[Name] | None = Field(None, description="What the gateway watches from now on, and nothing else.")
    unwatched: list[Name] | None = Field(None, description="What it watches no longer.")
    silent: Length | None = Field(None, description="The gateway says nothing for so long.")
    restart: Literal[True] | None = Field(None, description="The rules daemon is killed and starts again.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.what()) != 1:
            raise ValueError(f"at: goes with exactly one of {', '.join(KINDS)}; here are {len(self.what())}")
        return self

    def what(self) -> list[str]:
        """Which of the kinds it is."""
        return [name for name in KINDS if getattr(self, name) is not None]


KINDS: Final = tuple(name for name in Given.model_fields if name not in {"at", "gateway", "waited"})


def _window(value: object) -> object:
    """`3s` or `3s..5s`."""
    if not isinstance(value, str):
        return value
    first, dots, last = value.partition("..")
    return (moment(first), moment(last if dots else first))


class Expected(Table):
    """An event or a change of an alarm; what is not said may be anything."""

    event: Name | None = Field(None, description="Type of the event.")
    alarm: Name | None = Field(None, description="The rule that raises or clears it.")
    state: Literal["raised", "cleared"] = "raised"
    at: Annotated[tuple[float, float], BeforeValidator(_window)] | None = Field(
        None, description="Its time: `3s`, or `3s..5s`; half a second around a single one."
    )
    count: int = Field(1, ge=1, le=200, description="So many of them.")
    subject: str | None = None
    rule: Name | None = None
    name: str | None = None
    zone: str | None = None
    from_zone: str | None = None
    read_point: str | None = None
    direction: str | None = None
    device: str | None = None
    severity: str | None = None
    message: str | None = None
    historical: bool | None = None
    fields: dict[str, Scalar] = Field({}, description="Further fields, of the event or the alarm.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.event is None) == (self.alarm is None):
            raise ValueError("event: either this, or alarm")
        return self


class Thing(Table):
    """Who is who in a test, as a line of the list of things."""

    epc: str = ""
    tid: str = ""
    card: str = ""
    name: str
    kind: str = ""
    class_name: str = Field("", alias="class")


class Case(Table):
    """`[[test]]`: one test."""

    name: str = Field(min_length=1, max_length=200)
    given: list[Given] = Field(min_length=1)
    expect: list[Expected] = Field([], description="What must come, in any order.")
    never: list[Expected] = Field([], description="What must not come.")
    only: bool = Field(default=False, description="The rules make nothing that is not expected.")
    until: Moment | None = Field(None, description="End of the test; 10 s after what is given last, if absent.")
    start: datetime = Field(
        datetime(2026, 3, 2, 8, 0, tzinfo=UTC), description="The time of 0s; for calendars. A Monday, 08:00 UTC."
    )
    things: list[Thing] = Field([], description="Who is who, beside what the file says.")

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if not self.expect and not self.never and not self.only:
            raise ValueError("expect: is missing; without it and without never or only the test cannot fail")
        return self


class CaseFile(Table):
    """A file of tests."""

    rules: Path | None = Field(None, description="The site file, or the rule file, relative to this one.")
    inline: dict[str, Any] | None = Field(
        None, description="Tables of a site file, instead, or beside a rule file; [site] may be absent."
    )
    things: list[Thing] = Field([], description="Who is who, in all its tests.")
    test: list[Case] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_rules(self) -> Self:
        if self.rules is None and self.inline is None:
            raise ValueError("rules: is missing; name a file, or write tables of a site file under [inline]")
        return self


class Timeline(Table):
    """A file of `rules simulate`: what a site hears, and no expectation."""

    rules: Path | None = None
    inline: dict[str, Any] | None = None
    things: list[Thing] = Field([], description="Who is who.")
    given: list[Given] = Field(min_length=1)
    until: Moment | None = None
    start: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def load_cases(path: Path) -> CaseFile:
    """Read a file of tests.

    Raises:
        ConfigError: all faults, one line each.
    """
    return _load(path, CaseFile)


def load_timeline(path: Path) -> Timeline:
    """Read a timeline.

    Raises:
        ConfigError: all faults, one line each.
    """
    return _load(path, Timeline)


def _load(path: Path, model: type[Model]) -> Model:
    text = read(path, _ADVICE)
    raw = parse(path, text)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = Faults(str(path), raw, Positions(text))
        faults.add_validation(error, model)
        raise ConfigError("\n".join(faults.lines())) from error
