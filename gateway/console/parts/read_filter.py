"""Which reads somebody wants to see: by EPC mask, scheme, device, read point, antenna and strength."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.contract.batches import TagRead
from gateway.tag_facts import tag_facts

MASK: Final = re.compile(r"[0-9A-F?]{1,496}\*?")
NONE: Final = "none"
WEAKEST_DBM: Final = -150.0
STRONGEST_DBM: Final = 50.0
ANTENNAS_MOST: Final = 255
KEYS: Final = frozenset({"mask", "scheme", "device", "read_point", "antenna_port", "rssi_least_dbm"})


class DeviceRead(NamedTuple):
    """A read, and whose it is."""

    device: str
    read: TagRead


Test = Callable[[DeviceRead], bool]


def read_filter(query: Mapping[str, str]) -> Test | None:
    """The test that a query asks for; None when it asks for nothing.

    `mask`: hex of the EPC, `?` for any digit; it must be the whole, or end in `*`. `scheme`: as tag data names it
    (`sgtin-96` ...), `none` for what means nothing.

    Raises:
        ValueError: a value has no right form.
    """
    tests: list[Test] = []
    if mask := query.get("mask", "").replace(" ", "").upper():
        tests.append(_mask_test(mask))
    if device := query.get("device"):
        tests.append(lambda item: item.device == device)
    if read_point := query.get("read_point"):
        tests.append(lambda item: item.read.read_point == read_point)
    if text := query.get("antenna_port"):
        tests.append(_antenna_test(text))
    if text := query.get("rssi_least_dbm"):
        tests.append(_strength_test(text))
    if scheme := query.get("scheme"):
        tests.append(lambda item: scheme_of(item.read.epc, item.read.pc_bits) == scheme)
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)


def _mask_test(mask: str) -> Test:
    if not MASK.fullmatch(mask):
        raise ValueError(f"mask: {mask[:40]!r} is no EPC mask; it has hex digits, ? for any digit, and may end in *")
    prefix = mask.removesuffix("*")
    if "?" not in prefix:
        if mask.endswith("*"):
            return lambda item: item.read.epc.startswith(prefix)
        return lambda item: item.read.epc == prefix
    pattern = re.compile(prefix.replace("?", "[0-9A-F]"))
    match = pattern.match if mask.endswith("*") else pattern.fullmatch
    return lambda item: match(item.read.epc) is not None


def _antenna_test(text: str) -> Test:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= ANTENNAS_MOST:
        raise ValueError(f"antenna_port: {text[:20]!r} must be a number from 1 to {ANTENNAS_MOST}")
    wanted = int(text)
    return lambda item: item.read.antenna_port == wanted


def _strength_test(text: str) -> Test:
    try:
        least_dbm = float(text)
    except ValueError:
        least_dbm = float("nan")
    if not WEAKEST_DBM <= least_dbm <= STRONGEST_DBM:
        limits = f"from {WEAKEST_DBM:g} to {STRONGEST_DBM:g}"
        raise ValueError(f"rssi_least_dbm: {text[:20]!r} must be a number {limits}")
    return lambda item: item.read.rssi_dbm is not None and item.read.rssi_dbm >= least_dbm


@lru_cache(maxsize=20_000)
def scheme_of(epc: str, pc_bits: int | None) -> str:
    """The scheme of a tag, as tag data names it; `none` for what means nothing."""
    facts = tag_facts(epc, pc_bits)
    return NONE if facts is None else facts.scheme
