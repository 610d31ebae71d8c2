"""The driver `mbus`: heat, water, gas and electricity meters on one wired M-Bus line.

A meter is addressed by its primary address, or selected by its number first. Only what it has to say is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from readers.bus import Bus, NoReplyError, Poll, Rank
from readers.codecs.mbus import TOGGLE, Address, Control, Decoder, Done, Frame, Kind, Long, Short, encode
from readers.codecs.mbus_records import HEADER_BYTES, Header, Record, read_header, read_records
from readers.codecs.mbus_values import DEVICE_TYPES, said
from readers.driver import DriverSettings, DriverSpec, LineDefaults, Parity, Port, Report
from readers.driver import Kind as DeviceKind
from readers.errors import FrameError
from readers.metered import MeterTeller
from readers.observations import DeviceInfo, Readings, Rejected

BITS_PER_CHARACTER: Final = 11
REPLY_BITS: Final = 330  # the longest that a meter takes, and 50 ms (EN 13757-2, 5.5.1)
REPLY_S: Final = 0.05
LATENCY_S: Final = 0.5  # of adapters and device servers
GAP_S: Final = 0.5
REST_BITS: Final = 33
TRIES: Final = 3  # as EN 13757-2 asks for
MOST_FRAMES: Final = 16
_FRAME_BYTES: Final = 261
_TURNS_TO_EMPTY: Final = 16
_NUMBER_DIGITS: Final = 8
_LEAST_READ_S: Final = 10.0


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    address: int | None = Field(default=None, ge=0, le=250, description="its primary address")
    number: str | None = Field(
        default=None, description="its number of 8 digits, in quotes: it is selected by that; F stands for any digit"
    )

    @field_validator("number")
    @classmethod
    def _whole(cls, number: str | None) -> str | None:
        if number is None:
            return None
        digits = number.upper()
        if len(digits) != _NUMBER_DIGITS or set(digits) - set("0123456789F"):
            raise ValueError("must be the 8 digits printed on the meter, in quotes; F stands for any digit")
        return digits

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.address is not None and self.number is not None:
            raise ValueError("has an address and a number; give one: it is addressed by either")
        return self


class MbusSettings(DriverSettings):
    """Settings of driver `mbus`."""

    meters: tuple[Meter, ...] = Field(min_length=1, max_length=250, description="the meters on this line")
    read_every_s: float = Field(
        default=900.0,
        ge=_LEAST_READ_S,
        le=86_400,
        description="how often each of them is read; each answer costs a meter on a battery some of it",
    )
    utc_offset_min: int = Field(default=60, ge=-720, le=840, description="the meters' clock, without summer time")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address", "number"):
            values = [str(value) for meter in self.meters if (value := getattr(meter, what)) is not None]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        if len(self.meters) > 1 and any(meter.address is None and meter.number is None for meter in self.meters):
            raise ValueError("meters: several on one line need an address or a number each")
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)


class MbusDriver:
    """Reads its meters until cancelled."""

    def __init__(self, settings: MbusSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A meter that is silent is a condition, not an error.

        Raises:
            LinkError: the line is gone.
        """
        line = _Line(port, report)
        tellers = {meter.name: MeterTeller(meter.name, report) for meter in self._settings.meters}

        def answered(name: str) -> None:
            tellers[name].heard()

        bus = Bus(
            port,
            on_silent=lambda name, reason: tellers[name].silent(reason),
            on_answer=answered,
            on_stray=line.stray,
        )
        for meter in self._settings.meters:
            tell = partial(_tell, port, report, meter.name, tellers[meter.name], self._settings.utc_offset_min)
            ask = partial(_read, line, meter, tell)
            bus.add(Poll(meter.name, Rank.ENERGY, self._settings.read_every_s, ask, port.monotonic_s(), is_probe=True))
        await bus.run()


async def _read(line: _Line, meter: Meter, tell: Callable[[_Answer], None]) -> bool:
    tell(await line.read(meter))
    return True


