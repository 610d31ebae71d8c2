"""Tag codes decoded each second on one core, to a pure identity or Digital Link, with epcpy in the same run.

Each code is another one, so nothing comes from the cache, except in the figures that say so. Time is this process's
processor time, the best of several rounds, the two decoders taking turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from readers.tagdata.encode import encode_iso, encode_tag
from readers.tagdata.tag import CACHED_TAGS, TagData, decode_tag, decode_tag_cached

ROUNDS: Final = 5
TAGS_A_ROUND: Final = 40_000
EPCPY_TAGS_A_ROUND: Final = 2_000
EPCPY_SCHEMES: Final = ("sgtin-96", "sscc-96", "giai-96", "sgtin-198")
_CONTAINER_AFI: Final = 0xA9


def run() -> dict[str, Any]:
    """Codes decoded a second by ours and by epcpy, and the ratio."""
    figures: dict[str, Any] = {}
    for scheme in (*EPCPY_SCHEMES, "gid-96", "sgtin+", "sgtin++", "iso-17363", "private"):
        figures |= _measure(scheme)
    figures["tags_per_s_sgtin-96_all_asked"] = _best(_tags("sgtin-96", TAGS_A_ROUND), _ask_all)
    figures["tags_per_s_cached"] = _cached()
    figures["goal"] = "tags_per_s_sgtin-96 >= 250,000"
    return figures


def tag(scheme: str, number: int) -> tuple[bytes, int]:
    """EPC and PC word of one tag."""
    match scheme:
        case "iso-17363":
            encoded = encode_iso(_CONTAINER_AFI, f"7BCSQU{number % 10**6:06d}3")
        case "private":
            return bytes.fromhex("4453490063370A45") + number.to_bytes(4, "big"), 0x3000
        case "gid-96":
            encoded = encode_tag(f"urn:epc:id:gid:952056.2718.{number}")
        case "sscc-96":
            encoded = encode_tag(f"urn:epc:id:sscc:0614141.{number:010d}")
        case "giai-96":
            encoded = encode_tag(f"urn:epc:id:giai:0614141.{number}")
        case "sgtin+" | "sgtin++":
            encoded = encode_tag(f"https://id.example.com/01/79521141123453/21/32a%2Fb{number}", scheme=scheme)
        case _:
            encoded = encode_tag(f"urn:epc:id:sgtin:0614141.812345.{number}", scheme=scheme, filter_value=3)
    return encoded.epc, encoded.pc_bits


def _tags(scheme: str, count: int) -> list[tuple[bytes, int]]:
    return [tag(scheme, number) for number in range(1, count + 1)]


def _measure(scheme: str) -> dict[str, Any]:
    tags = _tags(scheme, TAGS_A_ROUND)
    if decode_tag(*tags[0]).scheme != scheme:
        raise AssertionError(f"the code made for {scheme} is read as {decode_tag(*tags[0])}")
    if scheme not in EPCPY_SCHEMES:
        return {f"tags_per_s_{scheme}": _best(tags, _decode)}
    fewer = tags[:EPCPY_TAGS_A_ROUND]
    ours = theirs = 0.0
    for _ in range(ROUNDS):
        ours = max(ours, len(tags) / _cpu_s(lambda: _decode(tags)))
        theirs = max(theirs, len(fewer) / _cpu_s(lambda: _decode_epcpy(fewer)))
    return {f"tags_per_s_{scheme}": ours, f"epcpy_tags_per_s_{scheme}": theirs, f"ratio_{scheme}": ours / theirs}


def _best(tags: list[tuple[bytes, int]], work: Callable[[list[tuple[bytes, int]]], None]) -> float:
    return max(len(tags) / _cpu_s(lambda: work(tags)) for _ in range(ROUNDS))


def _cached() -> float:
    tags = _tags("sgtin-96", min(TAGS_A_ROUND, CACHED_TAGS))
    for epc, pc_bits in tags:
        decode_tag_cached(epc, pc_bits)

    def again(_: list[tuple[bytes, int]]) -> None:
        for epc, pc_bits in tags:
            decode_tag_cached(epc, pc_bits)

    return _best(tags, again)


def _decode(tags: list[tuple[bytes, int]]) -> None:
    found: TagData | None = None
    for epc, pc_bits in tags:
        found = decode_tag(epc, pc_bits)
    assert found is None or found.uri


def _ask_all(tags: list[tuple[bytes, int]]) -> None:
    for epc, pc_bits in tags:
        decode_tag(epc, pc_bits).as_json()


def _decode_epcpy(tags: list[tuple[bytes, int]]) -> None:
    from epcpy.utils.parsers import hex_to_tag_encodable  # noqa: PLC0415  # a development tool, and only here

    uri = ""
    for epc, _ in tags:
        uri = hex_to_tag_encodable(epc.hex()).epc_uri
    if uri != decode_tag(*tags[-1]).uri:
        raise AssertionError(f"epcpy reads {tags[-1][0].hex()} as {uri}")


def _cpu_s(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
