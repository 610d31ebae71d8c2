"""The registers of one meter: found once, with their scalers, and read by rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readers.bus import Rank
from readers.codecs.dlms_data import Denied, Result
from readers.codecs.dlms_objects import objects_of
from readers.codecs.dlms_values import ScalerUnit
from readers.errors import FrameError
from readers.meters.dlms.association import Attribute
from readers.meters.dlms.meter import AT_ONCE, Meter, why
from readers.meters.dlms.settings import DlmsSettings, obis
from readers.meters.dlms.targets import COUNTED, Target, found, strange, tries
from readers.obis import ObisCode
from readers.observations import Reading, Readings, Severity

RETRY_DENIED_S: Final = 3600.0
_OBJECT_LIST: Final = Attribute(15, ObisCode(0, 0, 40, 0, 0), 2)


class Registers:
    """What is read of one meter while a port lasts."""

    def __init__(self, meter: Meter, settings: DlmsSettings) -> None:
        self._meter = meter
        self._settings = settings
        self._targets: list[Target] | None = None
        self._scalers: dict[Target, ScalerUnit] = {}
        self._denied: dict[ObisCode, float] = {}
        self._strange: set[ObisCode] = set()

    async def read(self, rank: Rank, now_s: float) -> bool:
        """Read and report all of a rank. False: nothing was asked.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `Meter.get`; what came before was reported.
        """
        asked = self._targets is None
        await self._meter.introduce()
        targets = [target for target in await self._find() if target.rank is rank and self._may_ask(target, now_s)]
        asked |= await self.scale(targets, now_s)
        targets = [target for target in targets if target in self._scalers]
        while targets:
            size = max(1, AT_ONCE // max(len(target.attributes) for target in targets[:AT_ONCE]))
            await self._read(targets[:size], now_s)
            del targets[:size]
            asked = True
        return asked

    async def scale(self, targets: Sequence[Target], now_s: float) -> bool:
        """Know scaler and unit of these, where the meter tells them. False: nothing was asked.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `Meter.get`.
        """
        self._scalers |= {target: COUNTED for target in targets if target.scaler is None}
        asked = {target: scaler for target in targets if target not in self._scalers and (scaler := target.scaler)}
        for target, answer in zip(asked, await self._meter.get(list(asked.values())), strict=True):
            if isinstance(answer, Denied):
                self._deny(target, answer, now_s)
                continue
            try:
                self._scalers[target] = ScalerUnit.of(answer)
            except FrameError as error:
                self._tell_strange(target, error)
        return bool(asked)

    def scaler(self, target: Target) -> ScalerUnit | None:
        """Scaler and unit, once `scale` has found them."""
        return self._scalers.get(target)

    async def _find(self) -> list[Target]:
        if self._targets is not None:
            return self._targets
        codes = [obis(code) for code in self._settings.read]
        if codes:
            self._targets = [target for code in dict.fromkeys(codes) if (target := await self._identify(code))]
            return self._targets
        (answer,) = await self._meter.get([_OBJECT_LIST])
        if isinstance(answer, Denied):
            detail = f"the meter does not tell which objects it has: {why(answer)}; say in `read` what is to be read"
            self._meter.condition("objects_unknown", detail=detail, severity=Severity.FAULT)
            self._targets = []
            return self._targets
        try:
            self._targets = found(objects_of(answer))
        except FrameError as error:
            self._meter.reject(error)
            self._targets = []
        if not self._targets:
            detail = "among the meter's objects is none that has a meaning here; say in `read` what is to be read"
            self._meter.condition("objects_unknown", detail=detail, severity=Severity.FAULT)
        return self._targets

    async def _identify(self, code: ObisCode) -> Target | None:
        """Of which class the object of this code is, told by which scaler or value it gives."""
        answer: Result = None
        for target in tries(code):
            wanted = target.scaler or target.attributes[0]
            (answer,) = await self._meter.get([wanted])
            if isinstance(answer, Denied):
                continue
            if target.scaler is None:
                return target
            try:
                self._scalers[target] = ScalerUnit.of(answer)
            except FrameError:
                continue
            return target
        reason = why(answer) if isinstance(answer, Denied) else "it is of no known class"
        self._tell_denied(code, f"the meter has no register {code} for this client: {reason}")
        return None

    async def _read(self, targets: Sequence[Target], now_s: float) -> None:
        attributes = [attribute for target in targets for attribute in target.attributes]
        answers = dict(zip(attributes, await self._meter.get(attributes), strict=True))
        readings: list[Reading] = []
        for target in targets:
            answer = answers[target.attributes[0]]
            if isinstance(answer, Denied):
                self._deny(target, answer, now_s)
                continue
            given = self._settings
            try:
                reading = target.reading(answers, self._scalers[target], given.meter_utc_offset_min, given.deviation)
            except FrameError as error:
                self._tell_strange(target, error)
                continue
            readings.append(reading)
            self._has(target)
        if readings:
            self._meter.report(Readings(self._meter.now_us(), readings, self._meter.name))

    def _may_ask(self, target: Target, now_s: float) -> bool:
        return now_s >= self._denied.get(target.obis, 0.0)

    def _deny(self, target: Target, answer: Denied, now_s: float) -> None:
        was_known = target.obis in self._denied
        self._denied[target.obis] = now_s + RETRY_DENIED_S
        if not was_known:
            detail = f"the meter does not give {target.obis}: {why(answer)}; it is asked again every hour"
            self._tell_denied(target.obis, detail)

    def _tell_denied(self, code: ObisCode, detail: str) -> None:
        self._meter.condition("register_unsupported", str(code), detail, severity=Severity.INFO)

    def _tell_strange(self, target: Target, error: FrameError) -> None:
        self._meter.reject(strange(target, error), reads_lost=1)
        if target.obis not in self._strange:
            self._strange.add(target.obis)
            self._meter.condition("register_strange", str(target.obis), strange(target, error).detail)

    def _has(self, target: Target) -> None:
        if self._denied.pop(target.obis, None) is not None:
            self._meter.condition("register_unsupported", str(target.obis), active=False, severity=Severity.INFO)
        if target.obis in self._strange:
            self._strange.remove(target.obis)
            self._meter.condition("register_strange", str(target.obis), active=False)
