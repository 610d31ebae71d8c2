"""Meters that push what they measure and are only listened to: the settings and habits that their drivers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import Field

from readers.codecs.framing import Scanner
from readers.driver import DriverSettings, Port, Report
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Condition, DeviceInfo, Reading, Readings, Rejected, Severity, Watching
from readers.quantities import Quantity

LOOK_S: Final = 1.0
SILENT_AFTER: Final = 3
"""So many telegrams are missed by a meter that is called silent."""
_JITTER_S: Final = 0.5  # a telegram that comes this much early is the one that is due
_MOST_UNKNOWN: Final = 64

MOMENTARY: Final = frozenset(
    {
        Quantity.ACTIVE_POWER,
        Quantity.ACTIVE_POWER_IMPORT,
        Quantity.ACTIVE_POWER_EXPORT,
        Quantity.REACTIVE_POWER,
        Quantity.REACTIVE_POWER_EXPORT,
        Quantity.APPARENT_POWER,
        Quantity.VOLTAGE,
        Quantity.VOLTAGE_LINE,
        Quantity.CURRENT,
        Quantity.POWER_FACTOR,
        Quantity.PHASE_ANGLE,
        Quantity.FREQUENCY,
        Quantity.THERMAL_POWER,
        Quantity.VOLUME_FLOW,
    }
)
"""What is of this moment; all else is a register, which loses nothing when it is told less often."""


class PushingSettings(DriverSettings):
    """What may be set for every meter that pushes."""

    telegram_every_s: float = Field(
        default=10.0,
        gt=0,
        le=3_600,
        description="how often the meter sends at the least; after three that did not come it counts as silent",
    )
    publish_every_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="powers, voltages and currents are told at most this often; 0: from every telegram",
    )
    energy_every_s: float = Field(
        default=60.0, ge=0, le=86_400, description="energies, volumes and other registers are told at most this often"
    )


class Thinning:
    """Lets a reading pass when its kind is due."""

    def __init__(self, settings: PushingSettings) -> None:
        self._every_s = {True: settings.publish_every_s, False: settings.energy_every_s}
        self._due_s = {True: float("-inf"), False: float("-inf")}

    def due(self, readings: Iterable[Reading], now_s: float) -> list[Reading]:
        """Those of one telegram that are told; `now_s` is of a clock that never jumps."""
        passes = {kind: now_s + _JITTER_S >= due_s for kind, due_s in self._due_s.items()}
        told = [reading for reading in readings if passes[reading.quantity in MOMENTARY]]
        for kind in {reading.quantity in MOMENTARY for reading in told}:
            every_s, due_s = self._every_s[kind], self._due_s[kind]
            is_late = now_s - due_s > every_s  # the first, or one after a silence: the rhythm begins anew
            self._due_s[kind] = (now_s if is_late else due_s) + every_s
        return told


class PushedMeter:
    """One meter, as long as a link lasts: what is told of it, and whether it is heard at all.

    Args:
        what: how people call its messages, for messages of ours: `telegram of DSMR P1`.
    """

    def __init__(self, settings: PushingSettings, port: Port, report: Report, what: str) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._what = what
        self._thinning: dict[str | None, Thinning] = {}
        self._heard_s = port.monotonic_s()
        self._bytes = 0
        self._watched: bool | None = None
        self._info: dict[str | None, DeviceInfo] = {}
        self._unknown: list[ObisCode] = []
        self._conditions: set[tuple[str, str]] = set()
        self._behind: set[str] = set()

    def received(self, data: bytes) -> None:
        """Bytes came, whatever they are."""
        self._bytes += len(data)

    def rejects(self, decoder: Scanner[Any]) -> None:
        """Tell what the decoder has thrown away."""
        for reason, count in decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=decoder.reject_sample))

    def faults(self, faults: Iterable[FrameError]) -> None:
        """Count values that are none."""
        for error in faults:
            self._report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame))

    def heard(self, info: DeviceInfo) -> None:
        """A good message came."""
        self._heard_s, self._bytes = self._port.monotonic_s(), 0
        if not self._watched:
            if self._watched is False:
                self.condition("meter_silent", is_active=False)
            self._watched = True
            self._report(Watching())
        self.introduce(info)

    def introduce(self, info: DeviceInfo) -> None:
        """Tell who it is, once and when that changes."""
        if self._info.get(info.source) != info:
            self._info[info.source] = info
            self._report(info)

    def behind(self, info: DeviceInfo, readings: Sequence[Reading]) -> None:
        """A meter behind this one, by the name in its `info`, and what it says."""
        assert info.source is not None
        self.introduce(info)
        if info.source not in self._behind:
            self._behind.add(info.source)
            self._report(Watching(source=info.source))
        self.tell(readings, info.source)

    def tell(self, readings: Sequence[Reading], source: str | None = None) -> None:
        """Report the readings that are due."""
        thinning = self._thinning.setdefault(source, Thinning(self._settings))
        told = thinning.due(readings, self._port.monotonic_s())
        if told:
            self._report(Readings(self._port.now_us(), told, source))

    def has_unknown(self, codes: Iterable[ObisCode]) -> None:
        """Tell once which values of the meter have no meaning here."""
        new = [code for code in dict.fromkeys(codes) if code not in self._unknown]
        if not new or len(self._unknown) >= _MOST_UNKNOWN:
            return
        self._unknown += new[: _MOST_UNKNOWN - len(self._unknown)]
        listed = ", ".join(str(code) for code in self._unknown)
        detail = f"the meter also sends {listed}: they have no meaning here and are not published"
        self._report(Condition("register_unknown", active=True, severity=Severity.INFO, detail=detail))

    def condition(
        self,
        name: str,
        detail: str = "",
        *,
        is_active: bool = True,
        severity: Severity = Severity.FAULT,
        key: str = "",
        source: str | None = None,
    ) -> None:
        """Tell that a condition began or ended, once."""
        if is_active != ((name, key) in self._conditions):
            (self._conditions.add if is_active else self._conditions.discard)((name, key))
            self._report(Condition(name, active=is_active, severity=severity, key=key, detail=detail, source=source))

    def look(self) -> None:
        """Notice that it is silent; to be called at least every `LOOK_S`."""
        silent_s = self._port.monotonic_s() - self._heard_s
        if self._watched is False or silent_s < SILENT_AFTER * self._settings.telegram_every_s:
            return
        self._watched = False
        self._report(Watching(active=False))
        for source in sorted(self._behind):
            self._report(Watching(source=source, active=False))
        self._behind.clear()
        where = self._port.description
        if self._bytes:
            detail = (
                f"{where}: {self._bytes} bytes came in {silent_s:.0f} s but no {self._what}: check speed and parity of "
                "the line, and what the meter is set to send"
            )
        else:
            detail = (
                f"{where}: nothing came for {silent_s:.0f} s: check the cable, that the meter's port is switched on, "
                f"and telegram_every_s = {self._settings.telegram_every_s:g}"
            )
        self.condition("meter_silent", detail)
