from __future__ import annotations

import os
import select
import socket
import time
from ipaddress import IPv4Address

import pytest

from gateway.init.half_open import MOST_PROBES, OpenPort, answering, open_ports, syn
from readers.errors import LinkError

LOOPBACK = IPv4Address("127.0.0.1")
pytestmark = pytest.mark.skipif(os.geteuid() != 0 and "CI" not in os.environ, reason="needs CAP_NET_RAW")


def test_an_open_port_is_found_and_its_program_never_hears_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port, shut = server.getsockname()[1], closed.getsockname()[1]
        found = open_ports([LOOPBACK], [port, shut], per_second=1000)
        assert found == [OpenPort(LOOPBACK, port)]
        assert not select.select([server], [], [], 0.2)[0], "a connection was completed"
        with socket.create_connection(("127.0.0.1", port), 5):
            assert select.select([server], [], [], 5)[0], "the server would have heard of a connection"


def test_the_rate_is_kept() -> None:
    start_s = time.monotonic()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        open_ports([LOOPBACK], [closed.getsockname()[1]] * 50, per_second=100)
    assert time.monotonic() - start_s >= 0.5


def test_addresses_without_a_way_are_left_out() -> None:
    assert open_ports([IPv4Address("255.255.255.255")], [9], per_second=1000) == []


def test_too_much_at_once_is_refused() -> None:
    with pytest.raises(LinkError, match="in one go"):
        open_ports([LOOPBACK], range(1, MOST_PROBES + 2))


def test_the_header_adds_up() -> None:
    source, destination = IPv4Address("10.0.0.2").packed, IPv4Address("10.0.0.7").packed
    header = syn(source, destination, 40_000, 5084)
    assert len(header) == 20
    assert header[:4].hex() == "9c4013dc"
    assert header[12:14].hex() == "5002"
    whole = source + destination + bytes([0, 6, 0, 20]) + header
    total = sum(int.from_bytes(whole[at : at + 2]) for at in range(0, len(whole), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


# From 10.0.0.7 port 5084 to 10.0.0.2 port 40000: SYN and ACK, acknowledging 1.
SYN_ACK = bytes.fromhex("4500002c000040004006000000000000")[:12].hex() + "0a000007" + "0a000002"
SYN_ACK += "13dc9c40" + "11223344" + "00000001" + "6012ffff00000000" + "020405b4"


def test_who_agrees_is_known_by_the_answer() -> None:
    packet = bytes.fromhex(SYN_ACK)
    assert answering(packet, 40_000) == (IPv4Address("10.0.0.7"), 5084)
    assert answering(packet, 40_001) is None


@pytest.mark.parametrize(("at", "byte"), [(33, 0x14), (33, 0x10), (33, 0x02), (31, 2), (0, 0x4F), (0, 0x41)])
def test_every_other_packet_is_none(at: int, byte: int) -> None:
    packet = bytearray.fromhex(SYN_ACK)
    packet[at] = byte
    assert answering(bytes(packet), 40_000) is None


def test_no_torn_packet_is_followed() -> None:
    packet = bytes.fromhex(SYN_ACK)
    assert all(answering(packet[:length], 40_000) is None for length in range(40))


def test_who_may_not_is_told_what_is_missing() -> None:
    if os.geteuid() == 0:
        os.seteuid(65_534)  # with it go the rights of root
        try:
            with pytest.raises(LinkError, match="CAP_NET_RAW; run as root"):
                open_ports([LOOPBACK], [9])
        finally:
            os.seteuid(0)
    else:
        with pytest.raises(LinkError, match="CAP_NET_RAW; run as root"):
            open_ports([LOOPBACK], [9])
