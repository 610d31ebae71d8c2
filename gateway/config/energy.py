"""The tables `[energy]`, `[[energy.meter]]` and `[[energy.tariff]]`: how registers of meters become books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, tzinfo
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from gateway.config.faults import Faults
from gateway.config.phrases import nearest
from gateway.config.positions import Path
from gateway.config.table import Name, Table
from readers.driver import DriverSettings

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
DayOfYear = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]

LEAP_YEAR: Final = 2024


class DayKind(StrEnum):
    """A day of the week, or one of the calendar's holidays, which is no day of the week then."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"
    HOLIDAY = "holiday"


class TariffDay(Table):
    """The tariffs of a day, for the days that it names."""

    first: DayOfYear = Field("01-01", description="First day of its season, MM-DD.")
    last: DayOfYear = Field("12-31", description="Last day of its season; before `first`, the season spans new year.")
    days: list[DayKind] = Field(
        default=[], description="mon, tue, wed, thu, fri, sat, sun, holiday; empty for every day."
    )
    tariffs: dict[TimeOfDay, Name] = Field(
        min_length=1, description="From which time of day, HH:MM, which tariff is in force; one begins at 00:00."
    )

    @field_validator("first", "last")
    @classmethod
    def _exists(cls, text: str) -> str:
        try:
            day_number(text)
        except ValueError:
            raise ValueError("there is no such day in any year") from None
        return text

    @model_validator(mode="after")
    def _begins_the_day(self) -> Self:
        if "00:00" not in self.tariffs:
            raise ValueError('tariffs: one must begin at "00:00"')
        return self

    def covers(self, number: int, kind: DayKind) -> bool:
        """Whether it names this day of the year, counted by `day_number`, of this kind."""
        first, last = day_number(self.first), day_number(self.last)
        is_season = first <= number <= last if first <= last else number >= first or number <= last
        return is_season and (not self.days or kind in self.days)


class TariffCalendar(Table):
    """A calendar of tariffs. Several of one name are its editions: the latest that is valid on a day counts."""

    name: Name = Field(description="Name of the calendar; meters name it.")
    valid_from: date = Field(description="First day of this edition.")
    holidays: list[date] = Field(default=[], description="Days that count as `holiday`, whatever day of the week.")
    day: list[TariffDay] = Field(min_length=1, description="Kinds of days; the first that names a day counts.")

    @model_validator(mode="after")
    def _covers_every_day(self) -> Self:
        for number in range(day_number("01-01"), day_number("12-31") + 1):
            for kind in DayKind:
                if not any(day.covers(number, kind) for day in self.day):
                    shown = date.fromordinal(number).strftime("%m-%d")
                    raise ValueError(
                        f"day: no [[energy.tariff.day]] names a {kind.value} on {shown}; end with one for every day"
                    )
        return self


class TariffSource(StrEnum):
    """Where tariffs come from."""

    AUTO = "auto"
    METER = "meter"
    CALENDAR = "calendar"


class DemandKind(StrEnum):
    """Which windows a demand is the mean of."""

    BLOCK = "block"
    SLIDING = "sliding"


class SheddableLoad(Table):
    """A load that may be switched off for a while."""

    name: Name = Field(description="What people call it.")
    power_w: float = Field(gt=0, description="What is saved by it.")


