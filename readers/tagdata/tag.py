"""What a tag says, from its EPC memory and its protocol control word.

The toggle bit of the word decides whose code it is, GS1's or ISO's. A code that is not exactly what its header says
(length, fill, ranges, check digits) is left opaque with the reason, because a private code taken for a GS1 key is worse
than a code not taken apart. Without the word, a code is taken for GS1's on the same conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from readers.tagdata import digital_link, epc_fixed, epc_other, epc_plus, iso_uii
from readers.tagdata.bits import MOST_MEMORY_BYTES, TagDataError
from readers.tagdata.characters import from_urn
from readers.tagdata.container_code import ContainerCode
from readers.tagdata.epc_fixed import Decoded
from readers.tagdata.epc_plus import PlusData, PlusLayout
from readers.tagdata.gs1_keys import KEYS, Elements, Parts
from readers.tagdata.iso_uii import IsoUii
from readers.tagdata.pc_word import HAZARDOUS_ATTRIBUTE, LENGTH_SHIFT, MOST_PC, TOGGLE, PcWord

PURE: Final = "urn:epc:id:"
TAG: Final = "urn:epc:tag:"
RAW: Final = "urn:epc:raw:"
GB_URN: Final = "urn:x-gb29768:"
CACHED_TAGS: Final = 32_768
"""A busy gate's tags of some hours; 12 to 25 MiB when full, by what the tags hold."""

PRIVATE: Final = "private"
UNPROGRAMMED: Final = "unprogrammed"
ISO: Final = "iso"
TOLL: Final = "6c-toc"
GB: Final = "gb29768"
_TID_HEADER: Final = 0xE2
_KINDS: Final = {layout.name: layout.kind for layout in epc_fixed.LAYOUTS} | epc_other.SCHEMES
_NAMES: Final[dict[str, Parts]] = {kind: key.names for kind, key in KEYS.items()} | epc_other.NAMES


class Protocol(StrEnum):
    """The air interface that a code came by."""

    GEN2 = "gen2"
    GB_29768 = "gb29768"


