from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest

from readers.codecs.cf import Command, Decoder, Frame, Parameters, WorkMode, encode
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import DeviceInfo, Observation
from readers.ports.memory import MemoryPort, run
from readers.registry import driver
from readers.rfid.cf import DRIVER, CfDriver, CfSettings
from simulator.device import Sighting
from simulator.faults import Fault, Kind
from simulator.rfid.cf import FACTORY, Reader, serve
from tests.support.bad_lines import garble, until_link_error, with_echo
from tests.support.heard import conditions_in, reads_in, rejected_in, watched_in
from tests.support.talk import talk, talk_for
from tests.support.turns import Turns

EPCS = [bytes.fromhex("CFFF000105000000000000F5"), bytes.fromhex("E2801160600002094C4C8B1A"), b"\x12\x34", b""]


class Tags(Turns):
    def __init__(self, epcs: Sequence[bytes] = EPCS, step_s: float = 0.1, until_s: float = 1e9) -> None:
        super().__init__(epcs, step_s, until_s)

    def sighting(self, number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        return Sighting(at_us, antenna_port, epc, -40.5 - number % 9, channel_index=7)


def in_mode(mode: WorkMode, **more: Any) -> Reader:
    return Reader(parameters=Parameters(FACTORY).changed(work_mode=mode), **more)


def listen(
    seconds: float,
    settings: dict[str, Any] | None = None,
    reader: Reader | None = None,
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), reader)

    made = CfDriver(CfSettings.model_validate(settings or {}))
    return run(talk_for(seconds, made, device, mangle, meanwhile))


def test_it_is_in_the_registry() -> None:
    assert driver("cf") is DRIVER
    assert (DRIVER.tcp_port, DRIVER.line and DRIVER.line.baud) == (2022, 115_200)


def test_tags_are_read_with_strength_antenna_and_channel() -> None:
    heard = listen(20, {"antennas": [1, 3]}, Reader(greeting=b"\x00\x00"))
    assert DeviceInfo("Chafon", "CP-202910_V1.13", "UHF Prime Reader V1.0", "202911230001") in heard
    assert watched_in(heard) == [{1, 3}]
    reads = reads_in(heard)
    assert len(reads) == 400
    assert {read.epc for read in reads} == set(EPCS)
    assert {read.antenna_port for read in reads} == {1, 3}
    assert {read.rssi_dbm for read in reads} == {-40.5 - n for n in range(9)}
    assert {read.channel_index for read in reads} == {7}
    assert not rejected_in(heard)
    assert not conditions_in(heard)


def test_an_empty_field_is_watched() -> None:
    heard = listen(60, {}, tags=Tags(until_s=0))
    assert watched_in(heard) == [{1}]


@pytest.mark.parametrize("rounds", [1, 7])
def test_the_rounds_are_asked_for_again_and_nothing_is_missed(rounds: int) -> None:
    heard = listen(60, {"rounds": rounds})
    assert len(reads_in(heard)) == 600
    assert watched_in(heard) == [{1}]


def test_a_reader_that_stops_at_an_empty_round_is_started_again_at_once() -> None:
    heard = listen(60, {}, Reader(stops_at_empty=True), Tags(step_s=0.3))
    assert len(reads_in(heard)) > 190  # of 200; twice a second was lost to learn it
    assert watched_in(heard) == [{1}]


def test_a_reader_that_says_nothing_of_empty_rounds_is_not_watched_without_tags() -> None:
    heard = listen(60, {}, Reader(reports_empty_rounds=False), Tags(until_s=10))
    assert watched_in(heard) == [{1}, set()]
    assert conditions_in(heard) == [("rounds_unconfirmed", "", True)]


def test_it_is_watched_again_with_the_next_tag() -> None:
    heard = listen(60, {}, Reader(reports_empty_rounds=False), Tags(step_s=20))
    assert watched_in(heard) == [{1}, set(), {1}, set()]
    assert conditions_in(heard)[:2] == [("rounds_unconfirmed", "", True), ("rounds_unconfirmed", "", False)]


