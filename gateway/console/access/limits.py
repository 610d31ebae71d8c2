"""How often somebody may try to log in: token buckets by address and by name, in bounded memory."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from typing import Final

SLOTS: Final = 4096
"""Buckets of one kind. What is counted falls into one by a keyed hash, so that nobody can push others out of memory or
find out whom they share one with."""
ADDRESS_BURST: Final = 10
ADDRESS_REFILL_S: Final = 30.0
NAME_BURST: Final = 10
NAME_REFILL_S: Final = 60.0
_SUBNET_BITS: Final = 64
"""What one subscriber of IPv6 has to choose from."""


class Buckets:
    """Buckets of `burst` tokens, refilled by one every `refill_s` seconds."""

    def __init__(self, burst: int, refill_s: float, now: Callable[[], float], slots: int = SLOTS) -> None:
        self._burst, self._refill_s, self._now, self._slots = burst, refill_s, now, slots
        self._levels: dict[int, tuple[float, float]] = {}
        self._key = secrets.token_bytes(16)

    def wait_s(self, key: str) -> float:
        """How long until there is a token; 0 where there is one."""
        return max(0.0, (1.0 - self._level(self._slot(key))) * self._refill_s)

    def change(self, key: str, tokens: int) -> None:
        """Take a token (-1), or give it back (+1)."""
        slot = self._slot(key)
        level = min(float(self._burst), self._level(slot) + tokens)
        if level >= self._burst:
            self._levels.pop(slot, None)
        else:
            self._levels[slot] = (level, self._now())

    def _level(self, slot: int) -> float:
        level, at_s = self._levels.get(slot, (float(self._burst), 0.0))
        return min(float(self._burst), level + max(0.0, self._now() - at_s) / self._refill_s)

    def _slot(self, key: str) -> int:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).digest()
        return int.from_bytes(digest, "big") % self._slots


class LoginLimits:
    """Attempts to log in, counted while they last and kept when they fail. `now` is a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._addresses = Buckets(ADDRESS_BURST, ADDRESS_REFILL_S, now)
        self._names = Buckets(NAME_BURST, NAME_REFILL_S, now)

    def begin(self, address: str, name: str) -> float:
        """Count an attempt; when it comes too early, count nothing and tell for how many seconds."""
        network = network_of(address)
        wait_s = max(self._addresses.wait_s(network), self._names.wait_s(name))
        if wait_s <= 0:
            self._addresses.change(network, -1)
            self._names.change(name, -1)
        return wait_s

    def forgive(self, address: str, name: str) -> None:
        """Take back one attempt, which was none at guessing."""
        self._addresses.change(network_of(address), 1)
        self._names.change(name, 1)


def network_of(address: str) -> str:
    """What one attacker holds: an address of IPv4, a subnet of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _SUBNET_BITS), strict=False))
