"""The driver `modbus_meter`: electricity meters by Modbus, many on one RS-485 line, or on TCP.

What their registers mean is data: `maps/*.toml`, or a user's own map. One request is on the line at a time;
`readers.bus` says whose turn it is.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from readers.bus import Ask, Bus, NoReplyError, Poll, Rank
from readers.codecs.modbus_map import Class
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.meters.modbus_meter.meter import Kept, Meter
from readers.meters.modbus_meter.settings import ModbusMeterSettings
from readers.modbus_device import Device
from readers.modbus_line import Line
from readers.observations import Condition, Severity

_DAY_S: Final = 86_400.0
_AGAIN_S: Final = 60.0
_NEVER_S: Final = float("inf")
_RANKS: Final = {Class.POWER: Rank.POWER, Class.ENERGY: Rank.ENERGY, Class.DEMAND: Rank.DEMAND}


class ModbusMeterDriver:
    """Polls its meters until cancelled."""

    def __init__(self, settings: ModbusMeterSettings) -> None:
        self._settings = settings
        self._kept = {meter.name: Kept() for meter in settings.meters}

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A meter that is silent or refuses is a condition, not an error.

        Raises:
            LinkError: the line itself is gone.
        """
        await _Session(self._settings, self._kept, port, report).bus.run()


class _Session:
    """One open line with its meters."""

    def __init__(self, settings: ModbusMeterSettings, kept: dict[str, Kept], port: Port, report: Report) -> None:
        line_defaults = DRIVER.line
        assert line_defaults is not None
        units = [meter.address for meter in settings.meters]
        self._settings = settings
        self._report = report
        self._is_dead = False
        self._now_s = port.monotonic_s()
        self._line = Line(port, report, framing=settings.framing, units=units, baud=line_defaults.baud)
        self.bus = Bus(port, on_silent=self._silent, on_answer=self._answers, on_stray=self._line.stray)
        for each in settings.meters:
            self._add_polls(Meter(each, settings, kept[each.name], self._line))

    def _add_polls(self, meter: Meter) -> None:
        for wanted in meter.classes():
            self._add(meter, _RANKS[wanted], self._settings.period_s(wanted), partial(meter.read, wanted))
        if meter.has_clock:
            self._add(meter, Rank.DEMAND, _DAY_S, meter.read_clock)
        ask = noted(meter.device, meter.probe)
        self.bus.add(Poll(meter.name, Rank.ENERGY, _AGAIN_S, ask, _NEVER_S, is_probe=True))

    def _add(self, meter: Meter, rank: Rank, every_s: float, ask: Ask) -> None:
        self.bus.add(Poll(meter.name, rank, every_s, noted(meter.device, ask), self._now_s))

    def _answers(self, name: str) -> None:
        del name  # the meter knows already
        if self._is_dead:
            self._is_dead = False
            self._report(Condition("line_silent", active=False, severity=Severity.FAULT))

    def _silent(self, name: str, reason: str) -> None:
        del name, reason  # the meter was told already
        if self.bus.all_silent:
            self._is_dead = True
            self._report(Condition("line_silent", active=True, severity=Severity.FAULT, detail=self._line.silence()))


def noted(device: Device, ask: Ask) -> Ask:
    """The same question, and the device is told of its silence."""

    async def ask_and_note() -> bool | None:
        try:
            return await ask()
        except NoReplyError as error:
            device.silent(str(error))
            raise

    return ask_and_note


DRIVER: Final = DriverSpec(
    "modbus_meter",
    Kind.METER,
    ModbusMeterSettings,
    ModbusMeterDriver,
    "electricity meters by Modbus RTU or TCP, with register maps as data",
    line=LineDefaults(baud=9600),
    tcp_port=502,
    models=(
        "Eastron SDM630",
        "Acrel ADL3000",
        "Acrel DTSD1352",
        "Schneider iEM3000",
        "Schneider PM5000",
        "ABB B23",
        "ABB B24",
        "any, by a map of your own",
    ),
)
