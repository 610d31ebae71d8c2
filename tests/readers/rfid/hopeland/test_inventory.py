from __future__ import annotations

import asyncio

from readers.codecs.hopeland import Decoder, Kind, Message
from readers.observations import Observation, Watching
from readers.ports.memory import MemoryPort, run
from readers.rfid.hopeland.configuration import Setup
from readers.rfid.hopeland.inventory import Inventory
from readers.rfid.hopeland.line import Line
from simulator.rfid.hopeland import Reader, serve
from tests.support.heard import reads_in
from tests.support.shelf import Shelf, memory
from tests.support.stations import Recording

EPC, TID = bytes.fromhex("300833B2DDD9014000000001"), bytes.fromhex("E2801105200050D1B8FB0A8C")


def run_for(seconds: float, reader: Reader, tid_words: int = 0) -> tuple[list[Observation], list[int]]:
    """What is reported, and the RFID messages that were sent."""
    ours, device = MemoryPort("memory"), Recording("device")
    ours.connect(device)
    heard: list[Observation] = []

    async def scene() -> None:
        twin = asyncio.create_task(serve(device, Shelf(memory(EPC, TID), step_s=0.1), reader))
        await Inventory(Line(ours, heard.append), Setup((1,), 0), tid_words).run(within_s=seconds)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)

    run(scene())
    return heard, [frame.message for frame in Decoder().feed(device.all_heard) if frame.kind == Kind.RFID]


def test_a_run_may_have_an_end() -> None:
    heard, sent = run_for(2.0, Reader())
    assert len(reads_in(heard)) == 20
    assert sent == [Message.READ_EPC, Message.STOP]
    assert heard[0] == Watching(frozenset({1}))


def test_strength_is_in_dbm_by_the_formula_or_as_newer_readers_tell_it() -> None:
    assert {read.rssi_dbm for read in reads_in(run_for(1.0, Reader())[0])} == {-49.8}
    assert {read.rssi_dbm for read in reads_in(run_for(1.0, Reader(tells_exact_rssi=True))[0])} == {-50.0}


def test_tid_memory_is_read_along() -> None:
    assert {read.tid for read in reads_in(run_for(1.0, Reader(), tid_words=6)[0])} == {TID}
