"""The station against the simulated readers, in virtual time."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from readers.access import AccessError, AccessFault, Bank
from readers.errors import DeviceRefusedError, LinkError, ReaderBusyError
from readers.observations import TagRead
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.llrp import LlrpDriver, LlrpSettings
from readers.rfid.llrp.driver import DRIVER
from readers.rfid.llrp.station import LlrpStation, _joined
from simulator.device import TagMemory
from simulator.llrp.codec import node
from simulator.llrp.identities import ETSI, Identity, impinj_r420, impinj_r700, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from tests.readers.rfid.llrp import scripted
from tests.simulator.llrp import client as raw
from tests.support.shelf import Shelf, memory

READERS = {
    "r420": impinj_r420(),
    "r700": impinj_r700(),
    "fx9600": zebra_fx9600(),
    "fx9600 etsi": zebra_fx9600(ETSI),
    "plain": plain(),
}
ONE = bytes.fromhex("3034257BF7194E4000001A85")
TWO = bytes.fromhex("3034257BF7194E4000001A86")
LONG = ONE + bytes.fromhex("0000")
TID = bytes.fromhex("E2801160200074D07000010A")
USER = bytes(range(16))


@asynccontextmanager
async def opened(reader: SimulatedReader, **settings: object) -> AsyncIterator[tuple[LlrpStation, MemoryPort]]:
    ours, theirs = pair()
    serving = asyncio.create_task(reader.serve(theirs))
    station = LlrpStation(LlrpSettings.model_validate(settings), ours)
    await station.open()
    try:
        yield station, ours
    finally:
        await station.close()
        await ours.close()
        await asyncio.wait({serving}, timeout=5.0)


def shelf() -> Shelf:
    return Shelf(memory(ONE, TID, USER), memory(TWO, TID[:8], b""), memory(LONG, TID, USER[::-1]))


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scene()

    run(whole())


def test_the_registry_offers_it() -> None:
    async def scene() -> None:
        assert DRIVER.station is not None
        assert isinstance(DRIVER.station(LlrpSettings(), pair()[0]), LlrpStation)

    play(scene)


@pytest.mark.parametrize("identity", READERS.values(), ids=READERS.keys())
def test_inventory_read_and_write(identity: Identity) -> None:
    async def scene() -> None:
        field = shelf()
        reader = SimulatedReader(identity, field)
        async with opened(reader) as (station, port):
            found = {read.epc: read for read in await station.inventory(1.0)}
            assert {epc: read.rssi_dbm for epc, read in found.items()} == {ONE: -50.0, TWO: -51.0, LONG: -52.0}
            assert min(read.count for read in found.values()) > 10
            assert not reader.inventory.running
            assert await station.read(ONE, Bank.TID, 0, 6) == TID
            assert await station.read(ONE, Bank.USER, 2, 3) == USER[4:10]
            assert await station.read(LONG, Bank.USER, 0, 1) == USER[::-1][:2]
            await station.write(ONE, Bank.USER, 1, b"\xca\xfe\xba\xbe")
            assert bytes(field.tags[0].user[:8]) == USER[:2] + b"\xca\xfe\xba\xbe" + USER[6:8]
            assert await station.read(ONE, Bank.USER, 1, 2) == b"\xca\xfe\xba\xbe"
            await station.write(TWO, Bank.EPC, 2, b"\x11" * 12)
            assert {read.epc for read in await station.inventory(0.5)} == {ONE, b"\x11" * 12, LONG}
            assert await station.read(b"\x11" * 12, Bank.TID, 0, 4) == TID[:8]
            assert reader.inventory.access.executed == 7
            assert station.foreign_reads == 0
            await port.pause(600.0)
            assert [bytes(tag.user) for tag in field.tags[1:]] == [b"", USER[::-1]]
        assert (reader.inventory.specs, reader.inventory.access.snapshots()) == ({}, [])

    play(scene)


def test_fast_id_gives_tids_with_the_inventory() -> None:
    async def scene() -> None:
        async with opened(SimulatedReader(impinj_r420(), shelf()), read_tid=True) as (station, _):
            assert {read.epc: read.tid for read in await station.inventory(0.5)} == {ONE: TID, TWO: TID[:8], LONG: TID}

    play(scene)


FAULTS: dict[str, tuple[TagMemory, Identity, AccessFault, AccessFault]] = {
    "1.0.1 overrun": (memory(ONE, TID, b""), impinj_r420(), AccessFault.OTHER, AccessFault.OVERRUN),
    "1.1 overrun": (memory(ONE, TID, b""), plain(), AccessFault.OVERRUN, AccessFault.OVERRUN),
    "1.0.1 password": (memory(ONE, TID, USER, access=9), impinj_r420(), AccessFault.OTHER, AccessFault.OTHER),
    "1.1 password": (
        memory(ONE, TID, USER, access=9),
        plain(),
        AccessFault.WRONG_PASSWORD,
        AccessFault.WRONG_PASSWORD,
    ),
}


@pytest.mark.parametrize(("tag", "identity", "read_fault", "write_fault"), FAULTS.values(), ids=FAULTS.keys())
def test_what_the_tag_refuses_is_named(
    tag: TagMemory, identity: Identity, read_fault: AccessFault, write_fault: AccessFault
) -> None:
    async def scene() -> None:
        password = 5 * any(tag.reserved)
        async with opened(SimulatedReader(identity, Shelf(tag))) as (station, _):
            with pytest.raises(AccessError, match="reading 1 words from 0 on in bank USER of tag 3034") as error:
                await station.read(ONE, Bank.USER, 0, 1, password)
            assert error.value.fault is read_fault
            with pytest.raises(AccessError, match="writing 1 words from 0 on in bank USER of tag 3034") as error:
                await station.write(ONE, Bank.USER, 0, b"\x00\x01", password)
            assert (error.value.fault, error.value.is_unknown) == (write_fault, False)

    play(scene)


def test_a_locked_bank_is_not_written_and_the_right_password_opens_the_tag() -> None:
    async def scene() -> None:
        tag = memory(ONE, TID, USER, access=9, locked=(Bank.EPC,))
        async with opened(SimulatedReader(impinj_r420(), Shelf(tag))) as (station, _):
            with pytest.raises(AccessError, match="locked against writing") as error:
                await station.write(ONE, Bank.EPC, 2, b"\x00\x01")
            assert error.value.fault is AccessFault.LOCKED
            await station.write(ONE, Bank.USER, 0, b"\x00\x01", password=9)
            assert await station.read(ONE, Bank.USER, 0, 1, password=9) == b"\x00\x01"

    play(scene)


@pytest.mark.parametrize("epc", [ONE[:-2], b"", ONE[:-1], bytes(64), b"\x99" * 12])
def test_only_the_tag_with_exactly_this_epc_is_worked_on(epc: bytes) -> None:
    async def scene() -> None:
        field = shelf()
        before = [bytes(tag.user) for tag in field.tags]
        async with opened(SimulatedReader(impinj_r420(), field)) as (station, _):
            with pytest.raises(AccessError) as error:
                await station.read(epc, Bank.USER, 0, 1)
            assert error.value.fault is AccessFault.NO_TAG
            with pytest.raises(AccessError) as error:
                await station.write(epc, Bank.USER, 0, b"\xff\xff")
            assert (error.value.fault, error.value.is_unknown) == (AccessFault.NO_TAG, False)
        assert [bytes(tag.user) for tag in field.tags] == before

    play(scene)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x02\x03"])
def test_only_whole_words_are_written(data: bytes) -> None:
    async def scene() -> None:
        async with opened(SimulatedReader(impinj_r420(), shelf())) as (station, _):
            with pytest.raises(AccessError) as error:
                await station.write(ONE, Bank.USER, 0, data)
            assert error.value.fault is AccessFault.UNSUPPORTED
            with pytest.raises(AccessError) as error:
                await station.read(ONE, Bank.USER, 0, 0)
            assert error.value.fault is AccessFault.UNSUPPORTED

    play(scene)


def test_a_tag_that_goes_while_it_is_written_may_have_been_changed() -> None:
    async def scene() -> None:
        field = shelf()
        reader = SimulatedReader(impinj_r420(), field)
        async with opened(reader) as (station, _):
            seen: list[TagMemory] = []

            def go(tag: TagMemory) -> TagMemory | None:
                seen.append(tag)
                return tag if len(seen) % 2 else None  # it shows itself, and is gone when it is worked on

            field.on_memory = go
            with pytest.raises(AccessError, match="stopped answering") as error:
                await station.write(ONE, Bank.USER, 0, b"\xff\xff")
            assert (error.value.fault, error.value.is_unknown) == (AccessFault.LOST, True)
            with pytest.raises(AccessError, match="stopped answering") as error:
                await station.read(ONE, Bank.USER, 0, 1)
            assert (error.value.fault, error.value.is_unknown) == (AccessFault.NO_TAG, False)

    play(scene)


def test_a_reader_that_hangs_after_it_has_written_leaves_it_unknown() -> None:
    async def scene() -> None:
        field = shelf()
        reader = SimulatedReader(impinj_r420(), field)
        async with opened(reader) as (station, _):

            def hang(tag: TagMemory) -> TagMemory:
                reader.hung = True
                return tag

            field.on_memory = hang
            with pytest.raises(AccessError, match="the reader was lost meanwhile; read it back") as error:
                await station.write(ONE, Bank.USER, 0, b"\xff\xff")
            assert (error.value.fault, error.value.is_unknown) == (AccessFault.LOST, True)
            assert bytes(field.tags[0].user[:2]) == b"\xff\xff"
            with pytest.raises(LinkError):
                await station.read(ONE, Bank.USER, 0, 1)

    play(scene)


def test_a_link_that_breaks_before_anything_was_sent_to_the_tag_is_a_link_error() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        async with opened(reader) as (station, _):
            await reader.reboot()
            with pytest.raises(LinkError):
                await station.write(ONE, Bank.USER, 0, b"\xff\xff")
            with pytest.raises(LinkError):
                await station.inventory(1.0)

    play(scene)


def test_a_result_that_came_counts_even_if_the_link_breaks_behind_it() -> None:
    async def scene() -> None:
        field = shelf()
        reader = SimulatedReader(impinj_r420(), field)
        async with opened(reader) as (station, port):
            port._mangle = lambda data: [] if data[1] == 21 else [data]  # its DELETE_ROSPECs get lost
            await station.write(ONE, Bank.USER, 0, b"\xff\xff")
            assert bytes(field.tags[0].user[:2]) == b"\xff\xff"

    play(scene)


def test_a_block_is_written_where_the_reader_can() -> None:
    async def scene() -> None:
        field = shelf()
        async with opened(SimulatedReader(impinj_r420(), field), block_write=True) as (station, port):
            await station.write(ONE, Bank.USER, 0, b"\x01\x02\x03\x04")
            assert b"\x01\x5b\x00\x13" in port.sent  # C1G2BlockWrite, type 347
        assert bytes(field.tags[0].user[:4]) == b"\x01\x02\x03\x04"
        with pytest.raises(DeviceRefusedError, match="cannot write blocks"):
            async with opened(SimulatedReader(plain(), field), block_write=True) as (station, _):
                await station.inventory(0.1)

    play(scene)


def test_leftovers_of_ours_are_removed_and_kept_reads_are_counted() -> None:
    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), shelf())
        ours, theirs = pair()
        serving = asyncio.create_task(reader.serve(theirs))
        settings = LlrpSettings(read_user_words=2)
        driver = asyncio.create_task(LlrpDriver(settings).run(ours, lambda _: None))
        await asyncio.wait({driver}, timeout=3.0)
        driver.cancel()
        await asyncio.wait({driver})
        await ours.close()
        await asyncio.wait({serving}, timeout=5.0)
        await asyncio.sleep(10.0)
        assert list(reader.inventory.specs) == [1]
        async with opened(reader) as (station, _):
            assert reader.inventory.specs == {}
            assert station.foreign_reads == 3 * 8  # tags on antennas: the reader adds them up
            assert await station.read(ONE, Bank.TID, 0, 6) == TID

    play(scene)


def test_another_program_that_works_on_the_reader_is_not_disturbed() -> None:
    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), shelf())
        async with raw.connected(reader) as other:
            await raw.run_rospec(other, raw.rospec(rospec_id=77))
        with pytest.raises(DeviceRefusedError, match=r"active ROSpecs \[77\], AccessSpecs \[\]"):
            async with opened(reader) as (station, _):
                await station.inventory(0.1)
        assert list(reader.inventory.specs) == [77]

    play(scene)


def test_a_reader_that_is_held_by_another_client_is_busy() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        async with raw.connected(reader):
            with pytest.raises(ReaderBusyError):
                async with opened(reader) as (station, _):
                    await station.inventory(0.1)

    play(scene)


def test_a_rospec_that_the_reader_refuses_is_taken_away_again() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        async with raw.connected(reader) as other:
            await other.demand(node("ADD_ROSPEC", raw.rospec(rospec_id=77)))
        async with opened(reader) as (station, _):
            with pytest.raises(DeviceRefusedError, match="allowed are 1; delete one first"):
                await station.inventory(1.0)
        assert list(reader.inventory.specs) == [77]

    play(scene)


def test_a_reader_that_says_goodbye_ends_the_work() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        async with opened(reader) as (station, _):
            reader.close_client()
            with pytest.raises(LinkError, match="ConnectionCloseEvent"):
                await station.inventory(1.0)

    play(scene)


def test_a_station_has_its_own_ways_whatever_the_settings_say() -> None:
    async def scene() -> None:
        reader = SimulatedReader(dataclasses.replace(impinj_r420(), max_filters=0), shelf())
        settings = {"session": 2, "trigger": {"gpi": 1}, "filter": [{"mask": "99"}], "read_user_words": 4}
        async with opened(reader, **settings) as (station, _):
            assert len(await station.inventory(0.5)) == 3

    play(scene)


def test_reads_of_one_tag_become_one() -> None:
    weak = TagRead(ONE, 1, -60.0, first_seen_us=5, last_seen_us=6, count=2, tid=TID)
    strong = TagRead(ONE, 2, -40.0, first_seen_us=7, last_seen_us=9, count=3)
    for joined in (_joined(weak, strong), _joined(strong, weak)):
        assert joined == TagRead(ONE, 2, -40.0, first_seen_us=5, last_seen_us=9, count=5, tid=TID)
    assert _joined(TagRead(ONE), TagRead(ONE)) == TagRead(ONE, count=2)


# --- readers that do strange things -----------------------------------------------------------------------------------


def result(kind: int, code: int, words: int, data: bytes = b"") -> Callable[[int], bytes]:
    """An operation's result, by the number of the operation."""
    return lambda opspec_id: scripted.tlv(kind, struct.pack(">BHH", code, opspec_id, words) + data)