class DemandLimit(Table):
    """The demand that a meter should not exceed: forecast at each reading of its power."""

    limit_w: float = Field(gt=0, description="The demand that is contracted, or what was agreed with oneself.")
    kind: DemandKind = Field(
        DemandKind.BLOCK,
        description="block: the forecast is for the end of the interval that runs; sliding: for the window that ends "
        "`ahead_s` from now.",
    )
    interval_s: float = Field(900, ge=60, le=3600, description="Length of the interval, or of the sliding window.")
    ahead_s: float = Field(300, ge=10, lt=3600, description="How far a sliding window is looked ahead.")
    sure_for_s: float = Field(
        30, ge=0, le=600, description="Loads are proposed when the forecast was above the limit for so long."
    )
    shed: list[SheddableLoad] = Field(
        default=[], max_length=32, description="What may be switched off, the first first; nothing is switched here."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind is DemandKind.SLIDING and self.ahead_s >= self.interval_s:
            raise ValueError("ahead_s: must be less than interval_s; nothing would be known of the window")
        names = [load.name for load in self.shed]
        if len(set(names)) < len(names):
            raise ValueError("shed: each load stands there once, with a name of its own")
        return self


class MeterWatch(StrEnum):
    """What is told of a meter beside its books."""

    UNBALANCE = "unbalance"
    COUNTS = "counts"


class MeterSettings(Table):
    """What the books need to know of one meter; a meter that is not listed has the defaults."""

    name: Name = Field(description="The meter, as its reader names it.")
    rated_power_w: float | None = Field(
        None, gt=0, description="Largest power of this connection: what is implausible is told from it."
    )
    full_scale_wh: float = Field(
        1_000_000_000,
        gt=0,
        description="Where its registers start again from 0: DL/T 645 shows up to 999999.99 kWh.",
    )
    pt_ratio: float = Field(
        1, gt=0, description="Voltage transformer ratio that readings must still be multiplied by; 10 kV/100 V is 100."
    )
    ct_ratio: float = Field(
        1, gt=0, description="Current transformer ratio that readings must still be multiplied by; 600/5 is 120."
    )
    tariff: Name | None = Field(None, description="Its calendar of tariffs, where its own registers do not tell.")
    tariff_source: TariffSource = Field(
        TariffSource.AUTO, description="auto (its own tariff registers where they are read), meter or calendar."
    )
    price: Name | None = Field(None, description="Its [[energy.price]]: what the energy of its tariffs costs.")
    demand: DemandLimit | None = Field(
        None, description="Its limit of demand: makes readings `active_demand_forecast` and `active_power_excess`."
    )
    watch: list[MeterWatch] = Field(
        default=[],
        description="unbalance: make readings `voltage_unbalance` and `current_unbalance` of its phases, if it tells "
        "none; counts: make an event `count_rose` when it has counted an opening, a magnet, a programming.",
    )
    unbalance_from_a: float = Field(
        1.0, ge=0, description="Mean current below which currents have no unbalance that means anything."
    )


class Price(Table):
    """What energy costs. Several of one name are its editions: the latest that is valid on a day counts."""

    name: Name = Field(description="Name of the price; meters name it.")
    valid_from: date = Field(description="First day of this edition.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("CNY", description="As ISO 4217 has it.")
    per_kwh: dict[Name, Annotated[float, Field(ge=0, le=1000)]] = Field(
        min_length=1, description="By tariff; `total` is for meters without tariffs."
    )


class Energy(Table):
    """Energy books: what the registers of meters add up to, interval by interval."""

    interval_min: Literal[5, 10, 15, 20, 30, 60] = Field(
        15, description="Length of an interval of the books and of block demand, in minutes."
    )
    timezone: str = Field("UTC", description='Whose days and hours count, as in "Asia/Shanghai".')
    gap_after_s: float = Field(
        1200, ge=60, le=86_400, description="Readings further apart than this leave a gap between them."
    )
    backfill_within_days: float = Field(
        7, ge=0, le=62, description="How long a gap waits for records from the meter's own memory."
    )
    settle_after_h: float = Field(
        3, ge=1, le=72, description="How long an interval without gaps waits for records of its boundaries."
    )
    clock_tolerance_s: float = Field(
        60, ge=0, le=900, description="A meter's clock that is off by less stamps its records rightly."
    )
    demand_min: Literal[0, 15, 30, 60] = Field(
        15, description="Window of sliding demand where the meter tells none; 0 computes none."
    )
    tariff_names: list[Name] = Field(
        default=["sharp", "peak", "flat", "valley", "deep_valley"],
        max_length=63,
        description="What a meter's tariffs 1, 2, 3 ... are called: 尖, 峰, 平, 谷, 深谷.",
    )
    meter: list[MeterSettings] = Field(default=[], description="What is special about a meter.")
    tariff: list[TariffCalendar] = Field(default=[], description="Calendars of tariffs.")
    price: list[Price] = Field(default=[], description="What energy costs.")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, text: str) -> str:
        try:
            _zone(text)
        except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a directory is an OSError
            raise ValueError("is no time zone of this host; write it as in Asia/Shanghai or Europe/Berlin") from None
        return text


def day_number(text: str) -> int:
    """The day `MM-DD` of a leap year; raises ValueError when there is none."""
    month, _, day = text.partition("-")
    return date(LEAP_YEAR, int(month), int(day)).toordinal()


def check_energy(faults: Faults, settings: Mapping[int, DriverSettings], *, whole: bool) -> None:
    """Add what is wrong between the tables of `[energy]`, and between them and the readers.

    `settings` are those of the readers, by their index in the file; in a file that is `whole` a name that is not found
    does not exist.
    """
    table = faults.value(("energy",))
    if not whole or not isinstance(table, Mapping):
        return
    energy = Energy.model_validate(table)
    devices = {str(faults.value(("reader", index, "name"))) for index in settings}
    devices |= {source for each in settings.values() for source in each.sources()}
    calendars = {calendar.name for calendar in energy.tariff}
    prices = {price.name for price in energy.price}
    _editions(faults, energy)
    taken: set[str] = set()
    for index, meter in enumerate(energy.meter):
        path: Path = ("energy", "meter", index)
        if meter.name in taken:
            faults.add((*path, "name"), "another [[energy.meter]] has this name already; write one for each meter")
        elif meter.name not in devices:
            faults.add((*path, "name"), f"no reader has this meter{nearest(meter.name, devices)}")
        taken.add(meter.name)
        if meter.tariff is not None and meter.tariff not in calendars:
            text = f"no [[energy.tariff]] has this name{nearest(meter.tariff, calendars)}"
            faults.add((*path, "tariff"), text)
        if meter.price is not None and meter.price not in prices:
            faults.add((*path, "price"), f"no [[energy.price]] has this name{nearest(meter.price, prices)}")
        if meter.tariff is None and meter.tariff_source is TariffSource.CALENDAR:
            faults.add((*path, "tariff_source"), "needs a calendar; name it with the key tariff")


def _editions(faults: Faults, energy: Energy) -> None:
    taken: set[tuple[str, date]] = set()
    for index, calendar in enumerate(energy.tariff):
        path: Path = ("energy", "tariff", index)
        if (calendar.name, calendar.valid_from) in taken:
            text = "another edition of this calendar begins on the same day; give each a day of its own"
            faults.add((*path, "valid_from"), text)
        taken.add((calendar.name, calendar.valid_from))
        for number, day in enumerate(calendar.day):
            for time in day.tariffs:
                if minutes_of(time) % energy.interval_min:
                    text = f"{time} is inside an interval of {energy.interval_min} min; an interval has one tariff"
                    faults.add((*path, "day", number, "tariffs", time), text)
    priced: set[tuple[str, date]] = set()
    for index, price in enumerate(energy.price):
        if (price.name, price.valid_from) in priced:
            text = "another edition of this price begins on the same day; give each a day of its own"
            faults.add(("energy", "price", index, "valid_from"), text)
        priced.add((price.name, price.valid_from))


def minutes_of(time: str) -> int:
    """Minutes since midnight of `HH:MM`."""
    return int(time[:2]) * 60 + int(time[3:])


def settings_of(energy: Energy) -> dict[str, MeterSettings]:
    """What is set for each meter that is listed."""
    return {meter.name: meter for meter in energy.meter}


def zone_of(energy: Energy) -> tzinfo:
    """The time zone of the books."""
    return _zone(energy.timezone)


def _zone(name: str) -> tzinfo:
    """UTC needs no files of the host."""
    return UTC if name == "UTC" else ZoneInfo(name)
