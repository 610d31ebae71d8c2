"""The driver `iec62056`: meters that are read out by IEC 62056-21, modes A, B and C, alone or many on one line.

Each is asked to identify itself at the speed of sign-on; it says how fast it can go on, is told to, and reads itself
out. Nothing is ever written to a meter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from readers.bus import Bus, NoReplyError, Poll, Rank
from readers.codecs.iec62056 import (
    ADDRESS,
    BAUDS,
    BAUDS_B,
    Data,
    Decoder,
    Frame,
    Identification,
    Request,
    Select,
    encode,
)
from readers.codecs.iec62056_values import said
from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Port, Report, SerialPort
from readers.metered import MeterTeller
from readers.observations import DeviceInfo, Readings, Rejected

SIGN_ON_BAUD: Final = 300
BITS_PER_CHARACTER: Final = 10
REACTION_S: Final = 1.5  # the longest that a meter takes to answer, and the longest gap inside a message
LATENCY_S: Final = 0.5  # of adapters and device servers
REST_S: Final = 0.2  # between what a meter sends and what it is sent
TRIES: Final = 2
LONGEST_S: Final = 600.0  # 18 KB at 300 baud
LEAST_FILL: Final = 0.25  # of the time of the line, by a meter that sends
_READOUT_LEAST_S: Final = 10.0
_TURNS_TO_EMPTY: Final = 16
_LETTER_OF: Final = {baud: letter for letter, baud in BAUDS.items()}

FixedBaud = Literal[300, 600, 1200, 2400, 4800, 9600, 19200]


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    address: str = Field(
        default="",
        description="its device address, mostly the serial number; a meter alone under its head needs none",
    )

    @field_validator("address")
    @classmethod
    def _sendable(cls, address: str) -> str:
        if address and not ADDRESS.fullmatch(address):
            raise ValueError("must be 1 to 32 digits, letters and blanks, as the meter shows it")
        return address


class Iec62056Settings(DriverSettings):
    """Settings of driver `iec62056`."""

    meters: tuple[Meter, ...] = Field(min_length=1, max_length=64, description="the meters on this line")
    read_every_s: float = Field(
        default=900.0, ge=_READOUT_LEAST_S, le=86_400, description="how often each of them is read out"
    )
    fixed_baud: FixedBaud | None = Field(
        default=None,
        description="the speed of a line that cannot change it (tcp:// device servers, RS-485 meters of one speed); "
        "without it the line follows the meter, or stays at 300 where it cannot",
    )
    utc_offset_min: int = Field(
        default=60, ge=-720, le=840, description="the meters' clock; most keep winter time all year"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address"):
            values = [getattr(meter, what) for meter in self.meters]
            twice = sorted({value for value in values if values.count(value) > 1})
            if any(twice):
                raise ValueError(f"meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        if len(self.meters) > 1 and not all(meter.address for meter in self.meters):
            raise ValueError("meters: several on one line need an address each; without one all of them answer")
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)


class Iec62056Driver:
    """Reads its meters out until cancelled."""

    def __init__(self, settings: Iec62056Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A meter that is silent is a condition, not an error.

        Raises:
            LinkError: the line is gone.
        """
        line = _Line(port, report, self._settings.fixed_baud)
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
            ask = partial(_read_out, line, meter, tell)
            bus.add(Poll(meter.name, Rank.ENERGY, self._settings.read_every_s, ask, port.monotonic_s(), is_probe=True))
        await bus.run()


async def _read_out(line: _Line, meter: Meter, tell: Callable[[Identification, Data], None]) -> bool:
    tell(*await line.read_out(meter))
    return True


def _tell(
    port: Port,
    report: Report,
    name: str,
    teller: MeterTeller,
    utc_offset_min: int,
    identification: Identification,
    data: Data,
) -> None:
    """Report a readout."""
    teller.heard()
    found = said(data, utc_offset_min)
    who = DeviceInfo(identification.maker, identification.product, found.firmware, found.serial, source=name)
    teller.introduce(who)
    teller.spoilt(found.faults)
    error, refusal = found.error_register, found.refusal
    teller.state("meter_error", f"the meter's error register is {error}: see its manual" if error else "")
    teller.state(
        "read_refused", f"the meter answers with the error {refusal} in place of its readout" if refusal else ""
    )
    teller.unknown(found.unknown, "the meter also says {}: they have no meaning here and are not published")
    if found.readings:
        report(Readings(port.now_us(), found.readings, name))