async def strange(made: Callable[[int], bytes] | None, *, is_kept: bool, operation: Bank | None) -> AccessError:
    """What a station says when a reader heard the tag and answered with this result."""
    ours, theirs = pair("memory")
    reader = scripted.ScriptedReader(theirs)

    def start(reader: scripted.ScriptedReader, message_id: int, _body: bytes) -> None:
        reader.say(32, scripted.OK, message_id)
        added = reader.requests(40)[-1]
        # C1G2Read or C1G2Write: its number stands behind its header.
        kind = 341 if operation is None else 342
        opspec_id = int.from_bytes(added[added.index(kind.to_bytes(2)) + 4 :][:2])
        reader.say(61, scripted.tag(ONE, more=made(opspec_id) if made else b""))

    def held(reader: scripted.ScriptedReader, message_id: int, _body: bytes) -> None:
        added = reader.requests(40)[-1] if is_kept and reader.requests(40) else b""
        reader.say(54, scripted.OK + added, message_id)

    reader.replies |= {22: start, 44: held, 26: scripted.OK}
    serving = asyncio.create_task(reader.serve())
    station = LlrpStation(LlrpSettings(), ours)
    await station.open()
    words = b"\x01\x02\x03\x04"
    asked = station.write(ONE, operation, 0, words) if operation else station.read(ONE, Bank.USER, 0, 2)
    with pytest.raises(AccessError) as error:
        await asked
    await station.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return error.value


