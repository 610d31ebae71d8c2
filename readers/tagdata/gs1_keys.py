"""How the parts of an EPC make GS1 keys, and the keys such parts again.

A key is written with Application Identifiers: `(01)` GTIN, `(21)` its serial number. An EPC URI splits the same digits
otherwise: it marks where the company prefix ends (which the key does not tell) and leaves out check digits.

Source: GS1 TDS 2.3, section 7; GS1 General Specifications, sections 3 (AIs) and 7.9 (check digit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from readers.tagdata.bits import TagDataError

Elements = tuple[tuple[str, str], ...]
"""Application Identifiers and their values, in order."""
Parts = tuple[str, ...]
"""The fields of a pure identity URI, unescaped."""

GTIN: Final = 14
GLN: Final = 13
SSCC: Final = 18
NO_EXTENSION: Final = "0"
"""The extension in the URI of a GLN that has none."""
_MOST_GCP, _LEAST_GCP = 12, 6

CHECKED: Final = {
    "00": SSCC,
    "01": GTIN,
    "02": GTIN,
    "253": GLN,
    "255": GLN,
    "402": 17,
    "410": GLN,
    "411": GLN,
    "412": GLN,
    "413": GLN,
    "414": GLN,
    "415": GLN,
    "416": GLN,
    "417": GLN,
    "8003": GTIN,
    "8006": GTIN,
    "8017": SSCC,
    "8018": SSCC,
}
"""AIs with a check digit, and the place where it stands."""


def check_digit(digits: str) -> str:
    """The digit that GS1 appends: weights 3 and 1 alternate, 3 for the last digit."""
    return str(-(3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))) % 10)


def verify(ai: str, value: str) -> None:
    """Raise TagDataError when the value's check digit is wrong."""
    place = CHECKED.get(ai)
    if place is None:
        return
    key = value[:place]
    if len(key) != place or not (key.isascii() and key.isdigit()):
        raise TagDataError(f"({ai}){value}: must begin with {place} digits")
    right = check_digit(key[:-1])
    if key[-1] != right:
        raise TagDataError(f"({ai}){value}: check digit {key[-1]} is wrong, must be {right}")


@dataclass(frozen=True, slots=True)
class Key:
    """One kind of GS1 key as an EPC.

    Attributes:
        names: what the parts of its URI are called.
        elements: its AIs and their values, from the parts.
        parts: its parts, from the values of its AIs and the number of digits of the company prefix.
    """

    names: tuple[str, ...]
    ais: tuple[str, ...]
    elements: Callable[[Parts], Elements]
    parts: Callable[[Mapping[str, str], int], Parts]


def _closed(digits: str) -> str:
    return digits + check_digit(digits)


def _gtin(prefix: str, reference: str) -> str:
    return _closed(reference[:1] + prefix + reference[1:])


def _split_gtin(gtin: str, size: int) -> tuple[str, str]:
    return gtin[1 : 1 + size], gtin[0] + gtin[1 + size : -1]


def _split(digits: str, size: int) -> tuple[str, str]:
    return digits[:size], digits[size:]


def _sgtin_elements(parts: Parts) -> Elements:
    prefix, item, serial = parts
    return ("01", _gtin(prefix, item)), ("21", serial)


def _sgln_elements(parts: Parts) -> Elements:
    prefix, location, extension = parts
    gln = ("414", _closed(prefix + location))
    return (gln,) if extension == NO_EXTENSION else (gln, ("254", extension))


def _itip_elements(parts: Parts) -> Elements:
    prefix, item, piece, total, serial = parts
    return ("8006", _gtin(prefix, item) + piece + total), ("21", serial)


def _service(ai: str) -> Key:
    return Key(
        ("company_prefix", "service_reference"),
        (ai,),
        lambda parts: ((ai, _closed("".join(parts))),),
        lambda values, size: _split(values[ai][:-1], size),
    )


