from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from readers import registry
from readers.codecs.uhfreader import Command, Form, Status
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition as Told
from readers.observations import DeviceInfo, Observation, Severity
from readers.ports.memory import MemoryPort, run
from readers.rfid.uhfreader import DRIVER, UhfReaderDriver, UhfReaderSettings
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.rfid.uhfreader import Reader, rr18, serve
from tests.readers.rfid.uhfreader.support import EPCS, TID, Tags, listen, raw
from tests.support.bad_lines import garble, until_link_error, with_echo
from tests.support.heard import conditions_in, epcs_in, reads_in, rejected_in, watched_in
from tests.support.talk import linked, talk_for


def test_it_is_in_the_registry() -> None:
    assert registry.driver("uhfreader") is DRIVER
    assert DRIVER.line is not None
    assert DRIVER.line.baud == 57_600


def test_tags_are_read_and_strengths_without_a_unit_are_left_out() -> None:
    heard = listen(20)
    assert DeviceInfo("Chafon", "UHFReader288MP", "2.20", "12345678") in heard
    assert watched_in(heard) == [{1}]
    reads = reads_in(heard)
    assert len(reads) == 200
    assert {read.epc for read in reads} == set(EPCS)
    assert {(read.antenna_port, read.rssi_dbm, read.tid) for read in reads} == {(1, None, None)}
    assert not rejected_in(heard)
    assert not conditions_in(heard)


def test_antennas_take_turns() -> None:
    heard = listen(40, {"antennas": [1, 2, 4]}, Reader(round_s=0.3), tags=Tags(step_s=0.05))
    assert watched_in(heard)[-1] == {1, 2, 4}
    by_port = [sum(read.antenna_port == port for read in reads_in(heard)) for port in (1, 2, 3, 4)]
    assert by_port[2] == 0
    assert min(by_port[0], by_port[1], by_port[3]) > 250


def test_fast_id_and_the_hop_channel() -> None:
    reads = reads_in(listen(5, {"fast_id": True, "hop_channel": True, "region": "cn_920"}))
    assert {(read.tid, read.channel_index) for read in reads} == {(TID, 7)}


def test_a_reader_of_the_first_model() -> None:
    reader = rr18()
    heard = listen(20, {}, reader, tags=Tags(EPCS[:3]))
    assert DeviceInfo("Chafon", "UHFReader18", "1.35") in heard
    assert len(reads_in(heard)) == 200
    assert reader.scan_ds == 3  # 2 s are its default
    assert not rejected_in(heard)


def test_what_the_first_model_cannot_do_is_said() -> None:
    heard = listen(5, {"q": 7, "fast_id": True}, rr18())
    assert conditions_in(heard) == [("setting_differs", "fast_id", True), ("setting_differs", "q", True)]
    assert epcs_in(heard)


def test_sixteen_ports() -> None:
    reader = Reader(type=0x99, form=Form.NUMBER, ports=16)
    heard = listen(20, {"model": "16_port", "antennas": [1, 3, 16]}, reader)
    assert {read.antenna_port for read in reads_in(heard)} == {1, 3, 16}


def test_a_type_that_nobody_knows_parks_the_reader() -> None:
    with pytest.raises(
        DeviceRefusedError, match=r"reader type 99 is not known.*set settings\.model to one of rr18, 288"
    ):
        listen(20, {}, Reader(type=0x99))


def test_an_antenna_that_the_model_does_not_have_parks_the_reader() -> None:
    with pytest.raises(
        DeviceRefusedError, match=r"antenna 2 is to be read, but UHFReader18 \(model rr18\) has 1 at most"
    ):
        listen(20, {"antennas": [1, 2]}, rr18())


def test_an_antenna_that_the_reader_does_not_have_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match="the inventory of antenna 5 is refused with status FF"):
        listen(20, {"antennas": [5]})


def test_a_wrong_model_whose_inventory_is_refused_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"status FD \(length\); check settings\.model \(now rr18\)"):
        listen(5, {"model": "rr18"})


def test_replies_in_another_form_than_the_models_are_refused_and_said() -> None:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return _plain_replies(port)

    heard = run(talk_for(3, UhfReaderDriver(UhfReaderSettings(model="288")), device))
    assert conditions_in(heard)[0] == ("wrong_model", "model", True)
    assert not epcs_in(heard)
    assert rejected_in(heard)["length"] > 3


