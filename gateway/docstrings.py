"""Reads what a class says of itself and of its fields, for the pages and schemas that are made from the code.

The house style is one sentence, then `Attributes:` with an entry `name: text` for each field that needs one; an entry
may name several fields (`a, b: text`) or tell of several (`a: text; b: text`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Final

_SECTION: Final = re.compile(r"^Attributes:\n((?:    .*\n?|\n)+)", re.MULTILINE)
_ENTRY: Final = re.compile(r"^    (\w[\w, ]*): (.*(?:\n        .*)*)", re.MULTILINE)


def summary(described: type) -> str:
    """The first sentence of a class, on one line."""
    return " ".join(inspect.cleandoc(described.__doc__ or "").split("\n\n")[0].split())


def attributes(described: type, fields: Iterable[str]) -> dict[str, str]:
    """What a class and its bases say of each of these fields."""
    found: dict[str, str] = {}
    another = re.compile(rf"; (?=(?:{'|'.join(map(re.escape, fields))}): )")
    for each in reversed(described.__mro__):
        section = _SECTION.search(inspect.cleandoc(each.__doc__ or "") + "\n")
        for names, entry in _ENTRY.findall(section[1]) if section else ():
            text, *more = another.split(" ".join(entry.split()))
            found.update(dict.fromkeys((name.strip() for name in names.split(",")), text))
            found.update((name, rest) for name, _, rest in (part.partition(": ") for part in more))
    return found
