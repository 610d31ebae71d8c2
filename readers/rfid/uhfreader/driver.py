"""The driver `uhfreader`: readers of the UHFReader family, one or several on a line."""

from __future__ import annotations

from typing import Final

from readers.codecs.uhfreader import BROADCAST, Frame
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import LinkError
from readers.observations import DeviceInfo, InForce, Rejected, TagReads
from readers.rfid.uhfreader.configure import ANSWERS, REPORTS, TRIGGERED, Configurator
from readers.rfid.uhfreader.line import TRIES, Line, NoAnswerError
from readers.rfid.uhfreader.reader import Reader
from readers.rfid.uhfreader.settings import UhfReaderSettings
from readers.rfid.uhfreader.station import UhfReaderStation
from readers.rfid.uhfreader.told import Told

PROOF_EVERY_S: Final = 10.0  # a reader that reports by itself is asked for its mode when it was silent for so long
ABSENT_EVERY_S: Final = 10.0  # and one that does not answer among others, whether it is back


class UhfReaderDriver:
    """Identifies the readers of the line, sets them, and inventories until cancelled."""

    def __init__(self, settings: UhfReaderSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: nobody answers, or nobody does any more.
            DeviceRefusedError: a reader is of no known type, or does not do what the settings ask.
        """
        session = _Session(self._settings, port, report)
        await session.begin()
        while True:
            await session.turn()


class _Session:
    """One conversation with the readers of one line."""

    def __init__(self, settings: UhfReaderSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._told = Told(report)
        self._line = Line(port, report, settings.gap_s(port), self._hear)
        self._readers = [Reader(unit, settings, self._line, report, self._told) for unit in settings.line_units()]
        self._infos: dict[Reader, DeviceInfo] = {}
        self._absent_since_s: dict[Reader, float] = {}
        self._last_error: NoAnswerError | None = None
        self._listens = False
        self._spoke_s = port.monotonic_s()

    async def begin(self) -> None:
        """Find all readers and set them.

        Raises:
            LinkError: none answers.
        """
        for reader in self._readers:
            await self._greet(reader, TRIES)
        if len(self._absent_since_s) == len(self._readers):
            if self._last_error is not None and any(reader.info is not None for reader in self._readers):
                raise self._last_error
            raise LinkError(self._nobody())

    async def turn(self) -> None:
        """Let every reader inventory once, or listen to the one that reports by itself.

        Raises:
            LinkError: none answers any more.
        """
        if self._listens:
            await self._listen()
            return
        for reader in self._readers:
            since_s = self._absent_since_s.get(reader)
            if since_s is None:
                await self._turn_of(reader)
            elif self._port.monotonic_s() - since_s >= ABSENT_EVERY_S:
                await self._greet(reader, 1)
        if len(self._absent_since_s) == len(self._readers):
            raise LinkError(f"{self._port.description}: no reader answers any more; check power and wiring")

    async def _greet(self, reader: Reader, tries: int) -> None:
        try:
            await reader.identify(tries)
            configurator = Configurator(reader, self._settings, self._line, self._told)
            answers = await configurator.answers()
            self._infos[reader] = await reader.describe(answers_all=answers)
            self._say_who()
            if answers:
                await configurator.apply()
            else:
                configurator.compare()
            self._report(InForce(configurator.in_force()))
        except NoAnswerError as error:
            self._is_absent(reader, error)
            return
        if self._absent_since_s.pop(reader, None) is not None:
            self._told.ends("unit_silent", str(reader.unit.address))
        if not answers:
            self._listens = True
            detail = "the reader reports by itself; its own settings decide what it reads and how often"
            self._told.begins("active_mode", reader.key("mode"), detail)
            await self._prove(reader)

    async def _turn_of(self, reader: Reader) -> None:
        try:
            await reader.turn()
        except NoAnswerError as error:
            if len(self._readers) == 1:
                raise
            self._is_absent(reader, error)
        if reader.reports_alone:
            raise LinkError(f"{reader.where}: the reader has begun to report by itself; starting anew")

    async def _listen(self) -> None:
        """The one reader on the line reports by itself."""
        (reader,) = self._readers
        frames = await self._line.listen(PROOF_EVERY_S)
        now_s = self._port.monotonic_s()
        if any(frame.address == reader.address for frame in frames) and reader.reports_alone:
            reader.reports_alone = False
            self._spoke_s = now_s
            self._told.watch(*self._watched_of(reader))
        elif now_s - self._spoke_s >= PROOF_EVERY_S:
            await self._prove(reader)

    async def _prove(self, reader: Reader) -> None:
        """Ask whether it still reads.

        Raises:
            LinkError: it does not answer, or has stopped to report by itself.
        """
        mode = await Configurator(reader, self._settings, self._line, self._told).read_mode()
        self._spoke_s = self._port.monotonic_s()
        if mode == ANSWERS:
            raise LinkError(f"{reader.where}: the reader has stopped to report by itself; starting anew")
        if mode is None:
            await reader.identify(TRIES)  # raises when it is gone
        if mode is not None and mode >= TRIGGERED:
            self._told.begins("triggered_mode", reader.key("mode"), "it reads only while its trigger input is on")
        if mode == REPORTS:
            self._told.watch(*self._watched_of(reader))
        else:
            self._told.unwatch(*reader.unit.ports())

    def _watched_of(self, reader: Reader) -> list[int]:
        """The ports that are set here and in the reader."""
        mask = reader.info.antennas if reader.info is not None else None
        ports = []
        for antenna in reader.unit.antennas:
            if mask and antenna <= 8 and not mask & 1 << antenna - 1:  # noqa: PLR2004 - the mask has 8 bits
                detail = f"the reader's own antenna setting {mask:02X} leaves antenna {antenna} out"
                self._told.begins("setting_differs", reader.key(f"antenna {antenna}"), detail)
            elif not self._told.holds("antenna_disconnected", str(reader.port_of(antenna))):
                ports.append(reader.port_of(antenna))
        return ports

    def _is_absent(self, reader: Reader, error: NoAnswerError) -> None:
        if len(self._readers) > 1:
            self._told.begins("unit_silent", str(reader.unit.address), str(error))
        self._last_error = error
        self._told.unwatch(*reader.unit.ports())
        self._absent_since_s[reader] = self._port.monotonic_s()

    def _hear(self, frames: list[Frame]) -> None:
        reads = []
        for frame in frames:
            reader = self._reader_of(frame)
            if reader is None:
                self._report(Rejected("address", sample=frame.body))
            else:
                reads += reader.hear(frame)
        if reads:
            self._report(TagReads.of(self._port.now_us(), *reads))

    def _reader_of(self, frame: Frame) -> Reader | None:
        for reader in self._readers:
            if reader.address in (frame.address, BROADCAST):
                return reader
        return None

    def _say_who(self) -> None:
        """All of the line in one statement, because the line is one device."""
        known = list(self._infos.values())
        columns = [[getattr(info, name) for info in known] for name in ("manufacturer", "model", "firmware", "serial")]
        self._report(DeviceInfo(*(", ".join(dict.fromkeys(filter(None, column))) for column in columns)))

    def _nobody(self) -> str:
        assert DRIVER.line is not None
        heard = self._line.heard_bytes
        what = (
            f"{heard} bytes came but no answer to 'get reader information': another speed, address or protocol"
            if heard
            else "no byte came in answer to 'get reader information': check power, wiring, address and name of the line"
        )
        return f"{self._port.description}: {what}; these readers leave the factory at {DRIVER.line.baud} 8N1, address 0"


DRIVER: Final = DriverSpec(
    "uhfreader",
    Kind.RFID,
    UhfReaderSettings,
    UhfReaderDriver,
    "UHF readers of the UHFReader family (UHFReader18, 288, 86, RRU9803) on a serial line or a device server",
    line=LineDefaults(baud=57_600),
    station=UhfReaderStation,
    models=(
        "UHFReader18",
        "UHFReader288",
        "UHFReader86",
        "Chafon CF-RU5102",
        "CF-RU5106",
        "CF-RU5202",
        "CF-RU6401",
        "CF-RU6402",
        "CF-RU6403",
        "CF-MU801",
        "CF-MU804",
        "CF-MU902",
        "CF-MU903",
        "CF-MU904",
        "SID UR",
        "AsReader Box",
    ),
)
