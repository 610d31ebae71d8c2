from __future__ import annotations

import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from gateway.init.networks import LEAST_PREFIX, Neighbour, hosts_of, local_networks, neighbours, searchable
from readers.errors import ConfigError

ARP = """IP address       HW type     Flags       HW address            Mask     Device
10.0.3.7         0x1         0x2         00:16:25:10:45:6B     *        eth0
10.0.3.5         0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.3.1         0x1         0x2         02:fc:00:00:00:05     *        eth0
torn
"""


def as_hex(address: str) -> str:
    return int.to_bytes(int.from_bytes(IPv4Address(address).packed), 4, sys.byteorder).hex().upper()


def test_hex_is_in_the_order_of_this_machine() -> None:
    assert as_hex("10.0.3.0") == ("0003000A" if sys.byteorder == "little" else "0A000300")


def proc(root: Path, route: str = "", arp: str = "") -> Path:
    (root / "proc/net").mkdir(parents=True)
    (root / "proc/net/route").write_text(route)
    (root / "proc/net/arp").write_text(arp)
    return root


def route(*rows: tuple[str, str, str]) -> str:
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    return head + "".join(
        f"eth0\t{as_hex(to)}\t{as_hex(by)}\t0001\t0\t0\t0\t{as_hex(mask)}\t0\t0\t0\n" for to, by, mask in rows
    )


def test_networks_that_this_machine_is_in(tmp_path: Path) -> None:
    table = route(
        ("0.0.0.0", "10.0.3.1", "0.0.0.0"),
        ("10.0.3.0", "0.0.0.0", "255.255.255.0"),
        ("172.16.0.0", "0.0.0.0", "255.240.0.0"),
        ("8.8.8.0", "0.0.0.0", "255.255.255.0"),
        ("192.168.9.0", "10.0.3.1", "255.255.255.0"),
    )
    found = local_networks(proc(tmp_path, table + "torn\n"))
    assert found == [IPv4Network("10.0.3.0/24"), IPv4Network("172.16.0.0/22")]


def test_neighbours_are_those_that_answered(tmp_path: Path) -> None:
    reader, router = Neighbour(IPv4Address("10.0.3.7"), "00:16:25:10:45:6b"), IPv4Address("10.0.3.1")
    found = neighbours(proc(tmp_path, arp=ARP))
    assert [each.address for each in found] == [router, reader.address]
    assert [each.maker for each in found] == ["", "Impinj"]
    assert found[1] == reader


def test_a_machine_without_these_tables_has_nothing(tmp_path: Path) -> None:
    assert local_networks(tmp_path) == []
    assert neighbours(tmp_path) == []


def test_a_network_with_its_hosts() -> None:
    network = searchable(" 10.20.0.7/30 ")
    assert list(map(str, hosts_of(network))) == ["10.20.0.5", "10.20.0.6"]
    assert len(hosts_of(searchable(f"10.20.0.0/{LEAST_PREFIX}"))) == 1022
    assert list(map(str, hosts_of(searchable("10.20.0.9")))) == ["10.20.0.9"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.0/21", "2048 addresses; search /22"),
        ("8.8.8.0/24", "no private network"),
        ("fd00::/120", "is no IPv4 network"),
        ("plant", "is no IPv4 network"),
        ("", "is no IPv4 network"),
    ],
)
def test_what_may_not_be_searched(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        searchable(text)
