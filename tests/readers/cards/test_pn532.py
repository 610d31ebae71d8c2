from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.cards.pn532 import DRIVER, Pn532Driver, Pn532Settings
from readers.codecs.pn532 import Command
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import CardRead, CardReads, DeviceInfo, Observation, Rejected, Watching
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import START_US, MemoryPort, pair, run
from readers.tagdata.cards import CardIdentity
from simulator.cards.pn532 import Module, serve
from simulator.faults import Fault, Kind
from simulator.faulty_port import FaultyPort
from tests.support.bad_lines import garble
from tests.support.talk import US_PER_S, talk

SHORT, LONG = CardIdentity.from_text("nfca:1EA68671"), CardIdentity.from_text("nfca:00FF00FFD500FF")
TYPE_B, FELICA = CardIdentity.from_text("nfcb:11223344"), CardIdentity.from_text("nfcf:01010A1002003004")
PHONE = CardIdentity.from_text("nfca:08A1B2C3")


class Pad:
    """Cards that lie there from one second to another; a phone shows another UID each time."""

    def __init__(self, *lies: tuple[CardIdentity, float, float]) -> None:
        self._lies = [(card, START_US + round(a * US_PER_S), START_US + round(b * US_PER_S)) for card, a, b in lies]

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        assert antenna_port == 1
        return [
            CardIdentity(card.technology, b"\x08" + now_us.to_bytes(8, "big")[-3:]) if card == PHONE else card
            for card, since, until in self._lies
            if since <= now_us < until
        ]


def listen(
    seconds: float,
    settings: Pn532Settings | None = None,
    module: Module | None = None,
    pad: Pad | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, pad or Pad((SHORT, 1, 2)), module)

    return talk(seconds, Pn532Driver(settings or Pn532Settings()), device, mangle)


def reads(heard: Sequence[Observation]) -> list[CardRead]:
    return [card for observation in heard if isinstance(observation, CardReads) for card in observation.cards]


def rejected(heard: Sequence[Observation]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for observation in heard:
        if isinstance(observation, Rejected):
            counts[observation.reason] = counts.get(observation.reason, 0) + observation.count
    return counts


@pytest.mark.parametrize("extended", [False, True])
def test_each_presentation_is_told_once(*, extended: bool) -> None:
    pad = Pad((SHORT, 1, 4), (LONG, 6, 7), (SHORT, 10, 11), (FELICA, 10, 12))
    heard = listen(15, module=Module(extended=extended), pad=pad)
    told = [card.identity for card in reads(heard)]
    assert told[:2] == [SHORT, LONG]
    assert sorted(card.text for card in told[2:]) == [SHORT.text, FELICA.text]  # in the order in which they are called
    assert {card.antenna_port for card in reads(heard)} == {1}
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [DeviceInfo("NXP", "PN532", "1.6")]
    assert heard.count(Watching(frozenset({1}))) == 1
    assert not rejected(heard)


def test_a_card_that_answers_now_and_then_stays_the_same_presentation() -> None:
    flicker = [(SHORT, 1 + 0.5 * n, 1.3 + 0.5 * n) for n in range(20)]
    assert len(reads(listen(20, pad=Pad(*flicker)))) == 1


def test_two_cards_at_once_where_that_is_set() -> None:
    pad = Pad((SHORT, 1, 5), (LONG, 2, 5))
    assert [card.identity for card in reads(listen(6, pad=pad))] == [SHORT]
    heard = listen(6, Pn532Settings(max_targets=2), pad=pad)
    assert [card.identity for card in reads(heard)] == [SHORT, LONG]


def test_what_names_no_card_is_refused_once_for_each_presentation() -> None:
    pad = Pad((PHONE, 1, 6), (TYPE_B, 1, 6), (PHONE, 10, 12))
    heard = listen(15, pad=pad)
    assert reads(heard) == []
    assert rejected(heard) == {"random_uid": 2, "pupi": 1}
    allowed = Pn532Settings.model_validate({"policy": {"pupi": "allowed"}, "technologies": ["nfcb"]})
    assert [card.identity for card in reads(listen(8, allowed, pad=pad))] == [TYPE_B]


def test_a_module_that_never_slept_and_one_that_must_be_woken() -> None:
    for sleeps in (False, True):
        assert reads(listen(5, module=Module(sleeps=sleeps)))


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_card_is_told_and_every_right_one_is(seed: int) -> None:
    cards = [CardIdentity.from_text(f"nfca:04{number:012X}") for number in range(1, 41)]
    pad = Pad(*((card, 5 + 10 * number, 10 + 10 * number) for number, card in enumerate(cards)))
    settings = Pn532Settings(absent_after_s=9)
    heard = listen(420, settings, pad=pad, mangle=functools.partial(garble, Random(seed), 0.1))
    assert [card.identity for card in reads(heard)] == cards
    assert sum(rejected(heard).values()) > 100


def test_a_line_that_echoes_drips_and_corrupts() -> None:
    class Echoing(FaultyPort):
        async def send(self, data: bytes) -> None:
            await super().send(data)
            self._arrived.extend(self._in.feed(data))

    async def scene() -> list[Observation]:
        ours, device = pair()
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device, Pad((SHORT, 1, 2), (LONG, 6, 8))))
        faults = [Fault(Kind.CORRUPT, at_byte=200), Fault(Kind.DRIP, at_byte=300, seconds=0.001)]
        port = EchoStrippingPort(Echoing(ours, faults, seed=1))
        running = asyncio.create_task(Pn532Driver(Pn532Settings(technologies=("nfca",))).run(port, heard.append))
        await ours.pause(12)
        for task in (running, twin):
            task.cancel()
        await asyncio.gather(running, twin, return_exceptions=True)
        return heard

    heard = run(scene())
    assert [card.identity for card in reads(heard)] == [SHORT, LONG]


