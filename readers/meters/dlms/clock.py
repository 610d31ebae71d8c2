"""The clock of a meter: how wrong it is. It is not set from here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from readers.codecs.dlms_data import Denied
from readers.codecs.dlms_values import meter_time
from readers.errors import FrameError
from readers.meters.dlms.association import Attribute
from readers.meters.dlms.meter import Meter
from readers.meters.dlms.settings import Deviation, DlmsSettings
from readers.obis import ObisCode
from readers.observations import Reading, Readings
from readers.quantities import Quantity

EVERY_S: Final = 86_400.0
RETRY_S: Final = 60.0
RIGHT_S: Final = 5
OFFSET_OBIS: Final = ObisCode(0, 0, 1, 0, 0)
_CLOCK: Final = Attribute(8, OFFSET_OBIS, 2)
_US: Final = 1_000_000
_HALF_S: Final = _US // 2  # a clock that shows whole seconds is half a second further on average
_HUNDREDTHS: Final = 8
_UNDEFINED: Final = (0, 0xFF)


class ClockWatch:
    """Reads the clock of one meter.

    Args:
        again_in: has the clock read again after that many seconds.
    """

    def __init__(self, meter: Meter, settings: DlmsSettings, again_in: Callable[[float], None]) -> None:
        self._meter = meter
        self._settings = settings
        self._again_in = again_in
        self._wrong = ""

    async def ask(self) -> bool:
        """Read it, and report its offset.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `Meter.get`.
        """
        meter = self._meter
        began_us = meter.now_us()
        (answer,) = await meter.get([_CLOCK])
        ended_us = meter.now_us()
        if isinstance(answer, Denied):
            return True
        given = self._settings
        is_inverted = given.deviation is Deviation.INVERTED
        try:
            told = meter_time(answer, given.meter_utc_offset_min, is_deviation_inverted=is_inverted)
        except FrameError as error:
            meter.reject(error)
            self._again_in(RETRY_S)
            return True
        if told.at_us is None or told.is_doubtful:
            self._tell("the meter itself calls its time invalid or doubtful; set its clock by the meter's own program")
            return True
        assert isinstance(answer, bytes)
        more_us = _HALF_S if answer[_HUNDREDTHS] in _UNDEFINED else 0
        offset_s = round((told.at_us + more_us - (began_us + ended_us) // 2) / _US)
        reading = Reading(Quantity.CLOCK_OFFSET, OFFSET_OBIS, Decimal(offset_s), meter_time_us=told.at_us)
        meter.report(Readings(ended_us, [reading], meter.name))
        ahead = "ahead" if offset_s > 0 else "behind"
        wrong = f"the meter's clock is {abs(offset_s)} s {ahead}; set it by the meter's own program"
        self._tell("" if abs(offset_s) <= RIGHT_S else wrong)
        return True

    def _tell(self, wrong: str) -> None:
        if bool(wrong) != bool(self._wrong):
            self._meter.condition("clock_wrong", detail=wrong, active=bool(wrong))
        self._wrong = wrong
