"""One reader, frame by frame: what a simulated reader does not do by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from readers.codecs.uhfreader import Command, Frame
from readers.errors import DeviceRefusedError
from readers.observations import Observation
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.uhfreader import UhfReaderSettings
from readers.rfid.uhfreader.line import Line
from readers.rfid.uhfreader.reader import Reader
from readers.rfid.uhfreader.told import Told
from readers.units import Unit
from simulator.rfid.uhfreader import Reader as Twin
from simulator.rfid.uhfreader import serve
from tests.readers.rfid.uhfreader.support import Tags, raw
from tests.support.heard import conditions_in, rejected_in, watched_in

INFO = "00 02 14 20 02 31 80 1E 14 01 00 00 00"


class Bench:
    """A reader in front of a device that gives scripted replies to inventories."""

    def __init__(self, replies: Sequence[str | None], model: str = "288", antennas: tuple[int, ...] = (1,)) -> None:
        self.heard: list[Observation] = []
        self.asked = 0
        self.elapsed_s = 0.0
        self._replies = list(replies)
        self._settings = UhfReaderSettings.model_validate({"model": model, "antennas": antennas, "gap_ms": 50})

    def turns(self, count: int) -> None:
        run(self._turns(count))

    async def _turns(self, count: int) -> None:
        ours, theirs = pair()
        reader: Reader

        def hear(frames: list[Frame]) -> None:
            for frame in frames:
                reader.hear(frame)

        line = Line(ours, self.heard.append, 0.05, hear)
        unit = Unit(address=0, antennas=self._settings.antennas)
        reader = Reader(unit, self._settings, line, self.heard.append, Told(self.heard.append))
        other = asyncio.create_task(self._device(theirs))
        try:
            await reader.identify(1)
            for _ in range(count):
                await reader.turn()
        finally:
            self.elapsed_s = ours.monotonic_s()
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)

    async def _device(self, port: MemoryPort) -> None:
        while True:
            asked = await port.receive(3600)
            if asked[2] == Command.INFO:
                await port.send(raw(0, Command.INFO, INFO))
                continue
            self.asked += 1
            reply = self._replies.pop(0) if self._replies else None
            for part in (reply or "").split(";"):
                command, _, body = part.strip().partition(" ")
                if command:
                    await port.send(raw(0, int(command, 16), body))
                    await port.pause(0.01)


def test_statistics_alone_end_a_round_too() -> None:
    bench = Bench(["01 26 01 00 64 00 00 00 05"])
    bench.turns(1)
    assert watched_in(bench.heard) == [{1}]
    assert not rejected_in(bench.heard)


def test_more_without_end_is_ended() -> None:
    async def device(port: MemoryPort) -> None:
        while True:
            asked = await port.receive(0.05)
            if asked and asked[2] == Command.INFO:
                await port.send(raw(0, Command.INFO, INFO))
            await port.send(raw(0, Command.INVENTORY, "03 01 01 02 AB CD 40"))

    async def scene() -> float:
        ours, theirs = pair()
        heard: list[Observation] = []
        settings = UhfReaderSettings(model="288", gap_ms=50)
        line = Line(ours, heard.append, 0.05, lambda _: None)
        reader = Reader(Unit(address=0), settings, line, heard.append, Told(heard.append))
        other = asyncio.create_task(device(theirs))
        await reader.identify(3)
        began_s = ours.monotonic_s()
        await reader.turn()
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        assert rejected_in(heard)["round_without_end"] == 1
        return ours.monotonic_s() - began_s

    assert 10 < run(scene()) < 14


def test_rounds_without_an_end_and_without_tags_are_not_believed() -> None:
    bench = Bench([None] * 9)
    bench.turns(4)
    assert conditions_in(bench.heard) == [("rounds_unconfirmed", "1", True)]
    assert rejected_in(bench.heard) == {"round_without_end": 4}
    assert watched_in(bench.heard) == []


def test_rounds_without_an_end_but_with_tags_are() -> None:
    bench = Bench(["01 03 01 01 02 AB CD 40"] * 4)
    bench.turns(4)
    assert watched_in(bench.heard) == [{1}]
    assert not conditions_in(bench.heard)


def test_a_command_that_is_never_understood_parks_the_reader_only_when_it_never_was() -> None:
    with pytest.raises(DeviceRefusedError, match="refused with status FE"):
        Bench(["00 FE"] * 9).turns(9)
    bench = Bench(["01 01 01 00", *["00 FE"] * 9])
    bench.turns(10)
    assert rejected_in(bench.heard) == {"status_fe": 9}  # noise on the line
    assert watched_in(bench.heard) == [{1}]


def test_a_status_that_no_manual_names_is_counted_and_in_the_end_not_believed() -> None:
    bench = Bench(["01 01 01 00", *["01 77"] * 3, "01 01 01 00"])
    bench.turns(5)
    assert rejected_in(bench.heard) == {"status_77": 3}
    assert watched_in(bench.heard) == [{1}, set(), {1}]
    assert conditions_in(bench.heard) == [("rounds_unconfirmed", "1", True), ("rounds_unconfirmed", "1", False)]


def test_a_reader_that_refuses_at_once_is_not_asked_at_once() -> None:
    bench = Bench(["01 FB"] * 100)
    bench.turns(100)
    assert bench.elapsed_s >= 2.0


def test_what_cannot_be_read_is_counted_as_lost_reads() -> None:
    tags = "01 03 00 01 02 AB CD 40; 01 03 02 01 02 AB CD 40; 01 03 01 02 02 AB CD 40"
    bench = Bench([f"{tags}; EE 00 01 02 AB; EE 28 00; EE 99; 01 01 01 00"])
    bench.turns(1)
    assert rejected_in(bench.heard) == {"antenna": 2, "length": 3, "status_99": 1}


def test_a_heartbeat_of_antennas_that_are_not_read_is_none_of_its_business() -> None:
    bench = Bench(["EE 28 00 00 00 01 01 02 02 01 00 00 00 00; 01 01 01 00"], antennas=(1,))
    bench.turns(1)
    assert conditions_in(bench.heard) == []
    assert watched_in(bench.heard) == [{1}]


def test_a_reader_that_refuses_to_say_who_it_is() -> None:
    async def scene() -> None:
        ours, theirs = pair()
        twin = asyncio.create_task(serve(theirs, Tags(), Twin(unknown=frozenset({Command.INFO}))))
        line = Line(ours, lambda _: None, 0.05, lambda _: None)
        reader = Reader(Unit(address=0), UhfReaderSettings(), line, lambda _: None, Told(lambda _: None))
        try:
            await reader.identify(1)
        finally:
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    with pytest.raises(DeviceRefusedError, match="another driver may fit it"):
        run(scene())
