"""The driver `dlt645`: electricity meters by DL/T 645-2007, many on one RS-485 line.

One request is on the line at a time. The meter whose poll is due for the longest is asked next; a silent one is asked
once per attempt and ever more rarely, so that the others keep their rhythm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_registers import BLOCKS, TARIFFS, decode
from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Parity, Port, Report
from readers.errors import FrameError
from readers.meters.dlt645.line import Line, NoReplyError, RefusedError
from readers.observations import Condition, DeviceInfo, Readings, Rejected, Severity, Watching

TRIES: Final = 2
LONGEST_BACKOFF_S: Final = 600.0
SILENT_STRIKES: Final = 3  # times that an answering meter ignores one request before it is left alone for a while
RETRY_UNSUPPORTED_S: Final = 3600.0  # a bad hour of the line must not cost a register for ever
_ADDRESS_DIGITS: Final = 12
_ADDRESS: Final = re.compile(r"[0-9]{1,12}")


class Read(StrEnum):
    """What may be read."""

    ENERGY = "energy"
    ENERGY_EXPORT = "energy_export"
    REACTIVE_ENERGY = "reactive_energy"
    VOLTAGE = "voltage"
    CURRENT = "current"
    POWER = "power"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER = "apparent_power"
    POWER_FACTOR = "power_factor"
    FREQUENCY = "frequency"
    DEMAND = "demand"
    MAX_DEMAND = "max_demand"


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing to read: a block, and the single registers that stand in for it in meters without blocks."""

    block: int | None
    singles: tuple[int, ...]


def _phases(base: int, *, total: bool) -> _Item:
    return _Item(base + 0xFF00, tuple(base + number * 0x100 for number in range(0 if total else 1, 4)))


_ITEMS: Final[dict[Read, tuple[_Item, ...]]] = {
    Read.ENERGY: (_Item(0x0001FF00, tuple(0x00010000 + tariff * 0x100 for tariff in range(TARIFFS + 1))),),
    Read.ENERGY_EXPORT: (_Item(None, (0x00020000,)),),
    Read.REACTIVE_ENERGY: (_Item(None, (0x00030000,)), _Item(None, (0x00040000,))),
    Read.VOLTAGE: (_phases(0x02010000, total=False),),
    Read.CURRENT: (_phases(0x02020000, total=False),),
    Read.POWER: (_phases(0x02030000, total=True),),
    Read.REACTIVE_POWER: (_phases(0x02040000, total=True),),
    Read.APPARENT_POWER: (_phases(0x02050000, total=True),),
    Read.POWER_FACTOR: (_phases(0x02060000, total=True),),
    Read.FREQUENCY: (_Item(None, (0x02800002,)),),
    Read.DEMAND: (_Item(None, (0x02800004,)),),
    Read.MAX_DEMAND: (_Item(None, (0x01010000,)),),
}
_USUAL: Final = (
    Read.ENERGY,
    Read.ENERGY_EXPORT,
    Read.VOLTAGE,
    Read.CURRENT,
    Read.POWER,
    Read.POWER_FACTOR,
    Read.FREQUENCY,
    Read.DEMAND,
)


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    address: str | None = Field(
        default=None,
        description="as printed on the meter, in quotes; leading zeros may be left out. "
        "A meter alone on its line may leave it out: it is asked",
    )

    @field_validator("address")
    @classmethod
    def _whole(cls, address: str | None) -> str | None:
        if address is None:
            return None
        if not _ADDRESS.fullmatch(address):
            raise ValueError("must be the 1 to 12 decimal digits printed on the meter, in quotes")
        return address.zfill(_ADDRESS_DIGITS)