def _numbered(ai: str, reference: str, place: int, lead: str = "") -> Key:
    """A key with a check digit in the middle, after which its own serial number follows."""
    return Key(
        ("company_prefix", reference, "serial"),
        (ai,),
        lambda parts: ((ai, lead + _closed(parts[0] + parts[1]) + parts[2]),),
        lambda values, size: (*_split(values[ai][len(lead) : place - 1], size), values[ai][place:]),
    )


KEYS: Final[dict[str, Key]] = {
    "sgtin": Key(
        ("company_prefix", "item_reference", "serial"),
        ("01", "21"),
        _sgtin_elements,
        lambda values, size: (*_split_gtin(values["01"], size), values["21"]),
    ),
    "sscc": Key(
        ("company_prefix", "serial_reference"),
        ("00",),
        lambda parts: (("00", _gtin(*parts)),),
        lambda values, size: _split_gtin(values["00"], size),
    ),
    "sgln": Key(
        ("company_prefix", "location_reference", "extension"),
        ("414", "254"),
        _sgln_elements,
        lambda values, size: (*_split(values["414"][:-1], size), values.get("254", NO_EXTENSION)),
    ),
    "grai": _numbered("8003", "asset_type", GTIN, lead="0"),
    "giai": Key(
        ("company_prefix", "asset_reference"),
        ("8004",),
        lambda parts: (("8004", parts[0] + parts[1]),),
        lambda values, size: _split(values["8004"], size),
    ),
    "gsrn": _service("8018"),
    "gsrnp": _service("8017"),
    "gdti": _numbered("253", "document_type", GLN),
    "sgcn": _numbered("255", "coupon_reference", GLN),
    "itip": Key(
        ("company_prefix", "item_reference", "piece", "total", "serial"),
        ("8006", "21"),
        _itip_elements,
        lambda values, size: (
            *_split_gtin(values["8006"][:GTIN], size),
            values["8006"][GTIN : GTIN + 2],
            values["8006"][GTIN + 2 :],
            values["21"],
        ),
    ),
    "cpi": Key(
        ("company_prefix", "part_reference", "serial"),
        ("8010", "8011"),
        lambda parts: (("8010", parts[0] + parts[1]), ("8011", parts[2])),
        lambda values, size: (*_split(values["8010"], size), values["8011"]),
    ),
}
"""By the name that the kind has in an EPC URI."""

KEY_OF_AI: Final = {key.ais[0]: kind for kind, key in KEYS.items()}
"""The kind of key that an element string with this first AI holds."""


def parts_of(kind: str, elements: Elements, prefix_digits: int) -> Parts:
    """The parts of the EPC URI of a key.

    Raises:
        ValueError: an AI is missing, a check digit is wrong, or the company prefix cannot have so many digits.
    """
    if not _LEAST_GCP <= prefix_digits <= _MOST_GCP:
        raise ValueError(
            f"prefix_digits = {prefix_digits}: a GS1 company prefix has {_LEAST_GCP} to {_MOST_GCP} digits"
        )
    values = dict(elements)
    key = KEYS[kind]
    for ai in key.ais:
        if ai not in values and ai != "254":
            raise ValueError(f"{kind}: ({ai}) is missing; an EPC needs {' and '.join(f'({ai})' for ai in key.ais)}")
        if ai in values:
            verify(ai, values[ai])
    extra = [ai for ai in values if ai not in key.ais]
    if extra:
        raise ValueError(f"{kind}: no room for ({extra[0]}); write it with the scheme {kind}+, or leave it out")
    parts = key.parts(values, prefix_digits)
    if not (parts[0].isascii() and parts[0].isdigit()):
        raise ValueError(
            f"{kind}: the company prefix {parts[0]!r} must be digits; check prefix_digits = {prefix_digits}"
        )
    if key.elements(parts) != elements:
        raise ValueError(f"{kind}: {elements[0][1]!r} is written otherwise in an EPC: {key.elements(parts)[0][1]!r}")
    return parts
