"""Settings of one reader: what differs is set, and read back. What does not is left alone, for it goes to flash."""

from __future__ import annotations

from typing import Final

from readers.codecs.uhfreader import Command, Status
from readers.codecs.uhfreader_info import BANDS, ReaderInfo, Region, band_bytes
from readers.errors import DeviceRefusedError
from readers.observations import Severity
from readers.rfid.uhfreader.line import Line, NoAnswerError
from readers.rfid.uhfreader.reader import SCAN_STEP_S, Reader
from readers.rfid.uhfreader.settings import PROFILES, Mode, Model, UhfReaderSettings
from readers.rfid.uhfreader.told import Told

ANSWERS: Final = 0
REPORTS: Final = 1
TRIGGERED: Final = 2
_VOLATILE: Final = 0x80
_MODE_BITS: Final = 0b11
_WORK_MODE_AT: Final = 4
_WORK_MODE_BYTES: Final = 6
UNASKED_WITHIN_S: Final = 0.5


class Configurator:
    """Sets one identified reader."""

    def __init__(self, reader: Reader, settings: UhfReaderSettings, line: Line, told: Told) -> None:
        self._reader = reader
        self._settings = settings
        self._line = line
        self._told = told

    async def apply(self) -> None:
        """Region, power and scan time.

        Raises:
            DeviceRefusedError: it does not take the region, so that reading might break the law.
        """
        info = self._info()
        if self._settings.region is not None:
            await self._set_region(self._settings.region, info)
        power_dbm = self._settings.tx_power_dbm
        if power_dbm is not None and power_dbm != info.power_dbm:
            flag = _VOLATILE if PROFILES[self._reader.model].keeps_power else 0
            status = await self._set(Command.SET_POWER, bytes([power_dbm | flag]))
            found = self._info().power_dbm
            if found != power_dbm:
                self._differs("tx_power_dbm", f"{power_dbm} dBm asked, {found} dBm in force", status)
        wanted_ds = round(self._settings.scan_time_s / SCAN_STEP_S)
        if not PROFILES[self._reader.model].takes_parameters and wanted_ds != info.scan_ds:
            status = await self._set(Command.SET_SCAN_TIME, bytes([wanted_ds]))
            found = self._info().scan_ds
            if found != wanted_ds:
                self._differs("scan_time_s", f"{wanted_ds} tenths of a second asked, {found} in force", status)

    def compare(self) -> None:
        """Say what differs in a reader that takes no settings because it reports by itself.

        Raises:
            DeviceRefusedError: it reads in another region than it shall.
        """
        info = self._info()
        if self._settings.region is not None:
            self._require_region(self._settings.region, info, "")
        if self._settings.tx_power_dbm not in (None, info.power_dbm):
            detail = f"{self._settings.tx_power_dbm} dBm asked, {info.power_dbm} dBm in force"
            self._differs("tx_power_dbm", detail, Status.DONE)

    def in_force(self) -> dict[str, str]:
        """What the reader said last of its region and power."""
        info = self._info()
        region = str(info.region) if info.region is not None else f"band {info.band:04b}"
        band = BANDS.get(info.region) if info.region is not None else None
        if band is None or (info.lowest, info.highest) != (0, band.last):
            region += f", points {info.lowest} to {info.highest}"
        values = {self._reader.key("region"): region}
        if info.power_dbm is not None:
            values[self._reader.key("tx_power_dbm")] = str(info.power_dbm)
        return values

    async def answers(self) -> bool:
        """Whether the reader waits to be asked; one that reports by itself is told not to, unless it shall.

        Raises:
            DeviceRefusedError: it does the other thing than the settings say, and cannot be changed.
        """
        wanted = self._settings.mode
        mode = await self.read_mode()
        if wanted is Mode.ACTIVE and self._reader.model is Model.RR18:
            raise DeviceRefusedError(
                f"{self._reader.where}: settings.mode = active, but no document says in what form a reader of model "
                f"{Model.RR18} reports by itself; leave mode out"
            )
        if wanted is Mode.ACTIVE:
            if mode == ANSWERS and await self._switch(REPORTS) == ANSWERS:
                raise DeviceRefusedError(
                    f"{self._reader.where}: settings.mode = active, but the reader stays in answer mode; leave mode out"
                )
            return False
        if mode is None and not self._reader.reports_alone:
            await self._line.listen(UNASKED_WITHIN_S)
        if mode == ANSWERS or (mode is None and not self._reader.reports_alone):
            return True
        if await self._switch(ANSWERS) == ANSWERS:
            await self._line.quiet()
            self._reader.reports_alone = False
            detail = "the reader reported by itself and was set to answer mode, which it keeps without power"
            self._told.begins("mode_changed", self._reader.key("mode"), detail, Severity.INFO)
            return True
        if wanted is Mode.ANSWER or len(self._settings.line_units()) > 1:
            raise DeviceRefusedError(
                f"{self._reader.where}: the reader reports by itself and does not take answer mode; set it with its "
                "maker's program, or give it a line of its own and settings.mode = active"
            )
        return False

    async def read_mode(self) -> int | None:
        """0 answers, 1 reports, 2 and 3 report while triggered; None where it does not say."""
        if self._reader.model is Model.RR18:
            data = await self._work_mode()
            return data[_WORK_MODE_AT] & _MODE_BITS if data is not None else None
        try:
            answer = await self._line.ask(self._reader.address, Command.GET_READ_MODE)
        except NoAnswerError:
            return None
        return answer.data[0] if answer.status == Status.DONE and answer.data else None

    async def _work_mode(self) -> bytes | None:
        """All that UHFReader18 tells with its mode."""
        try:
            answer = await self._line.ask(self._reader.address, Command.GET_WORK_MODE)
        except NoAnswerError:
            return None
        is_whole = len(answer.data) >= _WORK_MODE_AT + _WORK_MODE_BYTES
        return answer.data if answer.status == Status.DONE and is_whole else None

    async def _switch(self, mode: int) -> int | None:
        """Set the mode; what is in force then."""
        parameters, command = bytes([mode]), Command.SET_READ_MODE
        if self._reader.model is Model.RR18:
            data = await self._work_mode()
            if data is None:
                return None
            command = Command.SET_WORK_MODE
            kept = data[_WORK_MODE_AT : _WORK_MODE_AT + _WORK_MODE_BYTES]
            parameters = bytes([kept[0] & ~_MODE_BITS | mode]) + kept[1:]
        try:
            await self._line.ask(self._reader.address, command, parameters)
        except NoAnswerError:
            return None
        return await self.read_mode()

    async def _set_region(self, region: Region, info: ReaderInfo) -> None:
        band = BANDS[region]
        if (info.band, info.lowest, info.highest) != (band.code, 0, band.last):
            status = await self._set(Command.SET_BAND, band_bytes(band.code, 0, band.last))
            self._require_region(region, self._info(), f", status {status:02X}")

    def _require_region(self, region: Region, info: ReaderInfo, said: str) -> None:
        band = BANDS[region]
        if (info.band, info.lowest, info.highest) != (band.code, 0, band.last):
            raise DeviceRefusedError(
                f"{self._reader.where}: settings.region = {region} was asked (points 0 to {band.last}{said}); the "
                f"reader keeps {info.region or f'band {info.band:04b}'}, points {info.lowest} to {info.highest}; "
                "choose the region that its antenna and licence are for, or leave the key out"
            )

    async def _set(self, command: Command, parameters: bytes) -> int:
        """The status of the answer; the information is read anew."""
        answer = await self._line.ask(self._reader.address, command, parameters)
        info = await self._line.ask(self._reader.address, Command.INFO)
        self._reader.info = ReaderInfo.parse(info.data)
        return answer.status

    def _info(self) -> ReaderInfo:
        assert self._reader.info is not None
        return self._reader.info

    def _differs(self, setting: str, detail: str, status: int) -> None:
        said = "" if status == Status.DONE else f"; the reader answered status {status:02X}"
        self._told.begins("setting_differs", self._reader.key(setting), detail + said)