def test_a_cut_link_is_a_link_error_and_the_next_connection_works() -> None:
    async def scene() -> None:
        for _ in range(2):
            ours, device = pair()
            heard: list[Observation] = []
            twin = asyncio.create_task(serve(device, Pad((SHORT, 0, 1e6)), Module(sleeps=False)))
            running = asyncio.create_task(Pn532Driver(Pn532Settings()).run(ours, heard.append))
            await ours.pause(3)
            await device.close()
            with pytest.raises(LinkError, match="closed the link"):
                await running
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)
            assert len(reads(heard)) == 1

    run(scene())


def test_a_deaf_module_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"no byte came.*switches say HSU.*115200 8N1"):
        listen(60, module=Module(deaf=frozenset(Command)))


def test_a_module_that_acknowledges_and_says_no_more_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="another speed or protocol"):
        listen(60, module=Module(mute=frozenset({Command.SAM_CONFIGURATION})))
    with pytest.raises(LinkError, match="command 4A was sent 3 times"):
        listen(60, module=Module(mute=frozenset({Command.LIST_PASSIVE_TARGETS})))


def test_a_module_that_refuses_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match="answers command 32 with an error"):
        listen(60, module=Module(unknown=frozenset({Command.RF_CONFIGURATION})))
    with pytest.raises(DeviceRefusedError, match="says it is 33010607, not a PN532"):
        listen(60, module=Module(firmware=bytes.fromhex("33010607")))


def test_hours_of_an_empty_field_take_seconds() -> None:
    heard = listen(7_200, Pn532Settings(pause_s=1.0, absent_after_s=3.0), pad=Pad((SHORT, 7_000, 7_010)))
    assert [card.identity for card in reads(heard)] == [SHORT]


@pytest.mark.parametrize(
    "wrong",
    [
        {"technologies": []},
        {"technologies": ["nfca", "nfca"]},
        {"technologies": ["nfcv"]},
        {"pause_s": -1},
        {"max_targets": 3},
        {"absent_after_s": 0.1},
        {"absent_after_s": 1.0, "pause_s": 0.5},
        {"policy": {"pupi": "yes"}},
        {"x": 1},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Pn532Settings.model_validate(wrong)
    assert DRIVER.settings().antenna_ports() == (1,)
