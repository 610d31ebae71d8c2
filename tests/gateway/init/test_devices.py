from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from gateway.init.adapters import Adapter
from gateway.init.answers import LineAnswers
from gateway.init.devices import Devices, check_lines, readers_of, searched_ports, works_alone
from gateway.init.half_open import OpenPort
from gateway.init.llrp_greeting import Answer, Greeting
from gateway.init.networks import Neighbour
from readers import registry
from readers.driver import Kind
from readers.errors import ConfigError

ONE, TWO = IPv4Address("10.0.0.7"), IPv4Address("10.0.0.8")
USB = Adapter("/dev/serial/by-id/usb-1", Path("/dev/serial/by-id/usb-1"), "ttyUSB0", "FTDI", "FT232R")


def test_the_ports_are_those_of_the_drivers() -> None:
    assert {502, 2022, 4059, 5084, 5085, 9090} <= set(searched_ports())


def test_an_llrp_reader_is_ready_and_stands_there_once() -> None:
    devices = Devices(
        ports=[OpenPort(ONE, 5084), OpenPort(ONE, 5085), OpenPort(TWO, 5085)],
        neighbours=[Neighbour(ONE, "00:16:25:10:45:6b")],
        called={ONE: "SpeedwayR-10-45-6B"},
    )
    first, second = readers_of(devices, {})
    assert (first.name, first.driver, first.port, first.is_ready) == ("llrp-1", "llrp", "tcp://10.0.0.7", True)
    assert first.about == (
        "10.0.0.7 listens on port 5084; MAC address 00:16:25:10:45:6b, Impinj; calls itself SpeedwayR-10-45-6B"
    )
    assert (second.name, second.port, second.kind) == ("llrp-2", "tls://10.0.0.8", Kind.RFID)


@pytest.mark.parametrize(
    ("greeting", "is_ready", "words"),
    [
        (Greeting(Answer.FREE), True, "it is free"),
        (Greeting(Answer.FREE, 3), True, "3 reports that it had kept for a client came to us and are lost"),
        (Greeting(Answer.BUSY), True, "another client has it"),
        (Greeting(Answer.ELSE), False, "no LLRP"),
        (Greeting(Answer.SILENT), True, "said nothing in time"),
    ],
)
def test_how_a_reader_took_us_is_told(greeting: Greeting, words: str, *, is_ready: bool) -> None:
    port = OpenPort(ONE, 5084)
    (found,) = readers_of(Devices(ports=[port], greetings={port: greeting}), {})
    assert found.is_ready is is_ready
    assert words in found.about


def test_a_port_of_several_drivers_waits_for_a_person() -> None:
    (found,) = readers_of(Devices(ports=[OpenPort(ONE, 502)]), {})
    assert not found.is_ready
    assert set(found.choices) == {"modbus_io", "modbus_machine", "modbus_meter"}


def test_a_meter_that_needs_an_address_waits_for_a_person() -> None:
    (found,) = readers_of(Devices(ports=[OpenPort(ONE, 4059)]), {})
    assert (found.driver, found.is_ready, found.choices) == ("dlms", False, ())


def test_lines_as_answered() -> None:
    (unknown,) = readers_of(Devices(adapters=[USB]), {})
    assert (unknown.name, unknown.is_ready, unknown.about) == ("line-1", False, "FTDI FT232R (ttyUSB0)")
    assert "m100" in unknown.choices
    line = LineAnswers(adapter=USB.name, driver="m100")
    (known,) = readers_of(Devices(adapters=[USB]), {USB.name: line})
    assert (known.name, known.driver, known.port, known.is_ready) == ("m100-1", "m100", USB.path, True)
    line = LineAnswers(adapter=USB.name, driver="dlt645", name="mains")
    (meters,) = readers_of(Devices(adapters=[USB]), {USB.name: line})
    assert (meters.name, meters.is_ready) == ("mains", False)


def test_no_two_readers_have_one_name() -> None:
    line = LineAnswers(adapter=USB.name, driver="m100", name="llrp-1")
    devices = Devices(adapters=[USB], ports=[OpenPort(ONE, 5084), OpenPort(TWO, 5084)])
    assert [each.name for each in readers_of(devices, {USB.name: line}, ["llrp-2"])] == ["llrp-3", "llrp-4", "llrp-1"]


def test_lines_that_cannot_be_are_told_all_at_once() -> None:
    lines = [
        LineAnswers(adapter="usb-2", driver="m100", name="a"),
        LineAnswers(adapter=USB.name, driver="m10", name="a"),
        LineAnswers(adapter=USB.name, driver="llrp"),
    ]
    with pytest.raises(ConfigError) as refused:
        check_lines(lines, [USB])
    told = str(refused.value).splitlines()
    assert told[0].startswith("line: no adapter 'usb-2'")
    assert told[0].endswith("found: usb-1")
    assert "did you mean 'm100'?" in told[1]
    assert told[2] == "line usb-1: driver 'llrp' speaks over no serial line"
    assert told[3:] == ["line: adapter 'usb-1' is there twice", "line: name 'a' is there twice"]
    with pytest.raises(ConfigError, match="none was found"):
        check_lines(lines[:1], [])
    check_lines([LineAnswers(adapter=USB.name, driver="m100")], [USB])


def test_which_drivers_need_nothing() -> None:
    assert works_alone(registry.driver("llrp"))
    assert not works_alone(registry.driver("dlt645"))
