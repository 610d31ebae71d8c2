from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from random import Random

import pytest

from readers.codecs.m100 import AA_DD, BB_7E, Command, Delimiters
from readers.driver import Port
from readers.errors import LinkError
from readers.observations import Condition, DeviceInfo, Observation, Rejected, TagRead, TagReads, Watching
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import run
from readers.rfid.m100 import M100Driver, M100Settings, SelectSettings
from simulator.faults import Fault, Kind, seeded
from simulator.faulty_port import FaultyPort
from simulator.rfid.m100 import Module, serve
from tests.support.bad_lines import garble
from tests.support.m100_scenes import EPCS, TID_64, TID_96, conditions, listen, rows, tag, tags_in
from tests.support.shelf import Shelf
from tests.support.talk import linked


@pytest.mark.parametrize("delimiters", [BB_7E, AA_DD])
def test_tags_are_read_in_both_frame_forms(delimiters: Delimiters) -> None:
    heard = listen(20, module=Module(delimiters=delimiters))
    assert DeviceInfo("MagicRF", "M100 V1.00", "V2.3.5") in heard
    assert heard.count(Watching(frozenset({1}))) == 1
    reads = [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]
    assert len(reads) > 170
    assert {read.epc for read in reads} == set(EPCS)
    assert {read.antenna_port for read in reads} == {1}
    assert {read.rssi_dbm for read in reads} == {-40.0 - n for n in range(20)}
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    mangle = functools.partial(garble, Random(seed), 0.2)
    heard = listen(300, M100Settings(delimiters="bb_7e"), mangle=mangle)
    reads = tags_in(heard)
    assert set(reads) == set(EPCS)
    assert len(reads) > 2_400  # of 3,000 at a tenth to a fifth of lost frames
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 100


def memories(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for row in rows(heard) if row.tid is not None or row.user_memory is not None]


def test_tid_and_user_memory_of_each_tag_are_read_once() -> None:
    shelf = Shelf(tag(EPCS[0], TID_96, b"\x01\x02\x03\x04"), tag(EPCS[1], TID_64, b"\x05\x06\x07\x08"))
    heard = listen(60, M100Settings(read_tid=True, read_user_words=2), tags=shelf)
    found = {read.epc: (read.tid, read.user_memory) for read in memories(heard)}
    assert found == {EPCS[0]: (TID_96, b"\x01\x02\x03\x04"), EPCS[1]: (TID_64, b"\x05\x06\x07\x08")}
    assert len(memories(heard)) == 2
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]
    assert len(tags_in(heard)) > 5_500  # of 6,000: the inventory hardly noticed


@pytest.mark.parametrize("session", [0, 1, 2, 3])
def test_memory_is_read_in_every_session_of_the_inventory(session: int) -> None:
    shelf = Shelf(tag(EPCS[0]), tag(EPCS[1]))
    heard = listen(30, M100Settings(read_tid=True, session=session, target="a"), tags=shelf)
    assert sorted(read.epc for read in memories(heard)) == sorted(EPCS[:2])
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_tag_that_comes_back_is_read_again() -> None:
    shelf = Shelf(tag(EPCS[0]), is_here=lambda at_s, _: at_s % 20 < 4)
    heard = listen(60, M100Settings(read_tid=True, absent_after_s=5), tags=shelf)
    assert len(memories(heard)) == 3


def test_only_chosen_tags_are_inventoried_after_memory_was_read() -> None:
    shelf = Shelf(tag(EPCS[0]), tag(EPCS[1]))
    settings = M100Settings(read_tid=True, select=SelectSettings(mask="3075"))
    heard = listen(20, settings, tags=shelf)
    assert set(tags_in(heard)) == {EPCS[1]}
    assert len(memories(heard)) == 1


def test_many_tags_wait_their_turn_and_the_inventory_goes_on() -> None:
    epcs = [bytes.fromhex("3075") + n.to_bytes(10, "big") for n in range(40)]
    shelf = Shelf(*(tag(epc, TID_96[:-2] + epc[-2:]) for epc in epcs), step_s=0.02)
    heard = listen(30, M100Settings(read_tid=True), tags=shelf)
    assert {read.epc: read.tid for read in memories(heard)} == {epc: TID_96[:-2] + epc[-2:] for epc in epcs}
    while_reading = [row for row in rows(heard) if row.tid is None]
    assert len(while_reading) > 0.6 * 40 * 30 / 0.02


def test_user_memory_that_a_tag_lacks_is_counted_and_its_tid_told() -> None:
    heard = listen(20, M100Settings(read_tid=True, read_user_words=2), tags=Shelf(tag(EPCS[0])))
    assert [(read.tid, read.user_memory) for read in memories(heard)] == [(TID_96, None)]
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["memory_overrun"]


def test_memory_that_can_never_be_read_is_given_up() -> None:
    heard = listen(20, M100Settings(read_user_words=2), tags=Shelf(tag(EPCS[0])))
    assert not memories(heard)
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["memory_overrun"]


@pytest.mark.parametrize("module", [Module(mute=frozenset({Command.READ})), Module(unknown=frozenset({Command.READ}))])
def test_a_module_that_cannot_read_memory_still_inventories(module: Module) -> None:
    heard = listen(60, M100Settings(read_tid=True), module, Shelf(tag(EPCS[0])))
    assert not memories(heard)
    assert len(tags_in(heard)) > 2_400  # of 3,000
    assert [o.reason for o in heard if isinstance(o, Rejected)] in (["memory_lost"], ["memory_unsupported"])