async def _plain_replies(port: MemoryPort) -> None:
    """A reader that says it is a 288 and reports as UHFReader18 does."""
    while True:
        asked = await port.receive(3600)
        replies = {
            Command.INFO: "00 02 14 20 02 31 80 1E 14 01 00 00 00",
            Command.GET_READ_MODE: "00 00",
            Command.SERIAL: "FE",
        }
        if asked[2] == Command.INVENTORY:
            await port.pause(0.1)
            await port.send(raw(0, Command.INVENTORY, "01 01 04 11 22 33 44"))
        else:
            await port.send(raw(0, asked[2], replies[Command(asked[2])]))


def test_an_empty_field_is_watched() -> None:
    for status in (Status.COMPLETE, Status.NO_TAG):
        heard = listen(20, {}, Reader(empty_status=status), tags=Tags(until_s=0))
        assert watched_in(heard) == [{1}]
        assert not rejected_in(heard)


def test_inventories_that_take_the_whole_scan_time() -> None:
    heard = listen(20, {"scan_time_s": 2.0}, Reader(round_s=None))
    assert len(reads_in(heard)) >= 180
    assert watched_in(heard) == [{1}]


def test_an_antenna_that_comes_off_is_not_watched_until_it_is_back() -> None:
    reader = Reader(checks_antennas=True)

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.disconnected = frozenset({2})
        await asyncio.sleep(5)
        reader.disconnected = frozenset()

    settings = UhfReaderSettings(antennas=(1, 2))
    heard = run(talk_for(20, UhfReaderDriver(settings), lambda port: serve(port, Tags(), reader), meanwhile=meanwhile))
    assert watched_in(heard) == [{1}, {1, 2}, {1}, {1, 2}]
    assert conditions_in(heard) == [("antenna_disconnected", "2", True), ("antenna_disconnected", "2", False)]


def test_a_reader_that_reports_failure_of_its_inventories_is_not_watched() -> None:
    heard = listen(20, {}, Reader(refused={Command.INVENTORY: Status.EXECUTION}))
    assert watched_in(heard) == []
    assert conditions_in(heard) == [("rounds_unconfirmed", "1", True)]
    assert 100 < rejected_in(heard)["status_f9"] < 1_100  # it does not spin


def test_power_and_region_are_set_and_read_back() -> None:
    reader = Reader()
    heard = listen(5, {"tx_power_dbm": 20, "region": "eu"}, reader)
    assert (reader.power_dbm, reader.info().region, reader.highest) == (20, "eu", 14)
    assert not conditions_in(heard)


def test_power_that_the_reader_does_not_take_is_a_named_fault() -> None:
    heard = listen(5, {"tx_power_dbm": 33})
    [told] = [o for o in heard if isinstance(o, Told)]
    assert (told.name, told.key) == ("setting_differs", "tx_power_dbm")
    assert told.detail == "33 dBm asked, 30 dBm in force; the reader answered status FF"
    assert epcs_in(heard)


def test_a_refused_region_parks_the_reader() -> None:
    with pytest.raises(
        DeviceRefusedError, match=r"settings\.region = eu was asked .* the reader keeps us, points 0 to 49"
    ):
        listen(5, {"region": "eu"}, Reader(refused={Command.SET_BAND: Status.PARAMETER}))


def test_a_reader_without_the_mode_command_is_taken_to_answer() -> None:
    heard = listen(20, {}, Reader(unknown=frozenset({Command.GET_READ_MODE, Command.SERIAL})))
    assert len(reads_in(heard)) > 150
    assert DeviceInfo("Chafon", "UHFReader288MP", "2.20") in heard


def test_nobody_there() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer.*57600 8N1"):
        listen(60, {"address": 9})


def test_a_reader_that_is_there_but_does_not_take_a_setting_is_named_so() -> None:
    with pytest.raises(LinkError, match="address 0 was sent command 2F 3 times"):
        listen(60, {"tx_power_dbm": 20}, Reader(mute=frozenset({Command.SET_POWER})))


def test_an_antenna_that_the_reader_leaves_out_is_not_watched() -> None:
    heard = listen(10, {"mode": "active", "antennas": [1, 3]}, Reader(ports=2))
    assert ("setting_differs", "antenna 3", True) in conditions_in(heard)
    assert watched_in(heard) == [{1}]


def test_a_reader_that_falls_silent_ends_the_link() -> None:
    reader = Reader()

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.mute = frozenset(Command)

    settings = UhfReaderSettings()
    with pytest.raises(LinkError, match="address 0 was sent command 21 3 times"):
        run(talk_for(60, UhfReaderDriver(settings), lambda port: serve(port, Tags(), reader), meanwhile=meanwhile))