def test_settings_are_set_and_read_back_and_the_rest_is_kept() -> None:
    reader = Reader()
    heard = listen(5, {"antennas": [2], "tx_power_dbm": 20, "q": 7, "session": 1}, reader)
    wanted = Parameters(FACTORY).changed(antennas=(2,), power_dbm=20, q=7, session=1)
    assert reader.parameters == wanted
    assert not conditions_in(heard)
    assert {read.antenna_port for read in reads_in(heard)} == {2}


def test_what_does_not_differ_is_not_written() -> None:
    reader = Reader(mute=frozenset({Command.SET_POWER, Command.SET_PARAMETERS}))
    heard = listen(5, {"antennas": [1], "tx_power_dbm": 30, "q": 4, "session": 0}, reader)
    assert len(reads_in(heard)) == 50
    assert not conditions_in(heard)


def test_what_the_reader_does_not_take_is_a_named_fault() -> None:
    heard = listen(5, {"antennas": [1, 6], "tx_power_dbm": 33}, Reader(max_power_dbm=30))
    assert conditions_in(heard) == [("setting_differs", "antennas", True), ("setting_differs", "tx_power_dbm", True)]
    assert watched_in(heard) == [{1}]
    assert reads_in(heard)


def test_a_reader_that_tells_tids_in_place_of_epcs_is_set_right() -> None:
    reader = Reader(parameters=Parameters(FACTORY).changed(area=2))
    assert not conditions_in(listen(5, {}, reader))
    assert reader.parameters.area == 1


@pytest.mark.parametrize("closed", ["unknown", "mute"])
def test_a_reader_without_parameters_is_read_all_the_same(closed: str) -> None:
    reader = Reader()
    setattr(reader, closed, frozenset({Command.GET_PARAMETERS}))
    heard = listen(20, {"q": 4}, reader)
    assert conditions_in(heard) == [("setting_unverified", "q", True)]
    assert len(reads_in(heard)) > 150


def test_a_reader_that_does_not_say_who_it_is() -> None:
    heard = listen(5, {}, Reader(unknown=frozenset({Command.INFO})))
    assert DeviceInfo("Chafon") in heard
    assert reads_in(heard)


def test_a_stop_that_is_refused_is_counted() -> None:
    reader = Reader(unknown=frozenset({Command.STOP}), reports_empty_rounds=False)
    assert rejected_in(listen(10, {}, reader, Tags(until_s=0))).keys() == {"status_02"}


def test_a_reporting_reader_is_set_to_answer_and_says_so() -> None:
    reader = in_mode(WorkMode.ACTIVE)
    heard = listen(20, {}, reader)
    assert reader.parameters.work_mode == WorkMode.ANSWER
    assert conditions_in(heard) == [("mode_changed", "mode", True)]
    assert len(reads_in(heard)) > 195


def test_one_that_cannot_be_switched_is_listened_to() -> None:
    heard = listen(60, {}, in_mode(WorkMode.ACTIVE, is_locked=True, reports_empty_rounds=False), Tags(until_s=20))
    assert conditions_in(heard) == [("active_mode", "mode", True)]
    assert watched_in(heard) == [{1}]  # silence is proven by its mode


def test_one_that_cannot_be_switched_though_it_must_parks() -> None:
    with pytest.raises(DeviceRefusedError, match="stays in work mode 1"):
        listen(20, {"mode": "answer"}, in_mode(WorkMode.ACTIVE, is_locked=True))


def test_active_mode_by_the_settings() -> None:
    reader = Reader()
    heard = listen(20, {"mode": "active"}, reader)
    assert reader.parameters.work_mode == WorkMode.ACTIVE
    assert ("active_mode", "mode", True) in conditions_in(heard)
    assert len(reads_in(heard)) > 195


def test_active_mode_of_a_reader_that_tells_no_parameters_is_believed_only_while_it_speaks() -> None:
    reader = in_mode(WorkMode.ACTIVE, unknown=frozenset({Command.GET_PARAMETERS}), reports_empty_rounds=False)
    reader.mute = frozenset({Command.STOP})  # it would end its inventory
    heard = listen(60, {"mode": "active"}, reader, Tags(until_s=20))
    assert watched_in(heard) == [{1}, set()]
    assert len(reads_in(heard)) > 195


