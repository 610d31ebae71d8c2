"""Identities as a tag can hold them, for property tests of `readers.tagdata`."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from readers.tagdata.characters import SET_39, SET_82, to_urn
from readers.tagdata.epc_fixed import LAYOUTS, Layout, Serial
from readers.tagdata.gs1_keys import KEYS, Elements

FIXED: Final = {layout.name: layout for layout in LAYOUTS}
CLASSIC: Final = (*FIXED, "cpi-96", "cpi-var", "gid-96", "usdod-96", "adi-var")
"""The schemes that tags have held since TDS 1."""
NUMBER_BITS: Final = {"sgtin-96": 38, "grai-96": 38, "sgln-96": 41, "gdti-96": 41, "itip-110": 38}
CODES: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
ALL: Final = "".join(sorted(SET_82))
PLAIN: Final = "".join(sorted(SET_82 - set('"%&/<>?:')))
"""Without what must be escaped in a URI, which epcpy garbles when it comes twice or late, and without the colon, at
which it cuts a GIAI."""
PART: Final = "".join(sorted(SET_39 - {"#"}))


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def numbers(bits: int) -> st.SearchStrategy[str]:
    return st.integers(0, (1 << bits) - 1).map(str)


def texts(most: int, alphabet: str = ALL) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=most).map(to_urn)


@st.composite
def bodies(draw: st.DrawFn, layout: Layout, alphabet: str = ALL) -> str:
    """What follows the filter in the tag URI of a fixed layout."""
    prefix = draw(st.integers(6, 12).flatmap(digits))
    parts = [prefix]
    if layout.key_digits is not None:
        parts.append(draw(digits(layout.key_digits - len(prefix))))
    if layout.pieces:
        parts += [draw(digits(2)), draw(digits(2))]
    most = layout.most_characters(len(prefix))
    if layout.serial is Serial.NUMBER:
        bits = NUMBER_BITS.get(layout.name) or 82 - (40, 37, 34, 30, 27, 24, 20)[12 - len(prefix)]
        parts.append(draw(numbers(bits)))
    elif layout.serial is Serial.DIGITS:
        parts.append(draw(st.integers(1, most).flatmap(digits)))
    elif layout.serial is Serial.TEXT:
        parts.append(draw(texts(most, alphabet)))
    return ".".join(parts)


@st.composite
def other_bodies(draw: st.DrawFn, scheme: str, alphabet: str = ALL) -> str:
    """The same for the schemes with a form of their own, filter included."""
    if scheme == "gid-96":
        return ".".join([draw(numbers(28)), draw(numbers(24)), draw(numbers(36))])
    code = st.text(CODES, min_size=5, max_size=6)
    if scheme == "usdod-96":
        return f"{draw(st.integers(0, 15))}.{draw(code)}.{draw(numbers(36))}"
    if scheme == "adi-var":
        part = draw(st.just("") | texts(32, PART))
        serial = draw(texts(30, PART) | texts(29, PART).map(lambda text: "%23" + text))
        return f"{draw(st.integers(0, 63))}.{draw(code)}.{part}.{serial}"
    prefix = draw(st.integers(6, 12).flatmap(digits))
    if scheme == "cpi-96":
        part = str(draw(st.integers(0, min(10 ** (15 - len(prefix)), 1 << 31) - 1)))
        return f"{draw(st.integers(0, 7))}.{prefix}.{part}.{draw(numbers(31))}"
    part = draw(texts(30 - len(prefix), "".join(sorted(SET_39 & set(alphabet + "#" * (alphabet is ALL))))))
    return f"{draw(st.integers(0, 7))}.{prefix}.{part}.{draw(st.integers(0, 10**12 - 1))}"


def tag_uris(scheme: str, alphabet: str = ALL) -> st.SearchStrategy[str]:
    """Tag URIs of one of the classic schemes, spelled as the standard wants."""
    if scheme not in FIXED:
        return other_bodies(scheme, alphabet).map(lambda body: f"urn:epc:tag:{scheme}:{body}")
    return st.tuples(st.integers(0, 7), bodies(FIXED[scheme], alphabet)).map(
        lambda both: f"urn:epc:tag:{scheme}:{both[0]}.{both[1]}"
    )


@st.composite
def key_elements(draw: st.DrawFn, kind: str) -> Elements:
    """The elements of a key, with sound check digits."""
    prefix = draw(digits(9))
    text = st.text(ALL, min_size=1, max_size=16)
    parts = {
        "sgtin": (prefix, draw(digits(4)), draw(text)),
        "sscc": (prefix, draw(digits(8))),
        "sgln": (prefix, draw(digits(3)), draw(text)),
        "grai": (prefix, draw(digits(3)), draw(text)),
        "giai": (prefix, draw(text)),
        "gsrn": (prefix, draw(digits(8))),
        "gsrnp": (prefix, draw(digits(8))),
        "gdti": (prefix, draw(digits(3)), draw(text)),
        "sgcn": (prefix, draw(digits(3)), draw(st.integers(1, 12).flatmap(digits))),
        "itip": (prefix, draw(digits(4)), draw(digits(2)), draw(digits(2)), draw(text)),
        "cpi": (prefix, draw(st.text(PART, min_size=1, max_size=16)), draw(st.integers(0, 10**12 - 1).map(str))),
    }[kind]
    return KEYS[kind].elements(parts)


HOSTS: Final = st.tuples(
    st.sampled_from(("", "www.", "id.", "qr.")),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12),
    st.sampled_from((".com", ".org", ".co.uk", ".cn", ".de", ".example")),
).map("".join)
