"""Writing EDIFACT: segments, messages and interchanges of ISO 9735, syntax versions 2 and 3.

    UNA:+.? '                                      service string: what separates what
    UNB+UNOA:2+SENDER+RECEIVER+260302:0915+REF'    interchange: syntax level, parties, prepared at, its reference
    UNH+REF+CODECO:D:95B:UN:ITG14'                 message: its reference, type, version, release, agency, guide
    TAG+element+component:component++element'      segments
    UNT+n+REF'                                     n: segments of the message, UNH and UNT among them
    UNZ+1+REF'                                     1: messages of the interchange

`:` stands between components, `+` between elements, `'` ends a segment, `?` makes the next character an ordinary one.
Empty components and elements at the end are not written.

Source: ISO 9735:1988 with amendment 1:1992, sections 5 to 8 (character sets, separators, omission), annex B (UNA to
UNZ); UN/ECE UNTDID part 4, section 2.2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from gateway.config.gate_exports import CharacterSet

SERVICE_STRING: Final = "UNA:+.? '"
MOST_REFERENCE: Final = 14
"""Characters of the reference of an interchange or a message."""

Element = str | tuple[str, ...]

_VERSIONS: Final = {CharacterSet.UNOA: "2", CharacterSet.UNOC: "3"}
_LEVEL_A: Final = re.compile(r"[A-Z0-9 .,\-()/='+:?!\"%&*;<>]*", re.ASCII)
_LEVEL_C: Final = re.compile(r"[ -~\xa0-\xff]*")
_SERVICE_CHARACTERS: Final = re.compile(r"[?+:']")


def written(text: str | None, most: int, characters: CharacterSet) -> str | None:
    """The text as it can be written in so many characters; None when it cannot: part of a number is another number."""
    if text is None:
        return None
    if characters is CharacterSet.UNOC:
        composed = unicodedata.normalize("NFC", text)
        fits = _LEVEL_C.fullmatch(composed)
    else:
        composed = text.upper() if text.isascii() else text  # capitals of other letters may be others, as I of \u0131
        fits = _LEVEL_A.fullmatch(composed)
    return composed if fits and 0 < len(composed) <= most else None


def segment(tag: str, *elements: Element) -> str:
    """A segment; a tuple is an element of several components."""
    parts = [_element(element) for element in elements]
    while parts and not parts[-1]:
        parts.pop()
    return "+".join([tag, *parts]) + "'"


def message(reference: str, kind: tuple[str, ...], segments: Sequence[str]) -> list[str]:
    """The segments between UNH and UNT, which counts them."""
    return [
        segment("UNH", reference, kind),
        *segments,
        segment("UNT", str(len(segments) + 2), reference),
    ]


def interchange(
    reference: str,
    parties: tuple[Element, Element],
    prepared_at: tuple[str, str],
    only_message: Sequence[str],
    *,
    characters: CharacterSet,
    is_test: bool,
) -> bytes:
    """One message on its way from the first party to the second; prepared at YYMMDD, HHMM."""
    test = ("", "", "", "", "", "1") if is_test else ()
    syntax = (characters.value, _VERSIONS[characters])
    lines = [
        SERVICE_STRING,
        segment("UNB", syntax, *parties, prepared_at, reference, *test),
        *only_message,
        segment("UNZ", "1", reference),
    ]
    return "".join(lines).encode("latin-1")


def _element(element: Element) -> str:
    components = [element] if isinstance(element, str) else list(element)
    while components and not components[-1]:
        components.pop()
    return ":".join(_SERVICE_CHARACTERS.sub(r"?\g<0>", each) for each in components)
