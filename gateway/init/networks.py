"""Which networks this machine is in, whom it has met there, and which may be searched.

Source: `proc(5)`, `/proc/net/route` and `/proc/net/arp`: addresses of the former are hex in the host's byte order.
"""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from readers.errors import ConfigError

LEAST_PREFIX: Final = 22
"""1,022 addresses: more would be somebody else's network, and a long time."""
_COMPLETE: Final = 0x2
_ARP_FIELDS: Final = 6
_ROUTE_FIELDS: Final = 8
_MAKERS: Final = {"00:16:25": "Impinj"}
"""Makers of readers by the first three bytes of the MAC address. Source: IEEE, MA-L."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Somebody this machine has exchanged packets with lately."""

    address: IPv4Address
    mac: str

    @property
    def maker(self) -> str:
        """The maker, where it is one of readers; else empty."""
        return _MAKERS.get(self.mac[:8].lower(), "")


def searchable(text: str) -> IPv4Network:
    """The network that a person named.

    Raises:
        ConfigError: it is none, too large, or not a private one.
    """
    try:
        network = IPv4Network(text.strip(), strict=False)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no IPv4 network: {error}; write it as 10.20.0.0/24") from error
    if network.prefixlen < LEAST_PREFIX:
        raise ConfigError(f"{network} has {network.num_addresses} addresses; search /{LEAST_PREFIX} or less at a time")
    if not network.is_private:
        raise ConfigError(f"{network} is no private network, and its machines are not ours to look at")
    return network


def hosts_of(network: IPv4Network) -> list[IPv4Address]:
    """Every address that a device may have."""
    return list(network.hosts())


def local_networks(root: Path) -> list[IPv4Network]:
    """Networks that this machine is in and that may be searched, without loopback."""
    found: dict[IPv4Network, None] = {}
    for line in _lines(root / "proc/net/route")[1:]:
        fields = line.split()
        if len(fields) < _ROUTE_FIELDS:
            continue
        try:
            destination, gateway, mask = (_address(fields[index]) for index in (1, 2, 7))
            network = IPv4Network(f"{destination}/{mask}")
        except ValueError:
            continue
        if int(gateway) == 0 and network.prefixlen and network.is_private and not network.is_loopback:
            is_large = network.prefixlen < LEAST_PREFIX
            found[IPv4Network((network.network_address, LEAST_PREFIX)) if is_large else network] = None
    return list(found)


def neighbours(root: Path) -> list[Neighbour]:
    """The neighbour table: nothing is sent for it."""
    found = []
    for line in _lines(root / "proc/net/arp")[1:]:
        fields = line.split()
        if len(fields) < _ARP_FIELDS:
            continue
        try:
            address, flags = ipaddress.IPv4Address(fields[0]), int(fields[2], 16)
        except ValueError:
            continue
        if flags & _COMPLETE:
            found.append(Neighbour(address, fields[3].lower()))
    return sorted(found, key=lambda each: each.address)


def _address(digits: str) -> IPv4Address:
    return IPv4Address(int.from_bytes(bytes.fromhex(digits), sys.byteorder))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
