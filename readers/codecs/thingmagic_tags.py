"""The tag stream of ThingMagic modules: how it is asked for, and what it says. Inside the frames of `thingmagic`.

Start (2F):  `TT 01 22 FF PP L 22 O SS CC MM [01 L 28 tt o B AAAA W]`
    TT 0000, for ever · FF 0000 · PP protocol · L length of what follows but its first byte · O 10, metadata asked for
    SS search flags, 2 · CC read cycle, 2, in ms · MM metadata flags, 2
    then, with search flag 4: one command for each tag found: read (28) within tt ms, o 00, bank B from word AAAA on,
    W words
Stop (2F):   `TT 02`; the module finishes its read cycle first.

Tag (22):    `O SS MM R (N I X FFF TTTT PP P LL D.. G) EE BBBB..`
    O options, 1, and a second byte where the first has bit 7 · SS, MM as asked · R response type: 01 a tag, 02 figures,
    00 the stream ends · in brackets the metadata, each only with its flag: N count, I RSSI in dBm signed, X antenna
    (transmitter in the high half, 0 for 16), F frequency in kHz, T time since the read cycle began in ms, P phase in
    degrees, P protocol, L length of D in bits, D what the command for each tag read, G inputs and outputs
    EE length of B in bits · B what the tag sent: PC word, XPC words where the PC word says so, EPC, CRC-16

Source: ThingMagic Mercury API 1.35.2 (C, open source), serial reader; SparkFun's logs of an M6e Nano, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Final, Self

from readers.codecs.checksums import gen2_crc16
from readers.codecs.thingmagic import GEN2, Opcode
from readers.errors import FrameError

WORD_BYTES: Final = 2
_BITS: Final = 8
_OPTION_METADATA: Final = 0x10
_OPTION_FILTER: Final = 0x0F
_OPTION_MORE: Final = 0x80  # another option byte follows
_PC_XPC: Final = 0x0200
_XPC_SECOND: Final = 0x8000
_NEGATIVE: Final = 0x80
_BYTE: Final = 0x100
_OPERATION_FAILED: Final = 0x8000  # in place of a length: the command for this tag failed, and its status follows
_ANTENNA_16: Final = 16
_TID_BANK: Final = 2
_TID_WITHIN_MS: Final = 2_000  # as the Mercury API gives it
START: Final = 0x01
STOP: Final = 0x02
STOP_DATA: Final = bytes([0, 0, STOP])


class Search(IntFlag):
    """Search flags of a read."""

    ANTENNA_LIST = 0x0003
    EMBEDDED = 0x0004
    STREAMING = 0x0008
    LARGE_POPULATION = 0x0010
    STATUS_REPORTS = 0x0020
    STOP_AFTER_TAGS = 0x0040
    FIGURES = 0x0100
    DUTY_CYCLE = 0x0400


class Metadata(IntFlag):
    """What is told of each read."""

    COUNT = 0x0001
    RSSI = 0x0002
    ANTENNA = 0x0004
    FREQUENCY = 0x0008
    TIME = 0x0010
    PHASE = 0x0020
    PROTOCOL = 0x0040
    DATA = 0x0080
    GPIO = 0x0100
    Q = 0x0200
    LINK_FREQUENCY = 0x0400
    TARGET = 0x0800


ALL_METADATA: Final = Metadata(0x01FF)  # what every firmware since 2015 knows
_GEN2_ONLY: Final = (Metadata.Q, Metadata.LINK_FREQUENCY, Metadata.TARGET)
_KNOWN: Final = int(ALL_METADATA) | int(Metadata.Q | Metadata.LINK_FREQUENCY | Metadata.TARGET)


class Response(IntEnum):
    """What a frame of the stream is."""

    END = 0x00
    TAG = 0x01
    FIGURES = 0x02


class _Reader:
    """Takes numbers from the front of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            FrameError: `length`.
        """
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise FrameError("length", f"{size} bytes were to come at {self.at}, {len(taken)} did", self._data)
        self.at += size
        return taken

    def number(self, size: int) -> int:
        """The next bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self.at


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How the module is to read until it is stopped: on its antenna list, Gen2.

    Attributes:
        cycle_ms: after each such time the module says that it lives (status 0400).
        tid_words: words of TID memory to read of each tag found; 0 for none.
        search, metadata: flags; those that follow from `tid_words` are added.
    """

    cycle_ms: int = 1_000
    tid_words: int = 0
    search: int = Search.ANTENNA_LIST | Search.STREAMING | Search.LARGE_POPULATION
    metadata: int = ALL_METADATA

    def data(self) -> bytes:
        """The data of the command `MULTI_PROTOCOL` that starts it."""
        search = self.search | (Search.EMBEDDED if self.tid_words else 0)
        plan = bytes([_OPTION_METADATA]) + b"".join(
            n.to_bytes(2, "big") for n in (search, self.cycle_ms, self.metadata)
        )
        if self.tid_words:
            read = _TID_WITHIN_MS.to_bytes(2, "big") + bytes([0, _TID_BANK, 0, 0, 0, 0, self.tid_words])
            plan += bytes([1, len(read), Opcode.READ_TAG_DATA]) + read
        head = bytes([0, 0, START, Opcode.READ_TAG_MULTIPLE, 0, 0, GEN2])
        return head + bytes([len(plan), Opcode.READ_TAG_MULTIPLE]) + plan

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read that data, as other hosts may send them too.

        Raises:
            FrameError: `length`, or `range` for what a simulated module does not do: filters, other banks.
        """
        reader = _Reader(data)
        reader.take(2)
        if reader.number(1) != START or reader.number(1) != Opcode.READ_TAG_MULTIPLE:
            raise FrameError("range", "no start of a continuous read of many tags", data)
        reader.take(2)
        if reader.number(1) != GEN2:
            raise FrameError("range", "another protocol than Gen2", data)
        if reader.number(1) != reader.left - 1:
            raise FrameError("length", "the plan is longer or shorter than it says", data)
        reader.take(1)
        if (options := reader.number(1)) & ~_OPTION_METADATA:
            raise FrameError("range", f"options {options:02X}: filters are not played", data)
        search, cycle_ms = reader.number(2), reader.number(2)
        if search & Search.DUTY_CYCLE:
            reader.take(2)
        metadata = reader.number(2) if options else 0
        if search & Search.STOP_AFTER_TAGS:
            reader.take(4)
        if search & (Search.STATUS_REPORTS | Search.FIGURES):
            reader.take(2)
        tid_words = cls._tid_words(reader, data) if search & Search.EMBEDDED else 0
        return cls(cycle_ms, tid_words, search, metadata)

    @staticmethod
    def _tid_words(reader: _Reader, data: bytes) -> int:
        command = reader.take(3)
        reader.take(2)
        target = reader.take(6)
        if command != bytes([1, 9, Opcode.READ_TAG_DATA]) or target != bytes([0, _TID_BANK, 0, 0, 0, 0]):
            raise FrameError("range", "another command for each tag than to read its TID", data)
        return reader.number(1)


