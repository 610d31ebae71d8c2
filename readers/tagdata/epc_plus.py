"""EPCs of TDS 2, which hold a GS1 key as it is printed: `+`, and `++` with the host of its Digital Link.

    HHHHHHHH T FFF [ DDDD date ] | values of the key's AIs | [ host ] | [ more AIs ] | fill

H header, 8 bits. T: 1 when more AIs follow the EPC ("+AIDC data"). F filter. D, in DSGTIN only: which date it is, then
the date in 16 bits. Each further AI is its digits of four bits, then its value. The fill is zero, to a whole word.

Such an EPC does not say where the company prefix ends, so it has no `urn:epc:id:` URI: its identity is the Digital
Link.

Source: GS1 TDS 2.3, sections 14.5 (values), 14.6 (schemes), 15.3 (+AIDC data), table 14-1 (headers). In the examples of
annex E.3 the SSCC++ and ITIP++ carry the headers of the schemes with one plus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.tagdata.ai_table import LENGTHS
from readers.tagdata.ai_values import read_date, read_value, write_date, write_value
from readers.tagdata.bits import BITS_A_WORD, BitReader, BitWriter, TagDataError
from readers.tagdata.gs1_keys import NO_EXTENSION, Elements, verify
from readers.tagdata.hostnames import read_host, write_host

_DATE_AIS: Final = ("11", "13", "15", "16", "17", "7006", "7007")
"""By the four bits that say which date it is."""
_DATED: Final = "dsgtin"
_LEAST_ELEMENT_BITS: Final = 8
_NINE: Final = 9
_KEY_AIS: Final[dict[str, tuple[str, ...]]] = {
    "cpi": ("8010", "8011"),
    "dsgtin": ("01", "21"),
    "gdti": ("253",),
    "giai": ("8004",),
    "grai": ("8003",),
    "gsrn": ("8018",),
    "gsrnp": ("8017",),
    "itip": ("8006", "21"),
    "sgcn": ("255",),
    "sgln": ("414", "254"),
    "sgtin": ("01", "21"),
    "sscc": ("00",),
}
_LEAST_KEY: Final = {"253": 14, "255": 14, "8003": 15}
"""Characters of keys that are an EPC only with their serial number."""


@dataclass(frozen=True, slots=True)
class PlusLayout:
    """One scheme of TDS 2.

    Attributes:
        kind: the key, as in the names of the older schemes.
    """

    name: str
    header: int
    kind: str

    @property
    def has_host(self) -> bool:
        """Whether the host of the Digital Link is on the tag."""
        return self.name.endswith("++")

    @property
    def ais(self) -> tuple[str, ...]:
        """The AIs of the key, in the order of the tag."""
        return _KEY_AIS[self.kind]


PLUS_LAYOUTS: Final = tuple(
    PlusLayout(kind + plus, header, kind)
    for plus, headers in (
        ("+", {
            0xF0: "cpi", 0xF1: "grai", 0xF2: "sgln", 0xF3: "itip", 0xF4: "gsrn", 0xF5: "gsrnp",
            0xF6: "gdti", 0xF7: "sgtin", 0xF8: "sgcn", 0xF9: "sscc", 0xFA: "giai", 0xFB: "dsgtin",
        }),
        ("++", {
            0xE6: "cpi", 0xE7: "gsrn", 0xE8: "gsrnp", 0xE9: "sgln", 0xEA: "gdti", 0xEB: "grai",
            0xEC: "sgcn", 0xED: "itip", 0xEE: "giai", 0xEF: "sscc", 0xFC: "dsgtin", 0xFD: "sgtin",
        }),
    )
    for header, kind in headers.items()
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlusData:
    """What an EPC of TDS 2 holds.

    Attributes:
        elements: the key's AIs first, then the date of a DSGTIN, then what follows the EPC.
        more: the toggle: whether the tag says that AIs follow the EPC.
        unread: why what follows the EPC could not be read, though the EPC could.
    """

    filter_value: int
    elements: Elements
    host: str | None = None
    more: bool = False
    unread: str | None = None


def decode(layout: PlusLayout, epc: bytes) -> PlusData:
    """What the EPC holds; TagDataError when it is not of this layout."""
    reader = BitReader(epc)
    reader.read(8)
    more, filter_value = bool(reader.read(1)), reader.read(3)
    dates = [_read_dated(reader)] if layout.kind == _DATED else []
    elements = [(ai, read_value(reader, ai)) for ai in layout.ais]
    for ai, value in elements:
        _sound_key(ai, value)
    if elements[-1] == ("254", NO_EXTENSION):
        elements.pop()
    host = read_host(reader) if layout.has_host else None
    elements += dates
    unread = None
    if more:
        try:
            elements += _read_more(reader, elements)
        except TagDataError as error:
            unread = str(error)
    elif not reader.rest_is_zero():
        raise TagDataError(
            f"{layout.name}: the fill at the end is not zero, and the tag does not say that more follows"
        )
    elif reader.left >= BITS_A_WORD:
        raise TagDataError(f"{layout.name}: {reader.left // BITS_A_WORD} words more than it takes")
    return PlusData(filter_value, tuple(elements), host, more, unread)


def encode(layout: PlusLayout, filter_value: int, elements: Elements, host: str | None = None) -> bytes:
    """The EPC memory for these elements.

    Raises:
        ValueError: an element is missing, or a value has not the form of its AI.
    """
    values = dict(elements)
    if layout.ais[-1] == "254":
        values.setdefault("254", NO_EXTENSION)
    missing = [ai for ai in layout.ais if ai not in values]
    if missing:
        raise ValueError(
            f"{layout.name}: ({missing[0]}) is missing; it needs {' and '.join(f'({ai})' for ai in layout.ais)}"
        )
    dated = next((ai for ai in values if ai in _DATE_AIS), None) if layout.kind == _DATED else None
    others = [ai for ai in values if ai not in layout.ais and ai != dated]
    writer = BitWriter()
    writer.write(layout.header, 8)
    writer.write(bool(others), 1)
    writer.write(filter_value, 3)
    if layout.kind == _DATED:
        if dated is None:
            raise ValueError(f"{layout.name}: needs a date, one of {' '.join(_DATE_AIS)}; or choose {layout.name[1:]}")
        writer.write(_DATE_AIS.index(dated), 4)
        write_date(writer, values[dated])
    for ai in layout.ais:
        _sound_key(ai, values[ai])
        write_value(writer, ai, values[ai])
    if layout.has_host:
        write_host(writer, host or "")
    for ai in others:
        verify(ai, values[ai])
        for digit in ai:
            writer.write(int(digit), 4)
        write_value(writer, ai, values[ai])
    return writer.memory()


def _sound_key(ai: str, value: str) -> None:
    verify(ai, value)
    least = _LEAST_KEY.get(ai, 0)
    if len(value) < least:
        raise TagDataError(f"({ai}){value}: has no serial number, so it names a class and no thing")
    if ai == "8003" and value[0] != "0":
        raise TagDataError(f"({ai}){value}: must begin with 0")


def _read_dated(reader: BitReader) -> tuple[str, str]:
    which = reader.read(4)
    if which >= len(_DATE_AIS):
        raise TagDataError(f"the kind of date {which:04b} is reserved")
    return _DATE_AIS[which], read_date(reader)


def _read_more(reader: BitReader, before: list[tuple[str, str]]) -> Elements:
    """The AIs after the EPC; zeros are fill, though they could begin an SSCC."""
    seen = {ai for ai, _ in before}
    found: list[tuple[str, str]] = []
    while reader.left >= _LEAST_ELEMENT_BITS and not reader.rest_is_zero():
        ai = _digit(reader) + _digit(reader)
        for _ in range(LENGTHS.get(ai, 0) - len(ai)):
            ai += _digit(reader)
        if ai in seen:
            raise TagDataError(f"({ai}) stands twice")
        seen.add(ai)
        value = read_value(reader, ai)
        verify(ai, value)
        found.append((ai, value))
    if not reader.rest_is_zero():
        raise TagDataError("the fill at the end is not zero")
    return tuple(found)


def _digit(reader: BitReader) -> str:
    nibble = reader.read(4)
    if nibble > _NINE:
        raise TagDataError(f"{nibble:X} stands where a digit of an Application Identifier must be")
    return str(nibble)
