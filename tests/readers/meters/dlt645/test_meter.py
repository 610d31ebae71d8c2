"""One meter behind a line whose other end the test plays, question by question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from readers.bus import NoReplyError
from readers.codecs.dlt645 import Decoder, ErrorBit, Frame, Function, encode
from readers.meters.dlt645.items import ITEMS, Read
from readers.meters.dlt645.line import Line, RefusedError
from readers.meters.dlt645.meter import RETRY_UNSUPPORTED_S, IgnoredError, Kept, Meter, words
from readers.observations import Condition, DeviceInfo, Observation, Readings, Rejected, Watching
from readers.ports.memory import START_US, MemoryPort, pair, run
from tests.readers.meters.dlt645.scenes import A1, conditions, settings

ENERGY = 0x00010000
VOLTAGE_A = 0x02010100
DAILY_FREEZE = 0x05060001
Answer = Callable[[int], Frame | None]


def data(identifier: int) -> Frame:
    size = 4 if identifier >> 24 == 0 else 2
    return Frame(A1, 0x91, identifier.to_bytes(4, "little") + bytes(size))


def refused(error: int = ErrorBit.NO_SUCH_DATA) -> Frame:
    return Frame(A1, 0xD1, bytes([error]))


class Scene:
    """A meter whose answers may be changed; `asked` holds the identifiers that reached it."""

    def __init__(self) -> None:
        self.heard: list[Observation] = []
        self.asked: list[int] = []
        self.answer: Answer = data
        self.kept = Kept()

    async def play(self, port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for request in decoder.feed(await port.receive(10)):
                assert request.function == Function.READ
                assert request.identifier is not None
                self.asked.append(request.identifier)
                reply = self.answer(request.identifier)
                if reply is not None:
                    await port.pause(0.03)
                    await port.send(encode(reply))

    def run(self, act: Callable[[Meter], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            ours, theirs = pair("line")
            line = Line(ours, self.heard.append, wake_up_bytes=0, baud=2400)
            given = settings([A1]).meters[0]
            meter = Meter(given, self.kept, line, self.heard.append, probe=ENERGY, utc_offset_min=480)
            twin = asyncio.create_task(self.play(theirs))
            try:
                return await act(meter)
            finally:
                twin.cancel()
                await asyncio.gather(twin, return_exceptions=True)

        return run(whole())


def test_the_first_answer_introduces_the_meter_and_is_remembered() -> None:
    scene = Scene()
    assert scene.run(lambda meter: meter.ask(ENERGY)) == bytes(4)
    assert scene.heard == [DeviceInfo(serial=A1, source="m0"), Watching(source="m0")]
    assert scene.kept.last_good_us is not None
    assert scene.kept.last_good_us > START_US


def test_a_meter_that_never_answered_is_silent_at_its_first_silence() -> None:
    scene = Scene()
    scene.answer = lambda _: None

    async def act(meter: Meter) -> None:
        with pytest.raises(NoReplyError, match="asked 2 times for 00010000"):
            await meter.ask(ENERGY)
        meter.silent("why")
        meter.silent("why")
        with pytest.raises(NoReplyError, match="asked once for 00010000"):
            await meter.prove()

    scene.run(act)
    assert scene.asked == [ENERGY] * 3
    assert scene.heard[0] == Watching(source="m0", active=False)
    assert conditions(scene.heard) == [("meter_silent", "", True)]


def test_silence_on_one_question_is_told_from_a_silent_meter_by_a_question_it_has_answered() -> None:
    scene = Scene()

    async def act(meter: Meter) -> None:
        await meter.ask(ENERGY)
        scene.answer = lambda identifier: data(identifier) if identifier == ENERGY else None
        with pytest.raises(IgnoredError):
            await meter.ask(VOLTAGE_A)
        assert scene.asked == [ENERGY, VOLTAGE_A, VOLTAGE_A, ENERGY]
        scene.answer = lambda _: None
        with pytest.raises(NoReplyError):
            await meter.ask(VOLTAGE_A)
        with pytest.raises(NoReplyError):
            await meter.ask(ENERGY)

    scene.run(act)


def test_what_a_meter_lacks_is_asked_for_again_after_an_hour() -> None:
    scene = Scene()
    scene.answer = lambda _: refused()

    async def act(meter: Meter) -> None:
        assert await meter.find(DAILY_FREEZE) is None
        assert await meter.find(DAILY_FREEZE) is None
        assert scene.asked == [DAILY_FREEZE]
        await meter.line.pause(RETRY_UNSUPPORTED_S + 1)
        scene.answer = data
        assert await meter.find(DAILY_FREEZE) is not None

    scene.run(act)
    assert conditions(scene.heard) == []  # a record that is not there is no fault


def test_bad_luck_is_told_from_a_lack_only_to_those_who_insist() -> None:
    scene = Scene()

    async def act(meter: Meter) -> list[bool]:
        await meter.ask(ENERGY)
        scene.answer = lambda identifier: data(identifier) if identifier == ENERGY else None
        assert await meter.find(DAILY_FREEZE) is None
        ignored = 0
        while meter.may_ask(DAILY_FREEZE):
            try:
                assert await meter.insist(DAILY_FREEZE) is None
            except IgnoredError:
                ignored += 1
        assert ignored == 1
        return []

    scene.run(act)


def test_an_item_that_is_known_to_be_missing_asks_nothing() -> None:
    scene = Scene()
    scene.answer = lambda _: refused()
    (voltages,) = ITEMS[Read.VOLTAGE]

    async def act(meter: Meter) -> tuple[bool, bool]:
        return await meter.read(voltages), await meter.read(voltages)

    assert scene.run(act) == (True, False)
    assert len(scene.asked) == 4
    assert [name for name, _, _ in conditions(scene.heard)] == ["register_unsupported"] * 3


def test_a_block_that_is_ignored_by_a_dead_meter_is_no_block_that_it_lacks() -> None:
    scene = Scene()
    (voltages,) = ITEMS[Read.VOLTAGE]

    async def act(meter: Meter) -> None:
        await meter.ask(ENERGY)
        scene.answer = lambda _: None
        for _ in range(2):
            with pytest.raises(NoReplyError):
                await meter.read(voltages)
            meter.silent("")
        scene.answer = data
        scene.asked.clear()
        await meter.prove()
        assert await meter.read(voltages)
        assert scene.asked == [ENERGY, 0x0201FF00]

    scene.run(act)
    assert sum(isinstance(o, Readings) for o in scene.heard) == 1


def test_a_refusal_for_another_reason_is_told_once_and_ends() -> None:
    scene = Scene()
    (frequency,) = ITEMS[Read.FREQUENCY]

    async def act(meter: Meter) -> None:
        scene.answer = lambda _: refused(ErrorBit.NOT_AUTHORISED)
        await meter.read(frequency)
        await meter.read(frequency)
        with pytest.raises(RefusedError):
            await meter.ask(frequency.singles[0])
        scene.answer = data
        await meter.read(frequency)

    scene.run(act)
    assert conditions(scene.heard) == [("read_refused", "02800002", True), ("read_refused", "02800002", False)]


def test_a_reply_that_makes_no_sense_is_a_lost_reading() -> None:
    scene = Scene()
    scene.answer = lambda identifier: Frame(A1, 0x91, identifier.to_bytes(4, "little") + b"\x01")
    scene.run(lambda meter: meter.read(ITEMS[Read.FREQUENCY][0]))
    assert [(o.reason, o.reads_lost) for o in scene.heard if isinstance(o, Rejected)] == [("data_length", 1)]


def test_an_answer_after_a_silence_says_since_when() -> None:
    scene = Scene()
    scene.kept.last_good_us = 12_345

    async def act(meter: Meter) -> int | None:
        await meter.ask(ENERGY)
        return meter.silent_since_us

    assert scene.run(act) == 12_345
    assert not [o for o in scene.heard if isinstance(o, Condition)]


@pytest.mark.parametrize(
    ("error", "text"), [(0x04, "not authorised"), (0x06, "no such data, not authorised"), (0x80, "no reason given")]
)
def test_error_bits_have_words(error: int, text: str) -> None:
    assert words(error) == text
