"""The driver `dlt645`: electricity meters by DL/T 645, many on one RS-485 line.

One request is on the line at a time; `readers.bus` says whose turn it is.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from readers.bus import Ask, Bus, Poll, Rank
from readers.codecs.dlt645_events import KINDS
from readers.codecs.dlt645_orders import Key
from readers.control import Attempt, ControlPoint, Order, Shown
from readers.driver import DriverSpec, Kind, LineDefaults, Parity, Port, Report
from readers.errors import LinkError
from readers.metered import LineTeller, noting_silence
from readers.meters.dlt645.clock import ClockWatch
from readers.meters.dlt645.control import Relays, is_done, key_of
from readers.meters.dlt645.events import EventWatch
from readers.meters.dlt645.items import ITEMS, RANKS, Read
from readers.meters.dlt645.line import Line
from readers.meters.dlt645.meter import Kept, Meter
from readers.meters.dlt645.records import LEAST_GAP_S, BackFill
from readers.meters.dlt645.settings import SNAPSHOT, Dlt645Settings
from readers.meters.dlt645.snapshot import Snapshots, is_taken
from readers.meters.dlt645.status import StatusWatch

_NEVER_S: Final = float("inf")
_AGAIN_S: Final = 60.0
_RELAY_MOVES_S: Final = 2.0
_US_PER_S: Final = 1_000_000
_US_PER_DAY: Final = 86_400 * _US_PER_S
_EVERY_METER_HAS: Final = 0x00010000


class Dlt645Driver:
    """Polls its meters until cancelled, and gives orders to them. It is a `Controllable`."""

    def __init__(self, settings: Dlt645Settings) -> None:
        self._settings = settings
        self._kept = {meter.name: Kept() for meter in settings.meters}
        self._session: _Session | None = None

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A meter that is silent or refuses is a condition, not an error.

        Raises:
            LinkError: the line itself is gone. ConfigError: the credential for orders is missing or no good.
        """
        settings = self._settings
        key = None
        if settings.control_credential is not None:
            key = key_of(settings.control_credential, settings.control_level)
        session = self._session = _Session(settings, self._kept, key, port, report)
        try:
            await session.bus.run()
        finally:
            self._session = None

    def control_points(self) -> tuple[ControlPoint, ...]:
        """See `Controllable`."""
        return self._settings.control_points()

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        session = self._open_session()
        if point == SNAPSHOT:
            return await session.snapshots.observe(source)
        return await session.relays.observe(source, point)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`.

        Raises:
            LinkError: `run` is not running.
        """
        session = self._open_session()
        if order.point == SNAPSHOT:
            return await session.snapshots.attempt(order)
        attempt = await session.relays.attempt(order)
        session.look_at_status(order.source)
        return attempt

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """See `Controllable`."""
        return is_taken(before, after) if order.point == SNAPSHOT else is_done(order, before, after)

    def _open_session(self) -> _Session:
        if self._session is None:
            raise LinkError("the line of the meters is not open")
        return self._session


class _Session:
    """One open line with its meters."""

    def __init__(
        self, settings: Dlt645Settings, kept: dict[str, Kept], key: Key | None, port: Port, report: Report
    ) -> None:
        line_defaults = DRIVER.line
        assert line_defaults is not None
        self._settings = settings
        self._teller = LineTeller(report, len(settings.meters))
        self._now_s = port.monotonic_s
        self._line = Line(port, report, wake_up_bytes=settings.wake_up_bytes, baud=line_defaults.baud)
        self.bus = Bus(port, on_silent=self._silent, on_answer=self._answers, on_stray=self._line.stray)
        probe = _probe(settings)
        self._meters = {
            each.name: Meter(
                each, kept[each.name], self._line, report, probe=probe, utc_offset_min=settings.meter_utc_offset_min
            )
            for each in settings.meters
        }
        self._back_fills: dict[str, tuple[BackFill, Poll]] = {}
        self._status: dict[str, Poll] = {}
        for meter in self._meters.values():
            self._add_polls(meter)
        self.relays = Relays(self.bus, self._meters, key)
        self.snapshots = Snapshots(self.bus, self._meters)

    def look_at_status(self, name: str | None) -> None:
        """Read a meter's status words once its relay has had time to move."""
        if name is not None and name in self._status:
            self.bus.ask_now(self._status[name], in_s=_RELAY_MOVES_S)

    def _add_polls(self, meter: Meter) -> None:
        for what in dict.fromkeys(self._settings.read):
            if what is Read.STATUS:
                self._status[meter.name] = self._add(meter, what, StatusWatch(meter).ask)
            elif what is Read.EVENTS:
                for kind in KINDS.values():
                    self._add(meter, what, EventWatch(meter, kind).ask)
            elif what is Read.CLOCK:
                self._add_clock(meter)
            else:
                for item in ITEMS[what]:
                    self._add(meter, what, partial(meter.read, item))
        self.bus.add(
            Poll(meter.name, Rank.ENERGY, _AGAIN_S, noting_silence(meter.prove, meter.silent), _NEVER_S, is_probe=True)
        )
        if self._settings.backfill_days:
            back_fill = BackFill(meter, self._settings.read)
            ask = noting_silence(partial(self._fill, meter.name), meter.silent)
            poll = Poll(meter.name, Rank.BACKFILL, _AGAIN_S, ask, _NEVER_S)
            self._back_fills[meter.name] = back_fill, poll
            self.bus.add(poll)

    def _add(self, meter: Meter, what: Read, ask: Ask) -> Poll:
        poll = Poll(
            meter.name, RANKS[what], self._settings.period_s(what), noting_silence(ask, meter.silent), self._now_s()
        )
        self.bus.add(poll)
        return poll

    def _add_clock(self, meter: Meter) -> None:
        def again_in(seconds: float) -> None:
            poll.due_s = self._now_s() + seconds

        mates = list(self._meters.values())
        poll = self._add(meter, Read.CLOCK, ClockWatch(meter, self._settings.clock_sync, mates, again_in).ask)

    async def _fill(self, name: str) -> bool:
        back_fill, poll = self._back_fills[name]
        asked = await back_fill.ask()
        poll.due_s = _NEVER_S if back_fill.is_done else self._now_s()
        return asked

    def _answers(self, name: str) -> None:
        self._teller.heard()
        if name in self._back_fills:
            self._start_back_fill(self._meters[name])

    def _start_back_fill(self, meter: Meter) -> None:
        now_us = self._line.now_us()
        since_us = meter.silent_since_us
        if since_us is None:
            since_us = now_us - round(self._settings.backfill_days * _US_PER_DAY)
        back_fill, poll = self._back_fills[meter.name]
        if now_us - since_us >= LEAST_GAP_S * _US_PER_S or meter.kept.unfilled_since_us is not None:
            back_fill.start(since_us, now_us)
            poll.due_s = self._now_s()

    def _silent(self, name: str, reason: str) -> None:
        del name, reason  # the meter was told already
        if self.bus.all_silent:
            self._teller.silent()


def _probe(settings: Dlt645Settings) -> int:
    """The register that a meter of which nothing is known is asked for: of those to be read, where there are any."""
    singles = [single for what in settings.read for item in ITEMS.get(what, ()) for single in item.singles]
    return singles[0] if singles else _EVERY_METER_HAS


DRIVER: Final = DriverSpec(
    "dlt645",
    Kind.METER,
    Dlt645Settings,
    Dlt645Driver,
    "electricity meters by DL/T 645-2007 and 1997, many on one RS-485 line",
    line=LineDefaults(baud=2400, parity=Parity.EVEN),
)
