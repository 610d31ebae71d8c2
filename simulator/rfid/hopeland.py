"""Plays a Hopeland reader (a CL7206C4 by default): the twin of the driver `hopeland`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.hopeland import (
    OK,
    Ability,
    Decoder,
    Finish,
    Frame,
    Kind,
    Message,
    ReaderInfo,
    encode,
    time_data,
)
from readers.codecs.hopeland_tags import ReadTags, Tag, rssi_raw_of
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.rfid.hopeland_tags import code_of_write, parsed, with_memory

DEVICE: Final = "hopeland"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a command that was not whole by then never will be
_US_PER_S: Final = 1_000_000
_WORD_BYTES: Final = 2
_FAILED: Final = b"\x01"
_UNCONFIRMED_MOST: Final = 4  # after so many the reader gives its client up
_TAG_WITHIN_US: Final = 100_000  # a tag that was here so long ago is found

Known = tuple[Kind, int]


@dataclass(frozen=True, slots=True)
class Reader:
    """What kind of reader is played.

    Attributes:
        band: at power-on; of `bands`, those that it can.
        tells_exact_rssi: in dBm besides, as newer readers do.
        clock_offset_us: reader time minus host time.
        stamps: tags carry the reader's time and a serial number.
        confirms_every_s: the reader asks whether its client is there, and gives it up after four times; 0 for never.
        finishes_after_rounds: with DONE, as a fault of the radio would have it; 0 for never.
        reading: a former client's read is still running.
        refuses: what is answered with a failure, by kind and message.
        unknown, mute: what is answered with an error, or not at all.
    """

    name: bytes = b"CL7206C_20170602"
    firmware: tuple[int, int] = (0, 19)
    mac: bytes = bytes.fromhex("6CECA1FE753A")
    antennas: int = 4
    min_power_dbm: int = 5
    max_power_dbm: int = 33
    powers_dbm: Mapping[int, int] = field(default_factory=dict)
    band: int = 3
    bands: tuple[int, ...] = (0, 1, 2, 3, 4)
    tells_exact_rssi: bool = False
    round_s: float = 0.1
    clock_offset_us: int = 0
    stamps: bool = False
    confirms_every_s: float = 0.0
    finishes_after_rounds: int = 0
    reading: bool = False
    refuses: frozenset[Known] = frozenset()
    unknown: frozenset[Known] = frozenset()
    mute: frozenset[Known] = frozenset()


async def serve(port: Port, radio: Radio, reader: Reader | None = None) -> None:
    """Speak the reader's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, radio, reader or Reader())
    while True:
        await twin.step()


