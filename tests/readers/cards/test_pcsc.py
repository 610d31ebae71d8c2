from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.cards.pcsc import DRIVER, PcscDriver, PcscSettings
from readers.errors import LinkError
from readers.observations import CardRead, CardReads, DeviceInfo, Observation, Rejected, Watching
from readers.pcsc_messages import Kind, Message, encode
from readers.ports.memory import START_US, MemoryPort, pair, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.pcsc import CardFile, Reader, serve
from tests.support.talk import US_PER_S, talk

CLASSIC, LONG = CardIdentity.from_text("nfca:1EA68671"), CardIdentity.from_text("nfca:04A1B2C3D4E5F6")
CITY = CardIdentity.from_text("nfca:04112233445566")
TYPE_B, VICINITY = CardIdentity.from_text("nfcb:11223344"), CardIdentity.from_text("nfcv:D4C3B2A1500104E0")
FELICA, PHONE = CardIdentity.from_text("nfcf:01010A1002003004"), CardIdentity.from_text("nfca:08112233")
AID = bytes.fromhex("A000000632010105")
NUMBER = bytes.fromhex("12345678901234567890")
APPLICATION: dict[str, Any] = {"aid": AID.hex(), "sfi": 21, "offset": 10, "length": 10}


class Pad:
    """Cards that lie there from one second to another."""

    def __init__(self, *lies: tuple[CardIdentity, float, float]) -> None:
        self._lies = [(card, START_US + round(a * US_PER_S), START_US + round(b * US_PER_S)) for card, a, b in lies]

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        assert antenna_port == 1
        return [card for card, since, until in self._lies if since <= now_us < until]


def listen(
    seconds: float,
    pad: Pad,
    settings: dict[str, Any] | None = None,
    reader: Reader | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, pad, reader)

    return talk(seconds, PcscDriver(PcscSettings.model_validate(settings or {})), device, mangle)


def told(heard: Sequence[Observation]) -> list[str]:
    reads: list[CardRead] = [card for o in heard if isinstance(o, CardReads) for card in o.cards]
    assert all(card.antenna_port == 1 for card in reads)
    return [card.identity.text for card in reads]


def rejected(heard: Sequence[Observation]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for observation in heard:
        if isinstance(observation, Rejected):
            counts[observation.reason] = counts.get(observation.reason, 0) + observation.count
    return counts


def test_cards_of_every_type_are_told_once_for_each_presentation() -> None:
    cards = [CLASSIC, LONG, VICINITY, FELICA]
    pad = Pad(*((card, 10 * n + 1, 10 * n + 6) for n, card in enumerate([*cards, CLASSIC])))
    heard = listen(60, pad)
    assert told(heard) == [card.text for card in [*cards, CLASSIC]]
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [DeviceInfo(model="Twin Contactless Reader 00 00")]
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(frozenset({1}))]
    assert not rejected(heard)


def test_a_card_that_flickers_is_one_presentation_and_one_that_returns_later_is_another() -> None:
    flicker = [(CLASSIC, 1 + 3 * n, 3.5 + 3 * n) for n in range(5)]
    assert told(listen(30, Pad(*flicker))) == [CLASSIC.text]
    assert len(told(listen(30, Pad(*flicker), {"absent_after_s": 0.1}))) == 5


def test_a_card_lying_there_when_the_link_comes_up_is_told() -> None:
    assert told(listen(5, Pad((CLASSIC, 0, 9)))) == [CLASSIC.text]


def test_one_card_in_place_of_another_at_once() -> None:
    assert told(listen(9, Pad((CLASSIC, 1, 3), (LONG, 3, 5)))) == [CLASSIC.text, LONG.text]


def test_what_names_no_card_is_refused() -> None:
    heard = listen(9, Pad((TYPE_B, 1, 2), (PHONE, 3, 4)))
    assert told(heard) == []
    assert rejected(heard) == {"pupi": 1, "random_uid": 1}
    assert told(listen(9, Pad((TYPE_B, 1, 2)), {"policy": {"pupi": "allowed"}})) == [TYPE_B.text]


def test_readers_that_turn_uids_round_and_readers_without() -> None:
    assert told(listen(9, Pad((VICINITY, 1, 2)), {"byte_order": "reversed"}, Reader(reverses=True))) == [VICINITY.text]
    assert rejected(listen(9, Pad((VICINITY, 1, 2)), reader=Reader(reverses=True))) == {"byte_order": 1}
    assert rejected(listen(9, Pad((CLASSIC, 1, 2)), reader=Reader(no_uid=True))) == {"no_uid": 1}


def test_the_technology_may_be_set() -> None:
    assert told(listen(9, Pad((TYPE_B, 1, 2)), {"technology": "nfca"})) == ["nfca:11223344"]


