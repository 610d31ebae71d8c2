"""Codes for writing tags: from a URI, a Digital Link, an element string or ISO text to PC word and EPC memory."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from readers.tagdata import digital_link, epc_fixed, epc_other, epc_plus, iso_uii
from readers.tagdata.characters import from_urn
from readers.tagdata.container_code import CONTAINER_URN, container_code
from readers.tagdata.epc_plus import PlusLayout
from readers.tagdata.gs1_keys import KEY_OF_AI, KEYS, Elements, Parts, parts_of
from readers.tagdata.pc_word import HAZARDOUS_ATTRIBUTE, PcWord
from readers.tagdata.tag import PURE, RAW, TAG

_FIXED: Final = {layout.name: layout for layout in epc_fixed.LAYOUTS}
_PLUS: Final[dict[str, PlusLayout]] = {layout.name: layout for layout in epc_plus.PLUS_LAYOUTS}
_KINDS: Final = {layout.name: layout.kind for layout in epc_fixed.LAYOUTS} | epc_other.SCHEMES
_NAMES: Final[dict[str, Parts]] = {kind: key.names for kind, key in KEYS.items()} | epc_other.NAMES
SCHEMES: Final = (*_KINDS, *_PLUS)
"""Every scheme of GS1 that can be written."""
_WITHDRAWN: Final = "gdti-113"
"""Read and written when it is named, never chosen: GS1 gave it up for GDTI-174."""
_MOST_FILTER: Final = 7
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class EncodedTag:
    """What to write to a tag: `memory` belongs at word 1 of the EPC bank.

    The PC word says nothing of user memory (UMI) or extended words; tags of today work those bits out themselves.
    """

    scheme: str
    pc_bits: int
    epc: bytes

    @property
    def memory(self) -> bytes:
        """PC word and EPC."""
        return self.pc_bits.to_bytes(2, "big") + self.epc


def encode_tag(
    text: str,
    *,
    scheme: str | None = None,
    filter_value: int | None = None,
    prefix_digits: int | None = None,
    host: str | None = None,
    hazardous: bool = False,
) -> EncodedTag:
    """The code for `text`: an EPC URI (id, tag or raw), a GS1 Digital Link, or an element string.

    Args:
        text: what the tag is to say.
        scheme: one of `SCHEMES`; by default the shortest that holds a pure identity, and for a Digital Link or an
            element string the `+` scheme, unless `prefix_digits` is given.
        filter_value: what kind of unit it is on; 0 by default, and a tag URI has its own.
        prefix_digits: digits of the GS1 company prefix, which older schemes need and keys do not tell.
        host: of the Digital Link, for a `++` scheme; by default that of the link given.
        hazardous: whether the tag says so of its thing.

    Raises:
        ValueError: the text is none of these, or does not fit; the message says what is allowed.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme[:_SHOWN]!r}: is not known; allowed: {' '.join(SCHEMES)}")
    if text.startswith((CONTAINER_URN, RAW)) and (scheme is not None or filter_value is not None):
        raise ValueError(f"{text[:_SHOWN]!r}: has no scheme of GS1 and no filter value; leave them out")
    if text.startswith(CONTAINER_URN):
        code = container_code(text.removeprefix(CONTAINER_URN))
        afi = iso_uii.CONTAINER_HAZARDOUS if hazardous else iso_uii.CONTAINER
        return encode_iso(afi, iso_uii.CONTAINER_DI + str(code))
    if text.startswith(RAW):
        return _raw(text)
    if text.startswith(TAG):
        return _tag_uri(text, scheme, filter_value, hazardous=hazardous)
    filter_value = filter_value or 0
    if text.startswith(PURE):
        kind, parts = _pure(text)
        if scheme in _PLUS:
            if kind not in KEYS:
                raise ValueError(f"{text[:_SHOWN]!r}: {kind} is no GS1 key, so it has no scheme {scheme}")
            return _plus(_PLUS[scheme], filter_value, KEYS[kind].elements(parts), host, hazardous=hazardous)
        return _classic(kind, parts, scheme, filter_value, hazardous=hazardous)
    if text.startswith("("):
        elements = digital_link.parse_element_string(text)
    elif text.startswith(("http://", "https://")):
        link_host, elements = digital_link.parse_link(text)
        host = host or link_host
    else:
        raise ValueError(
            f"{text[:_SHOWN]!r}: is no code for a tag; allowed: urn:epc:id:…, urn:epc:tag:…, urn:epc:raw:…, "
            "https://id.gs1.org/01/…/21/…, (01)…(21)…"
        )
    kind = KEY_OF_AI[elements[0][0]]
    if scheme in _PLUS or (scheme is None and prefix_digits is None):
        return _plus(_PLUS[scheme or kind + "+"], filter_value, elements, host, hazardous=hazardous)
    if prefix_digits is None:
        raise ValueError(
            f"{scheme} marks where the company prefix ends, which {text[:_SHOWN]} does not tell; give prefix_digits"
        )
    parts = parts_of(kind, elements, prefix_digits)
    return _classic(kind, parts, scheme, filter_value, hazardous=hazardous)


