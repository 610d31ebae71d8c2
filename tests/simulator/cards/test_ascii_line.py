"""The twin against published lines: what real readers write for the same cards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from readers.codecs.ascii_line import LineForm, Terminator
from readers.errors import LinkError
from readers.ports.memory import START_US, MemoryPort, pair, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.ascii_line import (
    Reader,
    TagReader,
    Writer,
    decimal_10,
    facility_number,
    hexadecimal,
    id12,
    lines,
    printed_fdxb,
    rdm6300,
    reversed_hexadecimal,
    serve,
    serve_tags,
    wiegand_26,
    wl134,
)
from simulator.device import Sighting

SEEED = CardIdentity.from_text("em4100:62E3086CED")
STAFF = CardIdentity.from_text("nfca:1EA68671")
EAR_TAG = CardIdentity.from_text("fdxb:E13A3529A171")


class Lying:
    """One card that lies there from the first to the second time."""

    def __init__(self, card: CardIdentity, from_s: float, until_s: float) -> None:
        self._card = card
        self._from_us, self._until_us = (START_US + round(at * 1_000_000) for at in (from_s, until_s))

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        assert antenna_port == 1
        return [self._card] if self._from_us <= now_us < self._until_us else []


def written(seconds: float, device: Callable[[MemoryPort], Coroutine[Any, Any, None]]) -> bytes:
    """What the reader writes in that time."""

    async def scene() -> bytes:
        ours, theirs = pair()
        twin = asyncio.create_task(device(theirs))
        await ours.pause(seconds)
        said = await ours.receive(0.001)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return said

    return run(scene())


@pytest.mark.parametrize(
    ("card", "write", "line"),
    [
        (SEEED, rdm6300, bytes.fromhex("02 36 32 45 33 30 38 36 43 45 44 30 38 03")),
        (CardIdentity.from_text("em4100:0C000621A5"), id12, b"\x020C000621A58E\r\n\x03"),
        (EAR_TAG, wl134, b"\x02171A9253A34830010000000000\x07\xf8\x03"),
        (EAR_TAG, lines(printed_fdxb), b"900 250000023921\r\n"),
        (STAFF, lines(hexadecimal), b"1EA68671\r\n"),
        (STAFF, lines(reversed_hexadecimal, LineForm(Terminator.CR)), b"7186A61E\r"),
        (STAFF, lines(decimal_10, LineForm(Terminator.ETX, prefix="\x02")), b"\x020514229873\x03"),
        (STAFF, lines(facility_number), b"166,34417\r\n"),
        (CardIdentity.from_text("em4100:0000D507D0"), lines(decimal_10), b"0013961168\r\n"),
        (CardIdentity.from_text("em4100:0000D507D0"), lines(facility_number), b"213,02000\r\n"),
        (CardIdentity.from_text("wiegand:0C8707"), lines(wiegand_26), b"2190E0F\r\n"),
    ],
)
def test_known_cards_are_written_as_published(card: CardIdentity, write: Writer, line: bytes) -> None:
    reader = Reader(write, repeats=False)
    assert written(3, lambda port: serve(port, Lying(card, 0, 9), reader)) == line


def test_an_rdm6300_repeats_while_the_card_lies_there() -> None:
    said = written(3, lambda port: serve(port, Lying(SEEED, 1.0, 2.0)))
    assert len(said) // len(rdm6300(SEEED)) in (15, 16)  # every 65 ms
    assert said.replace(rdm6300(SEEED), b"") == b""


def test_a_reader_says_something_at_power_up() -> None:
    reader = Reader(banner=b"ID READER V1.2\r\n")
    assert written(1, lambda port: serve(port, Lying(SEEED, 5, 6), reader)) == b"ID READER V1.2\r\n"


class Passing:
    """One tag, heard every second."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-start_us // 1_000_000) * 1_000_000
        return [Sighting(at, antenna_port, b"\x30\x75", -54.5) for at in range(first, until_us, 1_000_000)]


def test_a_uhf_reader_prints_what_it_hears() -> None:
    reader = TagReader(pattern="EPC={epc};RSSI={rssi};ANT={antenna}")
    said = written(3.5, lambda port: serve_tags(port, Passing(), reader))
    assert said == b"EPC=3075;RSSI=-54.5;ANT=1\r\n" * 4


def test_twins_end_with_their_link() -> None:
    async def scene() -> None:
        for is_of_cards in (True, False):
            ours, theirs = pair()
            device = serve(theirs, Lying(SEEED, 0, 9)) if is_of_cards else serve_tags(theirs, Passing())
            twin = asyncio.create_task(device)
            await ours.pause(1)
            await ours.close()
            with pytest.raises(LinkError):
                await twin

    run(scene())
