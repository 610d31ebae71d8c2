"""The twin against published ATRs and the commands of the card standard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from readers.codecs.pcsc import GET_UID, Decoder, read_binary, select
from readers.pcsc_messages import Kind, Message, encode
from readers.ports.memory import pair, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.pcsc import CardFile, Reader, serve

CLASSIC, LONG = CardIdentity.from_text("nfca:1EA68671"), CardIdentity.from_text("nfca:04A1B2C3D4E5F6")
AID = bytes.fromhex("A000000632010105")


class Pad:
    def __init__(self, *cards: CardIdentity) -> None:
        self.cards = list(cards)

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        return self.cards if antenna_port == 1 and now_us else []


def converse(commands: Sequence[bytes], pad: Pad, reader: Reader | None = None) -> list[Message]:
    """What the reader says at first and to each command."""

    async def scene() -> list[Message]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, pad, reader))
        decoder, found = Decoder(), list[Message]()
        for command in (None, *commands):
            if command is not None:
                await ours.send(encode(Message(Kind.COMMAND, command)))
            await ours.pause(0.2)
            found += decoder.feed(await ours.receive(0.001))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return found

    return run(scene())


@pytest.mark.parametrize(
    ("card", "atr"),
    [
        ("nfca:1EA68671", "3B8F8001804F0CA000000306030001000000006A"),
        ("nfca:04A1B2C3D4E5F6", "3B8F8001804F0CA0000003060300030000000068"),
    ],
)
def test_a_card_shows_its_published_atr_and_says_its_uid(card: str, atr: str) -> None:
    identity = CardIdentity.from_text(card)
    name, inserted, uid = converse([GET_UID], Pad(identity))
    assert name == Message(Kind.READER, b"Twin Contactless Reader 00 00")
    assert inserted == Message(Kind.INSERTED, bytes.fromhex(atr))
    assert uid == Message(Kind.ANSWER, identity.uid + b"\x90\x00")


def test_cards_come_and_go_one_at_a_time() -> None:
    async def scene() -> list[Kind]:
        ours, device = pair()
        pad = Pad()
        twin = asyncio.create_task(serve(device, pad))
        decoder, found = Decoder(), list[Message]()
        for cards in ([], [CLASSIC], [LONG, CLASSIC], []):
            pad.cards = cards
            await ours.pause(0.2)
            found += decoder.feed(await ours.receive(0.001))
        await ours.send(encode(Message(Kind.COMMAND, GET_UID)))
        found += decoder.feed(await ours.receive(1))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return [message.kind for message in found]

    inserted, removed = Kind.INSERTED, Kind.REMOVED
    assert run(scene()) == [Kind.READER, removed, inserted, removed, inserted, removed, Kind.FAILED]


def test_files_are_read_after_their_application_is_selected() -> None:
    reader = Reader(files=(CardFile(AID, {LONG: bytes(range(20))}, 21), CardFile(b"other", {LONG: b"1234"})))
    commands = [
        read_binary(21, 0, 4),
        select(b"unknown"),
        select(AID),
        read_binary(21, 4, 4),
        read_binary(20, 4, 4),
        read_binary(21, 18, 4),
        read_binary(21, 20, 4),
        select(b"other"),
        read_binary(None, 1, 3),
        bytes.fromhex("0084000008"),
    ]
    answers = [message.data.hex() for message in converse(commands, Pad(LONG), reader)[2:]]
    assert answers == [
        "6a82",
        "6a82",
        "6f009000",
        "040506079000",
        "6a82",
        "6c02",
        "6b00",
        "6f009000",
        "3233349000",
        "6d00",
    ]


def test_quirks_of_readers() -> None:
    assert converse([GET_UID], Pad(LONG), Reader(no_uid=True))[2].data == b"\x6a\x81"
    assert converse([GET_UID], Pad(LONG), Reader(reverses=True))[2].data == LONG.uid[::-1] + b"\x90\x00"
    fetched = converse([GET_UID, bytes.fromhex("00C0000007")], Pad(LONG), Reader(fetches=4))[2:]
    assert [message.data for message in fetched] == [b"\x61\x07", LONG.uid + b"\x90\x00"]
    processor = converse([], Pad(LONG), Reader(has_processor=frozenset({LONG})))[1]
    assert processor.data.startswith(bytes.fromhex("3B868001"))
