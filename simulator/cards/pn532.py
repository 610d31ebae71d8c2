"""Plays a PN532 on its serial line: the twin of the driver `pn532`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.codecs.pn532 import CALLS, Command, Decoder, Frame, Kind, Modulation, Target, encode, encode_targets
from readers.driver import Port
from readers.tagdata.cards import CardIdentity, Technology
from simulator.device import CardField

DEVICE: Final = "pn532"
ANTENNA_PORT: Final = 1
_IDLE_S: Final = 1.0
_WAKING: Final = b"\x55\x00"
_WAKES_AFTER: Final = 10  # bytes of activity on the line; hosts send 10 to 16
_MOST_TARGETS: Final = 2
_FIELD: Final = 0x01
_RETRIES: Final = 0x05
_ENDLESS: Final = 0xFF
_LONGEST_CALL_S: Final = 60.0
_TECHNOLOGIES: Final = {
    Modulation.A_106: Technology.NFC_A,
    Modulation.B_106: Technology.NFC_B,
    Modulation.F_212: Technology.NFC_F,
}


@dataclass(frozen=True, slots=True)
class Module:
    """What kind of module is played.

    Attributes:
        call_s: how long one call without an answer takes.
        sleeps: it hears nothing until it is woken, as after power-up.
        extended: answers come in extended frames.
        unknown: commands that are answered with an error frame.
        mute: commands that are not answered; they are acknowledged.
        deaf: commands that are not even acknowledged.
    """

    firmware: bytes = bytes([0x32, 0x01, 0x06, 0x07])
    call_s: float = 0.005
    sleeps: bool = True
    extended: bool = False
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()
    deaf: frozenset[int] = frozenset()


async def serve(port: Port, cards: CardField, module: Module | None = None) -> None:
    """Speak the module's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, cards, module or Module())
    while True:
        await twin.step()


class _Twin:
    def __init__(self, port: Port, cards: CardField, module: Module) -> None:
        self._port = port
        self._cards = cards
        self._module = module
        self._decoder = Decoder()
        self._is_awake = not module.sleeps
        self._activity = 0
        self._is_set = False
        self._retries = _ENDLESS
        self._last: Frame | None = None

    async def step(self) -> None:
        data = await self._port.receive(_IDLE_S)
        if not self._is_awake:
            self._activity += len(data) - len(data.lstrip(_WAKING))
            if self._activity < _WAKES_AFTER:
                return  # it sleeps: what comes is lost
            self._is_awake = True
            data = data.lstrip(_WAKING)
        for frame in self._decoder.feed(data) if data else self._decoder.gap():
            await self._obey(frame)

    async def _obey(self, frame: Frame) -> None:
        if frame.kind is Kind.NACK and self._last is not None:
            await self._say(self._last)
        if frame.kind is not Kind.COMMAND or frame.code in self._module.deaf:
            return
        await self._say(Frame(Kind.ACK))
        if frame.code in self._module.mute:
            return
        answer = None if frame.code in self._module.unknown else await self._carry_out(frame.code, frame.data)
        self._last = Frame(Kind.ERROR) if answer is None else Frame(Kind.ANSWER, frame.code + 1, answer)
        await self._say(self._last)

    async def _say(self, frame: Frame) -> None:
        await self._port.send(encode(frame, extended=self._module.extended))

    async def _carry_out(self, command: int, data: bytes) -> bytes | None:
        """The data of the answer; None for an error."""
        if command == Command.FIRMWARE:
            return self._module.firmware
        if command == Command.SAM_CONFIGURATION and data:
            self._is_set = True
            return b""
        if command == Command.RF_CONFIGURATION and data:
            if data[0] == _RETRIES and len(data) == 4:  # noqa: PLR2004 - the item and three numbers
                self._retries = data[3]
            elif data[0] != _FIELD:
                return None
            return b""
        is_listing = command == Command.LIST_PASSIVE_TARGETS and len(data) > 1
        if is_listing and self._is_set and 0 < data[0] <= _MOST_TARGETS and data[1] in tuple(Modulation):
            modulation = Modulation(data[1])
            if data[2:] == CALLS[modulation]:
                return await self._list(data[0], modulation)
        return None

    async def _list(self, most: int, modulation: Modulation) -> bytes:
        calls = _LONGEST_CALL_S / self._module.call_s if self._retries == _ENDLESS else self._retries + 1
        found: list[CardIdentity] = []
        while calls > 0:
            now_us = self._port.now_us()
            technology = _TECHNOLOGIES[modulation]
            found = [card for card in self._cards.present(ANTENNA_PORT, now_us) if card.technology is technology]
            if found:
                break
            calls -= 1
            await self._port.pause(self._module.call_s)
        return encode_targets([_target(number, card) for number, card in enumerate(found[:most], 1)])


def _target(number: int, card: CardIdentity) -> Target:
    """A card as the module tells of it: MIFARE Classic, or Ultralight for longer UIDs."""
    if card.technology is Technology.NFC_A:
        is_long = len(card.uid) > 4  # noqa: PLR2004 - the size of a single UID
        sens_res, sel_res = (b"\x00\x44", 0x00) if is_long else (b"\x00\x04", 0x08)
        return Target(number, card.technology, card.uid, sens_res, sel_res)
    if card.technology is Technology.NFC_B:
        return Target(number, card.technology, card.uid, extra=bytes.fromhex("00000000 338185 01 00"))
    return Target(number, card.technology, card.uid, extra=bytes(8) + b"\xff\xff")
