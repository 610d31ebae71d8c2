"""Frames of the CF family, "UHF Prime": CF59x, CF6xx, H103 and other readers by Chafon, on a serial line or TCP.

    H A CC L DDDDDDDD.. KK
    │ │ │  │ │          └ CRC-16/MCRF4XX over H to the last D, 2 bytes, big-endian
    │ │ │  │ └─────────── parameters of a command; of a response the status, 1 byte, then its data
    │ │ │  └───────────── bytes of D, 1 byte
    │ │ └──────────────── command, 2 bytes, big-endian
    │ └────────────────── address, 1 byte: 00 to FE; FF in a command is for whoever hears it
    └──────────────────── head, 1 byte: CF

The head occurs inside frames, so that the length alone says where one ends.

Source: published notes of people who captured or tested against their readers (a CF69x on TCP, an H103 on Bluetooth, a
CP-202910 on TCP), each quoting the maker's manual; the maker's header file CFApi.h.
Seen on: published frames only (`tests/vectors/rfid/cf.toml`), no reader in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from readers.codecs.cf_band import Band
from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.framing import Scanner
from readers.errors import FrameError

HEAD: Final = 0xCF
BROADCAST: Final = 0xFF
MAX_BODY_BYTES: Final = 255
MAX_FRAME_BYTES: Final = MAX_BODY_BYTES + 7
_HEADER_BYTES: Final = 5
_CRC_BYTES: Final = 2
_COMMAND_MOST: Final = 0xFF  # all known ones
_PADDING: Final = b"\x00"  # a CP-202910 greets a new connection with two of them


class Command(IntEnum):
    """The commands that driver and simulated reader use."""

    START = 0x0001  # tags, and ends of rounds, come as its responses
    STOP = 0x0002
    READ = 0x0003
    WRITE = 0x0004
    SELECT = 0x0007
    SET_POWER = 0x0053
    INFO = 0x0070
    SET_PARAMETERS = 0x0071
    GET_PARAMETERS = 0x0072


class Status(IntEnum):
    """First byte of a response."""

    DONE = 0x00
    PARAMETER = 0x01
    FAILED = 0x02
    ROUND_END = 0x12  # no tag, or no more
    TAG_TIMEOUT = 0x14
    TAG_GARBLED = 0x15
    NOT_AUTHENTICATED = 0x16
    WRONG_PASSWORD = 0x17


class WorkMode(IntEnum):
    """Who begins to speak."""

    ANSWER = 0
    ACTIVE = 1
    TRIGGER = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `command` is a plain number because readers may send what `Command` does not list."""

    address: int
    command: int
    body: bytes = b""

    @property
    def status(self) -> int | None:
        """Of a response; None for a frame without one."""
        return self.body[0] if self.body else None

    @property
    def data(self) -> bytes:
        """Of a response."""
        return self.body[1:]


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: the body is longer than a length byte can say.
    """
    size = len(frame.body)
    if size > MAX_BODY_BYTES:
        raise FrameError("length", f"{size} bytes of body; at most {MAX_BODY_BYTES} go into a frame")
    head = bytes([HEAD, frame.address]) + frame.command.to_bytes(2, "big") + bytes([size]) + frame.body
    return head + mcrf4xx_crc16(head).to_bytes(_CRC_BYTES, "big")


class Decoder(Scanner[Frame]):
    """Finds frames.

    Reject reasons: noise_bytes, command, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([HEAD]), self._read, _PADDING)

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        header = buffer[start : start + _HEADER_BYTES]
        if len(header) < _HEADER_BYTES:
            return None
        command = int.from_bytes(header[2:4], "big")
        if command > _COMMAND_MOST:
            raise FrameError("command", f"command {command:04X}; 0000 to {_COMMAND_MOST:04X} exist")
        end = start + _HEADER_BYTES + header[4] + _CRC_BYTES
        if end > len(buffer):
            return None
        raw = bytes(buffer[start:end])
        if mcrf4xx_crc16(raw[:-_CRC_BYTES]) != int.from_bytes(raw[-_CRC_BYTES:], "big"):
            raise FrameError("checksum", f"CRC {raw[-_CRC_BYTES:].hex().upper()} is wrong")
        return Frame(header[1], command, raw[_HEADER_BYTES:-_CRC_BYTES]), len(raw)


BY_TIME: Final = 0
BY_ROUNDS: Final = 1


def start_parameters(rounds: int) -> bytes:
    """Inventory for so many rounds; 0 for until it is stopped."""
    return bytes([BY_ROUNDS if rounds else BY_TIME]) + rounds.to_bytes(4, "big")


_TAG_BYTES: Final = 5
_RSSI_STEPS: Final = 10  # the unit is 0.1 dBm


