"""Plays a reader that writes a line or a frame for each card and hears nothing: the twin of the driver `ascii_line`.

Numbers are written here by rules of their own, so that the driver's are checked against them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.codecs import em4100, fdxb
from readers.codecs.ascii_line import LineForm, encode
from readers.driver import Port
from readers.tagdata.cards import CardIdentity
from simulator.device import CardField, Radio

DEVICE: Final = "ascii_line"
ANTENNA_PORT: Final = 1
_NATIONAL_BITS: Final = 38

Writer = Callable[[CardIdentity], bytes]


def rdm6300(card: CardIdentity) -> bytes:
    """As an RDM6300 writes an EM4100 card."""
    return em4100.encode(em4100.Frame(card.uid), em4100.Form.RDM6300)


def id12(card: CardIdentity) -> bytes:
    """As an ID-12LA does."""
    return em4100.encode(em4100.Frame(card.uid), em4100.Form.ID12)


def wl134(card: CardIdentity) -> bytes:
    """As a WL-134 writes an FDX-B transponder."""
    number = int.from_bytes(card.uid, "big")
    return fdxb.encode(fdxb.Frame(number >> _NATIONAL_BITS, number & ((1 << _NATIONAL_BITS) - 1)))


def hexadecimal(card: CardIdentity) -> str:
    """The UID in air order."""
    return card.uid.hex().upper()


def reversed_hexadecimal(card: CardIdentity) -> str:
    """The UID, last byte first."""
    return card.uid[::-1].hex().upper()


def decimal_10(card: CardIdentity) -> str:
    """Ten digits of the last four bytes, as printed on cards."""
    return f"{int.from_bytes(card.uid[-4:], 'big'):010d}"


def facility_number(card: CardIdentity) -> str:
    """`213,02000` of the last three bytes."""
    return f"{card.uid[-3]:03d},{int.from_bytes(card.uid[-2:], 'big'):05d}"


def wiegand_26(card: CardIdentity) -> str:
    """The last three bytes between their parity bits, as seven hex digits."""
    bits = f"{int.from_bytes(card.uid[-3:], 'big'):024b}"
    frame = f"{bits[:12].count('1') % 2}{bits}{1 - bits[12:].count('1') % 2}"
    return f"{int(frame, 2):07X}"


def printed_fdxb(card: CardIdentity) -> str:
    """`900 250000023921`."""
    number = int.from_bytes(card.uid, "big")
    return f"{number >> _NATIONAL_BITS:03d} {number & ((1 << _NATIONAL_BITS) - 1):012d}"


def lines(write: Callable[[CardIdentity], str], form: LineForm | None = None) -> Writer:
    """A reader that writes text, framed so."""
    return lambda card: encode(write(card), form or LineForm())


@dataclass(frozen=True, slots=True)
class Reader:
    """What kind of reader is played.

    Attributes:
        write: what is written for a card.
        poll_s: how often the reader looks for cards.
        repeats: it writes a card again at each look, as an RDM6300 does, not only when it comes.
        banner: written at power-up.
    """

    write: Writer = rdm6300
    poll_s: float = 0.065
    repeats: bool = True
    banner: bytes = b""


@dataclass(frozen=True, slots=True)
class TagReader:
    """A UHF reader that prints what it hears.

    Attributes:
        form: of its lines.
        pattern: of a line, with `{epc}`, `{rssi}` and `{antenna}`.
    """

    form: LineForm = field(default_factory=LineForm)
    pattern: str = "{epc}"
    poll_s: float = 0.1


async def serve(port: Port, cards: CardField, reader: Reader | None = None) -> None:
    """Write for the cards that come until the link ends.

    Raises:
        LinkError: the link ended.
    """
    played = reader or Reader()
    before: Sequence[CardIdentity] = ()
    if played.banner:
        await port.send(played.banner)
    while True:
        present = cards.present(ANTENNA_PORT, port.now_us())
        for card in present:
            if played.repeats or card not in before:
                await port.send(played.write(card))
        before = present
        await port.receive(0)  # what is said to it means nothing; that the link is gone does
        await port.pause(played.poll_s)


async def serve_tags(port: Port, radio: Radio, reader: TagReader | None = None) -> None:
    """Write what the radio hears until the link ends.

    Raises:
        LinkError: the link ended.
    """
    played = reader or TagReader()
    heard_us = port.now_us()
    while True:
        await port.pause(played.poll_s)
        now_us = port.now_us()
        for sighting in radio.heard(ANTENNA_PORT, heard_us, now_us):
            text = played.pattern.format(
                epc=sighting.epc.hex().upper(), rssi=f"{sighting.rssi_dbm:.1f}", antenna=sighting.antenna_port
            )
            await port.send(encode(text, played.form))
        heard_us = now_us
        await port.receive(0)