def _tell(port: Port, report: Report, name: str, teller: MeterTeller, utc_offset_min: int, answer: _Answer) -> None:
    """Report an answer."""
    teller.heard()
    teller.state("read_refused", answer.refusal)
    header = answer.header
    if header is None:
        return
    kind = DEVICE_TYPES.get(header.device_type, f"type {header.device_type:02X}")
    teller.introduce(DeviceInfo(header.maker, kind, str(header.version), header.number, source=name))
    found = said(header, answer.records, utc_offset_min)
    teller.spoilt(found.faults)
    teller.state("meter_error", f"the meter's status says: {found.trouble}" if found.trouble else "")
    teller.unknown(found.unknown, "the meter also says VIF {}: no meaning here, and not published")
    if found.readings:
        report(Readings(port.now_us(), found.readings, name))


class _Answer:
    """What a meter has said, in one frame or several.

    Attributes:
        refusal: why there is nothing to be read in it.
    """

    def __init__(self) -> None:
        self.header: Header | None = None
        self.records: list[Record] = []
        self.refusal = ""

    def take(self, frame: Long) -> bool:
        """Add a frame; whether more come.

        Raises:
            FrameError: it is no data of a meter.
        """
        if frame.kind == Kind.ERROR:
            self.refusal = (
                f"the meter answers with the application error {frame.data.hex().upper() or 'without a code'}"
            )
            return False
        if frame.kind != Kind.VARIABLE:
            self.refusal = f"the meter sends data of the form {frame.kind:02X}; 72 (variable, low byte first) is read"
            return False
        header = read_header(frame.data)
        if self.header is not None and header.number != self.header.number:
            raise FrameError("foreign_meter", f"{header.number} goes on where {self.header.number} was", frame.data)
        self.header = header
        records, more = read_records(frame.data[HEADER_BYTES:])
        self.records += records
        return more