def encode_iso(afi: int, text: str) -> EncodedTag:
    """The code for ISO text, as `7BCSQU3054383` with AFI A9.

    Raises:
        ValueError: the AFI is not known, the text has characters without six bits, or it is too long.
    """
    epc = iso_uii.encode(afi, text)
    return EncodedTag(iso_uii.AFIS[afi][0], PcWord(len(epc) // 2, toggle=True, low_byte=afi).bits, epc)


def _gs1(scheme: str, epc: bytes, *, hazardous: bool) -> EncodedTag:
    word = PcWord(len(epc) // 2, toggle=False, low_byte=HAZARDOUS_ATTRIBUTE if hazardous else 0)
    return EncodedTag(scheme, word.bits, epc)


def _plus(
    layout: PlusLayout, filter_value: int, elements: Elements, host: str | None, *, hazardous: bool
) -> EncodedTag:
    _check_filter(layout.name, filter_value, _MOST_FILTER)
    if elements[0][0] != layout.ais[0]:
        raise ValueError(f"scheme {layout.name}: needs ({layout.ais[0]}), here is ({elements[0][0]})")
    if layout.has_host and host is None:
        raise ValueError(f"scheme {layout.name}: needs the host of the Digital Link; give host")
    return _gs1(layout.name, epc_plus.encode(layout, filter_value, elements, host), hazardous=hazardous)


def _classic(kind: str, parts: Parts, scheme: str | None, filter_value: int, *, hazardous: bool) -> EncodedTag:
    fitting = [name for name, each in _KINDS.items() if each == kind and name != _WITHDRAWN]
    if scheme is not None:
        if _KINDS[scheme] != kind:
            raise ValueError(
                f"scheme {scheme}: does not hold a {kind}; allowed: {' '.join([*fitting, _WITHDRAWN][:3])}"
            )
        fitting = [scheme]
    *shorter, longest = fitting
    for name in shorter:
        with contextlib.suppress(ValueError):  # the next one may hold it, and the last says why it does not
            return _gs1(name, _classic_memory(name, filter_value, parts), hazardous=hazardous)
    return _gs1(longest, _classic_memory(longest, filter_value, parts), hazardous=hazardous)


def _classic_memory(scheme: str, filter_value: int, parts: Parts) -> bytes:
    layout = _FIXED.get(scheme)
    if layout is not None:
        _check_filter(scheme, filter_value, _MOST_FILTER)
        return epc_fixed.encode(layout, filter_value, parts)
    _check_filter(scheme, filter_value, epc_other.most_filter(_KINDS[scheme]))
    return epc_other.encode(scheme, filter_value, parts)


def _check_filter(scheme: str, filter_value: int, most: int) -> None:
    if not 0 <= filter_value <= most:
        raise ValueError(f"filter_value = {filter_value}: {scheme} allows 0 to {most}")


def _split(text: str, body: str, kind: str) -> Parts:
    names = _NAMES[kind]
    parts = tuple(from_urn(part) for part in body.split(".", len(names) - 1))
    if len(parts) != len(names):
        raise ValueError(f"{text[:_SHOWN]!r}: must have {' . '.join(names)}")
    return parts


def _pure(text: str) -> tuple[str, Parts]:
    kind, _, body = text[len(PURE) :].partition(":")
    if kind not in _NAMES:
        raise ValueError(f"{text[:_SHOWN]!r}: has no form for tags; allowed after {PURE}: {' '.join(_NAMES)} bic")
    return kind, _split(text, body, kind)


def _tag_uri(text: str, scheme: str | None, filter_value: int | None, *, hazardous: bool) -> EncodedTag:
    named, _, body = text[len(TAG) :].partition(":")
    kind = _KINDS.get(named)
    if kind is None:
        raise ValueError(f"{text[:_SHOWN]!r}: names no scheme; allowed after {TAG}: {' '.join(_KINDS)}")
    own = 0
    if epc_other.most_filter(kind) or named in _FIXED:
        digits, _, body = body.partition(".")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 2:  # noqa: PLR2004  # ADI's go up to 63
            raise ValueError(f"{text[:_SHOWN]!r}: must have a filter value after {named}:")
        own = int(digits)
    if scheme not in {None, named} or filter_value not in {None, own}:
        raise ValueError(
            f"{text[:_SHOWN]!r}: says scheme {named} and filter {own} itself; leave them out or make them agree"
        )
    return _classic(kind, _split(text, body, kind), named, own, hazardous=hazardous)


def _raw(text: str) -> EncodedTag:
    size, *values = text[len(RAW) :].split(".")
    try:
        *families, epc = [bytes.fromhex(value.removeprefix("x")) for value in values]
        matches = len(epc) * 8 == int(size) and not len(epc) % 2 and all(len(family) == 1 for family in families)
    except ValueError:
        matches, families, epc = False, [], b""
    if not matches or len(families) > 1:
        raise ValueError(
            f"{text[:_SHOWN]!r}: must be {RAW}96.x… with that many bits in whole words, or {RAW}96.xA1.x… with AFI"
        )
    word = PcWord(len(epc) // 2, toggle=bool(families), low_byte=families[0][0] if families else 0)
    return EncodedTag("raw", word.bits, epc)
