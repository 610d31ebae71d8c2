"""The driver `dlt698`: electricity meters by DL/T 698.45, many on one RS-485 line; it reads and writes nothing.

One request is on the line at a time; `readers.bus` says whose turn it is.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from readers.bus import Ask, Bus, Poll, Rank
from readers.codecs.dlt698_data import Oad
from readers.driver import DriverSpec, Kind, LineDefaults, Parity, Port, Report
from readers.metered import LineTeller, noting_silence
from readers.meters.dlt698.items import ITEMS, RANKS, Read
from readers.meters.dlt698.line import Line
from readers.meters.dlt698.meter import Kept, Meter
from readers.meters.dlt698.records import LEAST_GAP_S, BackFill
from readers.meters.dlt698.settings import Dlt698Settings
from readers.meters.dlt698.watches import ClockWatch, EventWatch, StatusWatch

_NEVER_S: Final = float("inf")
_AGAIN_S: Final = 60.0
_US_PER_S: Final = 1_000_000
_US_PER_DAY: Final = 86_400 * _US_PER_S
_EVERY_METER_HAS: Final = Oad(0x0010)


class Dlt698Driver:
    """Polls its meters until cancelled."""

    def __init__(self, settings: Dlt698Settings) -> None:
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

    def __init__(self, settings: Dlt698Settings, kept: dict[str, Kept], port: Port, report: Report) -> None:
        line_defaults = DRIVER.line
        assert line_defaults is not None
        self._settings = settings
        self._teller = LineTeller(report, len(settings.meters))
        self._now_s = port.monotonic_s
        self._line = Line(
            port,
            report,
            client=settings.client_address,
            wake_up_bytes=settings.wake_up_bytes,
            baud=line_defaults.baud,
        )
        self.bus = Bus(port, on_silent=self._silent, on_answer=self._answers, on_stray=self._line.stray)
        self._meters = {
            each.name: Meter(
                each,
                kept[each.name],
                self._line,
                report,
                probe=_probe(settings),
                most_at_once=settings.most_at_once,
                utc_offset_min=settings.meter_utc_offset_min,
            )
            for each in settings.meters
        }
        self._back_fills: dict[str, tuple[BackFill, Poll]] = {}
        for meter in self._meters.values():
            self._add_polls(meter)

    def _add_polls(self, meter: Meter) -> None:
        settings = self._settings
        registers: dict[tuple[Rank, float], list[Oad]] = {}
        for what in dict.fromkeys(settings.read):
            if what in ITEMS:
                registers.setdefault((RANKS[what], settings.period_s(what)), []).extend(ITEMS[what])
        for (rank, every_s), oads in registers.items():
            self._add(meter, rank, every_s, partial(meter.read, tuple(oads)))
        for what, watch in ((Read.STATUS, StatusWatch), (Read.EVENTS, EventWatch), (Read.CLOCK, ClockWatch)):
            if what in settings.read:
                self._add(meter, RANKS[what], settings.period_s(what), watch(meter).ask)
        self.bus.add(
            Poll(meter.name, Rank.ENERGY, _AGAIN_S, noting_silence(meter.prove, meter.silent), _NEVER_S, is_probe=True)
        )
        if settings.backfill_days:
            back_fill = BackFill(meter, settings.read)
            ask = noting_silence(partial(self._fill, meter.name), meter.silent)
            poll = Poll(meter.name, Rank.BACKFILL, _AGAIN_S, ask, _NEVER_S)
            self._back_fills[meter.name] = back_fill, poll
            self.bus.add(poll)

    def _add(self, meter: Meter, rank: Rank, every_s: float, ask: Ask) -> None:
        self.bus.add(Poll(meter.name, rank, every_s, noting_silence(ask, meter.silent), self._now_s()))

    async def _fill(self, name: str) -> bool:
        back_fill, poll = self._back_fills[name]
        asked = await back_fill.ask()
        poll.due_s = _NEVER_S if back_fill.is_done else self._now_s()
        return asked

    def _answers(self, name: str) -> None:
        self._teller.heard()
        if name not in self._back_fills:
            return
        meter = self._meters[name]
        now_us = self._line.now_us()
        since_us = meter.silent_since_us
        if since_us is None:
            since_us = now_us - round(self._settings.backfill_days * _US_PER_DAY)
        back_fill, poll = self._back_fills[name]
        if now_us - since_us >= LEAST_GAP_S * _US_PER_S or meter.kept.unfilled_since_us is not None:
            back_fill.start(since_us, now_us)
            poll.due_s = self._now_s()

    def _silent(self, name: str, reason: str) -> None:
        del name, reason  # the meter was told already
        if self.bus.all_silent:
            self._teller.silent()


def _probe(settings: Dlt698Settings) -> Oad:
    """The object that a meter of which nothing is known is asked for: of those to be read, where there are any."""
    oads = [oad for what in settings.read for oad in ITEMS.get(what, ())]
    return oads[0] if oads else _EVERY_METER_HAS


DRIVER: Final = DriverSpec(
    "dlt698",
    Kind.METER,
    Dlt698Settings,
    Dlt698Driver,
    "electricity meters by DL/T 698.45, many on one RS-485 line; reading only",
    line=LineDefaults(baud=9600, parity=Parity.EVEN),
)
