from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.errors import LinkError
from readers.observations import Observation, Rejected, TagRead, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort, pair, run
from readers.rfid.impinj_iot import DRIVER, ImpinjIotDriver, ImpinjIotSettings
from simulator.device import Sighting
from simulator.rfid.impinj_iot import Reader, serve
from tests.support.talk import US_PER_S, talk

EPC = bytes.fromhex("300833B2DDD9014000000001")
TID = bytes.fromhex("E2801105200050D1B8FB0A8C")


class Tags:
    """One sighting a second at each antenna until `until_s`."""

    def __init__(self, until_s: float = 1e9) -> None:
        self._until_us = START_US + round(until_s * US_PER_S)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-start_us // US_PER_S)
        last = -(-min(until_us, self._until_us) // US_PER_S)
        return [
            Sighting(second * US_PER_S, antenna_port, EPC, -50.5, TID, 90.0, pc_bits=0x3000)
            for second in range(first, max(first, last))
        ]


def listen(
    seconds: float,
    reader: Reader | None = None,
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    **settings: Any,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), reader)

    return talk(seconds, ImpinjIotDriver(ImpinjIotSettings.model_validate(settings)), device, mangle)


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]


def test_a_reader_is_read() -> None:
    heard = listen(30, antennas=[1, 2, 3, 4])
    reads = reads_in(heard)
    assert len(reads) == 4 * 30
    assert {(read.epc, read.rssi_dbm, read.tid, read.pc_bits, read.phase_deg) for read in reads} == {
        (EPC, -50.5, TID, 0x3000, 90.0)
    }
    assert {read.antenna_port for read in reads} == {1, 2, 3, 4}
    assert [o for o in heard if not isinstance(o, TagReads)] == [Watching(frozenset({1, 2, 3, 4}))]


def test_the_readers_clock_is_put_right() -> None:
    heard = listen(30, Reader(antennas=(1,), clock_offset_us=-3_600_000_000))
    batches = [o for o in heard if isinstance(o, TagReads)]
    assert batches
    for batch in batches:
        for read in batch.rows():
            assert read.last_seen_us is not None
            assert abs(read.last_seen_us + batch.clock_offset_us - batch.received_at_us) < 200_000


def test_what_the_reader_leaves_out_is_not_made_up() -> None:
    reads = reads_in(listen(5, Reader(omits=frozenset({"rssi_dbm", "tid", "pc_bits", "phase_deg"}))))
    assert {(read.rssi_dbm, read.tid, read.pc_bits, read.phase_deg) for read in reads} == {(None,) * 4}


def test_signs_of_life_keep_a_reader_without_tags_watching() -> None:
    alive = listen(600, Reader(antennas=(1,)), Tags(5), antennas=[1], silent_after_s=100)
    assert [o for o in alive if isinstance(o, Watching)] == [Watching(frozenset({1}))]
    silent = listen(600, Reader(antennas=(1,), alive_s=0), Tags(5), antennas=[1], silent_after_s=100)
    assert [o for o in silent if isinstance(o, Watching)] == [Watching(frozenset({1})), Watching()]


def test_an_inventory_that_stops_is_told() -> None:
    heard = listen(60, Reader(antennas=(1,), runs_until_s=9.95, alive_s=0), silent_after_s=20)
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(frozenset({1})), Watching()]
    assert len(reads_in(heard)) == 10


@pytest.mark.parametrize("seed", range(4))
def test_garbled_and_lost_lines_cost_no_others(seed: int) -> None:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        if rng.random() < 0.2:
            return [data[:-20] + b"#\n"]
        return [] if rng.random() < 0.1 else [data[:7], data[7:]]

    heard = listen(200, Reader(antennas=(1,)), mangle=mangle)
    assert 100 < len(reads_in(heard)) < 180
    assert {read.epc for read in reads_in(heard)} == {EPC}
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 20


def test_a_link_that_ends_is_a_link_error() -> None:
    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(ImpinjIotDriver(ImpinjIotSettings()).run(ours, lambda _: None))
        await device.send(b"{half")
        await device.pause(10)
        await device.close()
        with pytest.raises(LinkError):
            await running

    run(scene())


def test_a_line_cut_off_by_a_pause_is_counted() -> None:
    async def scene() -> list[Observation]:
        ours, device = pair()
        heard: list[Observation] = []
        running = asyncio.create_task(ImpinjIotDriver(ImpinjIotSettings()).run(ours, heard.append))
        await device.send(b"{half")
        await device.pause(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return heard

    assert run(scene()) == [Rejected("truncated", sample=b"{half")]


def test_the_antennas_are_those_of_the_settings() -> None:
    assert ImpinjIotSettings.model_validate({"antennas": [1, 3]}).antenna_ports() == (1, 3)
    assert DRIVER.settings().antenna_ports() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"antennas": [1, 1]}, "each port may be named once"),
        ({"antennas": []}, "antennas"),
        ({"antennas": [0]}, "antennas"),
        ({"silent_after_s": 0}, "silent_after_s"),
        ({"topic": "t"}, "topic"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImpinjIotSettings.model_validate(settings)
