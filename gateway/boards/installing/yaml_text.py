"""YAML of plain data: nested mappings and lists as blocks, every text in double quotes, so that nothing is guessed.

Source: YAML 1.2.2, chapters 7.3.1 (double-quoted style) and 8.2 (block collections).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Data: TypeAlias = "Mapping[str, Data] | Sequence[Data] | str | int | float | bool | None"


def yaml_text(head: str, data: Mapping[str, Data]) -> str:
    """A document; `head` becomes comments before it."""
    comments = [f"# {line}".rstrip() for line in head.splitlines()]
    return "\n".join([*comments, *_mapping(data, "")]) + "\n"


def _mapping(data: Mapping[str, Data], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _entry(f"{indent}{key}:", value, indent + "  ")


def _entry(head: str, value: Data, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, indent)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        yield head
        for item in value:
            yield from _item(item, indent)
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: Data, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        first, *rest = _mapping(value, indent + "  ")
        yield f"{indent}- {first.lstrip(' ')}"
        yield from rest
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        raise TypeError("a list stands in a list: this writer knows no such thing")
    else:
        yield f"{indent}- {_scalar(value)}"


def _scalar(value: Data) -> str:
    """As JSON, which is YAML; empty collections included."""
    return json.dumps(value, ensure_ascii=False)
