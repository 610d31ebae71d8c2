"""Tags of Hopeland readers: how they are asked for (02 10), and how they are told (12 00). Inside frames of `hopeland`.

    A M [01 LLLL 01 0020 b EE..] [02 F n] [03 SSSS n] [04 SSSS n] [05 PPPP] [09 SSSS n]         read
    │ │ │                        │        │           │           │         └ EPC bank, as 03
    │ │ │                        │        │           │           └────────── access password, 4 bytes
    │ │ │                        │        │           └ reserved memory, as 03
    │ │ │                        │        └──────────── user memory: first word, 2 bytes, and number of words
    │ │ │                        └───────────────────── TID: 00 as far as n words go, 01 exactly n
    │ │ └── filter: length of what follows, 2 bytes; bank 01, from bit 0020 on, b bits, the EPC
    │ └──── 00 one round, 01 until stopped
    └────── antenna ports, one bit each

    LLLL EE.. PPPP A {N DD..}                                                                   a tag
    │    │    │    │ └ parameters, each after its number
    │    │    │    └── antenna port
    │    │    └─────── PC word
    └────┴──────────── length of the EPC in bytes, 2 bytes, and the EPC

Parameters of a tag: 01 RSSI, see `rssi_dbm_of`, 1 byte · 02 what came of the memory that was asked for, 1: 00 it was
read, 01 no answer, 02 CRC, 03 locked, 04 no such memory, 05 password, 06 error of the tag, 07 of the reader · 03 TID,
04 user, 05 reserved memory, 0C EPC bank, 0E other, each 2 bytes of length and data · 06 sub-antenna, 1 · 07 reader's
time, 4 of seconds since 1970 and 4 of µs · 08 serial, 4 · 09 frequency, 4 · 0A phase, 1 · 10 count, 4 · 11 RSSI in dBm,
signed, 1 · 0B 8, 0D 10, 0F and 12 4, 13 2, 14 1

Source: Hopeland's forum, "RS232 & TCP/IP protocol instance"; Robonomics' ClouRFID for Waspmote, 2018;
malike-rnd/cl7206c2-rfid, 2026 (parameters 01 to 08 in reverse-engineered firmware); the maker's own libraries for
Python (com.rfid: Frame_0010_10, Tag_Model; all parameters) and C# (ClouReaderDemo; the scale of 01).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from readers.codecs.hopeland import MAX_ANTENNAS, time_data, time_us
from readers.errors import FrameError

SINGLE: Final = 0x00
CONTINUOUS: Final = 0x01
MOST_EPC_BYTES: Final = 30  # a filter counts bits in one byte
_WORD_BYTES: Final = 2
_BITS: Final = 8
_PC_XPC: Final = 0x0200  # an XPC word follows the PC word on the air: how these readers tell it is not known
_EPC_AREA: Final = bytes([0x01, 0x00, 0x20])  # bank and first bit
_FILTER, _TID, _USER, _RESERVED, _PASSWORD, _EPC_BANK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x09
_ASKED_BYTES: Final = {_TID: 2, _USER: 3, _RESERVED: 3, _PASSWORD: 4, _EPC_BANK: 3}
_SPANS: Final = (_USER, _RESERVED, _EPC_BANK)
_HEAD_BYTES: Final = 2
_MANTISSA_BITS: Final = 3
_ZERO_DBM: Final = -105.0
_BYTE_SIGN: Final = 0x80


def rssi_dbm_of(raw: int) -> float | None:
    """Parameter 01 in dBm, by what the maker's library calls a temporary algorithm; None for 0, which is no strength.

    The upper five bits are an exponent of 2, the lower three eighths beyond 1: an amplitude, of which 1 is -105 dBm.
    """
    if not raw:
        return None
    amplitude = 2 ** (raw >> _MANTISSA_BITS) * (1 + (raw & 0b111) / 8)
    return round(20 * math.log10(amplitude) + _ZERO_DBM, 1)


def rssi_raw_of(rssi_dbm: float) -> int:
    """The nearest value of parameter 01, as a simulated reader sends it."""
    values = {raw: rssi_dbm_of(raw) or 0.0 for raw in range(1, 0x100)}
    return min(values, key=lambda raw: abs(values[raw] - rssi_dbm))


def ports_of(mask: int) -> tuple[int, ...]:
    """The antenna ports of a mask."""
    return tuple(port for port in range(1, MAX_ANTENNAS + 1) if mask >> port - 1 & 1)


def epc_filter(epc: bytes) -> bytes:
    """The filter for tags whose EPC begins so, with its length."""
    chosen = _EPC_AREA + bytes([len(epc) * _BITS]) + epc
    return len(chosen).to_bytes(2, "big") + chosen


def filtered_epc(data: bytes) -> tuple[bytes, bytes]:
    """The EPC of such a filter, and what follows it.

    Raises:
        FrameError: `length`, or `range` for another filter than by the beginning of the EPC.
    """
    end = 2 + int.from_bytes(data[:2], "big")
    if len(data) < end or end < 2 + len(_EPC_AREA) + 1:
        raise FrameError("length", f"a filter of {end - 2} bytes in {len(data)}", data)
    if data[2:5] != _EPC_AREA or data[5] != (end - 6) * _BITS:
        raise FrameError("range", "another filter than by whole bytes of the EPC", data)
    return data[6:end], data[end:]


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a bank."""

    word: int
    words: int

    def data(self) -> bytes:
        """As a request holds them."""
        return self.word.to_bytes(2, "big") + bytes([self.words])

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read those 3 bytes."""
        return cls(int.from_bytes(data[:2], "big"), data[2])


@dataclass(frozen=True, slots=True)
class ReadTags:
    """What the message RFID READ_EPC asks for.

    Attributes:
        antenna_ports: 1 to 8.
        is_continuous: until stopped, else one round at each port.
        tid_words: words of TID to read along at most; 0 for none.
        epc: only tags whose EPC begins so.
        user, reserved, epc_bank: memory to read along, with the password.
    """

    antenna_ports: tuple[int, ...]
    is_continuous: bool = True
    tid_words: int = 0
    epc: bytes = b""
    user: Span | None = None
    reserved: Span | None = None
    epc_bank: Span | None = None
    password: int = 0

    def with_memory(
        self,
        *,
        tid_words: int = 0,
        user: Span | None = None,
        reserved: Span | None = None,
        epc_bank: Span | None = None,
    ) -> Self:
        """The same, reading that along."""
        return replace(self, tid_words=tid_words, user=user, reserved=reserved, epc_bank=epc_bank)

    def data(self) -> bytes:
        """The data of the request."""
        mask = sum(1 << port - 1 for port in self.antenna_ports)
        parameters = {
            _FILTER: epc_filter(self.epc) if self.epc else None,
            _TID: bytes([0, self.tid_words]) if self.tid_words else None,  # 0: a shorter TID is read as it is
            _USER: None if self.user is None else self.user.data(),
            _RESERVED: None if self.reserved is None else self.reserved.data(),
            _PASSWORD: self.password.to_bytes(4, "big") if self.password else None,
            _EPC_BANK: None if self.epc_bank is None else self.epc_bank.data(),
        }
        told = b"".join(bytes([number]) + value for number, value in parameters.items() if value is not None)
        return bytes([mask, CONTINUOUS if self.is_continuous else SINGLE]) + told

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the request.

        Raises:
            FrameError: `length`, or `range` for what a simulated reader does not do.
        """
        if len(data) < _HEAD_BYTES:
            raise FrameError("length", f"{len(data)} bytes; antennas and mode are due", data)
        if not data[0] or data[1] not in (SINGLE, CONTINUOUS):
            raise FrameError("range", "no antenna, or another mode", data)
        found: dict[int, bytes] = {}
        epc, rest = b"", data[2:]
        while rest:
            number, rest = rest[0], rest[1:]
            if number == _FILTER:
                epc, rest = filtered_epc(rest)
            elif number in _ASKED_BYTES and number not in found:
                size = _ASKED_BYTES[number]
                found[number], rest = rest[:size], rest[size:]
                if len(found[number]) < size:
                    raise FrameError("length", f"parameter {number:02X} ends too early", data)
            else:
                raise FrameError("range", f"parameter {number:02X} is not played, or came twice", data)
        spans = {number: Span.parse(found[number]) for number in _SPANS if number in found}
        return cls(
            ports_of(data[0]),
            data[1] == CONTINUOUS,
            tid_words=found[_TID][1] if _TID in found else 0,
            epc=epc,
            user=spans.get(_USER),
            reserved=spans.get(_RESERVED),
            epc_bank=spans.get(_EPC_BANK),
            password=int.from_bytes(found.get(_PASSWORD, b""), "big"),
        )