def test_a_reader_that_only_reads_when_triggered_is_not_watched() -> None:
    heard = listen(60, {}, in_mode(WorkMode.TRIGGER, is_locked=True))
    assert conditions_in(heard) == [("active_mode", "mode", True), ("triggered_mode", "mode", True)]
    assert watched_in(heard) == []


def test_a_reader_that_stops_reporting_ends_the_link() -> None:
    reader = in_mode(WorkMode.ACTIVE, is_locked=True)

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.parameters = Parameters(FACTORY)
        reader.mute = frozenset({Command.START})

    with pytest.raises(LinkError, match="has stopped to report by itself"):
        listen(60, {}, reader, Tags(until_s=4), meanwhile=meanwhile)


def test_an_inventory_that_is_refused_parks() -> None:
    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                body = {Command.START: b"\x01", Command.GET_PARAMETERS: b"\x00" + FACTORY}.get(Command(asked.command))
                await port.send(encode(Frame(0, asked.command, body or b"\x02")))

    with pytest.raises(DeviceRefusedError, match="refuses the inventory with status 01"):
        talk(60, CfDriver(CfSettings()), device)


def test_answers_to_the_inventory_that_say_nothing_are_counted_and_do_not_spin() -> None:
    bodies = {Command.START: b"\x02", Command.INFO: b"\x02", Command.STOP: b"\x00"}

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                body = bodies.get(Command(asked.command), b"\x00" + FACTORY)
                await port.send(encode(Frame(0, asked.command, body)))
                if asked.command == Command.START:
                    await port.send(encode(Frame(0, Command.START)) + encode(Frame(0, Command.START, b"\x00")))

    heard = talk(30, CfDriver(CfSettings()), device)
    assert rejected_in(heard).keys() == {"status_02", "status_none"}
    assert 15 < rejected_in(heard)["status_02"] < 40  # one inventory a second
    assert conditions_in(heard) == [("rounds_unconfirmed", "", True)]
    assert watched_in(heard) == []


def test_rounds_that_end_at_once_are_paced() -> None:
    heard = listen(20, {"rounds": 1}, Reader(round_s=0.0), tags=Tags(until_s=0))
    assert watched_in(heard) == [{1}]


def test_nobody_there() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer.*115200 8N1 and TCP port 2022"):
        listen(60, {"address": 9})


def test_a_reader_that_falls_silent_ends_the_link() -> None:
    reader = Reader()

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.mute = frozenset(Command)
        reader.reports_empty_rounds = False

    with pytest.raises(LinkError, match="command 0002 was sent 3 times"):
        listen(60, {}, reader, Tags(until_s=4), meanwhile=meanwhile)


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    heard = listen(300, {}, mangle=functools.partial(garble, Random(seed), 0.2))
    reads = [read.epc for read in reads_in(heard)]
    assert set(reads) == set(EPCS)
    assert len(reads) > 2_300  # of 3,000 at a tenth to a fifth of lost frames
    assert sum(rejected_in(heard).values()) > 100


def test_a_link_that_is_cut_is_a_link_error_and_the_next_one_reads_again() -> None:
    reader, reads = Reader(), 0
    for _ in range(3):
        cut = Fault(Kind.CUT, at_byte=900)
        heard, _s = until_link_error(CfDriver(CfSettings()), lambda port: serve(port, Tags(), reader), cut)
        reads += len(reads_in(heard))
    assert reads > 30


@pytest.mark.parametrize("strip", [True, False])
def test_the_echo_of_a_two_wire_adapter(*, strip: bool) -> None:
    heard = with_echo(20, CfDriver(CfSettings(tx_power_dbm=20)), lambda port: serve(port, Tags()), strip=strip)
    assert len(reads_in(heard)) > 190
    assert ("echo" in rejected_in(heard)) is not strip


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 14_400
    heard = listen(watch_s, {}, Reader(round_s=0.9), Tags([b"\x00\x01"], 60))
    assert len(reads_in(heard)) == watch_s // 60
