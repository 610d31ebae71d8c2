"""GS1 keys as people and the web write them: element strings and Digital Link URIs.

    (01)09506000134352(17)270131(21)32a/b
    https://id.gs1.org/01/09506000134352/21/32a%2Fb?17=270131

The path of a Digital Link holds the key and what qualifies it, in the order of the standard; all else is its query.

Source: GS1 Digital Link Standard: URI Syntax, sections 4.3 to 4.10; GS1 TDS 2.3, section 7.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from readers.tagdata.ai_table import FORMATS
from readers.tagdata.gs1_keys import Elements

CANONICAL_HOST: Final = "id.gs1.org"
QUALIFIERS: Final[dict[str, tuple[str, ...]]] = {
    "00": (),
    "01": ("22", "10", "21"),
    "253": (),
    "255": (),
    "414": ("254",),
    "8003": (),
    "8004": (),
    "8006": ("22", "10", "21"),
    "8010": ("8011",),
    "8017": ("8019",),
    "8018": ("8019",),
}
"""The keys that an EPC can hold, and what may qualify each, in order."""
_ELEMENT: Final = re.compile(r"\(([0-9]{2,4})\)")
_PLAUSIBLE: Final = 500


def path_and_query(elements: Elements) -> str:
    """The Digital Link without scheme and host; the first element is the key."""
    values = dict(elements)
    primary = elements[0][0]
    in_path = [primary, *(ai for ai in QUALIFIERS[primary] if ai in values)]
    path = "".join(f"/{ai}/{quote(values[ai], safe='')}" for ai in in_path)
    query = "&".join(f"{ai}={quote(value, safe='')}" for ai, value in elements if ai not in in_path)
    return f"{path}?{query}" if query else path


def link(elements: Elements, host: str = CANONICAL_HOST) -> str:
    """The Digital Link of these elements."""
    return f"https://{host}{path_and_query(elements)}"


def element_string(elements: Elements) -> str:
    """The elements as printed under a bar code."""
    return "".join(f"({ai}){value}" for ai, value in elements)


def parse_link(uri: str) -> tuple[str, Elements]:
    """The host and the elements of a Digital Link.

    Raises:
        ValueError: it is none, or it holds no key that an EPC can hold.
    """
    where = urlsplit(uri) if len(uri) <= _PLAUSIBLE else None
    if where is None or where.scheme not in {"http", "https"} or not where.hostname:
        raise ValueError(
            f"{uri[:60]!r}: is no Digital Link; it should look like https://id.gs1.org/01/09506000134352/21/32a"
        )
    steps = where.path.strip("/").split("/")
    for start in range(len(steps) - 1):
        if steps[start] in QUALIFIERS and (len(steps) - start) % 2 == 0:
            break
    else:
        raise ValueError(f"{uri}: no key in the path; one of {' '.join(QUALIFIERS)} must begin it")
    found = [(steps[at], unquote(steps[at + 1])) for at in range(start, len(steps), 2)]
    for pair in where.query.split("&") if where.query else ():
        ai, _, value = pair.partition("=")
        if ai.isdigit():  # other parameters are for the resolver
            found.append((ai, unquote(value)))
    return where.hostname, _sound(found)


def parse_element_string(text: str) -> Elements:
    """The elements of `(01)09506000134352(21)32a/b`.

    Raises:
        ValueError: it is none, or it holds no key that an EPC can hold.
    """
    marks = [mark for mark in _ELEMENT.finditer(text[:_PLAUSIBLE]) if mark[1] in FORMATS]
    if not marks or marks[0].start() or len(text) > _PLAUSIBLE:
        raise ValueError(f"{text[:60]!r}: is no element string; it should look like (01)09506000134352(21)32a")
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    found = [(mark[1], text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    found.sort(key=lambda element: element[0] not in QUALIFIERS)
    return _sound(found)


def _sound(found: list[tuple[str, str]]) -> Elements:
    if found[0][0] not in QUALIFIERS:
        raise ValueError(f"({found[0][0]}) is no key of an EPC; one of {' '.join(QUALIFIERS)} must be there")
    names = [ai for ai, _ in found]
    for ai, value in found:
        if ai not in FORMATS:
            raise ValueError(f"({ai}) is no Application Identifier that a tag can hold; leave it out")
        if names.count(ai) > 1:
            raise ValueError(f"({ai}) stands twice; once is allowed")
        if not value:
            raise ValueError(f"({ai}) has no value; give one or leave it out")
    return tuple(found)
