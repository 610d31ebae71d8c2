"""Back-fill: what a meter has recorded in its load profile of a time in which it was not read.

The profile's columns are read once, then its rows by range access on its clock, a few hours at a time, so that the line
stays free for what is read now. A column that is null in a row is left out: the standard lets it stand for "as before".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from readers.codecs.dlms_data import Denied, Value
from readers.codecs.dlms_objects import Class, Column, CosemObject, Row, columns_of, rows_of
from readers.errors import FrameError
from readers.meters.dlms.association import Attribute, Span
from readers.meters.dlms.meter import Meter, why
from readers.meters.dlms.registers import Registers
from readers.meters.dlms.settings import Deviation, DlmsSettings, obis
from readers.meters.dlms.targets import VALUE, Target, target_of
from readers.observations import Reading, Readings, Severity
from readers.quantities import Quality

WINDOW_S: Final = 6 * 3600
LEAST_GAP_S: Final = 120.0
_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BUFFER, _COLUMNS, _PERIOD = 2, 3, 4


class BackFill:
    """Reads the profile of one meter, one request each time it is asked to."""

    def __init__(self, meter: Meter, registers: Registers, settings: DlmsSettings, now_s: Callable[[], float]) -> None:
        self._meter = meter
        self._registers = registers
        self._settings = settings
        self._now_s = now_s
        self._code = obis(settings.profile)
        self._columns: list[Column] = []
        self._targets: dict[int, Target] = {}
        self._period_s = 0
        self._next_us = 0
        self._until_us = 0
        self._is_told = False

    @property
    def is_done(self) -> bool:
        """Nothing is left to be read."""
        return self._next_us >= self._until_us

    def start(self, since_us: int, until_us: int) -> None:
        """Read what lies between, and what was left of an earlier time."""
        unfilled_us = self._meter.kept.unfilled_since_us
        self._next_us = since_us if unfilled_us is None else min(since_us, unfilled_us)
        self._until_us = until_us
        self._meter.kept.unfilled_since_us = self._next_us

    async def ask(self) -> bool:
        """Read the next piece. False: nothing was asked.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `Meter.get`; what is left stays to be read.
        """
        if self.is_done:
            return False
        if not self._columns:
            await self._find()
            return True
        end_us = min(self._next_us + WINDOW_S * _US, self._until_us)
        span = Span(self._local(self._next_us), self._local(end_us))
        (answer,) = await self._meter.get([self._attribute(_BUFFER)], span)
        if isinstance(answer, Denied):
            self._give_up(f"the meter does not give a part of its profile {self._code}: {why(answer)}")
            return True
        self._report(answer, self._next_us, end_us)
        self._next_us = end_us
        self._meter.kept.unfilled_since_us = None if end_us >= self._until_us else end_us
        return True

    async def _find(self) -> None:
        columns, period = await self._meter.get([self._attribute(_COLUMNS), self._attribute(_PERIOD)])
        if isinstance(columns, Denied):
            self._give_up(f"the meter has no profile {self._code} for this client: {why(columns)}")
            return
        try:
            found = columns_of(columns)
        except FrameError as error:
            self._meter.reject(error)
            self._give_up(f"the columns of profile {self._code} make no sense")
            return
        if all(column.class_id != Class.CLOCK for column in found):
            self._give_up(f"profile {self._code} has no clock, so nobody knows when its values held")
            return
        targets = {n: target for n, column in enumerate(found) if (target := _target(column)) is not None}
        await self._registers.scale(list(targets.values()), self._now_s())
        self._targets = {n: target for n, target in targets.items() if self._registers.scaler(target) is not None}
        self._period_s = period if isinstance(period, int) and period > 0 else 0
        if self._targets:
            self._columns = found
        else:
            self._give_up(f"profile {self._code} has no column that has a meaning here")

    def _report(self, answer: Value, since_us: int, until_us: int) -> None:
        given = self._settings
        try:
            rows = list(
                rows_of(
                    answer,
                    self._columns,
                    period_s=self._period_s,
                    utc_offset_min=given.meter_utc_offset_min,
                    is_deviation_inverted=given.deviation is Deviation.INVERTED,
                )
            )
        except FrameError as error:
            self._meter.reject(error, reads_lost=1)
            return
        readings = [each for row in rows if since_us <= row.at_us <= until_us for each in self._readings(row)]
        if readings:
            self._meter.report(Readings(self._meter.now_us(), readings, self._meter.name))

    def _readings(self, row: Row) -> list[Reading]:
        found: list[Reading] = []
        given = self._settings
        for number, target in self._targets.items():
            raw = row.values[number]
            scaler = self._registers.scaler(target)
            if raw is None or scaler is None:
                continue
            plain = replace(target, class_id=Class.REGISTER)  # the row has one time for all
            answers = {plain.attributes[0]: raw}
            try:
                reading = plain.reading(answers, scaler, given.meter_utc_offset_min, given.deviation)
            except FrameError as error:
                self._meter.reject(error, reads_lost=1)
                continue
            found.append(replace(reading, quality=Quality.BACKFILLED, meter_time_us=row.at_us))
        return found

    def _give_up(self, detail: str) -> None:
        self._next_us = self._until_us
        self._meter.kept.unfilled_since_us = None
        if not self._is_told:
            self._is_told = True
            detail = f"{detail}; what happened while it was not read stays unknown"
            self._meter.condition("backfill_impossible", str(self._code), detail, severity=Severity.INFO)

    def _attribute(self, number: int) -> Attribute:
        return Attribute(Class.PROFILE_GENERIC, self._code, number)

    def _local(self, at_us: int) -> datetime:
        """A time as the meter writes it; without deviation where it counts that the other way round."""
        local = timezone(timedelta(minutes=self._settings.meter_utc_offset_min))
        at = (_EPOCH + timedelta(microseconds=at_us)).astimezone(local)
        return at.replace(tzinfo=None) if self._settings.deviation is Deviation.INVERTED else at


def _target(column: Column) -> Target | None:
    target = target_of(CosemObject(column.class_id, column.obis))
    is_value = target is not None and VALUE[Class(target.class_id)] == column.attribute
    return target if is_value and not column.index else None
