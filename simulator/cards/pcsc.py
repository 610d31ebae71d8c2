"""Plays a PC/SC reader and the cards on it: the twin of the driver `pcsc`, in the port's own messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.pcsc import GET_UID, Decoder, processor_atr, storage_atr
from readers.driver import Port
from readers.pcsc_messages import Kind, Message, encode
from readers.tagdata.cards import CardIdentity, Technology
from simulator.device import CardField

DEVICE: Final = "pcsc"
ANTENNA_PORT: Final = 1
_LOOK_S: Final = 0.05
_DONE: Final = b"\x90\x00"
_NO_FUNCTION: Final = b"\x6a\x81"
_NOT_FOUND: Final = b"\x6a\x82"
_NO_INSTRUCTION: Final = b"\x6d\x00"
_BEYOND_END: Final = b"\x6b\x00"
_WRONG_LENGTH: Final = b"\x67\x00"
_SELECT: Final = bytes.fromhex("00A40400")
_READ_BINARY: Final = bytes.fromhex("00B0")
_GET_RESPONSE: Final = bytes.fromhex("00C00000")
_SHORT_FILE: Final = 0x80
_STORAGE: Final = {Technology.NFC_V: (0x0B, 0x0014), Technology.NFC_F: (0x11, 0x003B)}


@dataclass(frozen=True, slots=True)
class CardFile:
    """The file of an application that holds a card's number.

    Attributes:
        sfi: its short identifier; None where SELECT selects the file itself.
        content: by card.
    """

    aid: bytes
    content: Mapping[CardIdentity, bytes]
    sfi: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """What kind of reader is played.

    Attributes:
        no_uid: it does not know GET DATA, as readers for contact cards.
        reverses: it turns UIDs round.
        has_processor: cards of type A that tell of ISO/IEC 14443-4.
        fetches: answers of more than that many bytes must be fetched with GET RESPONSE; None: never.
    """

    name: str = "Twin Contactless Reader 00 00"
    no_uid: bool = False
    reverses: bool = False
    has_processor: frozenset[CardIdentity] = frozenset()
    files: tuple[CardFile, ...] = field(default=())
    fetches: int | None = None


async def serve(port: Port, cards: CardField, reader: Reader | None = None) -> None:
    """Speak the reader's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, cards, reader or Reader())
    await twin.begin()
    while True:
        await twin.step()


class _Twin:
    def __init__(self, port: Port, cards: CardField, reader: Reader) -> None:
        self._port = port
        self._cards = cards
        self._reader = reader
        self._decoder = Decoder()
        self._here: CardIdentity | None = None
        self._selected: CardFile | None = None
        self._rest = b""

    async def begin(self) -> None:
        await self._say(Kind.READER, self._reader.name.encode())
        self._here = self._present()
        await self._tell()

    async def step(self) -> None:
        for message in self._decoder.feed(await self._port.receive(_LOOK_S)):
            if message.kind is Kind.COMMAND:
                await self._obey(message.data)
        here = self._present()
        if here != self._here:
            if self._here is not None and here is not None:
                self._here = None
                await self._tell()
            self._here = here
            await self._tell()

    def _present(self) -> CardIdentity | None:
        """A PC/SC reader tells of one card at a time."""
        return next(iter(self._cards.present(ANTENNA_PORT, self._port.now_us())), None)

    async def _tell(self) -> None:
        self._selected, self._rest = None, b""
        if self._here is None:
            await self._say(Kind.REMOVED)
        else:
            await self._say(Kind.INSERTED, self._atr(self._here))

    async def _say(self, kind: Kind, data: bytes = b"") -> None:
        await self._port.send(encode(Message(kind, data)))

    def _atr(self, card: CardIdentity) -> bytes:
        if card.technology is Technology.NFC_B:
            return processor_atr(bytes.fromhex("0000000000338185"))
        if card in self._reader.has_processor:
            return processor_atr(bytes.fromhex("8073C8401300"))
        return storage_atr(*_STORAGE.get(card.technology, (0x03, 0x0001 if len(card.uid) == 4 else 0x0003)))  # noqa: PLR2004 - the size of a single UID

    async def _obey(self, command: bytes) -> None:
        if self._here is None:
            await self._say(Kind.FAILED, b"Card was removed.")
            return
        answer = self._answer(self._here, command)
        most = self._reader.fetches if not command.startswith(_GET_RESPONSE) else None
        if most is not None and answer.endswith(_DONE) and len(answer) - 2 > most:
            self._rest = answer[:-2]
            answer = bytes([0x61, len(self._rest)])
        await self._say(Kind.ANSWER, answer)

    def _answer(self, card: CardIdentity, command: bytes) -> bytes:
        if command == GET_UID:
            if self._reader.no_uid:
                return _NO_FUNCTION
            return (card.uid[::-1] if self._reader.reverses else card.uid) + _DONE
        if command.startswith(_GET_RESPONSE):
            rest, self._rest = self._rest, b""
            return rest + _DONE
        if command.startswith(_SELECT) and len(command) > 5:  # noqa: PLR2004 - header and length
            aid = command[5 : 5 + command[4]]
            self._selected = next((f for f in self._reader.files if f.aid == aid and card in f.content), None)
            return b"\x6f\x00" + _DONE if self._selected else _NOT_FOUND
        if command.startswith(_READ_BINARY) and len(command) == 5:  # noqa: PLR2004 - header and length
            return self._read(card, command[2], command[3], command[4])
        return _NO_INSTRUCTION

    def _read(self, card: CardIdentity, first: int, second: int, size: int) -> bytes:
        file = self._selected
        if file is None:
            return _NOT_FOUND
        if first & _SHORT_FILE:
            if file.sfi != first & ~_SHORT_FILE:
                return _NOT_FOUND
            offset = second
        else:
            offset = first << 8 | second
        content = file.content[card]
        if offset >= len(content):
            return _BEYOND_END
        if offset + size > len(content):
            return bytes([0x6C, len(content) - offset]) if size else _WRONG_LENGTH
        return content[offset : offset + size] + _DONE