class Dlt645Settings(DriverSettings):
    """Settings of driver `dlt645`."""

    meters: tuple[Meter, ...] = Field(min_length=1, max_length=256, description="the meters on this line")
    poll_s: float = Field(default=60.0, ge=1, le=86_400, description="how often each meter is read")
    read: tuple[Read, ...] = Field(default=_USUAL, min_length=1, description="what is read from each of them")
    wake_up_bytes: int = Field(default=4, ge=0, le=16, description="FE bytes before each request")
    meter_utc_offset_min: int = Field(
        default=480, ge=-720, le=840, description="the meters' local time, for values that carry one; China is 480"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address"):
            values = [value for meter in self.meters if (value := getattr(meter, what)) is not None]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        if len(self.meters) > 1 and any(meter.address is None for meter in self.meters):
            nameless = ", ".join(meter.name for meter in self.meters if meter.address is None)
            raise ValueError(f"meters: {nameless} has no address; only a meter alone on its line can be asked for it")
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)


@dataclass(slots=True)
class _Polled:
    """What is known of one meter while the link lasts.

    Attributes:
        watched: None until it answers or fails to.
        strikes: how often in a row each identifier was ignored.
        unsupported: when to ask again for an identifier that it does not know.
    """

    name: str
    address: str | None
    due_s: float
    watched: bool | None = None
    introduced: bool = False
    failures: int = 0
    strikes: dict[int, int] = field(default_factory=dict)
    unsupported: dict[int, float] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)


