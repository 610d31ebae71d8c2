"""Plays card readers that speak OSDP on one line, in the clear: the twin of the driver `osdp`.

It is written from the protocol alone and needs no libosdp, so that driver and twin share no code but the packet codec.
It has no secure channel: that is tested against the peripheral device of libosdp.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.osdp import BROADCAST, Command, Decoder, Frame, NakCode, RawCard, Reply, encode
from readers.driver import Port
from readers.tagdata.cards import CardIdentity
from simulator.device import CardField

DEVICE: Final = "osdp"
_LISTEN_S: Final = 0.05
_IDLE_S: Final = 8.0  # without a poll for so long the panel counts as gone, and what it did not fetch is forgotten
_MOST_WAITING: Final = 32
_RAW: Final = 0  # bits without a layout of their own
_WIEGAND: Final = 1
_WIEGAND_BYTES: Final = (3, 4)  # identities that readers send as Wiegand frames, of 26 and 34 bits
_BITS_PER_BYTE: Final = 8


@dataclass(frozen=True, slots=True)
class Reader:
    """What kind of device is played.

    Attributes:
        antenna_ports: of the card field, one for each of its readers.
        wiegand: identities of 3 and 4 bytes are sent as frames of 26 and 34 bits with parity.
        asks_security: refuses all but the first questions without a secure channel, as enforcing readers do.
        is_mute: does not answer.
    """

    address: int = 0
    antenna_ports: tuple[int, ...] = (1,)
    vendor: bytes = bytes.fromhex("00F3A1")
    model: int = 5
    version: int = 2
    serial: int = 0x12345678
    firmware: tuple[int, int, int] = (1, 2, 3)
    wiegand: bool = False
    has_crc: bool = True
    asks_security: bool = False
    is_mute: bool = False


@dataclass(slots=True)
class Controls:
    """What a test can do to a device while it runs."""

    tamper: bool = False
    power_failure: bool = False
    keys: list[tuple[int, bytes]] = field(default_factory=list)


async def serve(
    port: Port, cards: CardField, readers: Sequence[Reader] = (Reader(),), controls: Controls | None = None
) -> None:
    """Speak the side of all devices of the line until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twins = [_Twin(port, cards, reader, controls or Controls()) for reader in readers]
    decoder = Decoder()
    while True:
        data = await port.receive(_LISTEN_S)
        for twin in twins:
            twin.look()
        for frame in decoder.feed(data) if data else decoder.gap():
            if frame.is_reply:
                continue
            for twin in twins:
                answer = twin.answer(frame)
                if answer:
                    await port.send(answer)


def wiegand_frame(data: bytes) -> tuple[int, bytes]:
    """Bits and left-aligned bytes of a frame: even parity over the first half, odd over the second."""
    size = len(data) * _BITS_PER_BYTE
    number = int.from_bytes(data, "big")
    first, second = number >> size // 2, number & ((1 << size // 2) - 1)
    bits = (first.bit_count() % 2) << (size + 1) | number << 1 | (1 - second.bit_count() % 2)
    spare = -(size + 2) % _BITS_PER_BYTE
    return size + 2, (bits << spare).to_bytes((size + 2 + spare) // _BITS_PER_BYTE, "big")


class _Twin:
    def __init__(self, port: Port, cards: CardField, reader: Reader, controls: Controls) -> None:
        self._port = port
        self._cards = cards
        self._reader = reader
        self._controls = controls
        self._present: dict[int, frozenset[CardIdentity]] = {}
        self._waiting: deque[tuple[int, bytes]] = deque(maxlen=_MOST_WAITING)
        self._told_status = (False, False)
        self._sequence = -1
        self._last_answer = b""
        self._polled_s = port.monotonic_s()

    def look(self) -> None:
        """Take note of cards that were laid on a reader, of keys and of the housing."""
        now_us = self._port.now_us()
        for number, antenna_port in enumerate(self._reader.antenna_ports):
            here = self._cards.present(antenna_port, now_us)
            before = self._present.get(antenna_port, frozenset())
            self._present[antenna_port] = frozenset(here)
            for card in here:
                if card not in before:
                    self._waiting.append((Reply.RAW_CARD, self._raw_card(number, card).data()))
        while self._controls.keys:
            number, keys = self._controls.keys.pop(0)
            self._waiting.append((Reply.KEYPAD, bytes([number, len(keys)]) + keys))
        status = (self._controls.tamper, self._controls.power_failure)
        if status != self._told_status:
            self._told_status = status
            self._waiting.append((Reply.LOCAL_STATUS, bytes(status)))
        if self._port.monotonic_s() - self._polled_s > _IDLE_S:
            self._waiting.clear()
            self._sequence = -1

    def answer(self, asked: Frame) -> bytes:
        """The packet to send; empty when another device is meant."""
        if asked.address not in (self._reader.address, BROADCAST) or self._reader.is_mute:
            return b""
        self._polled_s = self._port.monotonic_s()
        if asked.sequence and asked.sequence == self._sequence:
            return self._last_answer  # the panel did not hear it
        if asked.sequence and self._sequence >= 0 and asked.sequence != self._sequence % 3 + 1:
            told: tuple[int, bytes] = (Reply.NAK, bytes([NakCode.SEQUENCE]))
        else:
            self._sequence = asked.sequence
            told = self._carry_out(asked)
        reply = Frame(self._reader.address, *told, is_reply=True, sequence=asked.sequence, has_crc=asked.has_crc)
        self._last_answer = encode(reply)
        return self._last_answer

    def _carry_out(self, asked: Frame) -> tuple[int, bytes]:
        reader = self._reader
        if asked.code == Command.ID:
            identity = reader.vendor + bytes([reader.model, reader.version]) + reader.serial.to_bytes(4, "little")
            return Reply.ID, identity + bytes(reader.firmware)
        if asked.code == Command.CAPABILITIES:
            security = (9, int(reader.asks_security), 0)
            return Reply.CAPABILITIES, bytes([3, 1, 0, 8, int(reader.has_crc), 0, *security])
        if asked.security or reader.asks_security:
            return Reply.NAK, bytes([NakCode.SECURITY_NEEDED if reader.asks_security else NakCode.SECURITY_BLOCK])
        if asked.code == Command.POLL:
            return self._waiting.popleft() if self._waiting else (Reply.ACK, b"")
        if asked.code == Command.LOCAL_STATUS:
            return Reply.LOCAL_STATUS, bytes(self._told_status)
        if asked.code in (Command.LED, Command.BUZZER):
            return Reply.ACK, b""
        return Reply.NAK, bytes([NakCode.UNKNOWN_COMMAND])

    def _raw_card(self, number: int, card: CardIdentity) -> RawCard:
        if self._reader.wiegand and len(card.uid) in _WIEGAND_BYTES:
            size, bits = wiegand_frame(card.uid)
            return RawCard(number, _WIEGAND, size, bits)
        return RawCard(number, _RAW, len(card.uid) * _BITS_PER_BYTE, card.uid)
