"""One form for the GS1 identifiers of EPCIS events: the canonical GS1 Digital Link URI, whatever form they came in.

    urn:epc:id:sgtin:4012345.011111.32a%2Fb                        https://id.gs1.org/01/04012345111118/21/32a%2Fb
    https://dl.example/01/04012345111118/10/L7/21/32a%2Fb?17=2601  the same: the finest level only, no query
    urn:epc:id:bic:CSQU3054383                                     itself: GS1 has no key for it

Source: GS1 Digital Link Standard: URI Syntax 1.2, section 4.11; GS1 CBV 2.0, section 8.9, rules on EPC and Digital
Link URIs; GS1 Tag Data Standard, section 6 (forms of EPC URIs).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote, urlsplit

HOST: Final = "https://id.gs1.org"
GTIN_DIGITS: Final = 14
MOST_CHARACTERS: Final = 500
_PREFIX: Final = range(6, 13)
_UNESCAPED: Final = "';="  # and - . _ ~, which quote leaves: the reference implementation leaves them, too
_BODY: Final = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)", re.ASCII)
_PURE: Final = re.compile(r"([0-9]{6,12})\.([0-9]*)", re.ASCII)


def check_digit(digits: str) -> str:
    """The digit that GS1 appends: weights 3 and 1 alternate, 3 for the last digit."""
    return str(-(3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))) % 10)


def is_gln(text: str) -> bool:
    """Whether it is a Global Location Number: 13 digits, the last of which checks the others."""
    return re.fullmatch(r"[0-9]{13}", text, re.ASCII) is not None and text[-1] == check_digit(text[:-1])


def sgln(gln: str, prefix_digits: int, extension: str = "0") -> str:
    """A location as an EPC URI; the extension `0` stands for none."""
    return f"urn:epc:id:sgln:{gln[:prefix_digits]}.{gln[prefix_digits:-1]}.{extension}"


def location_link(gln: str, extension: str | None = None) -> str:
    """A location as a Digital Link."""
    return f"{HOST}/414/{gln}" if extension is None else f"{HOST}/414/{gln}/254/{_escaped(extension)}"


def canonical(uri: str) -> str:
    """The canonical Digital Link of a GS1 identifier; anything else is returned as it is."""
    if len(uri) > MOST_CHARACTERS or not uri.isascii():
        return uri
    found = _from_epc(uri) if uri.startswith("urn:epc:") else _from_link(uri)
    return uri if found is None else found


def _escaped(text: str) -> str:
    return quote(text, safe=_UNESCAPED)


def _link(*steps: str) -> str:
    return HOST + "".join(f"/{ai}/{_escaped(value)}" for ai, value in zip(steps[::2], steps[1::2], strict=True))


def _closed(digits: str) -> str:
    return digits + check_digit(digits)


def _gtin(prefix: str, reference: str) -> str:
    return _closed(reference[:1] + prefix + reference[1:])


_With = Callable[[str, str, str], str]
_INDICATED: Final = 13  # digits of prefix and reference, without the check digit
_LOCATED: Final = 12

_SERIAL: Final[dict[str, tuple[int, _With]]] = {
    "sgtin": (_INDICATED, lambda prefix, item, serial: _link("01", _gtin(prefix, item), "21", serial)),
    "upui": (_INDICATED, lambda prefix, item, serial: _link("01", _gtin(prefix, item), "235", serial)),
    "lgtin": (_INDICATED, lambda prefix, item, lot: _link("01", _gtin(prefix, item), "10", lot)),
    "sgln": (
        _LOCATED,
        lambda prefix, place, extension: (
            _link("414", _closed(prefix + place))
            if extension == "0"
            else _link("414", _closed(prefix + place), "254", extension)
        ),
    ),
    "grai": (_LOCATED, lambda prefix, asset, serial: _link("8003", "0" + _closed(prefix + asset) + serial)),
    "gdti": (_LOCATED, lambda prefix, document, serial: _link("253", _closed(prefix + document) + serial)),
    "sgcn": (_LOCATED, lambda prefix, coupon, serial: _link("255", _closed(prefix + coupon) + serial)),
}
"""Keys with a part of digits of known length, then a part of any characters."""
_DIGITS: Final[dict[str, tuple[int, Callable[[str, str], str]]]] = {
    "sscc": (17, lambda prefix, serial: _link("00", _gtin(prefix, serial))),
    "gsrn": (17, lambda prefix, service: _link("8018", _closed(prefix + service))),
    "gsrnp": (17, lambda prefix, service: _link("8017", _closed(prefix + service))),
    "gsin": (16, lambda prefix, shipper: _link("402", _closed(prefix + shipper))),
    "pgln": (_LOCATED, lambda prefix, party: _link("417", _closed(prefix + party))),
}
"""Keys of digits only, with how many prefix and reference have together."""
_TEXT: Final = {"giai": "8004", "ginc": "401"}
_CLASSES: Final[dict[str, tuple[int, Callable[[str, str], str]]]] = {
    "sgtin": (_INDICATED, lambda prefix, item: _link("01", _gtin(prefix, item))),
    "upui": (_INDICATED, lambda prefix, item: _link("01", _gtin(prefix, item))),
    "grai": (_LOCATED, lambda prefix, asset: _link("8003", "0" + _closed(prefix + asset))),
    "gdti": (_LOCATED, lambda prefix, document: _link("253", _closed(prefix + document))),
    "sgcn": (_LOCATED, lambda prefix, coupon: _link("255", _closed(prefix + coupon))),
}
"""What a pattern with `*` for the serial number names."""


def _from_epc(uri: str) -> str | None:
    match = _BODY.fullmatch(uri)
    if match is None:
        return None
    kind, scheme, body = match.groups()
    if kind == "idpat":
        return _pattern(scheme, body.removesuffix(".*")) if body.endswith(".*") else None
    if (scheme == "lgtin") != (kind == "class"):
        return None
    prefix, dot, rest = body.partition(".")
    if not dot or not prefix.isdigit() or len(prefix) not in _PREFIX:
        return None
    return _identity(scheme, prefix, rest)


def _identity(scheme: str, prefix: str, rest: str) -> str | None:
    if scheme in _TEXT and rest:
        return _link(_TEXT[scheme], prefix + unquote(rest))
    if scheme in _DIGITS:
        size, make = _DIGITS[scheme]
        return make(prefix, rest) if _are_digits(rest, size - len(prefix)) else None
    if scheme in _SERIAL:
        size, make_serial = _SERIAL[scheme]
        reference, dot, serial = rest.partition(".")
        if not serial or not dot or not _are_digits(reference, size - len(prefix)):
            return None
        return make_serial(prefix, reference, unquote(serial))
    if scheme == "cpi":
        part, _, serial = rest.rpartition(".")
        return _link("8010", prefix + unquote(part), "8011", serial) if part and serial.isdigit() else None
    if scheme == "itip":
        return _itip(prefix, *rest.split(".", 3)) if rest.count(".") >= 3 else None  # noqa: PLR2004  # item, piece, total, serial
    return None


def _itip(prefix: str, item: str, piece: str, total: str, serial: str) -> str | None:
    if not _are_digits(item, _INDICATED - len(prefix)) or not _are_digits(piece + total, 4):
        return None
    trade_item = _gtin(prefix, item) + piece + total
    return _link("8006", trade_item) if serial == "*" else _link("8006", trade_item, "21", unquote(serial))


def _pattern(scheme: str, body: str) -> str | None:
    if scheme == "itip" and body.count(".") == 3:  # noqa: PLR2004  # prefix, item, piece, total
        prefix, item, piece, total = body.split(".")
        return _itip(prefix, item, piece, total, "*") if len(prefix) in _PREFIX and prefix.isdigit() else None
    if scheme == "cpi":
        prefix, _, part = body.partition(".")
        return _link("8010", prefix + unquote(part)) if prefix.isdigit() and part else None
    match = _PURE.fullmatch(body)
    if scheme not in _CLASSES or match is None:
        return None
    size, make = _CLASSES[scheme]
    return make(match[1], match[2]) if len(match[2]) == size - len(match[1]) else None


def _are_digits(text: str, count: int) -> bool:
    return len(text) == count and (not text or text.isdigit())


_KEYS: Final[dict[str, tuple[re.Pattern[str], tuple[str, ...]]]] = {
    ai: (re.compile(form, re.ASCII), finer)
    for ai, form, finer in (
        ("00", r"[0-9]{18}", ()),
        ("01", r"[0-9]{8}|[0-9]{12,14}", ("21", "235", "10")),
        ("253", r"[0-9]{13}.{0,17}", ()),
        ("255", r"[0-9]{13}[0-9]{0,12}", ()),
        ("401", r".{1,30}", ()),
        ("402", r"[0-9]{17}", ()),
        ("414", r"[0-9]{13}", ("254",)),
        ("417", r"[0-9]{13}", ()),
        ("8003", r"[0-9]{14}.{0,16}", ()),
        ("8004", r"[0-9]{4}.{0,26}", ()),
        ("8006", r"[0-9]{18}", ("21", "10")),
        ("8010", r"[0-9]{4}.{1,26}", ("8011",)),
        ("8017", r"[0-9]{18}", ()),
        ("8018", r"[0-9]{18}", ()),
    )
}
"""The form of each key, and what may qualify it, the finest first."""

_SHORT: Final = {
    "gtin": "01",
    "itip": "8006",
    "cpid": "8010",
    "gln": "414",
    "party": "417",
    "gsrnp": "8017",
    "gsrn": "8018",
    "gcn": "255",
    "sscc": "00",
    "gdti": "253",
    "ginc": "401",
    "gsin": "402",
    "grai": "8003",
    "giai": "8004",
    "cpv": "22",
    "lot": "10",
    "ser": "21",  # codespell:ignore ser
}
"""Words that older Digital Links have in place of the numbers."""


def _from_link(uri: str) -> str | None:
    if not uri.startswith(("https://", "http://")):
        return None
    try:
        steps = [_SHORT.get(step, step) for step in urlsplit(uri).path.strip("/").split("/")]
    except ValueError:  # an address in brackets that is none
        return None
    for start in range(len(steps) - 1):
        ai, value = steps[start], unquote(steps[start + 1])
        if ai in _KEYS and (len(steps) - start) % 2 == 0 and _KEYS[ai][0].fullmatch(value):
            break
    else:
        return None
    if ai == "01":
        value = value.zfill(GTIN_DIGITS)
    qualifiers = {steps[at]: unquote(steps[at + 1]) for at in range(start + 2, len(steps), 2)}
    for finer in _KEYS[ai][1]:
        if finer in qualifiers:
            return _link(ai, value, finer, qualifiers[finer])
    return _link(ai, value)