class _Line:
    """One request at a time."""

    def __init__(self, port: Port, report: Report) -> None:
        line_defaults = DRIVER.line
        assert line_defaults is not None
        self._port = port
        self._report = report
        self._bit_s = 1 / (port.baud or line_defaults.baud)
        self._decoder = Decoder()
        self._source: str | None = None
        self._rests_until_s = 0.0

    def stray(self, data: bytes) -> None:
        """Count what came without being asked for."""
        self._source = None
        self._frames(data)

    async def read(self, meter: Meter) -> _Answer:
        """All that a meter has to say.

        Raises:
            NoReplyError: it is silent, or cannot be understood. LinkError: the line is gone.
        """
        self._source = meter.name
        address = meter.address
        if meter.number is not None:
            address = Address.SELECTED
            await self._select(meter.number)
        elif address is None:
            address = Address.ANYBODY
            await self._ask(Short(Control.RESET, address), _is_done, "a reset", tries=1, needed=False)
        else:
            await self._ask(Short(Control.RESET, address), _is_done, f"a reset of address {address}", needed=False)
        answer = _Answer()
        toggle = TOGGLE
        for _ in range(MOST_FRAMES):
            request = Short(Control.REQUEST | toggle, address)
            frame = await self._ask(request, partial(_is_reply, meter, address), _named(meter))
            assert isinstance(frame, Long)
            try:
                if not answer.take(frame):
                    break
            except FrameError as error:
                self._report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame, source=meter.name))
                break
            toggle ^= TOGGLE  # the next frame, not this one again
        if meter.number is not None:
            await self._tell(Short(Control.RESET, Address.SELECTED))  # it is selected no more
        return answer

    async def _select(self, number: str) -> None:
        await self._tell(Short(Control.RESET, Address.SELECTED))
        data = bytes.fromhex(number)[::-1] + b"\xff" * 4
        await self._ask(Long(Control.SEND, Address.SELECTED, Kind.SELECT, data), _is_done, f"meter {number}")

    async def _ask(
        self,
        request: Frame,
        is_answer: Callable[[Frame], bool | None],
        what: str,
        *,
        tries: int = TRIES,
        needed: bool = True,
    ) -> Frame | None:
        for _ in range(tries):
            await self._settle()
            raw = encode(request)
            await self._port.send(raw)
            sent_s = self._port.monotonic_s() + len(raw) * BITS_PER_CHARACTER * self._bit_s
            frame = await self._next(is_answer, sent_s)
            if frame is not None:
                return frame
            if not needed:
                return None
        raise NoReplyError(
            f"{self._port.description}: {what} was asked {tries} times and did not answer; check address or number, "
            "the wiring, the level converter, and speed and parity of the line"
        )

    async def _tell(self, frame: Frame) -> None:
        """Send what may be answered or not."""
        await self._ask(frame, _is_done, "", tries=1, needed=False)

    async def _next(self, is_answer: Callable[[Frame], bool | None], sent_s: float) -> Frame | None:
        first_by_s = sent_s + REPLY_BITS * self._bit_s + REPLY_S + LATENCY_S
        last_by_s = first_by_s + _FRAME_BYTES * BITS_PER_CHARACTER * self._bit_s + GAP_S
        until_s = first_by_s
        self._rests_until_s = sent_s
        while (left_s := min(until_s, last_by_s) - self._port.monotonic_s()) > 0:
            data = await self._port.receive(left_s)
            for frame in self._frames(data):
                if self._fits(frame, is_answer):
                    self._rests_until_s = self._port.monotonic_s() + REST_BITS * self._bit_s
                    return frame
            if self._decoder.holds:  # an answer is on its way
                until_s = max(first_by_s, self._port.monotonic_s() + GAP_S)
        return next((frame for frame in self._frames(b"") if self._fits(frame, is_answer)), None)

    def _fits(self, frame: Frame, is_answer: Callable[[Frame], bool | None]) -> bool:
        fits = is_answer(frame)
        if fits is None:
            self._report(Rejected("foreign_address", source=self._source))
        return bool(fits)

    async def _settle(self) -> None:
        """Wait until the line rests; count and drop what came without being asked for."""
        rest_s = self._rests_until_s - self._port.monotonic_s()
        if rest_s > 0:
            await self._port.pause(rest_s)
        for _ in range(_TURNS_TO_EMPTY):
            data = await self._port.receive(0)
            if not data:
                break
            self._frames(data)
        self._frames(b"")

    def _frames(self, data: bytes) -> list[Frame]:
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample, source=self._source))
        return frames


def _is_done(frame: Frame) -> bool:
    return isinstance(frame, Done)


def _is_reply(meter: Meter, address: int, frame: Frame) -> bool | None:
    """Whether this is the reply; None for that of another meter."""
    if not isinstance(frame, Long) or not frame.is_reply:
        return False  # an echo of our own, or a late single character
    if address < Address.SELECTED and frame.address != address:
        return None
    if meter.number is not None and frame.kind == Kind.VARIABLE and len(frame.data) >= HEADER_BYTES:
        found = read_header(frame.data).number
        if any(wanted not in ("F", digit) for wanted, digit in zip(meter.number, found, strict=True)):
            return None
    return True


def _named(meter: Meter) -> str:
    if meter.number is not None:
        return f"meter {meter.number}"
    return "the meter" if meter.address is None else f"address {meter.address}"


DRIVER: Final = DriverSpec(
    "mbus",
    DeviceKind.METER,
    MbusSettings,
    MbusDriver,
    "heat, water, gas and electricity meters on one wired M-Bus line",
    line=LineDefaults(baud=2_400, parity=Parity.EVEN),
    models=(
        "Kamstrup Multical",
        "Sensus PolluStat",
        "Itron Cyble",
        "Engelmann WaterStar",
        "EMU Professional",
        "ABB B23",
    ),
)
