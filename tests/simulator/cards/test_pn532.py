"""The twin against published frames: what a real module would say to the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from readers.codecs.pn532 import WAKE, Decoder, Frame, Kind
from readers.ports.memory import pair, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.pn532 import Module, serve

WOKEN = WAKE.hex() + "00 00 FF 05 FB D4 14 01 14 01 02 00"
FIRMWARE = "00 00 FF 02 FE D4 02 2A 00"
CALL_A = "00 00 FF 04 FC D4 4A 01 00 E1 00"
CALL_FELICA = "00 00 FF 09 F7 D4 4A 01 01 00 FF FF 00 00 E2 00"
FEW_RETRIES = "00 00 FF 06 FA D4 32 05 FF 01 02 F3 00"
ACK = bytes.fromhex("00 00 FF 00 FF 00")


class Pad:
    def __init__(self, *cards: str) -> None:
        self._cards = [CardIdentity.from_text(card) for card in cards]

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        return self._cards if antenna_port == 1 and now_us else []


def converse(asked: Sequence[str], pad: Pad | None = None, module: Module | None = None) -> list[bytes]:
    """What comes back to each piece within half a second."""

    async def scene() -> list[bytes]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, pad or Pad(), module))
        answers = []
        for each in asked:
            await ours.send(bytes.fromhex(each))
            await ours.pause(0.5)
            answers.append(await ours.receive(0.001))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return answers

    return run(scene())


def test_published_questions_get_the_published_answers() -> None:
    answers = converse([WOKEN, FIRMWARE])
    assert answers == [
        ACK + bytes.fromhex("00 00 FF 02 FE D5 15 16 00"),
        ACK + bytes.fromhex("00 00 FF 06 FA D5 03 32 01 06 07 E8 00"),
    ]


def test_it_sleeps_until_it_is_woken() -> None:
    assert converse([FIRMWARE, "00" * 10 + FIRMWARE])[0] == b""
    assert converse(["00" * 10 + FIRMWARE])[0].startswith(ACK)
    assert converse([FIRMWARE], module=Module(sleeps=False))[0].startswith(ACK)


def test_a_published_card_is_told_as_it_was_published() -> None:
    answers = converse([WOKEN, FEW_RETRIES, CALL_A], Pad("nfca:0463F80A4F5381"))
    assert answers[2] == ACK + bytes.fromhex("00 00 FF 0F F1 D5 4B 01 01 00 44 00 07 04 63 F8 0A 4F 53 81 07 00")


def test_only_cards_of_the_called_type_answer() -> None:
    answers = converse([WOKEN, FEW_RETRIES, CALL_A, CALL_FELICA], Pad("nfcf:01010A1002003004"))
    [_, none] = Decoder().feed(answers[2])
    assert none == Frame(Kind.ANSWER, 0x4B, b"\x00")
    [_, felica] = Decoder().feed(answers[3])
    assert felica.data[:12] == bytes.fromhex("01 01 14 01 01010A1002003004")


def test_without_a_limit_it_calls_until_a_card_comes() -> None:
    assert converse([WOKEN, CALL_A])[1] == ACK


def test_the_last_answer_is_said_again_when_it_is_asked_for() -> None:
    first, again, garbled = converse([WOKEN, "00 00 FF FF 00 00", "00 00 FF 02 FE D4 02 2B 00"])
    assert ACK + again == first
    assert garbled == b""


def test_what_it_cannot_is_an_error_frame() -> None:
    wrong = ["00 00 FF 02 FE D4 99 93 00", "00 00 FF 03 FD D4 32 77 83 00", CALL_A.replace("01 00 E1", "03 00 DF")]
    for answer in converse([WOKEN, *wrong])[1:]:
        assert answer == ACK + bytes.fromhex("00 00 FF 01 FF 7F 81 00")
    assert converse([WOKEN, FIRMWARE], module=Module(unknown=frozenset({2})))[1].endswith(b"\x7f\x81\x00")
    assert converse([WOKEN, FIRMWARE], module=Module(mute=frozenset({2})))[1] == ACK
    assert converse([WOKEN, FIRMWARE], module=Module(deaf=frozenset({2})))[1] == b""


def test_it_must_be_set_before_it_calls() -> None:
    assert converse(["00" * 10 + CALL_A])[0].endswith(b"\x7f\x81\x00")