@dataclass(frozen=True, slots=True)
class TagData:
    """What a tag says; what is not stored here is worked out when asked for.

    Attributes:
        scheme: `sgtin-96`, `sscc++`, `iso-17363`; also `private`, `unprogrammed`, `iso`, `6c-toc` and `gb29768`.
        uri: the identity: a pure identity URI, of a `+` scheme its Digital Link, of an opaque code its raw URI.
        plus: what an EPC of TDS 2 holds.
        iso: what a code of ISO holds.
        why: why the code was not taken apart; None when it was.
    """

    epc: bytes
    pc_bits: int | None
    scheme: str
    uri: str
    filter_value: int | None = None
    plus: PlusData | None = None
    iso: IsoUii | None = None
    why: str | None = None

    @property
    def parts(self) -> Parts:
        """The fields of the pure identity, unescaped; empty where there is none."""
        kind = _KINDS.get(self.scheme)
        if kind is None:
            return ()
        body = self.uri[len(PURE) + len(kind) + 1 :]
        return tuple(from_urn(part) for part in body.split(".", len(_NAMES[kind]) - 1))

    @property
    def elements(self) -> Elements:
        """The GS1 Application Identifiers and their values; empty where there are none."""
        if self.plus is not None:
            return self.plus.elements
        key = KEYS.get(_KINDS.get(self.scheme, ""))
        return key.elements(self.parts) if key else ()

    @property
    def tag_uri(self) -> str | None:
        """The EPC tag URI, which keeps scheme and filter."""
        kind = _KINDS.get(self.scheme)
        if kind is None:
            return None
        body = self.uri[len(PURE) + len(kind) + 1 :]
        return (
            f"{TAG}{self.scheme}:{body}"
            if self.filter_value is None
            else f"{TAG}{self.scheme}:{self.filter_value}.{body}"
        )

    @property
    def digital_link(self) -> str | None:
        """The GS1 Digital Link: with the host on the tag, else with GS1's."""
        if self.plus is not None:
            return self.uri
        elements = self.elements
        return digital_link.link(elements) if elements else None

    @property
    def element_string(self) -> str | None:
        """The GS1 element string, as printed under a bar code."""
        elements = self.elements
        return digital_link.element_string(elements) if elements else None

    @property
    def afi(self) -> int | None:
        """The application family identifier of a code of ISO."""
        return self.pc_bits & 0xFF if self.pc_bits is not None and self.pc_bits & TOGGLE else None

    @property
    def container_code(self) -> ContainerCode | None:
        """The freight container that the tag names."""
        return self.iso.container if self.iso is not None else None

    @property
    def hazardous(self) -> bool | None:
        """Whether the tag says that its thing is hazardous; None when it cannot be known."""
        if self.pc_bits is None or self.scheme in {PRIVATE, UNPROGRAMMED, GB, ISO, TOLL}:
            return None
        if self.pc_bits & TOGGLE:
            return iso_uii.AFIS[self.pc_bits & 0xFF][1]
        return bool(self.pc_bits & HAZARDOUS_ATTRIBUTE)

    @property
    def fields(self) -> dict[str, str]:
        """The named fields: company prefix and so on; of a code of ISO data identifier and data."""
        if self.iso is not None:
            named = {"data_identifier": self.iso.data_identifier, "data": self.iso.data}
            return {name: value for name, value in named.items() if value}
        if self.plus is not None:
            found = {f"ai_{ai}": value for ai, value in self.plus.elements}
            if self.plus.host is not None:
                found["host"] = self.plus.host
            if self.plus.unread is not None:
                found["unread"] = self.plus.unread
            return found
        kind = _KINDS.get(self.scheme)
        return dict(zip(_NAMES[kind], self.parts, strict=True)) if kind is not None else {}

    def as_json(self) -> dict[str, object]:
        """Everything that is known, fit for `json.dumps`; what is not known is left out."""
        container = self.container_code
        afi = self.afi
        known: dict[str, object] = {
            "epc": self.epc.hex().upper(),
            "pc": None if self.pc_bits is None else f"{self.pc_bits:04X}",
            "scheme": self.scheme,
            "uri": self.uri,
            "tag_uri": self.tag_uri,
            "digital_link": self.digital_link,
            "element_string": self.element_string,
            "filter": self.filter_value,
            "afi": None if afi is None else f"{afi:02X}",
            "hazardous": self.hazardous,
            "subject": iso_uii.SUBJECTS.get(self.scheme),
            "container_code": None if container is None else str(container),
            "fields": self.fields or None,
            "why": self.why,
        }
        return {name: value for name, value in known.items() if value is not None}

    def as_table(self) -> list[tuple[str, str]]:
        """The same as rows of name and text, for people."""
        rows: list[tuple[str, str]] = []
        for name, value in self.as_json().items():
            if isinstance(value, dict):
                rows += [(str(field).replace("_", " "), str(text)) for field, text in value.items()]
            else:
                text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
                rows.append((name.replace("_", " "), text))
        return rows


_DECODERS: Final[dict[int, Callable[[bytes], Decoded]]] = {
    layout.header: epc_fixed.decoder(layout) for layout in epc_fixed.LAYOUTS
} | epc_other.DECODERS
_PLUS: Final[dict[int, PlusLayout]] = {layout.header: layout for layout in epc_plus.PLUS_LAYOUTS}


def decode_tag(epc: bytes, pc_bits: int | None = None, protocol: Protocol = Protocol.GEN2) -> TagData:
    """What a tag says; never raises, whatever the bytes.

    Args:
        epc: the EPC memory from word 2 on, without CRC and PC.
        pc_bits: the protocol control word; None when the reader does not tell it, and then the code is taken for one of
            GS1 when header, length, fill and ranges all agree, and is opaque otherwise.
        protocol: the air interface; codes of GB/T 29768 are opaque.
    """
    if protocol is not Protocol.GEN2:
        return TagData(
            epc, pc_bits, GB, GB_URN + epc.hex().upper(), why="GB/T 29768: the security module keeps the content"
        )
    if pc_bits is not None and (pc_bits & TOGGLE or pc_bits >> LENGTH_SHIFT != len(epc) >> 1):
        special = _by_word(epc, pc_bits)
        if special is not None:
            return special
    header = epc[0] if epc else 0
    decoder = _DECODERS.get(header)
    if decoder is None:
        return _plus_or_opaque(header, epc, pc_bits)
    try:
        scheme, uri, filter_value = decoder(epc)
    except TagDataError as error:
        return _opaque(epc, pc_bits, PRIVATE, str(error))
    return TagData(epc, pc_bits, scheme, uri, filter_value)