class _Twin:
    def __init__(self, port: Port, radio: Radio, reader: Reader) -> None:
        self._port = port
        self._radio = radio
        self._reader = reader
        self._decoder = Decoder()
        self._band = reader.band
        self._powers = dict.fromkeys(range(1, reader.antennas + 1), 30) | dict(reader.powers_dbm)
        self._plan: ReadTags | None = ReadTags((1,)) if reader.reading else None
        self._round_began_us = port.now_us()
        self._rounds = 0
        self._tags = 0
        self._confirmed_s = port.monotonic_s()
        self._unconfirmed: set[int] = set()
        self._confirm_number = 0

    async def step(self) -> None:
        """Serve requests until the round in progress ends, then report it."""
        await self._ask_for_client()
        plan = self._plan
        if plan is None:
            await self._obey(min(_IDLE_S, self._reader.confirms_every_s or _IDLE_S))
            return
        end_us = self._round_began_us + round(self._reader.round_s * _US_PER_S)
        while self._plan is plan and (left_us := end_us - self._port.now_us()) > 0:
            await self._obey(left_us / _US_PER_S)
        if self._plan is plan:
            await self._end_round(plan, end_us)

    async def _ask_for_client(self) -> None:
        every_s = self._reader.confirms_every_s
        if not every_s or self._port.monotonic_s() - self._confirmed_s < every_s:
            return
        self._confirmed_s = self._port.monotonic_s()
        if len(self._unconfirmed) >= _UNCONFIRMED_MOST:
            await self._port.close()
            return
        self._confirm_number += 1
        self._unconfirmed.add(self._confirm_number)
        await self._say(Frame(Kind.READER, Message.CONFIRM, self._confirm_number.to_bytes(4, "big"), is_unasked=True))

    async def _obey(self, within_s: float) -> None:
        data = await self._port.receive(min(within_s, _GAP_S) if self._decoder.holds else within_s)
        for frame in self._decoder.feed(data) if data else self._decoder.gap():
            known = (Kind(frame.kind), frame.message)
            if known in self._reader.mute or frame.is_unasked:
                continue
            if known == (Kind.READER, Message.CONFIRM):
                self._unconfirmed.discard(int.from_bytes(frame.data, "big"))
                continue
            if known == (Kind.RFID, Message.STOP) and self._plan is not None:
                await self._say(*self._heard(self._plan, self._port.now_us()))
            answer = None if known in self._reader.unknown else self._carry_out(known, frame.data)
            if answer is None:  # six bytes, of which the third and fourth name the request: guessed
                error = bytes([0, 0, *known, 0, 0])
                await self._say(Frame(Kind.ERROR, 0, error, is_unasked=True))
            else:
                await self._say(Frame(frame.kind, frame.message, answer))

    async def _end_round(self, plan: ReadTags, end_us: int) -> None:
        frames = self._heard(plan, end_us)
        self._round_began_us = end_us
        self._rounds += 1
        if not plan.is_continuous or self._rounds == self._reader.finishes_after_rounds:
            self._plan = None
            frames.append(Frame(Kind.RFID, Message.FINISHED, bytes([Finish.DONE]), is_unasked=True))
        await self._say(*frames)

    def _heard(self, plan: ReadTags, until_us: int) -> list[Frame]:
        """Tags of this round up to then; the antennas share it in equal parts."""
        share_us = round(self._reader.round_s * _US_PER_S) // len(plan.antenna_ports)
        frames = []
        for index, number in enumerate(plan.antenna_ports):
            on_us = self._round_began_us + share_us * index
            off_us = until_us if number == plan.antenna_ports[-1] else min(until_us, on_us + share_us)
            if on_us < off_us:
                heard = self._radio.heard(number, on_us, off_us)
                frames += [self._tag(plan, sighting) for sighting in heard if sighting.epc.startswith(plan.epc)]
        return frames

    def _tag(self, plan: ReadTags, sighting: Sighting) -> Frame:
        self._tags += 1
        reader = self._reader
        pc_bits = len(sighting.epc) // _WORD_BYTES << 11 if sighting.pc_bits is None else sighting.pc_bits
        tag = Tag(
            epc=sighting.epc,
            pc_bits=pc_bits,
            antenna_port=sighting.antenna_port,
            rssi=rssi_raw_of(sighting.rssi_dbm),
            reader_time_us=sighting.at_us + reader.clock_offset_us if reader.stamps else None,
            serial=self._tags if reader.stamps else None,
            exact_rssi_dbm=round(sighting.rssi_dbm) if reader.tells_exact_rssi else None,
        )
        tag = with_memory(tag, plan, self._radio, sighting)
        return Frame(Kind.RFID, Message.TAG, tag.data(), is_unasked=True)

    def _carry_out(self, known: Known, data: bytes) -> bytes | None:
        """The data of the answer; None for an error."""
        reader = self._reader
        kind, message = known
        if known in reader.refuses:
            return _FAILED
        if kind is Kind.READER:
            answers = {
                Message.INFO: ReaderInfo((0, 1), reader.firmware, reader.name, self._port.now_us() // _US_PER_S).data(),
                Message.MAC: reader.mac,
                Message.TIME: time_data(self._port.now_us() + reader.clock_offset_us),
            }
            return {int(number): answer for number, answer in answers.items()}.get(message)
        if kind is not Kind.RFID:
            return None
        if message == Message.ABILITY:
            return Ability(reader.min_power_dbm, reader.max_power_dbm, reader.antennas, reader.bands).data()
        if message == Message.GET_BAND:
            return bytes([self._band])
        if message == Message.SET_BAND and len(data) == 1:
            return self._set_band(data[0])
        if message == Message.WRITE_EPC:
            return self._write(data)
        if message == Message.GET_POWER:
            return b"".join(bytes(pair) for pair in self._powers.items())
        if message == Message.SET_POWER:
            return self._set_power(dict(zip(data[::2], data[1::2], strict=False)))
        if message == Message.READ_EPC:
            return self._start(data)
        if message == Message.STOP:
            self._plan = None
            return OK
        return None

    def _set_band(self, code: int) -> bytes:
        if code not in self._reader.bands:
            return _FAILED
        self._band = code
        return OK

    def _write(self, data: bytes) -> bytes:
        asked, now_us = parsed(data), self._port.now_us()
        port = asked.antenna_port if asked is not None else 1
        heard = self._radio.heard(port, now_us - _TAG_WITHIN_US, now_us)
        return bytes([code_of_write(self._radio, heard, asked, self._powers.get(port, 0))])

    def _set_power(self, wanted: Mapping[int, int]) -> bytes:
        reader = self._reader
        if any(
            number not in self._powers or not reader.min_power_dbm <= power <= reader.max_power_dbm
            for number, power in wanted.items()
        ):
            return _FAILED
        self._powers |= {number: reader.powers_dbm.get(number, power) for number, power in wanted.items()}
        return OK

    def _start(self, data: bytes) -> bytes:
        try:
            plan = ReadTags.parse(data)
        except FrameError:
            return _FAILED
        if self._plan is not None or max(plan.antenna_ports) > self._reader.antennas:
            return _FAILED
        self._plan = plan
        self._round_began_us = self._port.now_us()
        self._rounds = 0
        return OK

    async def _say(self, *frames: Frame) -> None:
        if frames:
            await self._port.send(b"".join(encode(frame) for frame in frames))
