"""What a tag says of itself, for rooms that know no readers: scheme, URI, and the number of a freight container."""

from __future__ import annotations

from typing import Final, NamedTuple

from readers.tagdata.container_code import container_code
from readers.tagdata.tag import decode_tag_cached

URI_MOST: Final = 500  # a URI on a tag holds at most 496 bits of text; what is longer is no good for a message


class TagFacts(NamedTuple):
    """What a tag says. `container_code`: ISO 6346, of a freight container's tag."""

    scheme: str
    uri: str
    container_code: str | None


def tag_facts(epc: str, pc_bits: int | None) -> TagFacts | None:
    """What the tag with this EPC, in hex, says; None where that means nothing: a private code, damaged or unknown."""
    try:
        data = decode_tag_cached(bytes.fromhex(epc), pc_bits)
    except ValueError:
        return None  # no hex: a message of somebody else
    if data.why is not None or len(data.uri) > URI_MOST:
        return None
    container = data.container_code
    return TagFacts(data.scheme, data.uri, None if container is None else str(container))


def container_number(text: str) -> str | None:
    """The ISO 6346 number that a camera or a document gives, in plain capitals; None if its check digit is wrong."""
    try:
        return str(container_code(text))
    except ValueError:
        return None
