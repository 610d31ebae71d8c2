from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from readers.access import EPC_FIRST_WORD, AccessError, AccessFault, Bank, Station
from readers.codecs.m100 import AA_DD, BB_7E, Command, Decoder, Delimiters, Frame, FrameType, encode
from readers.codecs.m100_access import Query
from readers.driver import Port
from readers.errors import LinkError
from readers.ports.memory import MemoryPort, run
from readers.rfid.m100 import DRIVER, M100Settings, M100Station
from simulator.device import Radio
from simulator.gen2_memory import epc_of
from simulator.rfid.m100 import Module, serve
from tests.support.m100_scenes import EPCS, TID_96, Tags, at_station, confirming, tag
from tests.support.shelf import Shelf
from tests.support.talk import linked

EPC = EPCS[1]


@pytest.mark.parametrize("delimiters", [BB_7E, AA_DD])
def test_tags_are_inventoried_each_once_with_the_strongest_signal(delimiters: Delimiters) -> None:
    async def work(station: M100Station) -> None:
        found = {read.epc: read.rssi_dbm for read in await station.inventory(3.0)}
        assert found == {EPCS[0]: -50.0, EPCS[1]: -51.0}
        assert await station.inventory(1.0)

    at_station(work, Shelf(tag(EPCS[0]), tag(EPCS[1])), Module(delimiters=delimiters))


def test_the_strongest_of_several_reads_counts() -> None:
    async def work(station: M100Station) -> None:
        [read] = await station.inventory(5.0)
        assert read.rssi_dbm == -40.0

    at_station(work, Tags([EPC]))  # between -40 and -59 dBm, in turn


def test_memory_is_read_and_written() -> None:
    shelf = Shelf(tag(EPC, user=bytes(range(128))), tag(EPCS[0]))

    async def work(station: M100Station) -> None:
        assert await station.read(EPC, Bank.TID, 0, 6) == TID_96
        assert await station.read(EPC, Bank.EPC, EPC_FIRST_WORD, 6) == EPC
        assert await station.read(EPC, Bank.USER, 1, 60) == bytes(range(2, 122))
        await station.write(EPC, Bank.USER, 2, b"\xbb\x7e\xaa\xdd")
        assert await station.read(EPC, Bank.USER, 2, 2) == b"\xbb\x7e\xaa\xdd"

    at_station(work, shelf)
    assert shelf.tags[0].user[4:8] == b"\xbb\x7e\xaa\xdd"


def test_an_epc_is_written_and_the_tag_is_found_under_it() -> None:
    shelf = Shelf(tag(EPC))
    new = bytes.fromhex("3034257BF7194E4000001A85")

    async def work(station: M100Station) -> None:
        await station.write(EPC, Bank.EPC, EPC_FIRST_WORD, new)
        assert [read.epc for read in await station.inventory(1.0)] == [new]
        assert await station.read(new, Bank.TID, 0, 2) == TID_96[:4]

    at_station(work, shelf)
    assert epc_of(shelf.tags[0]) == new


def fails(
    fault: AccessFault, shelf: Radio, *args: object, module: Module | None = None, settings: M100Settings | None = None
) -> AccessError:
    """What a read or, with data, a write says when it fails."""
    raised: list[AccessError] = []

    async def work(station: M100Station) -> None:
        act: Callable[..., Awaitable[object]] = station.write if isinstance(args[3], bytes) else station.read
        with pytest.raises(AccessError) as caught:
            await act(*args)
        raised.append(caught.value)

    at_station(work, shelf, module, settings)
    assert raised[0].fault is fault, raised[0]
    return raised[0]


def test_each_failure_has_its_reason() -> None:
    secret = tag(EPC, user=bytes(8), access=0x12345678)
    locked = tag(EPC, user=bytes(8), locked={Bank.USER, Bank.RESERVED})
    fails(AccessFault.NO_TAG, Shelf(tag(EPCS[0])), EPC, Bank.TID, 0, 2)
    fails(AccessFault.NO_TAG, Shelf(), EPC, Bank.USER, 0, b"\x00\x00")
    fails(AccessFault.WRONG_PASSWORD, Shelf(secret), EPC, Bank.USER, 0, 2, 0x99)
    fails(AccessFault.WRONG_PASSWORD, Shelf(secret), EPC, Bank.USER, 0, b"\x00\x00", 0x99)
    error = fails(AccessFault.OVERRUN, Shelf(tag(EPC)), EPC, Bank.TID, 0, 12)
    what = "reading 12 words of bank TID from word 0 of tag 30751FEB705C5904E3D50D70"
    assert str(error).endswith(f"{what}: the tag has no such memory (error A3)")
    fails(AccessFault.LOCKED, Shelf(locked), EPC, Bank.USER, 0, b"\x00\x00")
    fails(AccessFault.LOCKED, Shelf(locked), EPC, Bank.RESERVED, 0, 2)
    fails(AccessFault.LOCKED, Tags([EPC], step_s=0.01), EPC, Bank.EPC, 2, EPCS[0])
    fails(AccessFault.OVERRUN, Shelf(tag(EPC)), EPC, Bank.USER, 0, b"\x00\x00")


def test_the_right_password_opens() -> None:
    secret = tag(EPC, user=bytes(8), access=0x12345678)

    async def work(station: M100Station) -> None:
        await station.write(EPC, Bank.USER, 0, b"\xab\xcd", 0x12345678)
        assert await station.read(EPC, Bank.USER, 0, 1, 0x12345678) == b"\xab\xcd"

    at_station(work, Shelf(secret))


