"""What the driver makes of a reader before and beside its inventory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from readers.codecs.a0 import Command, Decoder, Frame, encode
from readers.codecs.a0_band import WHOLE, CustomBand, RegionCode, TableBand
from readers.errors import DeviceRefusedError
from readers.observations import Condition, DeviceInfo, InForce, Signals
from readers.ports.memory import MemoryPort
from readers.rfid.a0 import A0Driver, A0Settings
from simulator.rfid.a0 import Module
from tests.readers.rfid.a0.playing import FOUR, Tags, listen
from tests.support.heard import conditions_in, reads_in, rejected_in
from tests.support.talk import talk


def test_who_it_is_and_how_warm() -> None:
    heard = listen(5, modules=[Module(version=(0x48, 3), identifier=b"GATE-3\xff\xff\xff\xff\xff\xff", celsius=-7)])
    assert DeviceInfo(model="E710", firmware="8.3", serial="GATE-3") in heard
    [signals] = [o for o in heard if isinstance(o, Signals)]
    assert [(s.name, s.value, s.unit) for s in signals.signals] == [("temperature", Decimal(-7), "celsius")]


def test_an_identifier_that_is_no_text_is_said_in_hex() -> None:
    heard = listen(1, modules=[Module(identifier=bytes(range(12)))])
    assert [o.serial for o in heard if isinstance(o, DeviceInfo)] == ["000102030405060708090A0B"]


def test_the_temperature_is_asked_again_and_again() -> None:
    heard = listen(65, {"temperature_every_s": 10})
    assert 6 <= sum(isinstance(o, Signals) for o in heard) <= 7


@pytest.mark.parametrize("silence", ["unknown", "mute"])
def test_a_reader_that_says_little_is_read_all_the_same(silence: str) -> None:
    commands = frozenset({Command.GET_IDENTIFIER, Command.GET_TEMPERATURE, Command.GET_BAND})
    mute = frozenset({Command.GET_POWER})  # "command failed" is 17 dBm here
    module = Module(unknown=commands, mute=mute) if silence == "unknown" else Module(mute=commands | mute)
    heard = listen(10, modules=[module])
    assert DeviceInfo(model="R2000", firmware="1.9") in heard
    assert reads_in(heard)
    assert {read.channel_index for read in reads_in(heard)} <= set(range(8, 61))
    assert conditions_in(heard) == [("setting_unverified", "tx_power_dbm", True)]


def test_a_reader_without_the_version_command() -> None:
    heard = listen(10, modules=[Module(unknown=frozenset({Command.GET_FIRMWARE}))])
    assert DeviceInfo() in heard
    assert reads_in(heard)


def test_flash_is_written_only_where_something_differs() -> None:
    module = Module()
    settings = {"tx_power_dbm": 30, "region": "us"}
    listen(2, settings, [module])
    assert module.flash_writes == 0
    listen(2, settings | {"tx_power_dbm": 26}, [module])
    listen(2, settings | {"tx_power_dbm": 26}, [module])
    assert module.flash_writes == 1
    assert module.powers_dbm == [26, 30, 30, 30]  # the others are nobody's business


@pytest.mark.parametrize("says_power_once", [False, True])
def test_each_antenna_has_its_power(says_power_once: bool) -> None:  # noqa: FBT001 - a quirk
    module = Module(says_power_once=says_power_once)
    heard = listen(2, FOUR | {"tx_power_dbm": 25, "antenna_tx_power_dbm": {"3": 17}}, [module])
    assert module.powers_dbm == [25, 25, 17, 25]
    [in_force] = [o for o in heard if isinstance(o, InForce)]
    assert in_force.values["tx_power_dbm"] == "port 1: 25, port 2: 25, port 3: 17, port 4: 25"
    assert not conditions_in(heard)


@pytest.mark.parametrize(("ports", "antennas"), [(1, [1]), (8, [1, 8]), (16, [2, 9, 16])])
def test_readers_of_one_eight_and_sixteen_ports(ports: int, antennas: list[int]) -> None:
    module, tags = Module(ports=ports), Tags()
    settings = {"units": [{"address": 1, "antennas": antennas}], "reader_ports": ports, "tx_power_dbm": 27}
    heard = listen(10, settings, [module], tags)
    assert [module.powers_dbm[antenna - 1] for antenna in antennas] == [27] * len(antennas)
    assert tags.asked == set(antennas)
    assert {read.antenna_port for read in reads_in(heard)} == set(antennas)
    assert not conditions_in(heard)


def test_an_eight_port_reader_without_the_newer_command_for_powers() -> None:
    module = Module(ports=8, unknown=frozenset({Command.GET_POWER_EIGHT}))
    heard = listen(5, {"reader_ports": 8, "tx_power_dbm": 27}, [module])
    assert module.powers_dbm[0] == 27
    assert not conditions_in(heard)


@pytest.mark.parametrize(
    ("module", "detail"),
    [
        (Module(max_power_dbm=26, cuts_power=True), ["tx_power_dbm of port 1"]),
        (Module(max_power_dbm=26), ["tx_power_dbm"]),
        (Module(unknown=frozenset({Command.SET_POWER})), ["tx_power_dbm"]),
        (Module(ports=1), ["tx_power_dbm"]),  # four powers for one antenna
    ],
)
def test_power_that_is_not_in_force_is_a_named_fault(module: Module, detail: list[str]) -> None:
    heard = listen(5, {"tx_power_dbm": 33}, [module])
    assert conditions_in(heard) == [("setting_differs", key, True) for key in detail]
    assert reads_in(heard)


def test_sixteen_ports_that_the_reader_does_not_have() -> None:
    with pytest.raises(DeviceRefusedError, match=r"see whether it has reader_ports = 16"):
        listen(60, {"reader_ports": 16}, [Module(unknown=frozenset({Command.SET_GROUP}))])


@pytest.mark.parametrize(
    ("settings", "band"),
    [
        ({"region": "eu"}, WHOLE[RegionCode.ETSI]),
        ({"region": "cn_920"}, WHOLE[RegionCode.CHN]),
        ({"channels": {"start_khz": 920_625, "step_khz": 250, "count": 16}}, CustomBand(920_625, 250, 16)),
    ],
)
def test_the_band_is_set(settings: dict[str, Any], band: object) -> None:
    module = Module()
    heard = listen(5, settings, [module])
    assert module.band == band
    assert [o.values["band"] for o in heard if isinstance(o, InForce)] == [str(band)]
    channels = {read.channel_index for read in reads_in(heard)}
    assert None not in channels
    assert len(channels) > 5


def test_narrower_limits_inside_the_region_stay() -> None:
    module = Module(band=TableBand(RegionCode.FCC, 20, 30))
    listen(2, {"region": "us"}, [module])
    assert module.band == TableBand(RegionCode.FCC, 20, 30)


def test_a_band_that_cannot_be_verified_is_said() -> None:
    heard = listen(5, {"region": "eu"}, [Module(unknown=frozenset({Command.GET_BAND}))])
    assert conditions_in(heard) == [("setting_unverified", "region", True)]
    assert reads_in(heard)


@pytest.mark.parametrize("key", ["region", "channels"])
def test_a_refused_band_parks_the_reader(key: str) -> None:
    settings = (
        {"region": "eu"} if key == "region" else {"channels": {"start_khz": 865_100, "step_khz": 200, "count": 15}}
    )
    with pytest.raises(DeviceRefusedError, match=rf"settings\.{key}: the reader at address 1 refuses"):
        listen(5, settings, [Module(unknown=frozenset({Command.SET_BAND}))])
    with pytest.raises(DeviceRefusedError, match="keeps 902000 to 928000 kHz"):
        listen(5, settings, [Module(keeps_band=True)])


def test_the_antenna_check_is_set() -> None:
    module = Module(detector_db=0)
    heard = listen(5, FOUR | {"antenna_check_db": 6}, [module])
    assert module.detector_db == 6
    assert not conditions_in(heard)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (Module(unknown=frozenset({Command.SET_DETECTOR})), "setting_differs"),
        (Module(mute=frozenset({Command.GET_DETECTOR})), "setting_unverified"),
    ],
)
def test_an_antenna_check_that_is_not_in_force_is_said(module: Module, name: str) -> None:
    heard = listen(10, {"antenna_check_db": 6}, [module])
    assert conditions_in(heard) == [(name, "antenna_check_db of port 1", True)]


def test_a_band_that_is_none_and_a_check_that_does_not_take() -> None:
    """A reader that answers everything with bytes of its own."""
    plain = {Command.GET_FIRMWARE: b"\x01\x09", Command.GET_POWER: b"\x14", Command.GET_BAND: b"\x07\x00\x06"}

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                data = plain.get(Command(asked.command), b"\x03" if asked.command == Command.GET_DETECTOR else b"\x10")
                await port.send(encode(Frame(1, asked.command, data)))

    heard = talk(2, A0Driver(A0Settings(antenna_check_db=9)), device)
    assert rejected_in(heard) == {"band_length": 1}
    assert [(o.key, o.detail) for o in heard if isinstance(o, Condition)] == [
        ("antenna_check_db of port 1", "9 dB asked, 3 dB in force")
    ]
