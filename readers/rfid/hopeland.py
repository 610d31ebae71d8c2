"""The driver `hopeland`: readers of Hopeland (CLOU) that speak frames beginning with AA, over TCP or a serial line.

Such a reader inventories until it is stopped and says nothing while there are no tags, so that silence is ended by
stopping and starting anew: both are confirmed by its radio module.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from readers.codecs.hopeland import (
    MAX_ANTENNAS,
    OK,
    Ability,
    Decoder,
    Finish,
    Frame,
    Kind,
    Message,
    ReadEpc,
    ReaderInfo,
    Tag,
    encode,
    time_us,
)
from readers.driver import DriverSettings, DriverSpec, LineDefaults, Port, Report
from readers.driver import Kind as DriverKind
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Rejected, TagRead, TagReads, Watching

ANSWER_WITHIN_S: Final = 1.0  # the reader passes what concerns the radio on to a module behind a line of its own
TRIES: Final = 3
# A frame comes in one go, so a pause inside one means that it is none; but behind a device server, and over TCP, it may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
RENEW_S: Final = 10.0  # without a tag for so long, the read is proven to run by starting it anew
FINISH_PAUSE_S: Final = 0.1  # a reader that finishes at once is not to be asked without end
TCP_PORT: Final = 9090
_TEXT_BYTES: Final = 64
_CONFIRM_BYTES: Final = 4
_HALF: Final = 2

AntennaPort = Annotated[int, Field(ge=1, le=MAX_ANTENNAS)]


class HopelandSettings(DriverSettings):
    """Settings of driver `hopeland`."""

    tx_power_dbm: float = Field(
        default=20.0, ge=0, le=36, multiple_of=1, description="whole dBm, set for each antenna and read back"
    )
    antennas: tuple[AntennaPort, ...] | None = Field(
        default=None, min_length=1, description="antenna ports to read with; default: all that the reader has"
    )
    read_tid: int = Field(
        default=0, ge=0, le=32, description="words of TID memory to read of each tag at most; 0: none, which is faster"
    )

    @model_validator(mode="after")
    def _each_antenna_once(self) -> Self:
        if self.antennas and len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read."""
        return self.antennas


