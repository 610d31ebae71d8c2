from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.m100 import (
    AA_DD,
    BB_7E,
    Command,
    Decoder,
    Delimiters,
    Frame,
    FrameType,
    TagNotice,
    encode,
    pc_bits_for,
)
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, DeviceInfo, Observation, Rejected, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort, run
from readers.rfid.m100 import DRIVER, M100Driver, M100Settings
from simulator.device import Sighting
from simulator.rfid.m100 import Module, serve
from tests.support.talk import US_PER_S, linked, talk

EPCS = [bytes.fromhex("BB7EAADD02220011BB0122FF"), bytes.fromhex("30751FEB705C5904E3D50D70"), b"\x12\x34", b""]


class Tags:
    """One sighting every `step_s` seconds, in turn, from the first second on, until `until_s`."""

    def __init__(self, epcs: Sequence[bytes], step_s: float = 0.1, until_s: float = 1e9) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-(start_us - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            Sighting(START_US + n * self._step_us, antenna_port, self._epcs[n % len(self._epcs)], -40.0 - n % 20)
            for n in range(first, max(first, last))
        ]


def tags_in(heard: Sequence[Observation]) -> list[bytes]:
    return [epc for observation in heard if isinstance(observation, TagReads) for epc in observation.epc]


def listen(
    seconds: float,
    settings: M100Settings | None = None,
    module: Module | None = None,
    tags: Tags | None = None,
    mangle: functools.partial[list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(EPCS), module)

    return talk(seconds, M100Driver(settings or M100Settings()), device, mangle)


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


def test_the_rounds_are_asked_for_again_and_nothing_is_missed() -> None:
    heard = listen(60, M100Settings(rounds=7), tags=Tags([b"\x00\x01"], step_s=1.0))
    assert len(tags_in(heard)) == 60
    assert heard.count(Watching(frozenset({1}))) == 1


def test_a_module_that_reports_no_empty_rounds_is_still_watched_over() -> None:
    tags = Tags([b"\x00\x01"], step_s=2.5)
    heard = listen(120, M100Settings(rounds=1000), Module(reports_empty_rounds=False), tags)
    assert len(tags_in(heard)) == 48
    assert next(o for o in heard if isinstance(o, Watching)) == Watching(frozenset({1}))


def test_a_module_that_shows_no_round_is_not_watched() -> None:
    heard = listen(60, module=Module(reports_empty_rounds=False), tags=Tags([b"\x00\x01"], until_s=10))
    states = [o for o in heard if isinstance(o, Watching)]
    assert states == [Watching(frozenset({1})), Watching()]
    assert [o.name for o in heard if isinstance(o, Condition)] == ["rounds_unconfirmed"]


def test_notifications_under_command_27_are_reads() -> None:
    assert len(tags_in(listen(10, module=Module(notice_command=Command.MULTI_POLL)))) > 80


def test_power_that_the_module_cuts_is_a_named_fault() -> None:
    heard = listen(5, M100Settings(tx_power_dbm=33.0))
    found = [o for o in heard if isinstance(o, Condition)]
    assert [(o.name, o.key, o.detail) for o in found] == [
        ("setting_differs", "tx_power_dbm", "33 dBm asked, 26 dBm in force")
    ]
    assert tags_in(heard)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (Module(unknown=frozenset({Command.SET_POWER})), "setting_differs"),
        (Module(unknown=frozenset({Command.GET_POWER})), "setting_unverified"),
        (Module(mute=frozenset({Command.GET_POWER})), "setting_unverified"),
    ],
)
def test_power_that_cannot_be_set_or_read_back_is_said(module: Module, name: str) -> None:
    heard = listen(10, module=module)
    assert [(o.name, o.key) for o in heard if isinstance(o, Condition)] == [(name, "tx_power_dbm")]
    assert tags_in(heard)


def test_the_region_is_set_and_read_back() -> None:
    heard = listen(5, M100Settings.model_validate({"region": "eu"}))
    assert tags_in(heard)
    assert not [o for o in heard if isinstance(o, Condition)]


