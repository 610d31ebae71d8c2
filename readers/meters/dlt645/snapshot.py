"""The order to freeze: a meter takes a snapshot of its registers and keeps it, with its time to the minute.

It needs no password and changes nothing that is billed. The order is sent once; the time of the latest ordered snapshot
is what tells whether it was done, unless there was one in the same minute already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from readers.bus import Bus, NoReplyError, Rank
from readers.codecs.dlt645_orders import FreezeAt, freeze
from readers.codecs.dlt645_records import FreezeKind, decode_freeze_time, freeze_time_identifier
from readers.control import Action, Attempt, Fate, Order, Shown
from readers.errors import ConfigError, FrameError, LinkError
from readers.meters.dlt645.line import RefusedError
from readers.meters.dlt645.meter import IgnoredError, Meter, words

NEVER: Final = "never"
_TIME: Final = freeze_time_identifier(FreezeKind.ORDERED, 1)
_US: Final = 1_000_000


class Snapshots:
    """The snapshots of the meters of one open line."""

    def __init__(self, bus: Bus, meters: Mapping[str, Meter]) -> None:
        self._bus = bus
        self._meters = meters

    async def observe(self, source: str | None) -> Shown:
        """When the latest ordered snapshot was taken.

        Raises:
            ConfigError: there is no such meter. LinkError: it does not answer.
        """
        meter = self._meter(source)
        try:
            return await self._bus.once(Rank.CONTROL, lambda: _observe(meter))
        except NoReplyError as error:
            raise LinkError(str(error)) from error

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        try:
            meter = self._meter(order.source)
        except ConfigError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        if order.action is not Action.FREEZE:
            return Attempt(Fate.NOT_SENT, f"a meter's snapshot has no {order.action}")
        sending = _Sending(meter, order)
        try:
            return await self._bus.once(Rank.CONTROL, sending.send)
        except LinkError as error:
            return Attempt(Fate.UNKNOWN if sending.is_sent else Fate.NOT_SENT, str(error))

    def _meter(self, source: str | None) -> Meter:
        if source is None or source not in self._meters:
            raise ConfigError(f"there is no meter {source}; the meters of this line are {', '.join(self._meters)}")
        return self._meters[source]


class _Sending:
    """One order on its way."""

    def __init__(self, meter: Meter, order: Order) -> None:
        self._meter = meter
        self._order = order
        self.is_sent = False

    async def send(self) -> Attempt:
        """Send it once.

        Raises:
            LinkError: the line is gone; `is_sent` tells whether before or after.
        """
        meter = self._meter
        try:
            address = await meter.find_address()
        except NoReplyError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        if meter.line.now_us() >= self._order.expires_at_us:
            return Attempt(Fate.NOT_SENT, "the order expired before its turn on the line came")
        self.is_sent = True
        reply = await meter.line.order(freeze(FreezeAt(), address), meter.name)
        if reply is None:
            return Attempt(Fate.UNKNOWN, f"meter {address} did not answer the order; it may have taken a snapshot")
        if reply.is_error:
            codes = reply.data.hex(" ").upper()
            return Attempt(Fate.REFUSED, f"meter {address} refused with error {codes} ({words(reply.data[0])})")
        return Attempt(Fate.ACCEPTED, f"meter {address} accepted the order")


async def _observe(meter: Meter) -> Shown:
    try:
        at_us = decode_freeze_time(await meter.ask(_TIME), meter.utc_offset_min)
    except RefusedError:  # it has none yet
        at_us = None
    except IgnoredError as error:
        raise NoReplyError(f"meter {meter.name} answers, but not when asked for its snapshot ({_TIME:08X})") from error
    except FrameError as error:
        raise NoReplyError(f"meter {meter.name} answered nonsense for the time of its snapshot: {error}") from error
    text = NEVER if at_us is None else datetime.fromtimestamp(at_us / _US, UTC).strftime("%Y-%m-%dT%H:%MZ")
    return Shown(meter.line.now_us(), {"frozen_at": text})


def is_taken(before: Shown, after: Shown) -> bool | None:
    """Whether there is a new snapshot; one in the same minute as the one before cannot be told from it."""
    found = after.values.get("frozen_at")
    return True if found not in (None, NEVER, before.values.get("frozen_at")) else None
