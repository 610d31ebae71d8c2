"""The twin against published packets, and against libosdp's control panel through the driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from readers.codecs.osdp import Command, Decoder, Frame, NakCode, Reply, encode, parse_raw_card
from readers.ports.memory import pair, run
from readers.tagdata.card_formats import Bits, CardFormat
from readers.tagdata.cards import CardIdentity, Technology
from simulator.cards.osdp import Controls, Reader, serve, wiegand_frame

CARD = CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671"))


class Pad:
    """Cards by antenna port, changed while the twin runs."""

    def __init__(self) -> None:
        self.cards: dict[int, list[CardIdentity]] = {}

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        assert now_us > 0
        return self.cards.get(antenna_port, [])


def converse(
    asked: Sequence[Frame | Callable[[], Any]],
    pad: Pad | None = None,
    readers: Sequence[Reader] = (Reader(101),),
    controls: Controls | None = None,
    pause_s: float = 0.06,
) -> list[list[Frame]]:
    """What comes back to each packet."""

    async def scene() -> list[list[Frame]]:
        ours, theirs = pair()
        twin = asyncio.create_task(serve(theirs, pad or Pad(), readers, controls))
        answers, decoder = [], Decoder()
        for each in asked:
            if isinstance(each, Frame):
                await ours.send(encode(each))
            else:
                each()
            await ours.pause(pause_s)
            if isinstance(each, Frame):
                answers.append(decoder.feed(await ours.receive(0.001)))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return answers

    return run(scene())


def poll(sequence: int, address: int = 101) -> Frame:
    return Frame(address, Command.POLL, sequence=sequence)


def test_a_published_poll_gets_the_published_acknowledgement() -> None:
    [[ack]] = converse([Decoder().feed(bytes.fromhex("53 65 08 00 04 60 60 90"))[0]])
    assert encode(ack) == bytes.fromhex("53 E5 08 00 04 40 D2 96")


def test_it_says_who_it_is_and_what_it_can() -> None:
    [[identity], [capabilities]] = converse(
        [Frame(101, Command.ID, b"\x00"), Frame(101, Command.CAPABILITIES, b"\x00", sequence=1)]
    )
    assert identity.data == bytes.fromhex("00F3A1 05 02 78563412 010203")
    assert len(capabilities.data) % 3 == 0


@pytest.mark.parametrize(("wiegand", "bits"), [(False, 32), (True, 34)])
def test_a_card_is_told_once_while_it_lies_there_and_anew_when_it_comes_back(*, wiegand: bool, bits: int) -> None:
    pad = Pad()
    [[first], [told], [after], [none], [again]] = converse(
        [
            poll(0),
            lambda: pad.cards.update({1: [CARD]}),
            poll(1),
            poll(2),
            pad.cards.clear,
            poll(3),
            lambda: pad.cards.update({1: [CARD]}),
            poll(1),
        ],
        pad,
        [Reader(101, wiegand=wiegand)],
    )
    assert [frame.code for frame in (first, told, after, none, again)] == [0x40, 0x50, 0x40, 0x40, 0x50]
    card = parse_raw_card(told.data)
    assert card.size_bits == bits
    number = int.from_bytes(card.bits, "big") >> len(card.bits) * 8 - bits
    assert CardFormat(technology=Technology.NFC_A).identity(Bits(number, bits)) == CARD


def test_an_answer_that_was_not_heard_is_given_again() -> None:
    pad = Pad()
    pad.cards[1] = [CARD]
    [_, [told], [again], [after]] = converse([poll(0), poll(1), poll(1), poll(2)], pad)[0:4]
    # the card came with the first poll of all, which starts the sequence
    assert again == told
    assert after.code == Reply.ACK


def test_a_sequence_that_jumps_is_refused() -> None:
    [_, [nak]] = converse([poll(0), poll(3)])
    assert (nak.code, nak.data) == (Reply.NAK, bytes([NakCode.SEQUENCE]))


def test_tamper_power_and_keys() -> None:
    controls = Controls()

    def touch() -> None:
        controls.tamper = True
        controls.keys.append((0, b"12\x0d"))

    [_, [keys], [status], [asked]] = converse(
        [poll(0), touch, poll(1), poll(2), Frame(101, Command.LOCAL_STATUS, sequence=3)], controls=controls
    )
    assert (keys.code, keys.data) == (Reply.KEYPAD, b"\x00\x0312\x0d")
    assert (status.code, status.data) == (Reply.LOCAL_STATUS, b"\x01\x00")
    assert asked.data == b"\x01\x00"


def test_devices_of_a_line_answer_to_their_own_address_only() -> None:
    readers = [Reader(1), Reader(2, is_mute=True), Reader(3, has_crc=False)]
    answers = converse([poll(0, 1), poll(0, 2), poll(0, 9), Frame(3, Command.POLL, has_crc=False)], readers=readers)
    assert [[frame.address for frame in frames] for frames in answers] == [[1], [], [], [3]]
    assert not answers[3][0].has_crc


def test_what_it_cannot_is_refused_with_the_right_code() -> None:
    [[unknown], [block], [light]] = converse(
        [
            Frame(101, 0x99),
            Frame(101, Command.CHALLENGE, bytes(8), sequence=1, security=b"\x11\x01"),
            Frame(101, Command.LED, bytes(14), sequence=2),
        ]
    )
    assert unknown.data == bytes([NakCode.UNKNOWN_COMMAND])
    assert block.data == bytes([NakCode.SECURITY_BLOCK])
    assert light.code == Reply.ACK
    [[refused]] = converse([poll(0)], readers=[Reader(101, asks_security=True)])
    assert refused.data == bytes([NakCode.SECURITY_NEEDED])


def test_what_a_panel_that_went_away_did_not_fetch_is_forgotten() -> None:
    pad = Pad()
    [_, [later]] = converse([poll(0), lambda: pad.cards.update({1: [CARD]}), poll(0)], pad, pause_s=9)
    assert later.code == Reply.ACK


@pytest.mark.parametrize(("data", "size", "bits"), [("0C8707", 26, "864383C0"), ("1EA68671", 34, "0F53433880")])
def test_wiegand_frames_have_parity(data: str, size: int, bits: str) -> None:
    found = wiegand_frame(bytes.fromhex(data))
    assert found == (size, bytes.fromhex(bits))
    number = int.from_bytes(found[1], "big") >> len(found[1]) * 8 - size
    assert CardFormat(random_uids="allowed").identity(Bits(number, size)).uid == bytes.fromhex(data)
