"""A line of an explanation: what a person reads, and the same for programs. There is one source for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Line(NamedTuple):
    """One line.

    Attributes:
        kind: what it tells, in a fixed word: see `docs/reference/rules/test.md`.
        indent: spaces before it.
        data: what it tells, for programs; times are microseconds since 1970.
    """

    kind: str
    text: str
    indent: int = 0
    data: Mapping[str, object] = NOTHING

    def deeper(self, by: int = 2) -> Line:
        """The line below another."""
        return self._replace(indent=self.indent + by)

    def written(self) -> str:
        """For people."""
        return f"{' ' * self.indent}{self.text}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"kind": self.kind, "indent": self.indent, "text": self.text, **self.data}


def deeper(lines: Iterable[Line], by: int = 2) -> Iterator[Line]:
    """Lines below another."""
    return (line.deeper(by) for line in lines)


def written(lines: Iterable[Line]) -> Iterator[str]:
    """Lines for people."""
    return (line.written() for line in lines)