class _Line:
    """One readout at a time, and the speed of the line."""

    def __init__(self, port: Port, report: Report, fixed_baud: int | None) -> None:
        self._port = port
        self._report = report
        self._sign_on_baud = fixed_baud or port.baud or SIGN_ON_BAUD
        self._can_switch = fixed_baud is None and port.baud is not None and isinstance(port, SerialPort)
        self._decoder = Decoder()
        self._source: str | None = None

    def stray(self, data: bytes) -> None:
        """Count what came without being asked for."""
        self._source = None
        self._frames(data)

    async def read_out(self, meter: Meter) -> tuple[Identification, Data]:
        """Sign on and read out.

        Raises:
            NoReplyError: the meter is silent, or what it sends is damaged each time. LinkError: the line is gone.
        """
        self._source = meter.name
        reason = ""
        for _ in range(TRIES):
            await self._settle()
            identification = await self._sign_on(meter)
            if identification is None:
                reason = "did not identify itself"
                continue
            data = await self._data(identification)
            if data is not None:
                return identification, data
            reason = (
                f"identified itself as {identification.maker}{identification.baud}, and its readout did not come whole"
            )
        named = f"meter {meter.address}" if meter.address else "the meter"
        raise NoReplyError(
            f"{self._port.description}: {named} was asked {TRIES} times and {reason}; check its address, the place of "
            "the optical head, and speed and parity of the line"
        )

    async def _sign_on(self, meter: Meter) -> Identification | None:
        raw = encode(Request(meter.address))
        await self._port.send(raw)
        found = await self._next(Identification, self._sign_on_baud, len(raw))
        return found if isinstance(found, Identification) else None

    async def _data(self, identification: Identification) -> Data | None:
        """The readout in the mode of the meter; the line is back at the speed of sign-on then."""
        baud, sent = self._sign_on_baud, 0
        if identification.baud in BAUDS:
            baud = BAUDS[identification.baud] if self._can_switch else self._sign_on_baud
            raw = encode(Select(_LETTER_OF.get(baud, identification.baud)))
            await self._port.pause(REST_S)
            await self._port.send(raw)
            sent = len(raw)
        elif identification.baud in BAUDS_B and self._can_switch:
            baud = BAUDS_B[identification.baud]
        try:
            if baud != self._sign_on_baud:
                await self._port.pause(sent * self._character_s(self._sign_on_baud))
                self._set_baud(baud)
                sent = 0
            found = await self._next(Data, baud, sent)
        finally:
            if baud != self._sign_on_baud:
                self._set_baud(self._sign_on_baud)
        return found if isinstance(found, Data) else None

    async def _next(self, kind: type[Frame], baud: int, sent_bytes: int) -> Frame | None:
        """The next message of that kind; None when none came, or the line fell silent inside it or a damaged one."""
        character_s = self._character_s(baud)
        quiet_s = REACTION_S + LATENCY_S
        first_s = until_s = self._port.monotonic_s() + sent_bytes * character_s + quiet_s
        last_s = first_s + LONGEST_S
        busy_until_s = 0.0
        while (left_s := min(until_s, last_s) - self._port.monotonic_s()) > 0:
            data = await self._port.receive(left_s)
            for frame in self._frames(data) if data else []:
                if isinstance(frame, kind):
                    return frame
            now_s = self._port.monotonic_s()
            # what is left of a damaged message fills the line and is waited for, but not noise now and then
            busy_until_s = min(max(busy_until_s, now_s) + len(data) * character_s / LEAST_FILL, now_s + quiet_s)
            if data:
                until_s = max(first_s, now_s + quiet_s if self._decoder.holds else busy_until_s)
        return next((frame for frame in self._frames(b"") if isinstance(frame, kind)), None)

    async def _settle(self) -> None:
        """Wait until the line rests; count and drop what came without being asked for."""
        await self._port.pause(REST_S)
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

    def _set_baud(self, baud: int) -> None:
        assert isinstance(self._port, SerialPort)
        self._port.set_baud(baud)

    @staticmethod
    def _character_s(baud: int) -> float:
        return BITS_PER_CHARACTER / baud


DRIVER: Final = DriverSpec(
    "iec62056",
    Kind.METER,
    Iec62056Settings,
    Iec62056Driver,
    "meters that are read out by IEC 62056-21 (IEC 1107), by optical head or line",
    line=LineDefaults(baud=SIGN_ON_BAUD),
    models=("Landis+Gyr ZMD, E650", "Iskra MT and ME", "EMH LZQJ", "Elster A1500", "Actaris ACE", "LEM EM4T"),
)
