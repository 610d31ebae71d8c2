from __future__ import annotations

import asyncio
import functools

import pytest

from readers.codecs.m100 import (
    BB_7E,
    Command,
    Decoder,
    Frame,
    FrameType,
    TagNotice,
    encode,
    pc_bits_for,
)
from readers.errors import LinkError
from readers.observations import DeviceInfo, Observation, Rejected, TagReads
from readers.ports.memory import run
from readers.rfid.m100 import M100Driver, M100Settings
from simulator.rfid.m100 import Module
from tests.support.m100_scenes import EPCS, Tags, listen, tags_in
from tests.support.talk import linked


def test_notifications_under_command_27_are_reads() -> None:
    assert len(tags_in(listen(10, module=Module(notice_command=Command.MULTI_POLL)))) > 80


def test_a_module_that_does_not_say_who_it_is_is_read_all_the_same() -> None:
    heard = listen(10, module=Module(unknown=frozenset({Command.INFO})))
    assert DeviceInfo() in heard
    assert tags_in(heard)


def test_a_mute_module_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer to 'get information'.*115200 8N1"):
        listen(60, module=Module(mute=frozenset(Command)))


def test_a_module_in_the_other_form_than_the_settings_say_is_a_link_error() -> None:
    settings = M100Settings(delimiters="aa_dd")
    with pytest.raises(LinkError, match="no byte came"):
        listen(60, settings, Module(delimiters=BB_7E))


def test_reads_that_fail_the_air_crc_are_known_to_be_lost() -> None:
    def break_epc(data: bytes) -> list[bytes]:
        if data[:3] == bytes.fromhex("BB0222"):
            wrong = bytearray(data)
            wrong[8], wrong[-2] = wrong[8] ^ 0x10, wrong[-2] + (0x10 if not wrong[8] & 0x10 else -0x10) & 0xFF
            return [bytes(wrong)]
        return [data]

    tags = Tags([EPCS[1]])
    required = listen(5, M100Settings(), tags=tags, mangle=functools.partial(break_epc))
    assert not tags_in(required)
    lost = [o for o in required if isinstance(o, Rejected)]
    assert {o.reason for o in lost} == {"air_crc"}
    assert sum(o.reads_lost for o in lost) > 30
    ignored = listen(5, M100Settings(air_crc="ignored"), tags=tags, mangle=functools.partial(break_epc))
    assert len(tags_in(ignored)) > 30


def test_a_frame_in_two_segments_is_one_frame() -> None:
    """A device server sends what it has; a segment that is lost on the network comes 0.2 s later."""

    async def scene() -> list[Observation]:
        ours, device = linked()
        heard: list[Observation] = []
        running = asyncio.create_task(M100Driver(M100Settings()).run(ours, heard.append))
        decoder = Decoder()
        notice = TagNotice(-55, pc_bits_for(EPCS[0]), EPCS[0])
        raw = encode(Frame(FrameType.NOTICE, Command.POLL, notice.parameters()))
        while not any(isinstance(o, TagReads) for o in heard):
            for asked in decoder.feed(await device.receive(3600)):
                if asked.command == Command.MULTI_POLL:
                    await device.send(raw[:9])
                    await device.pause(0.2)
                    await device.send(raw[9:])
                    await device.pause(0.01)
                else:
                    await device.send(encode(Frame(FrameType.RESPONSE, asked.command, b"\x07\xd0")))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return heard

    heard = run(scene())
    assert tags_in(heard) == [EPCS[0]]
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_notifications_of_other_commands_are_counted() -> None:
    heard = listen(3, module=Module(notice_command=0x99))
    assert not tags_in(heard)
    assert {o.reason for o in heard if isinstance(o, Rejected)} == {"notification"}