@dataclass(frozen=True, slots=True)
class Tag:
    """One read.

    Attributes:
        rssi: as sent, see `rssi_dbm`.
        memory_result: 0 when the memory that was asked for was read.
        reader_time_us: the reader's own clock, since 1970.
        exact_rssi_dbm: what newer readers tell besides.
        more: parameters that are not used, by number.
        rest: from the first parameter on that is not known.
    """

    epc: bytes
    pc_bits: int
    antenna_port: int
    rssi: int | None = None
    memory_result: int | None = None
    tid: bytes | None = None
    user_memory: bytes | None = None
    reserved_memory: bytes | None = None
    sub_antenna: int | None = None
    reader_time_us: int | None = None
    serial: int | None = None
    epc_bank: bytes | None = None
    exact_rssi_dbm: int | None = None
    more: tuple[tuple[int, bytes], ...] = ()
    rest: bytes = b""

    @property
    def rssi_dbm(self) -> float | None:
        """The strength in dBm."""
        if self.exact_rssi_dbm is not None:
            return float(self.exact_rssi_dbm)
        return None if self.rssi is None else rssi_dbm_of(self.rssi)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of the message.

        Raises:
            FrameError: `length` when lengths do not fit each other, `range` for antenna port 0.
        """
        size = int.from_bytes(data[:2], "big")
        at = 2 + size + 3
        if len(data) < at:
            raise FrameError("length", f"an EPC of {size} bytes is announced, {len(data)} bytes came", data)
        pc_bits, port = int.from_bytes(data[at - 3 : at - 1], "big"), data[at - 1]
        announced = (pc_bits >> 11) * _WORD_BYTES
        if size != announced and not pc_bits & _PC_XPC:
            raise FrameError("length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {size} came", data)
        if not port:
            raise FrameError("range", "antenna port 0; they are numbered from 1", data)
        found, end = _parameters(data, at)
        numbers = {number: int.from_bytes(value, "big") for number, value in found.items()}
        exact = numbers.get(0x11)
        return cls(
            epc=data[2 : 2 + size],
            pc_bits=pc_bits,
            antenna_port=port,
            rssi=numbers.get(0x01),
            memory_result=numbers.get(0x02),
            tid=found.get(0x03),
            user_memory=found.get(0x04),
            reserved_memory=found.get(0x05),
            sub_antenna=numbers.get(0x06),
            reader_time_us=time_us(found[0x07]) if 0x07 in found else None,  # noqa: PLR2004 - see the drawing
            serial=numbers.get(0x08),
            epc_bank=found.get(0x0C),
            exact_rssi_dbm=None if exact is None else exact - 0x100 if exact & _BYTE_SIGN else exact,
            more=tuple((number, value) for number, value in found.items() if number not in _USED),
            rest=data[end:],
        )

    def data(self) -> bytes:
        """The data as a reader sends them, parameters in the order of their numbers."""
        time = None if self.reader_time_us is None else time_data(self.reader_time_us)
        exact = self.exact_rssi_dbm
        parameters = {
            0x01: None if self.rssi is None else bytes([self.rssi]),
            0x02: None if self.memory_result is None else bytes([self.memory_result]),
            0x03: self.tid,
            0x04: self.user_memory,
            0x05: self.reserved_memory,
            0x06: None if self.sub_antenna is None else bytes([self.sub_antenna]),
            0x07: time,
            0x08: None if self.serial is None else self.serial.to_bytes(4, "big"),
            0x0C: self.epc_bank,
            0x11: None if exact is None else exact.to_bytes(1, "big", signed=True),
            **dict(self.more),
        }
        body = len(self.epc).to_bytes(2, "big") + self.epc + self.pc_bits.to_bytes(2, "big")
        body += bytes([self.antenna_port])
        for number, value in parameters.items():
            if value is not None:
                length = b"" if _PARAMETERS[number] is not None else len(value).to_bytes(2, "big")
                body += bytes([number]) + length + value
        return body + self.rest


def _parameters(data: bytes, at: int) -> tuple[dict[int, bytes], int]:
    """The parameters from there on, as far as they are known, and where they end.

    Raises:
        FrameError: `length`.
    """
    found: dict[int, bytes] = {}
    while at < len(data) and data[at] in _PARAMETERS and data[at] not in found:
        number, at = data[at], at + 1
        length = _PARAMETERS[number]
        if length is None:
            length, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        found[number], at = data[at : at + length], at + length
    if at > len(data):
        raise FrameError("length", f"a parameter ends {at - len(data)} bytes behind the data", data)
    return found, at


_PARAMETERS: Final[Mapping[int, int | None]] = dict(
    enumerate((1, 1, None, None, None, 1, 8, 4, 4, 1, 8, None, 10, None, 4, 4, 1, 4, 2, 1), 1)
)
"""Parameters of a tag: how many bytes follow the number; None where a length does."""
_USED: Final = frozenset({*range(0x01, 0x09), 0x0C, 0x11})