# --- several readers on one line


UNITS = [{"address": 1, "antennas": [1, 2]}, {"address": 2, "first_port": 5}, {"address": 3, "first_port": 9}]


def fleet() -> list[Reader]:
    return [Reader(address=1), Reader(address=2, first_port=5), rr18(3)]


def test_several_readers_share_a_line() -> None:
    readers = fleet()
    readers[2].first_port = 9
    heard = listen(30, {"units": UNITS}, *readers, tags=Tags(EPCS[:3], step_s=0.03))
    assert watched_in(heard)[-1] == {1, 2, 5, 9}
    by_port = {port: sum(read.antenna_port == port for read in reads_in(heard)) for port in (1, 2, 5, 9)}
    assert min(by_port.values()) > 40
    assert [o for o in heard if isinstance(o, DeviceInfo)][-1].model == "UHFReader288MP, UHFReader18"
    assert not rejected_in(heard)


def test_one_silent_reader_does_not_still_the_others_and_is_found_again() -> None:
    readers = fleet()
    readers[1].mute = frozenset(Command)

    async def meanwhile() -> None:
        await asyncio.sleep(20)
        readers[1].mute = frozenset()

    settings = UhfReaderSettings.model_validate({"units": UNITS[:2]})
    heard = run(
        talk_for(60, UhfReaderDriver(settings), lambda port: serve(port, Tags(), *readers[:2]), meanwhile=meanwhile)
    )
    assert conditions_in(heard) == [("unit_silent", "2", True), ("unit_silent", "2", False)]
    assert watched_in(heard)[-1] == {1, 2, 5}
    assert sum(read.antenna_port == 5 for read in reads_in(heard)) > 100


def test_a_line_on_which_nobody_answers_any_more_ends() -> None:
    readers = fleet()[:2]

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        for reader in readers:
            reader.mute = frozenset(Command)

    settings = UhfReaderSettings.model_validate({"units": UNITS[:2]})
    with pytest.raises(LinkError, match="no reader answers any more"):
        run(talk_for(60, UhfReaderDriver(settings), lambda port: serve(port, Tags(), *readers), meanwhile=meanwhile))


# --- readers that report by themselves


def test_a_reporting_reader_is_switched_and_says_so() -> None:
    reader = Reader(read_mode=1, ports=1)
    heard = listen(20, {}, reader)
    assert reader.read_mode == 0
    assert [(o.name, o.severity) for o in heard if isinstance(o, Told)] == [("mode_changed", Severity.INFO)]
    assert len(reads_in(heard)) > 190


def test_a_scanning_reader_of_the_first_model_is_switched_and_keeps_the_rest() -> None:
    reader = rr18()
    before = reader.work_mode
    reader.work_mode = before[:4] + b"\x01" + before[5:]
    heard = listen(20, {}, reader)
    assert reader.work_mode == before
    assert conditions_in(heard) == [("mode_changed", "mode", True)]
    assert epcs_in(heard)


def test_one_that_cannot_be_switched_is_listened_to() -> None:
    reader = Reader(read_mode=1, ports=2, refused={Command.SET_READ_MODE: Status.PARAMETER})
    heard = listen(60, {"antennas": [1, 2]}, reader, tags=Tags(until_s=20))
    assert conditions_in(heard) == [("active_mode", "mode", True)]
    assert watched_in(heard) == [{1, 2}]  # silence is proven by its mode
    assert {read.antenna_port for read in reads_in(heard)} == {1, 2}
    assert len(reads_in(heard)) > 380


def test_one_that_cannot_be_switched_though_it_must_parks() -> None:
    reader = Reader(read_mode=1, refused={Command.SET_READ_MODE: Status.PARAMETER})
    with pytest.raises(DeviceRefusedError, match="reports by itself and does not take answer mode"):
        listen(20, {"mode": "answer"}, reader)


def test_active_mode_by_the_settings() -> None:
    reader = Reader(ports=4, disconnected=frozenset({3}), heartbeat_s=5.0)
    heard = listen(60, {"mode": "active", "antennas": [1, 3], "tx_power_dbm": 20}, reader, tags=Tags(until_s=20))
    assert reader.read_mode == 1
    assert ("active_mode", "mode", True) in conditions_in(heard)
    assert ("setting_differs", "tx_power_dbm", True) in conditions_in(heard)
    assert ("antenna_disconnected", "3", True) in conditions_in(heard)
    assert watched_in(heard)[-1] == {1}
    lost = rejected_in(heard)
    assert lost.keys() <= {"antenna", "unidentified"}  # those of antennas that the settings do not name
    assert len(reads_in(heard)) > 190