@pytest.mark.parametrize(
    ("made", "is_kept", "words"),
    [
        (None, True, "though the tag was there; read it back"),
        (None, False, "though the tag was there; read it back"),
        (result(350, 0, 1), True, "1 words were written; read it back"),
        (result(350, 0, 0), True, "0 words were written; read it back"),
        (result(350, 2, 1), True, "1 words were written; read it back"),
        (result(350, 5, 0), True, "the tag stopped answering"),
        (result(350, 99, 0), True, "result 99"),
        (result(354, 6, 0), True, "the reader failed"),
    ],
)
def test_a_write_that_may_have_happened_is_lost(
    made: Callable[[int], bytes] | None,
    is_kept: bool,  # noqa: FBT001  # a parameter of the test
    words: str,
) -> None:
    error = run(strange(made, is_kept=is_kept, operation=Bank.USER))
    assert (error.fault, error.is_unknown) == (AccessFault.LOST, True)
    assert words in str(error)


@pytest.mark.parametrize(
    ("made", "fault", "words"),
    [
        (result(349, 0, 1, b"\x01\x02"), AccessFault.OTHER, "2 bytes came; read fewer words"),
        (result(350, 0, 2), AccessFault.OTHER, "0 bytes came"),
        (result(349, 99, 0), AccessFault.OTHER, "result 99"),
        (result(349, 5, 0), AccessFault.LOCKED, "locked against reading"),
        (None, AccessFault.NO_TAG, "no such tag answered within 2 s"),
    ],
)
def test_a_read_that_does_not_bring_what_was_asked_fails(
    made: Callable[[int], bytes] | None, fault: AccessFault, words: str
) -> None:
    error = run(strange(made, is_kept=True, operation=None))
    assert (error.fault, error.is_unknown) == (fault, False)
    assert words in str(error)


def test_a_tag_that_was_never_heard_but_whose_accessspec_is_gone_may_have_been_written() -> None:
    async def scene() -> None:
        field = shelf()
        reader = SimulatedReader(impinj_r420(), field)
        async with opened(reader) as (station, port):

            def lose(data: bytes) -> list[bytes]:
                return [] if data[1] == 61 else [data]  # its reports never arrive

            assert port._peer is not None
            port._peer._mangle = lose
            with pytest.raises(AccessError, match="though the tag was there") as error:
                await station.write(ONE, Bank.USER, 0, b"\xff\xff")
            assert (error.value.fault, error.value.is_unknown) == (AccessFault.LOST, True)
            assert bytes(field.tags[0].user[:2]) == b"\xff\xff"

    play(scene)
