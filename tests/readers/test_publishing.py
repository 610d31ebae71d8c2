from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers import registry
from readers.errors import LinkError
from readers.observations import Observation, Rejected, TagReads, Watching
from readers.ports.memory import pair, run
from readers.publishing import PublishingSettings
from simulator.rfid.iot_publisher import Reader
from tests.support.publishing import EPC, TID, TWINS, Tags, driver_of, listen, reads_in

pytestmark = pytest.mark.parametrize("family", TWINS)


def watched(heard: list[Observation]) -> list[Observation]:
    return [each for each in heard if isinstance(each, Watching)]


def test_a_reader_is_read(family: str) -> None:
    heard = listen(family, 30, antennas=[1, 2, 3, 4])
    reads = reads_in(heard)
    assert len(reads) == 4 * 30
    assert {(read.epc, read.rssi_dbm, read.tid, read.pc_bits, read.phase_deg) for read in reads} == {
        (EPC, -50.5, TID, 0x3000, 90.0)
    }
    assert {read.antenna_port for read in reads} == {1, 2, 3, 4}
    assert [each for each in heard if not isinstance(each, TagReads)] == [Watching(frozenset({1, 2, 3, 4}))]


def test_the_readers_clock_is_put_right(family: str) -> None:
    heard = listen(family, 30, Reader(antennas=(1,), clock_offset_us=-3_600_000_000))
    batches = [each for each in heard if isinstance(each, TagReads)]
    assert batches
    for batch in batches:
        for read in batch.rows():
            assert read.last_seen_us is not None
            assert abs(read.last_seen_us + batch.clock_offset_us - batch.received_at_us) < 200_000


def test_what_the_reader_leaves_out_is_not_made_up(family: str) -> None:
    omits = frozenset({"rssi_dbm", "tid", "pc_bits", "phase_deg"})
    reads = reads_in(listen(family, 5, Reader(omits=omits)))
    assert {(read.rssi_dbm, read.tid, read.pc_bits, read.phase_deg) for read in reads} == {(None,) * 4}


def test_signs_of_life_keep_a_reader_without_tags_watching(family: str) -> None:
    alive = listen(family, 600, Reader(antennas=(1,)), Tags(5), antennas=[1], silent_after_s=100)
    assert watched(alive) == [Watching(frozenset({1}))]
    silent = listen(family, 600, Reader(antennas=(1,), alive_s=0), Tags(5), antennas=[1], silent_after_s=100)
    assert watched(silent) == [Watching(frozenset({1})), Watching()]


def test_an_inventory_that_stops_is_told(family: str) -> None:
    heard = listen(family, 60, Reader(antennas=(1,), runs_until_s=9.95, alive_s=0), silent_after_s=20)
    assert watched(heard) == [Watching(frozenset({1})), Watching()]
    assert len(reads_in(heard)) == 10


@pytest.mark.parametrize("seed", range(4))
def test_garbled_and_lost_lines_cost_no_others(family: str, seed: int) -> None:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        if rng.random() < 0.2:
            return [data[:-20] + b"#\n"]
        return [] if rng.random() < 0.1 else [data[:7], data[7:]]

    heard = listen(family, 200, Reader(antennas=(1,)), mangle=mangle)
    assert 100 < len(reads_in(heard)) < 180
    assert {read.epc for read in reads_in(heard)} == {EPC}
    assert sum(each.count for each in heard if isinstance(each, Rejected)) > 20


def test_a_link_that_ends_is_a_link_error(family: str) -> None:
    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(driver_of(family).run(ours, lambda _: None))
        await device.send(b"{half")
        await device.pause(10)
        await device.close()
        with pytest.raises(LinkError):
            await running

    run(scene())


def test_a_line_cut_off_by_a_pause_is_counted(family: str) -> None:
    async def scene() -> list[Observation]:
        ours, device = pair()
        heard: list[Observation] = []
        running = asyncio.create_task(driver_of(family).run(ours, heard.append))
        await device.send(b"{half")
        await device.pause(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return heard

    assert run(scene()) == [Rejected("truncated", sample=b"{half")]


def test_the_antennas_are_those_of_the_settings(family: str) -> None:
    settings = registry.driver(family).settings
    assert issubclass(settings, PublishingSettings)
    assert settings.model_validate({"antennas": [1, 3]}).antenna_ports() == (1, 3)
    assert settings().antenna_ports() is None


def test_the_port_is_a_topic_with_or_without_tls(family: str) -> None:
    assert registry.driver(family).schemes == ("mqtt", "mqtts")


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
def test_settings_are_checked(family: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        registry.driver(family).settings.model_validate(settings)