@pytest.mark.parametrize("fetches", [None, 0, 4])
@pytest.mark.parametrize("sfi", [21, None])
def test_the_number_of_an_application_is_read_from_its_file(sfi: int | None, fetches: int | None) -> None:
    file = CardFile(AID, {CITY: bytes(10) + NUMBER + b"\xff"}, sfi)
    reader = Reader(has_processor=frozenset({CITY}), files=(file,), fetches=fetches)
    pad = Pad((CITY, 1, 2), (CLASSIC, 3, 4))
    heard = listen(9, pad, {"application": APPLICATION | {"sfi": sfi}}, reader)
    assert told(heard) == [f"app:{NUMBER.hex()}"]
    assert rejected(heard) == {"status_6a82": 1}
    otherwise = listen(9, pad, {"application": APPLICATION | {"sfi": sfi, "otherwise": "uid"}}, reader)
    assert told(otherwise) == [f"app:{NUMBER.hex()}", CLASSIC.text]


def test_a_file_that_is_too_short_gives_no_number() -> None:
    reader = Reader(files=(CardFile(AID, {CITY: bytes(10) + NUMBER[:4]}, 21),))
    assert rejected(listen(9, Pad((CITY, 1, 2)), {"application": APPLICATION}, reader)) == {"length": 1}
    empty = Reader(files=(CardFile(AID, {CITY: bytes(10) + bytes(10)}, 21),))
    assert rejected(listen(9, Pad((CITY, 1, 2)), {"application": APPLICATION}, empty)) == {"blank_uid": 1}


def saying(*answers: bytes, settings: dict[str, Any] | None = None) -> list[Observation]:
    """What the driver makes of a card that answers its commands so, one after another, then no more."""

    async def device(port: MemoryPort) -> None:
        await port.send(encode(Message(Kind.READER, "Leser\x1b[31m \u00fc".encode())))
        await port.send(encode(Message(Kind.INSERTED, bytes.fromhex("3B8F8001804F0CA000000306030001000000006A"))))
        for answer in answers:
            await port.receive(60)
            await port.send(answer)
        await port.pause(600)

    return talk(100, PcscDriver(PcscSettings.model_validate(settings or {})), device)


def answer(data: str) -> bytes:
    return encode(Message(Kind.ANSWER, bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([answer("90")], "no_uid"),
        ([answer("9000")], "length"),
        ([answer("00" * 17 + "9000")], "length"),
        ([answer("6104")] * 4, "no_uid"),
        ([answer("112233" + "9000")], "length"),
        ([encode(Message(Kind.REMOVED))], "card_gone"),
        ([encode(Message(Kind.FAILED, b"Card was removed."))], "card_gone"),
        ([], "no_uid"),
    ],
)
def test_cards_that_answer_strangely_are_counted(answers: list[bytes], reason: str) -> None:
    heard = saying(*answers)
    assert told(heard) == []
    assert rejected(heard) == {reason: 1}


def test_a_card_that_asks_for_ever_is_left() -> None:
    settings = {"application": APPLICATION}
    assert rejected(saying(*[answer("6104")] * 4, settings=settings)) == {"endless": 1}


def test_an_answer_that_nobody_asked_for_and_a_name_full_of_signs() -> None:
    heard = saying(answer("1EA686719000") + answer("1122334455667788"))
    assert told(heard) == [CLASSIC.text]
    assert rejected(heard) == {"unasked": 1}
    assert DeviceInfo(model="Leser[31m ") in heard


@pytest.mark.parametrize("seed", range(4))
def test_in_pieces_and_between_noise_every_card_is_told(seed: int) -> None:
    rng = Random(seed)

    def mangle(rng: Random, data: bytes) -> list[bytes]:
        at = rng.randrange(1, len(data))
        return [b"\x00\xff" * rng.randrange(2), data[:at], data[at:]]

    cards = [CardIdentity.from_text(f"nfca:04{number:012X}") for number in range(1, 31)]
    pad = Pad(*((card, 2 * n + 1, 2 * n + 2) for n, card in enumerate(cards)))
    heard = listen(70, pad, mangle=functools.partial(mangle, rng))
    assert told(heard) == [card.text for card in cards]
    assert rejected(heard)["noise_bytes"] > 20


def test_a_silent_port_and_one_that_ends_are_link_errors() -> None:
    async def silent() -> None:
        ours, _ = pair()
        await PcscDriver(PcscSettings()).run(ours, lambda _: None)

    async def cut() -> None:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, Pad()))
        running = asyncio.create_task(PcscDriver(PcscSettings()).run(ours, lambda _: None))
        await ours.pause(3)
        await device.close()
        await asyncio.gather(twin, return_exceptions=True)
        await running

    with pytest.raises(LinkError, match="the reader said nothing within 5 s"):
        run(silent())
    with pytest.raises(LinkError, match="closed the link"):
        run(cut())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"application": {"aid": "A0", "length": 4}}, "should match pattern"),
        ({"application": APPLICATION | {"offset": 256}}, "with sfi at most 255"),
        ({"application": APPLICATION | {"length": 17}}, "less than or equal to 16"),
        ({"application": APPLICATION | {"otherwise": "guess"}}, "'refused' or 'uid'"),
        ({"technology": "mifare"}, "Input should be 'nfca'"),
        ({"x": 1}, "Extra inputs"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PcscSettings.model_validate(wrong)
    assert DRIVER.settings().antenna_ports() == (1,)
    assert (DRIVER.extra, DRIVER.schemes) == ("pcsc", ("pcsc",))