class HopelandDriver:
    """Identifies the reader, sets it, and reads until cancelled."""

    def __init__(self, settings: HopelandSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer, or the reader fell silent.
            DeviceRefusedError: it lacks a named antenna, or refuses to read.
        """
        session = _Session(self._settings, port, report)
        await session.identify()
        await session.configure()
        while True:
            await session.inventory()


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    """The reader answered that it does not do this."""


class _NoAnswerError(LinkError):
    """The reader did not answer, however often it was asked."""


class _Session:
    """One conversation with one reader."""

    def __init__(self, settings: HopelandSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder()
        self._ports: tuple[int, ...] = settings.antennas or (1,)
        self._reading = False
        self._watching = False
        self._finished = False
        self._refused = 0
        self._heard_bytes = 0
        self._last_tag_s = 0.0
        self._clock_offset_us = 0

    async def identify(self) -> None:
        """End what a former client left running, and say who the reader is.

        Raises:
            LinkError: it does not answer.
        """
        try:
            await self._stop()
        except _NoAnswerError as error:
            if self._heard_bytes:
                what = f"{self._heard_bytes} bytes came but no answer to 'stop': another speed or protocol"
            else:
                what = "no byte came in answer to 'stop': check power, wiring and address"
            raise LinkError(
                f"{self._port.description}: {what}; Hopeland readers leave the factory at TCP port {TCP_PORT} and "
                f"{_LINE.baud} 8N1"
            ) from error
        info, mac = await self._ask_if_known(Message.INFO), await self._ask_if_known(Message.MAC)
        model = firmware = ""
        if info is not None:
            try:
                reader = ReaderInfo.parse(info)
            except FrameError as error:
                self._report(Rejected(error.reason, sample=info))
            else:
                name = reader.name[:_TEXT_BYTES].decode("ascii", errors="replace")
                model = "".join(character for character in name if character.isprintable()).strip()
                firmware = ".".join(map(str, reader.firmware))
        self._report(DeviceInfo("Hopeland", model, firmware, serial=(mac or b"")[:_TEXT_BYTES].hex(":").upper()))
        await self._compare_clocks()

    async def configure(self) -> None:
        """Choose the antennas, set the power of each, and read it back.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it lacks a named antenna.
        """
        ability = await self._ability()
        if ability is not None:
            there = tuple(range(1, ability.antennas + 1))
            missing = [port for port in self._settings.antennas or () if port not in there]
            if missing:
                raise DeviceRefusedError(
                    f"{self._port.description}: settings.antennas names port {missing[0]}; this reader has "
                    f"{', '.join(map(str, there))}"
                )
            self._ports = self._settings.antennas or there
        wanted = asked = round(self._settings.tx_power_dbm)
        if ability is not None:
            wanted = max(ability.min_power_dbm, min(ability.max_power_dbm, asked))
        for port in self._ports:
            await self._set_power(port, wanted)
        await self._check_power(asked)

    async def inventory(self) -> None:
        """Start reading and report tags, until the reader says that it has finished or there were none for long.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it refuses to read.
        """
        if not await self._start():
            return
        self._last_tag_s = self._port.monotonic_s()
        while not self._finished:
            left_s = self._last_tag_s + RENEW_S - self._port.monotonic_s()
            if left_s <= 0:
                break
            for frame in await self._listen(left_s):
                self._report(Rejected("error" if frame.kind == Kind.ERROR else "answer", sample=frame.data))
        await self._stop()
        if self._finished:
            await self._port.pause(FINISH_PAUSE_S)

    async def _start(self) -> bool:
        """Whether the reader reads now; a refusal counts when it is repeated after a stop."""
        plan = ReadEpc(self._ports, tid_words=self._settings.read_tid)
        self._finished = False
        self._reading = True  # tags may overtake the confirmation
        try:
            answer = await self._ask(Kind.RFID, Message.READ_EPC, plan.data())
            if answer == OK:
                self._refused = 0
                if not self._watching:
                    self._watching = True
                    self._report(Watching(frozenset(self._ports)))
                return True
            why = f"code {answer.hex().upper() or 'none'}"
        except _Refused as refusal:
            why = str(refusal)
        self._refused += 1
        await self._stop()
        if self._refused > 1:
            raise DeviceRefusedError(
                f"{self._port.description}: the reader refuses to read at antenna ports "
                f"{', '.join(map(str, self._ports))}: {why}; check settings.antennas and settings.read_tid"
            )
        return False

    async def _stop(self) -> None:
        """End reading; a reader that does not read confirms it as well. What it answers does not matter.

        Raises:
            _NoAnswerError: nothing was answered.
        """
        try:
            await self._ask(Kind.RFID, Message.STOP)
        except _Refused as refusal:
            self._report(Rejected("error", sample=str(refusal).encode()))
        self._reading = False

    async def _ability(self) -> Ability | None:
        """What the radio can do, or None where the reader does not say."""
        try:
            return Ability.parse(await self._ask(Kind.RFID, Message.ABILITY))
        except (_Refused, _NoAnswerError) as error:
            self._condition("setting_unverified", "antennas", f"the reader does not tell its antennas: {error}")
        except FrameError as error:
            self._condition("setting_unverified", "antennas", f"the reader does not tell its antennas: {error.detail}")
        return None

    async def _set_power(self, port: int, wanted: int) -> None:
        try:
            answer = await self._ask(Kind.RFID, Message.SET_POWER, bytes([port, wanted]))
            why = "" if answer == OK else f"code {answer.hex().upper() or 'none'}"
        except _Refused as refusal:
            why = str(refusal)
        if why:
            detail = f"{wanted} dBm asked at antenna port {port}, the reader answered {why}"
            self._condition("setting_differs", "tx_power_dbm", detail)

    async def _check_power(self, asked: int) -> None:
        try:
            answer = await self._ask(Kind.RFID, Message.GET_POWER)
        except (_Refused, _NoAnswerError) as error:
            self._condition("setting_unverified", "tx_power_dbm", str(error))
            return
        found = dict(zip(answer[::2], answer[1::2], strict=False))
        powers = [found.get(port) for port in self._ports]
        shown = " ".join("?" if power is None else str(power) for power in powers)
        self._report(InForce({"tx_power_dbm": shown, "antennas": " ".join(map(str, self._ports))}))
        if any(power != asked for power in powers):
            ports = ", ".join(map(str, self._ports))
            detail = f"{asked} dBm asked at antenna ports {ports}, {shown} in force"
            self._condition("setting_differs", "tx_power_dbm", detail)

    async def _compare_clocks(self) -> None:
        """Some readers stamp tags with their own clock: how far it is from this host's."""
        sent_us = self._port.now_us()
        data = await self._ask_if_known(Message.TIME)
        if data is None:
            return
        try:
            self._clock_offset_us = (sent_us + self._port.now_us()) // _HALF - time_us(data)
        except FrameError as error:
            self._report(Rejected(error.reason, sample=data))

    async def _ask_if_known(self, message: Message) -> bytes | None:
        """The answer to a question about the reader; modules without a processor of their own do not know them."""
        try:
            return await self._ask(Kind.READER, message, tries=1)
        except (_Refused, _NoAnswerError):
            return None

    async def _ask(self, kind: Kind, message: Message, data: bytes = b"", *, tries: int = TRIES) -> bytes:
        """Send a request until it is answered.

        Raises:
            _NoAnswerError: it was not. _Refused: it was, with an error.
        """
        for _ in range(tries):
            await self._port.send(encode(Frame(kind, message, data)))
            deadline_s = self._port.monotonic_s() + ANSWER_WITHIN_S
            while (left_s := deadline_s - self._port.monotonic_s()) > 0:
                for frame in await self._listen(left_s):
                    if frame.kind == Kind.ERROR:
                        raise _Refused(f"error {frame.message:02X} {frame.data[:_TEXT_BYTES].hex(' ').upper()}")
                    if (frame.kind, frame.message) == (kind, message):
                        return frame.data
        raise _NoAnswerError(
            f"{self._port.description}: message {kind:02X} {message:02X} was sent {tries} times without an answer "
            f"within {ANSWER_WITHIN_S:g} s; check power and wiring"
        )

    async def _listen(self, within_s: float) -> list[Frame]:
        """The answers and errors that come next; what the reader says by itself is dealt with on the way."""
        data = await self._port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self._heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
        tags = [frame for frame in frames if frame.is_unasked and _is(frame, Kind.RFID, Message.TAG)]
        if tags:
            self._hear_tags(tags)
        answers = []
        for frame in frames:
            if frame.kind == Kind.ERROR or not frame.is_unasked:
                answers.append(frame)
            elif _is(frame, Kind.READER, Message.CONFIRM) and len(frame.data) == _CONFIRM_BYTES:
                await self._port.send(encode(Frame(Kind.READER, Message.CONFIRM, frame.data)))
            elif _is(frame, Kind.RFID, Message.FINISHED):
                # "stopped" may be the late echo of our own stop
                self._finished |= frame.data[:1] != bytes([Finish.STOPPED])
            elif not _is(frame, Kind.RFID, Message.TAG):
                self._report(Rejected(f"notice_{frame.kind:02x}{frame.message:02x}", sample=frame.data))
        return answers

    def _hear_tags(self, frames: list[Frame]) -> None:
        if not self._reading:  # a former client's read: under which settings is not known
            self._report(Rejected("unasked", len(frames), reads_lost=len(frames)))
            return
        reads = []
        for frame in frames:
            try:
                tag = Tag.parse(frame.data)
            except FrameError as error:
                self._report(Rejected(error.reason, reads_lost=1, sample=frame.data))
                continue
            reads.append(
                TagRead(
                    epc=tag.epc,
                    antenna_port=tag.antenna_port,
                    first_seen_us=tag.reader_time_us,
                    last_seen_us=tag.reader_time_us,
                    pc_bits=tag.pc_bits,
                    tid=tag.tid if not tag.memory_result else None,
                )
            )
        if reads:
            self._last_tag_s = self._port.monotonic_s()
            self._report(TagReads.of(self._port.now_us(), *reads, clock_offset_us=self._clock_offset_us))

    def _condition(self, name: str, key: str, detail: str) -> None:
        self._report(Condition(name, active=True, key=key, detail=detail))


def _is(frame: Frame, kind: Kind, message: Message) -> bool:
    return (frame.kind, frame.message) == (kind, message)


_LINE: Final = LineDefaults(baud=115_200)

DRIVER: Final = DriverSpec(
    "hopeland",
    DriverKind.RFID,
    HopelandSettings,
    HopelandDriver,
    "UHF readers of Hopeland (CLOU) with frames that begin with AA: CL7206C family, HF340; over TCP or a serial line",
    line=_LINE,
    tcp_port=TCP_PORT,
    models=("Hopeland CL7206C2", "Hopeland CL7206C4", "Hopeland HF340"),
)
