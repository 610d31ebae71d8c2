"""The clocks of the meters: how wrong they are, and setting them where the settings allow it.

A clock is set only when it is 5 s to 5 min wrong, at most once a day, and when neither the setting nor the jump can
touch midnight or a quarter of an hour, at which meters freeze registers and end demand windows. All else is for a
person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645_clock import clock_us, local_time
from readers.codecs.dlt645_orders import DATE, TIME, time_sync
from readers.errors import FrameError
from readers.meters.dlt645.meter import Meter
from readers.meters.dlt645.settings import ClockSync
from readers.obis import ObisCode
from readers.observations import Reading, Readings
from readers.quantities import Quantity

RIGHT_S: Final = 5
SETTABLE_S: Final = 300
RETRY_S: Final = 60.0
CHECK_S: Final = 10.0  # after a setting
_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _US
_QUARTER_S: Final = 900
_CLEAR_OF_QUARTER_S: Final = 60
_LAST_HOUR_S: Final = 23 * 3600 + 45 * 60
_HALF_S: Final = _US // 2  # a clock that shows whole seconds is half a second further on average
OFFSET_OBIS: Final = ObisCode(0, 0, 1, 0, 0)


class ClockWatch:
    """Reads the clock of one meter, and sets it where that is allowed.

    Args:
        mates: the meters that a broadcast sets too.
        again_in: has the clock read again after that many seconds.
    """

    def __init__(
        self, meter: Meter, sync: ClockSync, mates: Sequence[Meter], again_in: Callable[[float], None]
    ) -> None:
        self._meter = meter
        self._sync = sync
        self._mates = mates
        self._again_in = again_in
        self._told_wrong = False

    async def ask(self) -> bool:
        """Read the clock, report its offset, and see to it. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter = self._meter
        if not (meter.may_ask(DATE) and meter.may_ask(TIME)):
            return False
        offset_s = await self._offset_s()
        if offset_s is None:
            if meter.may_ask(DATE) and meter.may_ask(TIME):  # bad luck: a day is too long to wait
                self._again_in(RETRY_S)
            return True
        if abs(offset_s) <= RIGHT_S:
            if self._told_wrong:
                self._told_wrong = False
                meter.condition("clock_wrong", "", active=False)
            return True
        why_not = self._why_not_set(offset_s)
        if why_not is not None:
            self._told_wrong = True
            ahead = "ahead" if offset_s > 0 else "behind"
            meter.condition("clock_wrong", "", f"the meter's clock is {abs(offset_s)} s {ahead}; {why_not}")
        elif is_clear(meter.line.now_us(), offset_s, meter.utc_offset_min):
            await self._set()
            self._again_in(CHECK_S)
        else:
            self._again_in(RETRY_S)
        return True

    async def _offset_s(self) -> int | None:
        meter = self._meter
        date = await meter.find(DATE)
        began_us = meter.line.now_us()
        time = None if date is None else await meter.find(TIME)
        ended_us = meter.line.now_us()
        if date is None or time is None:
            return None
        if not any(time[1:]):  # the first minute of a day: the date may be that of the day before
            date = await meter.find(DATE) or date
        try:
            at_us = clock_us(date, time, meter.utc_offset_min)
        except FrameError as error:
            meter.reject(error)
            return None
        offset_s = round((at_us + _HALF_S - (began_us + ended_us) // 2) / _US)
        offset = Reading(Quantity.CLOCK_OFFSET, OFFSET_OBIS, Decimal(offset_s), meter_time_us=at_us)
        meter.report(Readings(ended_us, [offset], meter.name))
        return offset_s

    def _why_not_set(self, offset_s: int) -> str | None:
        """Why this is for a person; None when it may be set."""
        if abs(offset_s) >= SETTABLE_S:
            return f"beyond {SETTABLE_S} s it can only be set with a password, by the meter's own program"
        if self._sync is ClockSync.OFF:
            return 'set it by the meter\'s own program, or let it be set from here with clock_sync = "addressed"'
        synced_us = self._meter.kept.synced_us
        if synced_us is not None and self._meter.line.now_us() - synced_us < _DAY_US:
            return "it was set within the last day, and the meter did not take it or does not keep it"
        return None

    async def _set(self) -> None:
        meter = self._meter
        line = meter.line
        is_broadcast = self._sync is ClockSync.BROADCAST
        for mate in self._mates if is_broadcast else (meter,):
            mate.kept.synced_us = line.now_us()
        address = {} if is_broadcast else {"address": await meter.find_address()}
        sending_us = round(line.sending_s(time_sync(line.now_us(), meter.utc_offset_min)) * _US)
        heard_us = line.now_us() + sending_us
        full_us = -(-heard_us // _US) * _US  # so that the meter has heard it all at a full second
        await line.pause((full_us - heard_us) / _US)
        request = time_sync(full_us, meter.utc_offset_min, **address)
        if is_broadcast:
            await line.tell(request)
        else:
            await line.order(request, meter.name)  # some meters answer; whether it took is read back


def is_clear(now_us: int, offset_s: int, utc_offset_min: int) -> bool:
    """Whether a clock that is `offset_s` ahead can be set now without touching midnight or a quarter of an hour."""
    here = local_time(now_us, utc_offset_min)
    here_s = here.hour * 3600 + here.minute * 60 + here.second
    meter_s = here_s + offset_s
    if here_s < _QUARTER_S or here_s >= _LAST_HOUR_S or here_s // _QUARTER_S != meter_s // _QUARTER_S:
        return False
    return all(
        _CLEAR_OF_QUARTER_S <= each % _QUARTER_S <= _QUARTER_S - _CLEAR_OF_QUARTER_S for each in (here_s, meter_s)
    )
