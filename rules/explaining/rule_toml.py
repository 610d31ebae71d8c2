"""A rule as it would stand in a rule file: for those of packs, the only place where they do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.config.rules import Rule

MOST_WIDTH: Final = 100
"""A table that is longer in one line gets a heading, a list a line for each item."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_FIRST: Final = ("name", "shape")


def rule_toml(rule: Rule) -> str:
    """The rule as TOML, without what it leaves to the defaults; read again, it is the same rule."""
    told = rule.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    ordered = {name: told[name] for name in (*_FIRST, *(each for each in told if each not in _FIRST))}
    return "\n".join(["[[rule]]", *_table("rule", ordered)]) + "\n"


def _table(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Its keys, and behind them those that need headings, which end it; tables stay in their order."""
    below: dict[str, Mapping[str, Any]] = {}
    for name, value in table.items():
        line = f"{_key(name)} = {_inline(value)}"
        is_table = isinstance(value, Mapping)
        if is_table and (below or len(line) > MOST_WIDTH):
            below[name] = value
        elif len(line) <= MOST_WIDTH:
            yield line
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from [f"{_key(name)} = [", *(f"    {_inline(each)}," for each in value), "]"]
        else:
            yield line
    for name, value in below.items():
        inner = f"{path}.{_key(name)}"
        yield from ["", f"[{inner}]", *_table(inner, value)]


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {_inline(each)}" for name, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")  # the one escape that JSON does not ask for


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _inline(name)