@dataclass(frozen=True, slots=True)
class Tag:
    """The data of a tag's response.

    Attributes:
        antenna: as told; 1-based, and 0 from a hand-held for what is no tag.
        channel: as told; taken to count from 0.
    """

    epc: bytes
    rssi_dbm: float
    antenna: int
    channel: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read it.

        Raises:
            FrameError: `length`.
        """
        if len(data) < _TAG_BYTES:
            raise FrameError("length", f"{len(data)} bytes of tag; at least {_TAG_BYTES} are due", data)
        size = data[_TAG_BYTES - 1]
        if size != len(data) - _TAG_BYTES:
            raise FrameError("length", f"{size} bytes of EPC announced, {len(data) - _TAG_BYTES} came", data)
        rssi = int.from_bytes(data[:2], "big", signed=True)
        return cls(data[_TAG_BYTES:], rssi / _RSSI_STEPS, data[2], data[3])

    def data(self) -> bytes:
        """As a reader sends it."""
        rssi = round(self.rssi_dbm * _RSSI_STEPS).to_bytes(2, "big", signed=True)
        return rssi + bytes([self.antenna, self.channel, len(self.epc)]) + self.epc

    @property
    def is_barcode(self) -> bool:
        """A hand-held in barcode mode sends text in the same place, without strength, antenna and channel."""
        return not self.antenna and not self.channel and not self.rssi_dbm


_TEXT_BYTES: Final = 32
_SERIAL_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Info:
    """Who a reader says it is; the data of command 0070, of which the part on its radio module is left out."""

    hardware: str
    firmware: str
    serial: str

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read it.

        Raises:
            FrameError: `length`.
        """
        if len(data) < 2 * _TEXT_BYTES + _SERIAL_BYTES:
            raise FrameError("length", f"{len(data)} bytes of information; at least 76 are due", data)
        number = data[2 * _TEXT_BYTES : 2 * _TEXT_BYTES + _SERIAL_BYTES]
        serial = _text(number)
        return cls(
            _text(data[:_TEXT_BYTES]),
            _text(data[_TEXT_BYTES : 2 * _TEXT_BYTES]),
            serial if serial.isalnum() and serial.isascii() else number.hex().upper(),
        )

    def data(self) -> bytes:
        """As a reader sends it, with a radio module."""
        own = _field(self.hardware, _TEXT_BYTES) + _field(self.firmware, _TEXT_BYTES)
        module = _field("RN370", _TEXT_BYTES) + _field("V1.0", _TEXT_BYTES) + bytes(_SERIAL_BYTES)
        return own + _field(self.serial, _SERIAL_BYTES) + module


def _text(field: bytes) -> str:
    text = field.partition(b"\x00")[0].decode("ascii", errors="replace")
    return "".join(character for character in text if character.isprintable()).strip()


def _field(text: str, size: int) -> bytes:
    return text.encode("ascii")[:size].ljust(size, b"\x00")


EPC_AREA: Final = 1
_PARAMETER_BYTES: Final = 25
_WORK_MODE_AT: Final = 2
_ANTENNAS_AT: Final = 6
_BAND_AT: Final = 7
_POWER_AT: Final = 15
_AREA_AT: Final = 16
_Q_AT: Final = 17
_SESSION_AT: Final = 18


@dataclass(frozen=True, slots=True)
class Parameters:
    """The 25 bytes of settings, of which those that are not named here are kept as they are.

    Address, protocol, work mode, interface, baud rate, Wiegand, antennas (one bit each), band (8 bytes, see `cf_band`),
    power (dBm), area, Q, session, area address, area length, filter time, trigger time, buzzer, pause.
    """

    raw: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read them.

        Raises:
            FrameError: `length`.
        """
        if len(data) != _PARAMETER_BYTES:
            raise FrameError("length", f"{len(data)} bytes of parameters; {_PARAMETER_BYTES} are known", data)
        return cls(data)

    @property
    def work_mode(self) -> int:
        """See `WorkMode`."""
        return self.raw[_WORK_MODE_AT]

    @property
    def antennas(self) -> tuple[int, ...]:
        """Those that are in use, 1-based."""
        return tuple(bit + 1 for bit in range(8) if self.raw[_ANTENNAS_AT] & 1 << bit)

    @property
    def band(self) -> Band:
        """The frequencies."""
        return Band.parse(self.raw[_BAND_AT:_POWER_AT])

    @property
    def power_dbm(self) -> int:
        """Of all antennas."""
        return self.raw[_POWER_AT]

    @property
    def area(self) -> int:
        """Which memory is told in place of the EPC: 1 the EPC, 2 TID, 3 user memory."""
        return self.raw[_AREA_AT]

    @property
    def q(self) -> int:
        """Of the inventory."""
        return self.raw[_Q_AT]

    @property
    def session(self) -> int:
        """Of the inventory."""
        return self.raw[_SESSION_AT]

    def changed(
        self,
        *,
        work_mode: int | None = None,
        antennas: tuple[int, ...] | None = None,
        band: Band | None = None,
        power_dbm: int | None = None,
        area: int | None = None,
        q: int | None = None,
        session: int | None = None,
    ) -> Self:
        """The same with other values."""
        mask = None if antennas is None else sum(1 << antenna - 1 for antenna in antennas)
        raw = bytearray(self.raw)
        for at, value in (
            (_WORK_MODE_AT, work_mode),
            (_ANTENNAS_AT, mask),
            (_POWER_AT, power_dbm),
            (_AREA_AT, area),
            (_Q_AT, q),
            (_SESSION_AT, session),
        ):
            if value is not None:
                raw[at] = value
        if band is not None:
            raw[_BAND_AT:_POWER_AT] = band.data()
        return type(self)(bytes(raw))
