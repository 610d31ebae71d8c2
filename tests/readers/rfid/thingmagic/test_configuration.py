from __future__ import annotations

from typing import Any

import pytest

from readers.codecs.thingmagic import Frame, Opcode, Status
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Observation, Rejected, Watching
from simulator.rfid.thingmagic import Module
from tests.readers.rfid.thingmagic.played import VERSION, answering, listen, refused
from tests.support.heard import reads_in

ASLEEP = 4


def in_force(heard: list[Observation]) -> dict[str, str]:
    return next(dict(o.values) for o in heard if isinstance(o, InForce))


def conditions(heard: list[Observation]) -> list[tuple[str, str, str]]:
    return [(o.name, o.key, o.detail) for o in heard if isinstance(o, Condition)]


def test_a_module_says_who_it_is() -> None:
    assert DeviceInfo("ThingMagic", "M6e Nano", "01.03.01.47") in listen(5)
    other = listen(5, Module(hardware=bytes.fromhex("77000001")))
    assert DeviceInfo("ThingMagic", "hardware 77000001", "01.03.01.47") in other


def test_the_firmware_is_started_from_the_boot_loader() -> None:
    assert reads_in(listen(5, Module(boot_loader=True)))


def test_a_boot_loader_that_starts_nothing_parks_the_reader() -> None:
    module = Module(boot_loader=True, unknown=frozenset({Opcode.BOOT_FIRMWARE}))
    with pytest.raises(DeviceRefusedError, match=r"stays in its boot loader: 0101 \(unknown command\)"):
        listen(5, module)


def test_a_module_that_does_not_tell_its_program_is_no_boot_loader() -> None:
    assert reads_in(listen(5, Module(unknown=frozenset({Opcode.CURRENT_PROGRAM}))))


@pytest.mark.parametrize("hardware", ["18000001", "30000002"])
def test_a_sleeping_module_is_woken_and_kept_awake(hardware: str) -> None:
    module = Module(hardware=bytes.fromhex(hardware), power_mode=ASLEEP)
    heard = listen(20, module)
    assert len(reads_in(heard)) > 140
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_module_without_power_modes_is_said() -> None:
    heard = listen(5, Module(unknown=frozenset({Opcode.GET_POWER_MODE})))
    assert [(name, key) for name, key, _ in conditions(heard)] == [("setting_unverified", "power_mode")]


def test_a_read_that_a_former_client_left_running_is_ended() -> None:
    heard = listen(20, Module(streaming=True, region=13, protocol=5))
    lost = [o for o in heard if isinstance(o, Rejected)]
    assert {o.reason for o in lost} == {"unasked"}
    assert len(reads_in(heard)) > 170


def test_checksums_that_a_former_client_switched_off_come_back() -> None:
    assert len(reads_in(listen(20, Module(sends_crc=False)))) > 120


def test_a_mute_module_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer to 'get version'.*115200 8N1"):
        listen(60, Module(mute=frozenset(Opcode)))


def test_another_protocol_is_a_link_error_too() -> None:
    with pytest.raises(LinkError, match=r"21 bytes came but no answer to 'get version': another speed or protocol"):
        answering(60, {**dict.fromkeys(Opcode), Opcode.VERSION: Frame(Opcode.GET_REGION, b"", 0)})


def test_a_module_that_streams_and_does_not_stop_is_a_link_error() -> None:
    module = Module(streaming=True, mute=frozenset({Opcode.MULTI_PROTOCOL}))
    with pytest.raises(LinkError, match="no answer to 'get version'"):
        listen(60, module)


def test_a_version_that_is_none_is_counted_and_asked_for_again() -> None:
    versions = [Frame(Opcode.VERSION, b"\x00", 0), Frame(Opcode.VERSION, VERSION, 0)]
    heard = answering(3, {Opcode.VERSION: versions})
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["length"]
    assert [o for o in heard if isinstance(o, DeviceInfo)]


def test_a_module_that_starts_while_it_is_asked_is_asked_again() -> None:
    versions = [
        Frame(Opcode.BOOT_FIRMWARE, VERSION, 0),
        refused(Opcode.VERSION, 0x101),
        Frame(Opcode.VERSION, VERSION, 0),
    ]
    heard = answering(10, {Opcode.VERSION: versions})
    assert [o for o in heard if isinstance(o, DeviceInfo)]


def test_everything_that_is_set_is_read_back() -> None:
    heard = listen(5, tx_power_dbm=22.5, session=2, target="ba", q=7, antennas=(1,), region="eu3")
    assert in_force(heard) == {
        "region": "eu3",
        "tx_power_dbm": "22.5",
        "session": "2",
        "target": "ba",
        "q": "7",
        "read_filter": "off",
        "antennas": "1",
    }
    assert not conditions(heard)


def test_the_modules_own_region_is_kept() -> None:
    assert in_force(listen(5, Module(region=8), region=None))["region"] == "eu3"
    heard = answering(1, {Opcode.GET_REGION: Frame(Opcode.GET_REGION, b"\xfe", 0)}, region=None)
    assert in_force(heard)["region"] == "254"


def test_a_module_without_a_region_parks_the_reader() -> None:
    with pytest.raises(
        DeviceRefusedError, match=r"has no region and transmits nothing; set settings\.region; .* na2, in"
    ):
        listen(5, region=None)


def test_a_region_that_the_module_does_not_know_parks_the_reader() -> None:
    message = r"settings\.region = kr: .* 010B \(region not supported\); the module knows na2, in, jp"
    with pytest.raises(DeviceRefusedError, match=message):
        listen(5, region="kr")
    module = Module(unknown=frozenset({Opcode.AVAILABLE_REGIONS}))
    with pytest.raises(DeviceRefusedError, match="does not say which regions it knows"):
        listen(5, module, region="kr")