def test_a_passing_tag_does_not_hold_up_the_inventory() -> None:
    """It is heard once, and has gone when its memory is asked for."""
    passing, staying = tag(EPCS[0]), tag(EPCS[1])
    shelf = Shelf(passing, staying, is_here=lambda at_s, each: each is staying or 3.0 <= at_s < 3.01)
    heard = listen(30, M100Settings(read_tid=True), tags=shelf)
    assert [read.epc for read in memories(heard)] == [EPCS[1]]
    assert EPCS[0] in tags_in(heard)
    assert len(tags_in(heard)) > 1_450  # of 1,500


def test_memory_on_a_bad_line_is_right_or_not_told() -> None:
    shelf = Shelf(tag(EPCS[0]), tag(EPCS[1], TID_64), step_s=0.02)
    for seed in range(4):
        mangle = functools.partial(garble, Random(seed), 0.1)
        heard = listen(60, M100Settings(read_tid=True), tags=shelf, mangle=mangle)
        assert {read.epc: read.tid for read in memories(heard)} == {EPCS[0]: TID_96, EPCS[1]: TID_64}


def through(
    seconds: float, wrap: Callable[[Port], Port], settings: M100Settings | None = None, *, is_echoing: bool = False
) -> list[Observation]:
    """What the driver hears through a port that is wrapped."""

    async def scene() -> list[Observation]:
        ours, device = linked()
        heard: list[Observation] = []
        if is_echoing:
            plain = ours.send

            async def send(data: bytes) -> None:
                await plain(data)
                ours.feed(data)

            ours.send = send  # type: ignore[method-assign]  # a two-wire adapter
        twin = asyncio.create_task(serve(device, Shelf(tag(EPCS[0]), tag(EPCS[1])), Module()))
        driver = M100Driver(settings or M100Settings(read_tid=True))
        running = asyncio.create_task(driver.run(wrap(ours), heard.append))
        await asyncio.wait([running], timeout=seconds)
        ended = running.done()
        running.cancel()
        twin.cancel()
        (result, _) = await asyncio.gather(running, twin, return_exceptions=True)
        if ended:
            assert isinstance(result, LinkError)
        return heard

    return run(scene())


def test_local_echo_is_no_matter() -> None:
    for wrap in (EchoStrippingPort, lambda port: port):
        heard = through(20, wrap, is_echoing=True)  # its own commands are no answers, even where nobody strips them
        assert {read.epc for read in memories(heard)} == set(EPCS[:2])
        assert len(tags_in(heard)) > 1_900  # of 2,000


@pytest.mark.parametrize("seed", range(4))
def test_faults_of_the_link_end_in_a_link_error_or_are_overcome(seed: int) -> None:
    plan = seeded(seed, most=6, within_bytes=3_000, kinds=[Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE, Kind.DELAY])
    for number in range(4):
        faults = plan(number)
        heard = through(60, lambda port, faults=faults: FaultyPort(port, faults, seed))  # type: ignore[misc]  # bound
        assert set(tags_in(heard)) == set(EPCS[:2])
        assert {read.epc: read.tid for read in memories(heard)} == {EPCS[0]: TID_96, EPCS[1]: TID_96}


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.BLACKHOLE])
def test_a_link_that_is_cut_is_a_link_error_and_the_next_one_works(kind: Kind) -> None:
    for at_byte in (5, 60, 300, 2_000):
        cut = through(60, lambda port, at=at_byte: FaultyPort(port, [Fault(kind, at_byte=at)]))  # type: ignore[misc]  # bound
        assert len(tags_in(cut)) < 300
    assert len(tags_in(through(5, lambda port: port))) > 450  # of 500


def test_a_tag_that_goes_between_two_reads_is_read_anew_when_it_is_back() -> None:
    shelf = Shelf(tag(EPCS[0], TID_96, b"\x01\x02"), is_here=lambda at_s, _: at_s < 0.065 or at_s > 1.0)
    heard = listen(10, M100Settings(read_tid=True, read_user_words=1), tags=shelf)
    assert [(read.tid, read.user_memory) for read in memories(heard)] == [(TID_96, b"\x01\x02")]
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_memory_is_read_where_the_query_is_not_told() -> None:
    heard = listen(10, M100Settings(read_tid=True), Module(unknown=frozenset({Command.GET_QUERY})), Shelf(tag(EPCS[0])))
    assert [read.tid for read in memories(heard)] == [TID_96]
    assert conditions(heard) == [("setting_unverified", "query")]


@pytest.mark.parametrize("tid", [TID_96, TID_64, TID_64[:4]])
def test_as_much_is_read_as_the_tag_has(tid: bytes) -> None:
    heard = listen(5, M100Settings(read_tid=True), tags=Shelf(tag(EPCS[0], tid)))
    assert [read.tid for read in memories(heard)] == [tid]


def test_a_tag_without_a_tid_is_given_up() -> None:
    heard = listen(5, M100Settings(read_tid=True), tags=Shelf(tag(EPCS[0], b"")))
    assert not memories(heard)
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["memory_overrun"]