def test_a_reader_that_only_reads_when_triggered_is_not_watched() -> None:
    reader = Reader(read_mode=2, refused={Command.SET_READ_MODE: Status.PARAMETER})
    heard = listen(30, {}, reader)
    assert ("triggered_mode", "mode", True) in conditions_in(heard)
    assert watched_in(heard) == []


def test_a_reader_that_stops_reporting_ends_the_link() -> None:
    reader = Reader(read_mode=1)

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.read_mode = 0

    settings = UhfReaderSettings.model_validate({"mode": "active"})
    with pytest.raises(LinkError, match="has stopped to report by itself"):
        run(talk_for(60, UhfReaderDriver(settings), lambda port: serve(port, Tags(), reader), meanwhile=meanwhile))


def test_a_reader_that_begins_to_report_ends_the_link_so_that_it_is_set_anew() -> None:
    reader = Reader()

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reader.read_mode = 1

    settings = UhfReaderSettings()
    with pytest.raises(LinkError, match="has begun to report by itself"):
        run(talk_for(60, UhfReaderDriver(settings), lambda port: serve(port, Tags(), reader), meanwhile=meanwhile))


def test_one_of_several_that_reports_parks_when_it_cannot_be_switched() -> None:
    readers = fleet()[:2]
    readers[1].read_mode, readers[1].refused = 1, {Command.SET_READ_MODE: Status.PARAMETER}
    with pytest.raises(DeviceRefusedError, match="give it a line of its own"):
        listen(20, {"units": UNITS[:2]}, *readers)


# --- bad lines


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    mangle = functools.partial(garble, Random(seed), 0.2)
    heard = listen(300, {"gap_ms": 50}, Reader(round_s=0.25), mangle=mangle)
    reads = epcs_in(heard)
    assert set(reads) == set(EPCS)
    assert len(reads) > 1_500  # of 3,000: a fifth are garbled, and so are ends of rounds, which must be waited for
    assert sum(rejected_in(heard).values()) > 100


@pytest.mark.parametrize("seed", range(4))
def test_commands_that_arrive_garbled_are_asked_again(seed: int) -> None:
    rng = Random(seed)
    faults = [
        Fault(rng.choice([Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE]), towards, at_byte=rng.randrange(100, 20_000))
        for towards in Towards
        for _ in range(60)
    ]

    async def scene() -> list[Observation]:
        ours, device = linked()
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device, Tags(), Reader(round_s=0.25)))
        driver = UhfReaderDriver(UhfReaderSettings(gap_ms=50))
        running = asyncio.create_task(driver.run(FaultyPort(ours, faults, seed), heard.append))
        await asyncio.wait([running], timeout=120)
        for task in (running, twin):
            task.cancel()
        ended = await asyncio.gather(running, twin, return_exceptions=True)
        assert isinstance(ended[0], asyncio.CancelledError)
        return heard

    reads = epcs_in(run(scene()))
    assert set(reads) == set(EPCS)
    assert len(reads) > 700  # of 1,200, with 120 faults and a pause after each


def test_a_reply_in_two_segments_is_one_reply() -> None:
    def split(data: bytes) -> list[bytes]:
        return [data[:7], data[7:]] if len(data) > 9 else [data]

    heard = listen(10, {}, mangle=split)
    assert len(reads_in(heard)) == 100
    assert not rejected_in(heard)


def test_a_link_that_is_cut_is_a_link_error_and_the_next_one_reads_again() -> None:
    reader, reads = Reader(), 0
    for _ in range(3):
        driver, cut = UhfReaderDriver(UhfReaderSettings()), Fault(Kind.CUT, at_byte=600)
        heard, _s = until_link_error(driver, lambda port: serve(port, Tags(), reader), cut)
        reads += len(reads_in(heard))
    assert reads > 20


@pytest.mark.parametrize("strip", [True, False])
def test_the_echo_of_a_two_wire_adapter(*, strip: bool) -> None:
    driver = UhfReaderDriver(UhfReaderSettings(tx_power_dbm=20))
    heard = with_echo(20, driver, lambda port: serve(port, Tags()), strip=strip)
    assert len(reads_in(heard)) > 150
    assert ("echo" in rejected_in(heard)) is not strip


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 7_200
    heard = listen(watch_s, {"scan_time_s": 1.0}, Reader(round_s=1.0), tags=Tags([b"\x00\x01"], 60))
    assert len(epcs_in(heard)) == watch_s // 60
