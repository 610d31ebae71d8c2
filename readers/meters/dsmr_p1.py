"""The driver `dsmr_p1`: smart meters with a P1 port (DSMR 2 to 5, e-MUCS), and the meters of other media behind them.

The meter sends by itself, every second or every ten; nothing is ever sent to it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from readers.codecs.dsmr_p1 import ENCRYPTED_BYTES, Decoder, Telegram, is_encrypted
from readers.codecs.dsmr_p1_values import CHANNELS, Said, said
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import FrameError
from readers.observations import DeviceInfo, Reading, Severity
from readers.pushing import LOOK_S, PushedMeter, PushingSettings
from readers.quantities import Quantity

GAP_S: Final = 2.0  # longer than any pause in a telegram, behind any network
_ENCRYPTED: Final = (
    "what comes is encrypted (as in Luxembourg and Austria), which is not supported: use the meter's open port where "
    "it has one, or a reading head that decrypts with the key of your grid operator"
)


class SubMeter(BaseModel):
    """One meter behind the smart meter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    channel: int = Field(
        ge=CHANNELS[0], le=CHANNELS[-1], description="its M-Bus channel: the n of 0-n:24.1.0 in the telegram"
    )


class DsmrP1Settings(PushingSettings):
    """Settings of driver `dsmr_p1`."""

    utc_offset_min: int = Field(
        default=60,
        ge=-720,
        le=840,
        description="the meter's winter time; its telegrams say when it is summer time; Netherlands and Belgium: 60",
    )
    sub_meters: tuple[SubMeter, ...] = Field(
        default=(),
        max_length=len(CHANNELS),
        description="names for the gas, water and heat meters behind it; without, they are told under its own name",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "channel"):
            values = [getattr(each, what) for each in self.sub_meters]
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"sub_meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters behind it that have a name."""
        return tuple(each.name for each in self.sub_meters)


class DsmrP1Driver:
    """Listens until cancelled."""

    def __init__(self, settings: DsmrP1Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled. A meter that is silent is a condition, not an error.

        Raises:
            LinkError: the line is gone.
        """
        listener = _Listener(self._settings, port, report)
        while True:
            await listener.listen()


class _Listener:
    """One link to one meter."""

    def __init__(self, settings: DsmrP1Settings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._decoder = Decoder()
        self._meter = PushedMeter(settings, port, report, "telegram of DSMR P1")
        self._names = {each.channel: each.name for each in settings.sub_meters}
        self._quiet_since_s = port.monotonic_s()
        self._tail = b""

    async def listen(self) -> None:
        """Take what comes next."""
        data = await self._port.receive(LOOK_S)
        now_s = self._port.monotonic_s()
        telegrams: list[Telegram] = []
        if data:
            self._quiet_since_s = now_s
            self._meter.received(data)
            if is_encrypted(self._tail + data):
                self._meter.condition("telegram_encrypted", _ENCRYPTED)
            self._tail = (self._tail + data)[1 - ENCRYPTED_BYTES :]
            telegrams = self._decoder.feed(data)
        elif now_s - self._quiet_since_s >= GAP_S:
            telegrams = self._decoder.gap()
        self._meter.rejects(self._decoder)
        for telegram in telegrams:
            self._take(telegram)
        self._meter.look()

    def _take(self, telegram: Telegram) -> None:
        found = said(telegram, self._settings.utc_offset_min)
        maker, model = telegram.maker_and_model
        firmware = f"P1 version {found.version}" if found.version else ""
        self._meter.heard(DeviceInfo(maker, model, firmware, found.serial))
        self._meter.condition("telegram_encrypted", is_active=False)
        self._meter.faults(found.faults)
        self._meter.faults(FrameError("line", f"{line!r}", line.encode()) for line in telegram.odd_lines)
        self._meter.has_unknown(found.unknown)
        self._meter.tell(found.readings + self._unnamed(found))
        for channel, readings in found.sub_readings.items():
            if channel in self._names:
                info = DeviceInfo(serial=found.sub_serials.get(channel, ""), source=self._names[channel])
                self._meter.behind(info, readings)

    def _unnamed(self, found: Said) -> list[Reading]:
        """Readings of meters without a name, told as the smart meter's; of two alike, the one on the lower channel."""
        own = Counter(
            reading.quantity for reading in found.readings if reading.phase is None and reading.tariff is None
        )
        taken: set[Quantity] = set(own)
        told: list[Reading] = []
        for channel in sorted(found.sub_readings.keys() - self._names.keys()):
            readings = found.sub_readings[channel]
            clash = next((reading.quantity.value for reading in readings if reading.quantity in taken), "")
            self._meter.condition(
                "sub_meter_unnamed",
                f"the meter on channel {channel} says {clash}, as another one does, and is not told: "
                f'give it a name with sub_meters = [{{ name = "...", channel = {channel} }}]',
                is_active=bool(clash),
                severity=Severity.WARNING,
                key=str(channel),
            )
            if not clash:
                told += readings
                taken |= {reading.quantity for reading in readings}
        return told


DRIVER: Final = DriverSpec(
    "dsmr_p1",
    Kind.METER,
    DsmrP1Settings,
    DsmrP1Driver,
    "smart meters with a P1 port (DSMR 2 to 5, e-MUCS), with the gas, water and heat meters behind them",
    line=LineDefaults(baud=115_200),
    models=("Landis+Gyr E350", "Iskra AM550", "Kaifa MA105", "Sagemcom T210-D", "Kamstrup 162"),
)