class Dlt645Driver:
    """Polls its meters until cancelled."""

    def __init__(self, settings: Dlt645Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A meter that is silent or refuses is a condition, not an error.

        Raises:
            LinkError: the line itself is gone.
        """
        line_defaults = DRIVER.line
        assert line_defaults is not None
        line = Line(port, report, wake_up_bytes=self._settings.wake_up_bytes, baud=line_defaults.baud)
        start_s = port.monotonic_s()
        meters = [_Polled(meter.name, meter.address, start_s) for meter in self._settings.meters]
        dead = False
        while True:
            meter = min(meters, key=lambda candidate: candidate.due_s)
            await line.idle(meter.due_s - port.monotonic_s())  # not a pause: a line that dies meanwhile is noticed
            began_s = max(meter.due_s, port.monotonic_s() - self._settings.poll_s)
            answered = await self._poll(line, meter, report)
            now_s = port.monotonic_s()
            meter.due_s = self._next_due_s(meter, began_s, now_s, answered=answered)
            if dead and answered:  # it was the line: what backed off because of it comes back at once
                for other in meters:
                    if other is not meter:
                        other.due_s = now_s
            dead = self._judge_line(meters, report, was_dead=dead)

    def _judge_line(self, meters: list[_Polled], report: Report, *, was_dead: bool) -> bool:
        """Whether no meter answers any more, which has one cause for all of them; told when it begins and ends."""
        dead = all(meter.watched is False for meter in meters)
        if dead and not was_dead:
            detail = (
                f"none of the {len(meters)} meters of this line answers; check the adapter, its power, the two wires, "
                "and speed and parity"
            )
            report(Condition("line_silent", active=True, severity=Severity.FAULT, detail=detail))
        elif was_dead and not dead:
            report(Condition("line_silent", active=False))
        return dead

    def _next_due_s(self, meter: _Polled, began_s: float, now_s: float, *, answered: bool) -> float:
        if answered:
            return began_s + self._settings.poll_s
        backoff_s = self._settings.poll_s * float(2 ** min(meter.failures - 1, 10))
        return now_s + max(self._settings.poll_s, min(backoff_s, LONGEST_BACKOFF_S))

    async def _poll(self, line: Line, meter: _Polled, report: Report) -> bool:
        """Read everything from one meter; False when it does not answer, or stops answering."""
        ignored = 0
        try:
            if meter.address is None:
                meter.address = await line.ask_address(1 if meter.failures else TRIES, source=meter.name)
            for item in (item for read in self._settings.read for item in _ITEMS[read]):
                try:
                    await self._read(line, meter, item, report)
                    ignored = 0
                except NoReplyError:
                    # a meter may keep silent on one request that it does not know; two in a row are another matter
                    ignored += 1
                    if ignored > 1 or not meter.watched:
                        raise
        except NoReplyError as error:
            self._silent(meter, str(error), report)
            return False
        return True

    async def _read(self, line: Line, meter: _Polled, item: _Item, report: Report) -> None:
        """Read a block, or its single registers where the meter knows no such block.

        Raises:
            NoReplyError: neither the block nor a register of it is answered.
        """
        block = item.block
        if block is not None and line.now_s() >= meter.unsupported.get(block, 0.0):
            try:
                if await self._request(line, meter, block, report):
                    meter.unsupported.pop(block, None)
                    return
                meter.unsupported[block] = line.now_s() + RETRY_UNSUPPORTED_S
            except NoReplyError:
                pass  # refused by silence, or a silent meter: a single register tells which
        for identifier in item.singles:
            if line.now_s() < meter.unsupported.get(identifier, 0.0):
                continue
            known = identifier not in meter.unsupported
            if not await self._request(line, meter, identifier, report):
                meter.unsupported[identifier] = line.now_s() + RETRY_UNSUPPORTED_S
                detail = f"the meter has no register {identifier:08X}; it is asked again every hour"
                report(_condition("register_unsupported", meter, identifier, detail, severity=Severity.INFO))
            elif not known:
                del meter.unsupported[identifier]
                report(_condition("register_unsupported", meter, identifier, "", active=False))

    async def _request(self, line: Line, meter: _Polled, identifier: int, report: Report) -> bool:
        """Read one identifier and report it; False when the meter says that it has no such data.

        Raises:
            NoReplyError: it does not answer.
        """
        assert meter.address is not None
        try:
            data = await line.read(meter.address, identifier, 1 if meter.failures else TRIES, source=meter.name)
        except NoReplyError:
            meter.strikes[identifier] = meter.strikes.get(identifier, 0) + 1
            if meter.watched and meter.strikes[identifier] >= SILENT_STRIKES:
                return False
            raise
        except RefusedError as refusal:
            self._answers(meter, identifier, report)
            if refusal.error & ErrorBit.NO_SUCH_DATA or identifier in BLOCKS:
                return False  # meters without blocks do not agree on the error that says so
            if identifier not in meter.refused:
                meter.refused.add(identifier)
                detail = f"{identifier:08X} is refused with error {refusal.error:02X} ({_words(refusal.error)})"
                report(_condition("read_refused", meter, identifier, detail))
            return True
        self._answers(meter, identifier, report)
        if identifier in meter.refused:
            meter.refused.remove(identifier)
            report(_condition("read_refused", meter, identifier, "", active=False))
        try:
            readings = decode(identifier, data, self._settings.meter_utc_offset_min)
        except FrameError as error:
            report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame, source=meter.name))
            return True
        report(Readings(line.now_us(), readings, meter.name))
        return True

    def _answers(self, meter: _Polled, identifier: int, report: Report) -> None:
        meter.failures = 0
        meter.strikes.pop(identifier, None)
        if not meter.introduced:
            meter.introduced = True
            report(DeviceInfo(serial=meter.address or "", source=meter.name))
        if not meter.watched:
            if meter.watched is False:
                report(Condition("meter_silent", active=False, source=meter.name))
            meter.watched = True
            report(Watching(source=meter.name))

    def _silent(self, meter: _Polled, detail: str, report: Report) -> None:
        meter.failures += 1
        meter.strikes.clear()
        if meter.watched is not False:
            meter.watched = False
            report(Watching(source=meter.name, active=False))
            report(Condition("meter_silent", active=True, severity=Severity.FAULT, detail=detail, source=meter.name))


def _condition(
    name: str,
    meter: _Polled,
    identifier: int,
    detail: str,
    *,
    active: bool = True,
    severity: Severity = Severity.WARNING,
) -> Condition:
    return Condition(name, active, severity, f"{identifier:08X}", detail, meter.name)


def _words(error: int) -> str:
    names = [bit.name or "" for bit in ErrorBit if error & bit]
    return ", ".join(names).lower().replace("_", " ") or "no reason given"


DRIVER: Final = DriverSpec(
    "dlt645",
    Kind.METER,
    Dlt645Settings,
    Dlt645Driver,
    "electricity meters by DL/T 645-2007, many on one RS-485 line",
    line=LineDefaults(baud=2400, parity=Parity.EVEN),
)