def response_type(data: bytes) -> int:
    """What a frame of the stream is, see `Response`.

    Raises:
        FrameError: `length`.
    """
    reader = _Reader(data)
    options = _options(reader)
    reader.take(4 if options[-1] & _OPTION_METADATA else 2)
    return reader.number(1)


def _options(reader: _Reader) -> bytes:
    first = reader.take(1)
    return first + reader.take(1) if first[0] & _OPTION_MORE else first


@dataclass(frozen=True, slots=True)
class StreamedTag:
    """One read. What the metadata flags left out is None.

    Attributes:
        transmitter, receiver: antenna ports, 1 to 16.
        since_cycle_ms: when, counted from the beginning of the read cycle.
        phase_deg: 0 to 180: the module cannot tell opposite phases apart.
        data: what the command for each tag read; empty when that failed.
        gpio: inputs in the high half, outputs in the low one.
        epc: without the XPC words. air_crc: the tag's own CRC-16 over all before it.
    """

    pc_bits: int
    epc: bytes
    air_crc: int
    xpc: bytes = b""
    count: int | None = None
    rssi_dbm: int | None = None
    transmitter: int | None = None
    receiver: int | None = None
    frequency_khz: int | None = None
    since_cycle_ms: int | None = None
    phase_deg: int | None = None
    protocol: int | None = None
    data: bytes | None = None
    gpio: int | None = None
    options: bytes = bytes([_OPTION_METADATA])
    search: int = int(Search.ANTENNA_LIST | Search.STREAMING | Search.LARGE_POPULATION)

    @property
    def air(self) -> bytes:
        """What the tag's own CRC covers."""
        return self.pc_bits.to_bytes(2, "big") + self.xpc + self.epc

    @property
    def has_right_crc(self) -> bool:
        """Whether the tag's own CRC fits."""
        return gen2_crc16(self.air) == self.air_crc

    def with_right_crc(self) -> Self:
        """The same read with the CRC that the tag would send."""
        return replace(self, air_crc=gen2_crc16(self.air))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of a frame of the stream.

        Raises:
            FrameError: `response` when it is no tag, `metadata` for flags that are unknown, `protocol` when the tag is
                no Gen2 tag, `length` when lengths do not fit each other.
        """
        reader = _Reader(data)
        options = _options(reader)
        search = reader.number(2)
        flags = reader.number(2) if options[-1] & _OPTION_METADATA else 0
        if (kind := reader.number(1)) != Response.TAG:
            raise FrameError("response", f"response type {kind:02X} is no tag", data)
        if flags & ~_KNOWN:
            raise FrameError("metadata", f"unknown metadata flags {flags & ~_KNOWN:04X}", data)
        count = reader.number(1) if flags & Metadata.COUNT else None
        rssi = reader.number(1) if flags & Metadata.RSSI else None
        antenna = reader.number(1) if flags & Metadata.ANTENNA else None
        frequency_khz = reader.number(3) if flags & Metadata.FREQUENCY else None
        since_cycle_ms = reader.number(4) if flags & Metadata.TIME else None
        phase_deg = reader.number(2) if flags & Metadata.PHASE else None
        protocol = reader.number(1) if flags & Metadata.PROTOCOL else None
        if protocol not in (None, GEN2):
            raise FrameError("protocol", f"protocol {protocol:02X}; {GEN2:02X} is Gen2", data)
        memory = _memory(reader) if flags & Metadata.DATA else None
        gpio = reader.number(1) if flags & Metadata.GPIO else None
        reader.take(sum(1 for flag in _GEN2_ONLY if flags & flag))
        pc_bits, xpc, epc, air_crc = _tag(reader, data)
        return cls(
            pc_bits=pc_bits,
            epc=epc,
            air_crc=air_crc,
            xpc=xpc,
            count=count,
            rssi_dbm=None if rssi is None else rssi - _BYTE if rssi & _NEGATIVE else rssi,
            transmitter=None if antenna is None else antenna >> 4 or _ANTENNA_16,
            receiver=None if antenna is None else antenna & 0x0F or _ANTENNA_16,
            frequency_khz=frequency_khz,
            since_cycle_ms=since_cycle_ms,
            phase_deg=phase_deg,
            protocol=protocol,
            data=memory,
            gpio=gpio,
            options=options,
            search=search,
        )

    def parameters(self) -> bytes:
        """The data as a module sends them."""
        antenna = None
        if self.transmitter is not None and self.receiver is not None:
            antenna = (self.transmitter % _ANTENNA_16) << 4 | self.receiver % _ANTENNA_16
        fields = (
            (Metadata.COUNT, 1, self.count),
            (Metadata.RSSI, 1, None if self.rssi_dbm is None else self.rssi_dbm % _BYTE),
            (Metadata.ANTENNA, 1, antenna),
            (Metadata.FREQUENCY, 3, self.frequency_khz),
            (Metadata.TIME, 4, self.since_cycle_ms),
            (Metadata.PHASE, 2, self.phase_deg),
            (Metadata.PROTOCOL, 1, self.protocol),
        )
        flags = sum(int(flag) for flag, _, value in fields if value is not None)
        body = b"".join(value.to_bytes(size, "big") for _, size, value in fields if value is not None)
        if self.data is not None:
            flags |= Metadata.DATA
            body += (len(self.data) * _BITS).to_bytes(2, "big") + self.data
        if self.gpio is not None:
            flags |= Metadata.GPIO
            body += bytes([self.gpio])
        tag = self.air + self.air_crc.to_bytes(2, "big")
        metadata = flags.to_bytes(2, "big") if self.options[-1] & _OPTION_METADATA else b""
        head = self.options + self.search.to_bytes(2, "big") + metadata + bytes([Response.TAG])
        return head + body + (len(tag) * _BITS).to_bytes(2, "big") + tag


def _memory(reader: _Reader) -> bytes:
    bits = reader.number(2)
    if bits & _OPERATION_FAILED:
        reader.take(2)
        return b""
    return reader.take(-(-bits // _BITS))


def _tag(reader: _Reader, data: bytes) -> tuple[int, bytes, bytes, int]:
    """PC word, XPC words, EPC and CRC, which must be all that is left."""
    bits = reader.number(2)
    size = bits // _BITS
    if bits % (WORD_BYTES * _BITS) or size != reader.left:
        raise FrameError("length", f"{bits} bits of tag are announced, {reader.left} bytes are left", data)
    pc_bits = reader.number(2)
    memory, air_crc = reader.take(max(0, size - 2 * WORD_BYTES)), reader.number(2)
    xpc_bytes = 0
    if pc_bits & _PC_XPC:
        second = memory[:1] >= bytes([_XPC_SECOND >> 8])
        xpc_bytes = 2 * WORD_BYTES if second else WORD_BYTES
        if xpc_bytes > len(memory):
            raise FrameError("length", f"PC {pc_bits:04X} announces an XPC word that did not come", data)
    announced = (pc_bits >> 11) * WORD_BYTES
    # whether the length in the PC word counts the XPC words has changed between editions of Gen2
    if len(memory) not in (announced, announced + xpc_bytes):
        raise FrameError("length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {len(memory)} came", data)
    return pc_bits, memory[:xpc_bytes], memory[xpc_bytes:], air_crc