_cached: Final = lru_cache(CACHED_TAGS)(decode_tag)


def decode_tag_cached(epc: bytes, pc_bits: int | None = None) -> TagData:
    """The same, remembered for the tags seen last; for the path of reads."""
    return _cached(epc, pc_bits) if len(epc) <= MOST_MEMORY_BYTES else decode_tag(epc, pc_bits)


def raw_uri(epc: bytes, afi: int | None = None) -> str:
    """The memory as an EPC raw URI."""
    family = "" if afi is None else f"x{afi:02X}."
    return f"{RAW}{len(epc) * 8}.{family}x{epc.hex().upper()}"


def _by_word(epc: bytes, pc_bits: int) -> TagData | None:
    """What follows from the word alone; None when the code is one of GS1 after all."""
    if not 0 <= pc_bits <= MOST_PC:
        return _opaque(epc, None, PRIVATE, f"the protocol control word {pc_bits:#x} has more than 16 bits")
    word = PcWord.of(pc_bits)
    if len(epc) % 2 or not word.fits(len(epc) // 2):
        scheme = ISO if word.toggle else PRIVATE
        return _opaque(epc, pc_bits, scheme, f"the tag announces {word.words} words, here are {len(epc)} bytes")
    if word.afi is None:
        return None
    if word.afi == iso_uii.TOLL:
        if epc[:1] == bytes([iso_uii.TOLL_DSFID]):
            return _opaque(epc, pc_bits, TOLL, "a toll tag of the 6C Toll Operators Committee, whose content is theirs")
        return _opaque(epc, pc_bits, ISO, f"AFI B0 without the {iso_uii.TOLL_DSFID:02X} of a toll tag in front")
    if word.afi not in iso_uii.AFIS:
        return _opaque(epc, pc_bits, ISO, f"AFI {word.afi:02X}: its content is not known here")
    standard = iso_uii.AFIS[word.afi][0]
    try:
        uii = iso_uii.decode(word.afi, epc)
    except TagDataError as error:
        return _opaque(epc, pc_bits, standard, str(error))
    uri = raw_uri(epc, word.afi) if uii.container is None else uii.container.uri
    return TagData(epc, pc_bits, standard, uri, iso=uii)


def _plus_or_opaque(header: int, epc: bytes, pc_bits: int | None) -> TagData:
    layout = _PLUS.get(header)
    if layout is not None:
        try:
            data = epc_plus.decode(layout, epc)
        except TagDataError as error:
            return _opaque(epc, pc_bits, PRIVATE, str(error))
        uri = digital_link.link(data.elements, data.host or digital_link.CANONICAL_HOST)
        return TagData(epc, pc_bits, layout.name, uri, data.filter_value, plus=data)
    if header == _TID_HEADER:
        return _opaque(
            epc, pc_bits, UNPROGRAMMED, "begins with E2 as a chip's own number does, which a factory left here"
        )
    if not any(epc):
        return _opaque(epc, pc_bits, UNPROGRAMMED, "the memory is empty")
    return _opaque(epc, pc_bits, PRIVATE, f"the header {header:02X} belongs to no EPC scheme")


def _opaque(epc: bytes, pc_bits: int | None, scheme: str, why: str) -> TagData:
    afi = pc_bits & 0xFF if pc_bits is not None and pc_bits & TOGGLE else None
    return TagData(epc, pc_bits, scheme, raw_uri(epc, afi), why=why)