@pytest.mark.parametrize(("kept", "said"), [(b"\x08", "keeps eu3"), (b"\x7f", "keeps number 127")])
def test_a_region_that_is_not_kept_parks_the_reader(kept: bytes, said: str) -> None:
    with pytest.raises(DeviceRefusedError, match=said):
        answering(5, {Opcode.GET_REGION: Frame(Opcode.GET_REGION, kept, 0)})


@pytest.mark.parametrize(
    ("opcode", "key"),
    [
        (Opcode.GET_REGION, "region"),
        (Opcode.GET_READ_POWER, "tx_power_dbm"),
        (Opcode.GET_OPTION, "read_filter"),
        (Opcode.GET_PROTOCOL_PARAMETER, "session"),
        (Opcode.GET_ANTENNA, "antennas"),
    ],
)
def test_what_cannot_be_read_back_is_said(opcode: Opcode, key: str) -> None:
    heard = listen(5, Module(unknown=frozenset({opcode})), session=1)
    assert {(name, at) for name, at, _ in conditions(heard)} == {("setting_unverified", key)}
    assert reads_in(heard)


@pytest.mark.parametrize(
    ("opcode", "key"),
    [
        (Opcode.SET_READ_POWER, "tx_power_dbm"),
        (Opcode.SET_OPTION, "read_filter"),
        (Opcode.SET_PROTOCOL_PARAMETER, "session"),
    ],
)
def test_what_cannot_be_set_is_said(opcode: Opcode, key: str) -> None:
    heard = listen(5, Module(unknown=frozenset({opcode})), session=1)
    assert [(name, at) for name, at, _ in conditions(heard)] == [("setting_differs", key)]
    assert reads_in(heard)


def test_a_value_that_is_not_kept_is_said() -> None:
    frame = Frame(Opcode.GET_OPTION, b"\x01\x0c\x01", 0)
    assert ("setting_differs", "read_filter", "00 asked, 01 in force") in conditions(
        answering(1, {Opcode.GET_OPTION: frame})
    )


@pytest.mark.parametrize(
    ("asked_dbm", "detail"),
    [(33.0, "33 dBm asked, 27 dBm in force"), (2.5, "2.5 dBm asked, 5 dBm in force")],
)
def test_power_is_cut_to_what_the_module_can(asked_dbm: float, detail: str) -> None:
    heard = listen(5, Module(min_power_dbm=5.0), tx_power_dbm=asked_dbm)
    assert conditions(heard) == [("setting_differs", "tx_power_dbm", detail)]
    assert reads_in(heard)


@pytest.mark.parametrize("answers", [[b"\x00\x00", b"\x00\x03"], [b"\x00\x00"]])
def test_a_module_without_gen2_parks_the_reader(answers: list[bytes]) -> None:
    frames = [Frame(Opcode.GET_PROTOCOL, each, 0) for each in answers]
    with pytest.raises(DeviceRefusedError, match="does not take the tag protocol UHF Gen2: it does not keep it"):
        answering(5, {Opcode.GET_PROTOCOL: frames})


def test_a_module_that_refuses_gen2_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"UHF Gen2: status 0101 \(unknown command\); it may be an HF module"):
        listen(5, Module(unknown=frozenset({Opcode.SET_PROTOCOL})))


def watched(module: Module, **settings: Any) -> tuple[list[frozenset[int]], list[tuple[str, str]]]:
    heard = listen(5, module, **settings)
    states = [o.antenna_ports for o in heard if isinstance(o, Watching)]
    return states, [(name, key) for name, key, _ in conditions(heard)]


def test_antennas_are_those_that_are_detected_unless_named() -> None:
    four = Module(ports={1: True, 2: False, 3: True, 4: False})
    assert watched(four) == ([frozenset({1, 3})], [])
    assert watched(four, antennas=(1, 2)) == ([frozenset({1, 2})], [("antenna_undetected", "2")])


def test_where_no_antenna_can_be_detected_all_are_used() -> None:
    blind = Module(ports={1: False, 2: False})
    assert watched(blind) == ([frozenset({1, 2})], [])
    assert watched(blind, antennas=(2,)) == ([frozenset({2})], [])


def test_ports_are_1_where_the_module_does_not_say_which_it_has() -> None:
    heard = answering(1, {Opcode.GET_ANTENNA: Frame(Opcode.GET_ANTENNA, b"\x05", 0)})
    assert in_force(heard)["antennas"] == "1"


def test_a_port_that_does_not_exist_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"settings\.antennas names port 3; this module has 1, 2"):
        listen(5, Module(ports={1: True, 2: True}), antennas=(1, 3))


def test_ports_that_are_refused_park_the_reader() -> None:
    module = Module(unknown=frozenset({Opcode.GET_ANTENNA}))
    with pytest.raises(DeviceRefusedError, match=r"settings\.antennas: the module refuses ports 1, 9 with status 0105"):
        listen(5, module, antennas=(1, 9))


def test_channels_are_places_in_the_hop_table_where_there_is_one() -> None:
    assert {read.channel_index for read in reads_in(listen(5))} == {1, 2, 3, 4}
    without = reads_in(listen(5, Module(unknown=frozenset({Opcode.GET_HOP_TABLE}))))
    assert {read.channel_index for read in without} == {None}


def test_a_buffer_that_cannot_be_cleared_is_counted() -> None:
    heard = listen(5, Module(unknown=frozenset({Opcode.CLEAR_TAG_BUFFER})))
    assert [o.reason for o in heard if isinstance(o, Rejected)] == [f"status_{Status.UNKNOWN_OPCODE:04x}"]
