"""One reader on the line: who it is, its settings, and its inventories."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Final

from readers.codecs.uhfreader import (
    TAG_STATUSES,
    AntennaState,
    Command,
    Form,
    Frame,
    Heartbeat,
    Inventory,
    Status,
    Tag,
    parse_report,
    parse_tags,
)
from readers.codecs.uhfreader_info import TYPES, ReaderInfo
from readers.driver import Report
from readers.errors import DeviceRefusedError, FrameError
from readers.observations import DeviceInfo, Rejected, TagRead
from readers.rfid.uhfreader.line import ANSWER_WITHIN_S, Line, NoAnswerError, answers
from readers.rfid.uhfreader.settings import (
    MODEL_OF_TYPE,
    ONLY_WITH_PARAMETERS,
    PROFILES,
    SESSION_CODES,
    Model,
    UhfReaderSettings,
)
from readers.rfid.uhfreader.told import Told
from readers.units import Unit

SCAN_STEP_S: Final = 0.1
LATE_S: Final = 0.075  # "the actual responding time may be up to 75 ms larger"
STATISTICS_WITHIN_S: Final = 0.1  # whether they come before or after the end is not documented
ROUND_MOST_S: Final = 10.0  # beyond the scan time, for a reader that says "more follows" without end
SHORTEST_ROUND_S: Final = 0.02  # a reader that refuses at once is not asked again at once
UNENDED_ROUNDS: Final = 3
REFUSALS: Final = 3
_ROUND_TOOK_PLACE: Final = frozenset(
    {
        Status.COMPLETE,
        Status.TIMEOUT,
        Status.MEMORY_FULL,
        Status.NO_TAG,
        Status.POOR_LINK,
        Status.TAG_ERROR,
    }
)


class Reader:
    """One reader.

    Attributes:
        address: as set, or as found out where the setting is 255.
        reports_alone: it has sent a report that nobody asked for.
    """

    def __init__(self, unit: Unit, settings: UhfReaderSettings, line: Line, report: Report, told: Told) -> None:
        self.unit = unit
        self.address = unit.address
        self.info: ReaderInfo | None = None
        self.reports_alone = False
        self._settings = settings
        self._line = line
        self._report = report
        self._told = told
        self._model: Model | None = None if settings.model == "auto" else Model(settings.model)
        self._target = 1 if settings.target == "b" else 0
        self._tags_in_round = 0
        self._has_read = False
        self._trouble: Counter[int] = Counter()  # by antenna, in a row

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self._line.port.description}: address {self.address}"

    @property
    def model(self) -> Model:
        """As set or found out."""
        assert self._model is not None
        return self._model

    @property
    def form(self) -> Form:
        """How it reports tags."""
        return PROFILES[self.model].form

    async def identify(self, tries: int) -> None:
        """Ask who it is.

        Raises:
            NoAnswerError: nobody answers. DeviceRefusedError: its type is not known, or it has too few antennas.
        """
        answer = await self._line.ask(self.address, Command.INFO, tries=tries)
        if answer.status != Status.DONE:
            raise DeviceRefusedError(
                f"{self.where}: the reader answers 'get reader information' (21) with status {answer.status:02X}; "
                "another driver may fit it"
            )
        info = self.info = ReaderInfo.parse(answer.data)
        self.address = answer.address
        if self._settings.model == "auto":
            self._model = MODEL_OF_TYPE.get(info.type)
        if self._model is None:
            raise DeviceRefusedError(
                f"{self.where}: reader type {info.type:02X} is not known, and its replies do not say in what form they "
                f"are; set settings.model to one of {', '.join(Model)} after its manual"
            )
        most = PROFILES[self._model].antennas
        if max(self.unit.antennas) > most:
            raise DeviceRefusedError(
                f"{self.where}: antenna {max(self.unit.antennas)} is to be read, but {self._type_name()} "
                f"(model {self._model}) has {most} at most"
            )
        if not PROFILES[self._model].takes_parameters:
            for key in sorted(self._settings.model_fields_set.intersection(ONLY_WITH_PARAMETERS)):
                self._told.begins("setting_differs", self.key(key), f"model {self._model} does not know {key}")

    async def describe(self, *, answers_all: bool) -> DeviceInfo:
        """Who it is; one that reports by itself does not tell its serial number."""
        assert self.info is not None
        serial = ""
        if answers_all and PROFILES[self.model].has_serial:
            with contextlib.suppress(NoAnswerError):  # a reader without one may be silent
                answer = await self._line.ask(self.address, Command.SERIAL, tries=1)
                serial = answer.data.hex().upper() if answer.status == Status.DONE else ""
        return DeviceInfo("Chafon", self._type_name(), "{}.{}".format(*self.info.version), serial)

    def _type_name(self) -> str:
        assert self.info is not None
        return TYPES.get(self.info.type, f"type {self.info.type:02X}")

    def key(self, setting: str) -> str:
        """Of a condition: the setting, and whose it is where there are several."""
        return f"{setting}@{self.address}" if len(self._settings.line_units()) > 1 else setting

    def port_of(self, antenna: int) -> int:
        """The antenna port of the line."""
        return self.unit.port_of(antenna)

    def hear(self, frame: Frame) -> list[TagRead]:
        """The reads in a frame of this reader, whatever it answers."""
        is_report = frame.command == Command.REPORT
        self.reports_alone |= is_report
        if self._model is None:
            if is_report or frame.command == Command.INVENTORY:
                self._report(Rejected("unidentified", reads_lost=1, sample=frame.body))
            return []
        try:
            if is_report:
                return self._hear_report(frame)
            if frame.command == Command.INVENTORY and frame.status in TAG_STATUSES:
                tags = parse_tags(frame.data, self.form)
                self._tags_in_round += len(tags)
                return [read for tag in tags for read in self._reads(tag)]
        except FrameError as error:
            self._misread(frame, error)
        return []

    def _hear_report(self, frame: Frame) -> list[TagRead]:
        if frame.status == Status.HEARTBEAT:
            heartbeat = Heartbeat.parse(frame.data)
            for antenna in heartbeat.in_state(AntennaState.DISCONNECTED):
                self._antenna_is_gone(antenna)
            for antenna in heartbeat.in_state(AntennaState.WORKING):
                if antenna in self.unit.antennas:
                    self._antenna_is_well(antenna)
            return []
        if frame.status != Status.DONE:
            self._report(Rejected(f"status_{frame.status:02x}", sample=frame.body))
            return []
        return list(self._reads(parse_report(frame.data, self.form)))

    def _reads(self, tag: Tag) -> list[TagRead]:
        """One for each antenna that heard it."""
        channel = None
        if tag.frequency_khz is not None and self.info is not None:
            channel = self.info.channel_index(tag.frequency_khz)
        reads = []
        for antenna in tag.antennas or (1,):
            if antenna in self.unit.antennas:
                reads.append(TagRead(tag.epc, self.port_of(antenna), tid=tag.tid, channel_index=channel))
            else:  # its port may be that of another reader
                self._report(Rejected("antenna", reads_lost=1, sample=tag.epc))
        return reads

    def _misread(self, frame: Frame, error: FrameError) -> None:
        self._report(Rejected(error.reason, reads_lost=1, sample=frame.body))
        if frame.command != Command.INVENTORY or error.reason != "length":
            return
        for form in (Form.PLAIN, Form.MASK):
            try:
                fits = form is not self.form and bool(parse_tags(frame.data, form))
            except FrameError:
                continue
            if fits:
                right = Model.RR18 if form is Form.PLAIN else Model.M288
                detail = f"replies are not in the form of model {self.model} but of {right}; set settings.model"
                self._told.begins("wrong_model", self.key("model"), detail)

    async def turn(self) -> None:
        """One inventory of each antenna.

        Raises:
            NoAnswerError: it does not answer any more. DeviceRefusedError: it cannot do what is asked.
        """
        for antenna in self.unit.antennas:
            began_s = self._line.port.monotonic_s()
            self._tags_in_round = 0
            status = await self._round(antenna)
            if status is None:
                await self._unended(antenna)
            else:
                self._judge(antenna, status)
            rest_s = began_s + SHORTEST_ROUND_S - self._line.port.monotonic_s()
            if rest_s > 0:
                await self._line.port.pause(rest_s)
        if self._settings.target == "alternate":
            self._target = 1 - self._target

    async def _round(self, antenna: int) -> int | None:
        """The status that ended one inventory, or None when none did."""
        scan_s = await self._begin(antenna)
        line, now_s = self._line, self._line.port.monotonic_s()
        until_s = now_s + scan_s + LATE_S + 2 * line.gap_s
        last_s = now_s + scan_s + ROUND_MOST_S
        statistics: int | None = None
        while (left_s := min(until_s, last_s) - line.port.monotonic_s()) > 0:
            before = line.heard_bytes
            frames = await line.listen(left_s)
            if line.heard_bytes != before:  # a frame may be on its way
                until_s = max(until_s, line.port.monotonic_s() + line.gap_s)
            for frame in frames:
                if not answers(frame, self.address, Command.INVENTORY):
                    continue
                if frame.status == Status.STATISTICS:
                    statistics = Status.COMPLETE
                    until_s = line.port.monotonic_s() + STATISTICS_WITHIN_S
                elif frame.status == Status.MORE:
                    until_s = max(until_s, line.port.monotonic_s() + ANSWER_WITHIN_S)
                else:
                    return frame.status
        return statistics

    async def _begin(self, antenna: int) -> float:
        """Start an inventory; how long it may take, in seconds."""
        assert self.info is not None
        if not PROFILES[self.model].takes_parameters:
            await self._line.send(Frame(self.address, Command.INVENTORY))
            return self.info.scan_ds * SCAN_STEP_S
        inventory = Inventory(
            antenna=antenna,
            scan_ds=round(self._settings.scan_time_s / SCAN_STEP_S),
            q=self._settings.q,
            session=SESSION_CODES[self._settings.session],
            target=self._target,
            fast_id=self._settings.fast_id,
            with_phase=self._settings.hop_channel,
        )
        await self._line.send(Frame(self.address, Command.INVENTORY, inventory.parameters()))
        return self._settings.scan_time_s

    async def _unended(self, antenna: int) -> None:
        """No end came: either it was lost on the line, or the reader is gone."""
        self._report(Rejected("round_without_end"))
        await self._line.quiet()
        if self._tags_in_round:
            self._antenna_is_well(antenna)
            return
        await self._line.ask(self.address, Command.INFO)  # raises when it is gone
        self._in_trouble(antenna, "it answers, but its inventories have neither tags nor an end")

    def _judge(self, antenna: int, status: int) -> None:
        if status in _ROUND_TOOK_PLACE:
            self._round_took_place(antenna, status)
        elif status == Status.ANTENNA:
            self._antenna_is_gone(antenna)
        elif status in (Status.LENGTH, Status.PARAMETER) or (status == Status.ILLEGAL and not self._has_read):
            self._report(Rejected(f"status_{status:02x}"))
            self._trouble[antenna] += 1
            if self._trouble[antenna] >= REFUSALS:
                raise DeviceRefusedError(
                    f"{self.where}: the inventory of antenna {antenna} is refused with status {status:02X} "
                    f"({Status(status).name.lower()}); check settings.model (now {self.model}), antennas, q and session"
                )
        else:
            self._report(Rejected(f"status_{status:02x}"))
            if status != Status.ILLEGAL:  # a command that was garbled on the line
                self._in_trouble(antenna, f"the reader answers inventories with status {status:02X}")

    def _round_took_place(self, antenna: int, status: int) -> None:
        self._has_read = True
        self._antenna_is_well(antenna)
        key = self.key("memory")
        if status == Status.MEMORY_FULL:
            self._told.begins("buffer_overflow", key, "more tags than the reader's memory holds: some were not told")
        else:
            self._told.ends("buffer_overflow", key)
        if status in (Status.POOR_LINK, Status.TAG_ERROR):
            self._report(Rejected(f"status_{status:02x}"))

    def _in_trouble(self, antenna: int, detail: str) -> None:
        self._trouble[antenna] += 1
        if self._trouble[antenna] >= UNENDED_ROUNDS:
            self._told.begins("rounds_unconfirmed", str(self.port_of(antenna)), detail)
            self._told.unwatch(self.port_of(antenna))

    def _antenna_is_well(self, antenna: int) -> None:
        port = self.port_of(antenna)
        self._trouble[antenna] = 0
        self._told.ends("rounds_unconfirmed", str(port))
        self._told.ends("antenna_disconnected", str(port))
        self._told.watch(port)

    def _antenna_is_gone(self, antenna: int) -> None:
        if antenna in self.unit.antennas:
            port = self.port_of(antenna)
            detail = f"the reader finds no antenna on its port {antenna}"
            self._told.begins("antenna_disconnected", str(port), detail)
            self._told.unwatch(port)
