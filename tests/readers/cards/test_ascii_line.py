from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.cards.ascii_line import DRIVER, GAP_S, AsciiLineDriver, AsciiLineSettings
from readers.codecs.ascii_line import LineForm, Terminator
from readers.errors import LinkError
from readers.observations import CardReads, Condition, Observation, Rejected, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.ascii_line import (
    Reader,
    TagReader,
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
from simulator.device import CardField, Sighting
from simulator.faults import Fault, Kind
from simulator.faulty_port import FaultyPort
from tests.support.talk import US_PER_S, linked, talk

EM = [CardIdentity.from_text(f"em4100:{number}") for number in ("62E3086CED", "0000D507D0", "0202030302")]
STAFF = [CardIdentity.from_text(f"nfca:{number}") for number in ("1EA68671", "04A1B2C3D4E5F6", "0102030405060708090A")]
EAR = [CardIdentity.from_text(f"fdxb:{number}") for number in ("E13A3529A171", "F9C06B7798CF")]


class Queue:
    """Cards in turn: each lies there for `stay_s`, then nobody for as long."""

    def __init__(self, cards: Sequence[CardIdentity], stay_s: float = 2.0) -> None:
        self._cards = cards
        self._stay_us = round(stay_s * US_PER_S)

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        assert antenna_port == 1
        number, gone = divmod((now_us - START_US) // self._stay_us, 2)
        return [] if gone else [self._cards[number % len(self._cards)]]


def cards_in(heard: Sequence[Observation]) -> list[str]:
    return [card.identity.text for o in heard if isinstance(o, CardReads) for card in o.cards]


def listen(
    seconds: float,
    settings: dict[str, Any],
    cards: CardField,
    reader: Reader,
    mangle: functools.partial[list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, cards, reader)

    return talk(seconds, AsciiLineDriver(AsciiLineSettings.model_validate(settings)), device, mangle)


NFC_A = {"technology": "nfca"}


@pytest.mark.parametrize(
    ("settings", "write", "cards", "told"),
    [
        ({"format": "rdm6300"}, rdm6300, EM, None),
        ({"format": "id12"}, id12, EM, None),
        ({"format": "fdxb"}, wl134, EAR, None),
        ({"format": "line", "card": {"technology": "fdxb"}}, lines(printed_fdxb), EAR, None),
        ({"format": "line", "card": NFC_A}, lines(hexadecimal), STAFF, None),
        (
            {"format": "line", "card": NFC_A | {"byte_order": "reversed"}, "terminator": "cr"},
            lines(reversed_hexadecimal, LineForm(Terminator.CR)),
            STAFF,
            None,
        ),
        (
            {"format": "line", "card": NFC_A, "terminator": "etx", "prefix": "\x02", "suffix": "#"},
            lines(hexadecimal, LineForm(Terminator.ETX, "\x02", "#")),
            STAFF,
            None,
        ),
        (
            {"format": "line", "card": NFC_A, "terminator": "idle"},
            lines(hexadecimal, LineForm(Terminator.IDLE)),
            STAFF,
            None,
        ),
        (
            {"format": "line", "card": {"technology": "em4100", "base": "dec", "width": "last32"}},
            lines(decimal_10),
            EM[:2],
            ["em4100~last32:E3086CED", "em4100~last32:00D507D0"],
        ),
        (
            {"format": "line", "card": {"technology": "em4100", "base": "facility_number", "width": "last24"}},
            lines(facility_number),
            EM[:2],
            ["em4100~last24:086CED", "em4100~last24:D507D0"],
        ),
        (
            {"format": "line", "card": {"wiegand": 26}, "pattern": "Card {number}"},
            lines(lambda card: f"Card {wiegand_26(card)}"),
            EM[:2],
            ["wiegand:086CED", "wiegand:D507D0"],
        ),
    ],
)
def test_each_card_is_told_once_a_presentation(
    settings: dict[str, Any],
    write: Callable[[CardIdentity], bytes],
    cards: list[CardIdentity],
    told: list[str] | None,
) -> None:
    for repeats in (False, True):
        if repeats and settings.get("terminator") == "idle":
            continue  # without a pause between them two lines are one
        heard = listen(len(cards) * 8, settings, Queue(cards), Reader(write, repeats=repeats))
        assert cards_in(heard) == (told or [card.text for card in cards]) * 2
        assert [o for o in heard if not isinstance(o, CardReads)] == [Watching(frozenset({1}))]


def garble(rng: Random, share: float, data: bytes) -> list[bytes]:
    """Some chunks lose a byte, some get a wrong bit, some come with noise, some in two pieces."""
    dice = rng.random()
    if dice > share or not data:
        return [data]
    at = rng.randrange(len(data))
    if dice < share / 4:
        return [data[:at] + data[at + 1 :]]
    if dice < share / 2:
        return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
    if dice < 3 * share / 4:
        return [rng.randbytes(rng.randrange(1, 30)), data]
    return [data[:at], data[at:]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("settings", "write", "cards"),
    [({"format": "rdm6300"}, rdm6300, EM), ({"format": "id12"}, id12, EM), ({"format": "fdxb"}, wl134, EAR)],
)
def test_on_a_bad_line_no_wrong_card_is_told(
    settings: dict[str, Any], write: Callable[[CardIdentity], bytes], cards: list[CardIdentity], seed: int
) -> None:
    mangle = functools.partial(garble, Random(seed), 0.4)
    heard = listen(600, settings, Queue(cards), Reader(write), mangle)
    told = cards_in(heard)
    assert set(told) == {card.text for card in cards}
    assert len(told) == 150  # each of the presentations, once
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 300


def test_a_line_without_checksum_is_refused_when_anything_in_it_is_strange() -> None:
    mangle = functools.partial(garble, Random(1), 0.4)
    settings = {"format": "line", "card": NFC_A, "prefix": "\x02", "pattern": "{number:8}", "terminator": "etx"}
    write = lines(hexadecimal, LineForm(Terminator.ETX, "\x02"))
    heard = listen(600, settings, Queue(STAFF[:1]), Reader(write), mangle)
    told = cards_in(heard)
    assert told.count("nfca:1EA68671") == 150
    for wrong in set(told):  # one wrong bit may make another digit: nothing can be done about that
        assert sum(a != b for a, b in zip(wrong, "nfca:1EA68671", strict=True)) <= 1


def test_a_banner_at_power_up_is_counted_and_no_card() -> None:
    reader = Reader(lines(hexadecimal), banner=b"ID READER V1.2\r\n", repeats=False)
    heard = listen(3, {"format": "line", "card": NFC_A}, Queue(STAFF[:1]), reader)
    assert cards_in(heard) == ["nfca:1EA68671"]
    assert [(o.reason, o.reads_lost) for o in heard if isinstance(o, Rejected)] == [("text", 1)]


def test_random_uids_and_beginnings_of_longer_ones_are_refused() -> None:
    strange = [CardIdentity.from_text("nfca:08A1B2C3"), CardIdentity.from_text("nfca:8804A1B2")]
    settings = {"format": "line", "card": NFC_A}
    heard = listen(8, settings, Queue(strange), Reader(lines(hexadecimal), repeats=False))
    assert not cards_in(heard)
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["random_uid", "cascade_tag"]


def test_a_reader_set_otherwise_is_a_condition_until_it_is_understood() -> None:
    settings = {"format": "line", "card": NFC_A}
    heard = listen(20, settings, Queue(EM[:1]), Reader(rdm6300))
    [told] = [o for o in heard if isinstance(o, Condition)]
    assert (told.name, told.active) == ("not_understood", True)
    assert "look at format, terminator, pattern and the speed of the line" in told.detail
    assert not cards_in(heard)


def test_no_number_of_a_card_is_in_what_is_thrown_away() -> None:
    for settings, write in (
        ({"format": "id12"}, rdm6300),
        ({"format": "line", "card": {"technology": "em4100"}}, lines(hexadecimal)),
        ({"format": "line", "card": {"technology": "em4100"}}, rdm6300),
    ):
        heard = listen(20, settings, Queue(STAFF[1:2] if write is not rdm6300 else EM), Reader(write))
        rejected = [o for o in heard if isinstance(o, Rejected)]
        assert rejected
        assert not any(o.sample for o in rejected)
        told = " ".join(o.detail for o in heard if isinstance(o, Condition))
        assert "62E3" not in told
        assert "04A1" not in told


class Passing:
    """Three tags in turn, one every half second."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        step_us = US_PER_S // 2
        numbers = range(-(-start_us // step_us), -(-until_us // step_us))
        return [Sighting(n * step_us, antenna_port, EPCS[n % 3], -50.0 - n % 9) for n in numbers]


EPCS = [bytes.fromhex("30751FEB705C5904E3D50D70"), b"\x12\x34", bytes(range(62))]


def tags(settings: dict[str, Any], reader: TagReader) -> list[Observation]:
    driver = AsciiLineDriver(AsciiLineSettings.model_validate({"format": "line", "content": "epc"} | settings))
    return talk(30, driver, lambda port: serve_tags(port, Passing(), reader))


def test_epcs_are_tag_reads() -> None:
    heard = tags({"pattern": "{antenna_port}:{number}"}, TagReader(pattern="{antenna}:{epc}"))
    reads = [row for o in heard if isinstance(o, TagReads) for row in o.rows()]
    assert len(reads) == 60
    assert {(row.epc, row.antenna_port, row.rssi_dbm) for row in reads} == {(epc, 1, None) for epc in EPCS}
    with_rssi = tags({"pattern": "{number} {rssi_dbm}"}, TagReader(pattern="{epc} {rssi}"))
    strengths = {row.rssi_dbm for o in with_rssi if isinstance(o, TagReads) for row in o.rows()}
    assert strengths <= {-50.0 - n for n in range(9)}
    assert not cards_in(heard)


def test_epcs_that_are_none_and_antennas_that_are_not_there_are_lost_reads() -> None:
    odd = tags({"pattern": "{number:23}{skip}"}, TagReader())
    assert {o.reason for o in odd if isinstance(o, Rejected)} == {"text", "pattern"}
    elsewhere = tags({"pattern": "{antenna_port}:{number}", "antennas": [2, 3]}, TagReader(pattern="{antenna}:{epc}"))
    assert Watching(frozenset({2, 3})) in elsewhere
    lost = [o for o in elsewhere if isinstance(o, Rejected) and o.reason == "antenna"]
    assert sum(o.reads_lost for o in lost) == 60


def test_silence_for_a_day_costs_nothing_and_the_next_card_is_told() -> None:
    woken = 0

    class Counting(MemoryPort):
        async def receive(self, within_s: float) -> bytes:
            nonlocal woken
            woken += 1
            return await super().receive(within_s)

    async def scene() -> list[Observation]:
        ours, device = Counting("memory"), MemoryPort("memory (device)")
        ours.connect(device)
        heard: list[Observation] = []
        running = asyncio.create_task(
            AsciiLineDriver(AsciiLineSettings.model_validate({"format": "rdm6300"})).run(ours, heard.append)
        )
        await device.pause(86_400)
        await device.send(rdm6300(EM[0])[:7])
        await device.pause(GAP_S / 2)
        await device.send(rdm6300(EM[0])[7:])
        await device.pause(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return heard

    assert cards_in(run(scene())) == [EM[0].text]
    assert woken < 40


def test_half_a_frame_is_given_up_after_a_pause() -> None:
    async def device(port: MemoryPort) -> None:
        await port.send(rdm6300(EM[0])[:9])
        await port.pause(2 * GAP_S)
        await port.send(rdm6300(EM[1]))
        await port.pause(3600)

    heard = talk(5, AsciiLineDriver(AsciiLineSettings.model_validate({"format": "rdm6300"})), device)
    assert cards_in(heard) == [EM[1].text]
    assert "truncated" in [o.reason for o in heard if isinstance(o, Rejected)]


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.DROP, Kind.DUPLICATE, Kind.CORRUPT, Kind.DRIP])
def test_faults_of_the_link(kind: Kind) -> None:
    async def scene(at_byte: int) -> tuple[list[Observation], BaseException | None]:
        ours, device = linked()
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device, Queue(EM), Reader(rdm6300)))
        faulty = FaultyPort(ours, [Fault(kind, at_byte=at_byte, length=5, seconds=0.001)])
        driver = AsciiLineDriver(AsciiLineSettings.model_validate({"format": "rdm6300"}))
        running = asyncio.create_task(driver.run(faulty, heard.append))
        await asyncio.wait([running], timeout=11)
        error = running.exception() if running.done() else None
        running.cancel()
        twin.cancel()
        await asyncio.gather(running, twin, return_exceptions=True)
        return heard, error

    for at_byte in (3, 14, 100):
        heard, error = run(scene(at_byte))
        if kind is Kind.CUT:
            assert isinstance(error, LinkError)
            continue
        assert error is None
        assert cards_in(heard) == [card.text for card in EM]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "format"),
        ({"format": "morse"}, "rdm6300"),
        ({"format": "rdm6300", "terminator": "cr"}, "format = rdm6300 says all of terminator"),
        ({"format": "fdxb", "content": "epc", "pattern": "{number}"}, "format = fdxb says all of content, pattern"),
        ({"format": "line", "content": "epc", "card": {}}, "card says how card numbers are written"),
        ({"format": "line", "pattern": "{number} {rssi_dbm}"}, "go with content = epc"),
        ({"format": "line", "pattern": "{card}"}, "a brace that is no field"),
        ({"format": "line", "prefix": "é"}, "prefix"),
        ({"format": "line", "prefix": "x" * 17}, "prefix"),
        ({"format": "line", "card": {"base": "dec"}}, "does not say how long"),
        ({"format": "line", "antennas": [2]}, "put {antenna_port} into pattern"),
        (
            {"format": "line", "content": "epc", "pattern": "{antenna_port} {number}", "antennas": [2, 2]},
            "each port may be named once",
        ),
        ({"format": "line", "idle_gap_s": 0.001}, "idle_gap_s"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AsciiLineSettings.model_validate(settings)
    assert message in str(caught.value)


def test_the_antennas_are_those_of_the_settings() -> None:
    assert DRIVER.settings(format="line").antenna_ports() == (1,)
    settings = {"format": "line", "content": "epc", "pattern": "{antenna_port} {number}", "antennas": [1, 4]}
    assert AsciiLineSettings.model_validate(settings).antenna_ports() == (1, 4)