def test_a_region_that_cannot_be_verified_is_said() -> None:
    settings = M100Settings.model_validate({"region": "us"})
    heard = listen(10, settings, Module(unknown=frozenset({Command.GET_REGION})))
    assert [(o.name, o.key) for o in heard if isinstance(o, Condition)] == [("setting_unverified", "region")]


def test_a_refused_region_parks_the_reader() -> None:
    settings = M100Settings.model_validate({"region": "us"})
    with pytest.raises(DeviceRefusedError, match=r"settings\.region = us: the module refuses it with error 17"):
        listen(10, settings, Module(unknown=frozenset({Command.SET_REGION})))


def test_a_module_without_multiple_poll_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"does not know the command 'multiple poll'"):
        listen(10, module=Module(unknown=frozenset({Command.MULTI_POLL})))


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


def garble(rng: Random, share: float, data: bytes) -> list[bytes]:
    """Some chunks lose a byte, some get a wrong bit, some come with noise."""
    dice = rng.random()
    if dice > share or not data:
        return [data]
    at = rng.randrange(len(data))
    if dice < share / 3:
        return [data[:at] + data[at + 1 :]]
    if dice < 2 * share / 3:
        return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
    return [rng.randbytes(rng.randrange(1, 30)), data]


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    mangle = functools.partial(garble, Random(seed), 0.2)
    heard = listen(300, M100Settings(delimiters="bb_7e"), mangle=mangle)
    reads = tags_in(heard)
    assert set(reads) == set(EPCS)
    assert len(reads) > 2_400  # of 3,000 at a tenth to a fifth of lost frames
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 100


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 14_400
    heard = listen(watch_s, tags=Tags([b"\x00\x01"], step_s=60), module=Module(round_s=1.0))
    assert len(tags_in(heard)) == watch_s // 60


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


def test_settings_are_checked() -> None:
    assert DRIVER.settings().antenna_ports() == (1,)
    for wrong in (
        {"tx_power_dbm": 45},
        {"rounds": 0},
        {"rounds": 65_536},
        {"delimiters": "7e"},
        {"region": "mars"},
        {"x": 1},
    ):
        with pytest.raises(ValidationError):
            M100Settings.model_validate(wrong)


def answering(
    seconds: float, answers: dict[int, list[Frame]], settings: M100Settings | None = None
) -> list[Observation]:
    """What the driver makes of a module that confirms every command but those in `answers`."""

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                confirmed = [Frame(FrameType.RESPONSE, asked.command, b"\x00")]
                for answer in answers.get(asked.command, confirmed):
                    await port.send(encode(answer))

    return talk(seconds, M100Driver(settings or M100Settings()), device)


def error(code: int) -> Frame:
    return Frame(FrameType.RESPONSE, Command.ERROR, bytes([code]))


def test_errors_that_are_none_of_its_business_are_counted_and_do_not_spin() -> None:
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    answers: dict[int, list[Frame]] = {
        Command.GET_POWER: [power],
        Command.MULTI_POLL: [error(0x09)],
        Command.STOP: [error(0x0A)],
    }
    heard = answering(30, answers)
    counted = Counter(o.reason for o in heard if isinstance(o, Rejected))
    assert counted.keys() == {"error_09", "error_0a"}
    assert 20 <= counted["error_09"] <= 31  # one inventory a second
    assert [(o.name, o.active) for o in heard if isinstance(o, Condition)] == [("rounds_unconfirmed", True)]


def test_a_busy_band_is_a_condition_until_a_round_succeeds() -> None:
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    answers: dict[int, list[Frame]] = {
        Command.GET_POWER: [power],
        Command.MULTI_POLL: [error(0x20), error(0x20), error(0x15)],
    }
    heard = answering(0.9, answers, M100Settings(rounds=2))
    told = [(o.name, o.active) for o in heard if isinstance(o, Condition)]
    assert told[:2] == [("no_free_channel", True), ("no_free_channel", False)]


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