def test_a_longer_epc_that_answers_to_the_same_mask_is_neither_read_nor_written() -> None:
    longer = tag(EPC[:4], user=bytes(4))
    shelf = Shelf(longer)
    fails(AccessFault.SEVERAL_TAGS, shelf, EPC[:2], Bank.USER, 0, 1)
    fails(AccessFault.SEVERAL_TAGS, shelf, EPC[:2], Bank.USER, 0, b"\xff\xff")
    assert longer.user == bytes(4)


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(66)])
def test_what_cannot_be_written_at_once_is_refused(data: bytes) -> None:
    error = fails(AccessFault.UNSUPPORTED, Shelf(tag(EPC, user=bytes(128))), EPC, Bank.USER, 0, data)
    assert "1 to 32 whole words" in str(error)


def test_a_tag_without_an_epc_cannot_be_chosen() -> None:
    fails(AccessFault.UNSUPPORTED, Shelf(tag(b"")), b"", Bank.TID, 0, 2)


def test_a_module_without_select_or_memory_commands_says_so() -> None:
    for command in (Command.SET_SELECT, Command.READ):
        module = Module(unknown=frozenset({command}))
        fails(AccessFault.UNSUPPORTED, Shelf(tag(EPC)), EPC, Bank.TID, 0, 2, module=module)


def test_a_write_without_an_answer_leaves_it_open() -> None:
    module = Module(mute=frozenset({Command.WRITE}))
    error = fails(AccessFault.LOST, Shelf(tag(EPC, user=bytes(4))), EPC, Bank.USER, 0, b"\x00\x01", module=module)
    assert error.is_unknown
    assert str(error).endswith("the module did not answer; read it back")


def test_a_read_without_an_answer_is_a_link_error() -> None:
    async def work(station: M100Station) -> None:
        with pytest.raises(LinkError, match="command 39 was sent 2 times without an answer within 1 s"):
            await station.read(EPC, Bank.TID, 0, 2)

    at_station(work, Shelf(tag(EPC)), Module(mute=frozenset({Command.READ})))


def tag_answer(command: Command, text: str) -> dict[int, list[Frame]]:
    query = Frame(FrameType.RESPONSE, Command.GET_QUERY, Query(session=2).parameters())
    pc = Frame(FrameType.RESPONSE, Command.READ, bytes.fromhex("0E 30 00") + EPC + b"\x30\x00")
    answers = {int(Command.GET_QUERY): [query], int(Command.READ): [pc]}
    return answers | {int(command): [Frame(FrameType.RESPONSE, command, bytes.fromhex(text))]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0E 30 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 01", "the module answered 01; read it back"),
        ("0E 30 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 71 00", "tag 30751FEB705C5904E3D50D71 answered; read both back"),
        ("05 30 00 30 75 1F EB", "the answer cannot be understood"),
    ],
)
def test_a_strange_answer_to_a_write_leaves_it_open(text: str, message: str) -> None:
    async def work(station: M100Station) -> None:
        with pytest.raises(AccessError, match=message) as caught:
            await station.write(EPC, Bank.USER, 0, b"\x00\x01")
        assert caught.value.is_unknown

    at_station(work, Shelf(), device=confirming(tag_answer(Command.WRITE, text)))


def test_a_read_of_another_length_is_no_read() -> None:
    async def work(station: M100Station) -> None:
        with pytest.raises(AccessError, match="2 bytes came"):
            await station.read(EPC, Bank.USER, 0, 4)

    at_station(work, Shelf(), device=confirming(tag_answer(Command.SET_QUERY, "00")))


def test_a_tag_that_answers_once_in_its_session_is_worked_on_all_the_same() -> None:
    """The module was left in session S2 by a former client; the station works in S0."""
    shelf = Shelf(tag(EPC))

    async def work(station: M100Station) -> None:
        for _ in range(3):
            assert [read.epc for read in await station.inventory(0.5)] == [EPC]
            assert await station.read(EPC, Bank.TID, 0, 2) == TID_96[:4]

    at_station(work, shelf, Module(query=Query(session=2)))


def test_the_query_is_put_back_when_the_station_closes() -> None:
    asked: list[Frame] = []

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for frame in decoder.feed(await port.receive(3600)):
                asked.append(frame)
                parameters = Query(session=2, q=6).parameters() if frame.command == Command.GET_QUERY else b"\x00"
                await port.send(encode(Frame(FrameType.RESPONSE, frame.command, parameters)))

    async def work(_: M100Station) -> None:
        await asyncio.sleep(0)

    at_station(work, Shelf(), device=device)
    set_to = [Query.parse(frame.parameters) for frame in asked if frame.command == Command.SET_QUERY]
    assert set_to == [Query(session=0, q=6), Query(session=2, q=6)]
    assert asked[-1] == Frame(FrameType.COMMAND, Command.SELECT_MODE, b"\x01")


def test_the_link_may_go_and_closing_is_harmless() -> None:
    async def scene() -> None:
        ours, theirs = linked()
        station = M100Station(M100Settings(), ours)
        await theirs.close()
        with pytest.raises(LinkError):
            await station.open()
        await station.close()

    run(scene())


def test_the_spec_makes_a_station() -> None:
    async def scene() -> None:
        ours, _ = linked()
        port: Port = ours
        assert DRIVER.station is not None
        station: Station = DRIVER.station(DRIVER.settings(), port)
        assert isinstance(station, M100Station)
        await asyncio.sleep(0)

    run(scene())


def test_a_station_that_was_never_opened_may_be_closed() -> None:
    async def scene() -> None:
        ours, theirs = linked()
        twin = asyncio.create_task(serve(theirs, Shelf()))
        await M100Station(M100Settings(), ours).close()
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)

    run(scene())
