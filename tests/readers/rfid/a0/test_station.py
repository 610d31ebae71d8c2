"""The station and the twin: work on the memory of single tags."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.a0 import Command, Decoder, Frame, Result, encode
from readers.codecs.a0_access import AccessAnswer
from readers.errors import DeviceRefusedError, LinkError
from readers.ports.memory import MemoryPort, run
from readers.rfid.a0 import DRIVER, A0Settings, A0Station
from simulator.device import TagMemory
from simulator.gen2_memory import epc_of
from simulator.rfid.a0 import Module, serve
from tests.support.shelf import Shelf, memory
from tests.support.talk import linked

ONE, OTHER = bytes.fromhex("E200301666130121155074EF"), bytes.fromhex("E2003016661301211550AAAA")
TID = bytes.fromhex("E2801160200071234567")
PASSWORD = 0x12345678


def tag(epc: bytes, locked: Collection[int] = ()) -> TagMemory:
    return memory(epc, TID, bytes(128), access=PASSWORD, locked=locked, room_bytes=len(epc) + 8)


def lying(*tags: TagMemory, antenna: int = 1) -> Shelf:
    return Shelf(*tags, antennas={antenna})


def at_work(
    work: Callable[[A0Station], Awaitable[Any]],
    table: Shelf | None = None,
    module: Module | None = None,
    settings: dict[str, Any] | None = None,
) -> Any:  # whatever the work brings
    async def scene() -> Any:  # whatever the work brings
        ours, device = linked()
        twin = asyncio.create_task(serve(device, table or lying(tag(ONE)), module or Module()))
        station = A0Station(A0Settings.model_validate(settings or {}), ours)
        await station.open()
        try:
            return await work(station)
        finally:
            await station.close()
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    return run(scene())


def test_the_driver_offers_it() -> None:
    assert DRIVER.station is A0Station


def test_the_tags_that_lie_there_each_once() -> None:
    table = lying(tag(ONE), tag(OTHER), antenna=2)
    settings = {"units": [{"address": 1, "antennas": [1, 2]}], "inventory": "session", "session": 2}
    tags = at_work(lambda station: station.inventory(0.5), table, settings=settings)
    assert {(read.epc, read.antenna_port, read.rssi_dbm) for read in tags} == {(ONE, 2, -50.0), (OTHER, 2, -51.0)}


def test_nothing_lies_there() -> None:
    assert at_work(lambda station: station.inventory(0.2), lying()) == []
    assert at_work(lambda station: station.inventory(2.0), lying(), Module(unplugged={1})) == []


def test_memory_is_read_and_written_where_the_tag_was_heard() -> None:
    table = lying(tag(ONE), tag(OTHER), antenna=3)
    settings = {"units": [{"address": 1, "antennas": [1, 3]}]}

    async def work(station: A0Station) -> tuple[bytes, bytes, bytes]:
        await station.inventory(0.3)
        await station.write(ONE, Bank.USER, 2, b"\x12\x34\x56\x78")
        return (
            await station.read(ONE, Bank.USER, 0, 5),
            await station.read(OTHER, Bank.USER, 2, 2),
            await station.read(ONE, Bank.TID, 0, 5),
        )

    assert at_work(work, table, settings=settings) == (bytes.fromhex("00000000123456780000"), bytes(4), TID)


def test_more_words_than_one_command_takes() -> None:
    table = lying(tag(ONE))
    table.tags[0].user[:] = bytes(range(128))
    assert at_work(lambda station: station.read(ONE, Bank.USER, 1, 60), table) == bytes(range(2, 122))


@pytest.mark.parametrize(
    ("word", "data", "after"),
    [
        (2, bytes(12), bytes(12)),
        (4, b"\xaa\xaa", ONE[:4] + b"\xaa\xaa" + ONE[6:]),
        (1, b"\x20\x00" + OTHER[:8], OTHER[:8]),
    ],
)
def test_an_epc_is_written(word: int, data: bytes, after: bytes) -> None:
    table = lying(tag(ONE))
    at_work(lambda station: station.write(ONE, Bank.EPC, word, data), table)
    assert epc_of(table.tags[0]) == after


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (lambda station: station.read(OTHER, Bank.TID, 0, 2), AccessFault.NO_TAG),
        (lambda station: station.read(b"", Bank.TID, 0, 2), AccessFault.UNSUPPORTED),
        (lambda station: station.read(ONE, Bank.TID, 0, 2, 0x11111111), AccessFault.WRONG_PASSWORD),
        (lambda station: station.read(ONE, Bank.TID, 4, 2), AccessFault.OTHER),
        (lambda station: station.read(ONE, 7, 0, 2), AccessFault.OVERRUN),
        (lambda station: station.write(OTHER, Bank.USER, 0, bytes(2)), AccessFault.NO_TAG),
        (lambda station: station.write(ONE, Bank.USER, 0, bytes(2), 0x11111111), AccessFault.WRONG_PASSWORD),
        (lambda station: station.write(ONE, Bank.USER, 64, bytes(2)), AccessFault.LOST),
        (lambda station: station.write(ONE, Bank.TID, 0, bytes(2)), AccessFault.LOST),
        (lambda station: station.write(ONE, Bank.USER, 0, b""), AccessFault.UNSUPPORTED),
        (lambda station: station.write(ONE, Bank.USER, 0, bytes(3)), AccessFault.UNSUPPORTED),
        (lambda station: station.write(ONE, Bank.USER, 0, bytes(66)), AccessFault.UNSUPPORTED),
    ],
)
def test_what_cannot_be_done_has_a_name(work: Callable[[A0Station], Awaitable[Any]], fault: AccessFault) -> None:
    with pytest.raises(AccessError) as caught:
        at_work(work)
    assert caught.value.fault is fault


def test_a_locked_bank_keeps_what_it_has() -> None:
    table = lying(tag(ONE, {Bank.USER}))
    with pytest.raises(AccessError, match=r"writing it ended with tag_write_error \(33\)"):
        at_work(lambda station: station.write(ONE, Bank.USER, 0, b"\x12\x34"), table)
    assert table.tags[0].user[:2] == b"\x00\x00"


def test_two_tags_with_one_epc_are_one_too_many() -> None:
    with pytest.raises(AccessError, match="2 tags with EPC E200301666130121155074EF answer") as caught:
        faced(
            {Command.READ: [AccessAnswer(2, 0x3000, ONE, bytes(4)).data()] * 2},
            lambda station: station.read(ONE, Bank.TID, 0, 2),
        )
    assert caught.value.fault is AccessFault.SEVERAL_TAGS
    with pytest.raises(AccessError) as caught:
        faced(
            {Command.WRITE: [AccessAnswer(2, 0x3000, ONE, result=Result.SUCCESS).data()] * 2},
            lambda station: station.write(ONE, Bank.USER, 0, bytes(2)),
        )
    assert caught.value.is_unknown


def test_another_tag_answers() -> None:
    with pytest.raises(AccessError, match="4 bytes came of tag E2003016661301211550AAAA"):
        faced(
            {Command.READ: [AccessAnswer(1, 0x3000, OTHER, bytes(4)).data()]},
            lambda station: station.read(ONE, Bank.TID, 0, 2),
        )
    with pytest.raises(AccessError, match="tag E2003016661301211550AAAA answers: read both back") as caught:
        faced(
            {Command.WRITE: [AccessAnswer(1, 0x3000, OTHER, result=Result.SUCCESS).data()]},
            lambda station: station.write(ONE, Bank.USER, 0, bytes(2)),
        )
    assert caught.value.is_unknown


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        (Result.PARAMETER_INVALID, AccessFault.UNSUPPORTED, AccessFault.UNSUPPORTED),
        (Result.INVENTORY_OK_BUT_ACCESS_FAIL, AccessFault.OTHER, AccessFault.LOST),
        (Result.OUTPUT_POWER_TOO_LOW, AccessFault.LOW_POWER, AccessFault.LOW_POWER),
        (Result.COMMAND_FAIL, AccessFault.OTHER, AccessFault.OTHER),
        (0x99, AccessFault.OTHER, AccessFault.LOST),
    ],
)
def test_result_codes_say_whether_the_tag_may_have_changed(
    code: int, reading: AccessFault, writing: AccessFault
) -> None:
    answers = {Command.READ: [bytes([code])], Command.WRITE: [bytes([code])]}
    with pytest.raises(AccessError) as caught:
        faced(answers, lambda station: station.read(ONE, Bank.TID, 0, 2))
    assert caught.value.fault is reading
    with pytest.raises(AccessError) as caught:
        faced(answers, lambda station: station.write(ONE, Bank.USER, 0, bytes(2)))
    assert caught.value.fault is writing


@pytest.mark.parametrize("answer", [[], [b"\x00\x01\x10\x30\x00"]])
def test_a_write_without_a_readable_answer_is_unknown(answer: list[bytes]) -> None:
    with pytest.raises(AccessError) as caught:
        faced({Command.WRITE: answer}, lambda station: station.write(ONE, Bank.USER, 0, bytes(2)))
    assert caught.value.is_unknown
    with pytest.raises(AccessError) as caught:
        faced({Command.READ: answer}, lambda station: station.read(ONE, Bank.TID, 0, 2))
    assert caught.value.fault is AccessFault.OTHER


def test_a_write_is_sent_once_only() -> None:
    sent: list[int] = []
    with pytest.raises(AccessError):
        faced({Command.WRITE: []}, lambda station: station.write(ONE, Bank.USER, 0, bytes(2)), sent)
    assert sent.count(Command.WRITE) == 1
    assert sent.count(Command.SET_MATCH) == 3  # for this tag; for any; and once more to leave it so


def test_a_reader_that_cannot_match_is_no_station() -> None:
    with pytest.raises(DeviceRefusedError, match=r"command 85 got epc_match_mode_invalid \(4e\)|\(4E\)"):
        faced({Command.SET_MATCH: [b"\x4e"]}, lambda station: station.read(ONE, Bank.TID, 0, 2))


def test_closing_is_harmless_when_the_link_is_gone() -> None:
    async def scene() -> None:
        ours, device = linked()
        station = A0Station(A0Settings(), ours)
        await device.close()
        with pytest.raises(LinkError):
            await station.open()
        await station.close()

    run(scene())


def faced(
    answers: Mapping[Command, Sequence[bytes]],
    work: Callable[[A0Station], Awaitable[Any]],
    sent: list[int] | None = None,
) -> Any:  # whatever the work brings
    """What comes of the work when the reader answers so."""
    plain = {Command.GET_FIRMWARE: b"\x01\x09", Command.GET_BAND: b"\x02\x00\x06", Command.GET_POWER: b"\x14"}

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                if sent is not None:
                    sent.append(asked.command)
                for data in answers.get(Command(asked.command), [plain.get(Command(asked.command), b"\x10")]):
                    await port.send(encode(Frame(1, asked.command, data)))

    async def scene() -> Any:  # whatever the work brings
        ours, theirs = linked()
        twin = asyncio.create_task(device(theirs))
        station = A0Station(A0Settings(), ours)
        await station.open()
        try:
            return await work(station)
        finally:
            await station.close()
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    return run(scene())
