"""Where each key of a TOML text stands, which `tomllib` does not tell; it must have accepted the text before."""

from __future__ import annotations

import re
from typing import Final

Path = tuple[str | int, ...]
"""A way into the parsed file: keys, and indexes of arrays from 0."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")
_STRINGS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"{3,5}',  # up to two quotes may stand before the closing three
        r"'''.*?'{3,5}",
        r'"((?:\\.|[^"\\\n])*)"',
        r"'([^'\n]*)'",
    )
)


class Positions:
    """Line numbers of a TOML text, from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._offsets: dict[Path, int] = {}
        self._array_lengths: dict[Path, int] = {}
        self._scan()

    def line_of(self, path: Path) -> int | None:
        """The line of a key, or of the innermost table around it that stands in the text; None for an absent table."""
        for length in range(len(path), 0, -1):
            offset = self._offsets.get(path[:length])
            if offset is not None:
                return self._text.count("\n", 0, offset) + 1
        return None

    def _scan(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            start = self._at
            if self._text.startswith("[", start):
                brackets = 2 if self._text.startswith("[[", start) else 1
                self._at += brackets
                table = self._table(self._dotted_key(), start, is_array=brackets > 1)
                self._offsets.setdefault(table, start)
                self._at += brackets
            else:
                self._pair(table)

    def _table(self, keys: list[str], start: int, *, is_array: bool) -> Path:
        path: Path = ()
        for key in keys[:-1]:
            path = self._into((*path, key))
        path = (*path, keys[-1])
        for length in range(1, len(path) + 1):
            self._offsets.setdefault(path[:length], start)
        if not is_array:
            return self._into(path)
        index = self._array_lengths.get(path, 0)
        self._array_lengths[path] = index + 1
        return (*path, index)

    def _into(self, path: Path) -> Path:
        """A key that is an array of tables means its last table."""
        length = self._array_lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _pair(self, table: Path) -> None:
        start = self._at
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self._offsets.setdefault(path, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _dotted_key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            match = _BARE_KEY.match(self._text, self._at)
            if match:
                keys.append(match[0])
            else:
                match = next(found for pattern in _STRINGS[2:] if (found := pattern.match(self._text, self._at)))
                keys.append(match[1])
            self._at = match.end()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        for pattern in _STRINGS:
            if match := pattern.match(self._text, self._at):
                self._at = match.end()
                return
        opening = self._text[self._at]
        if opening == "[":
            self._items(path, "]")
        elif opening == "{":
            self._items(path, "}")
        else:
            self._skip(_SCALAR)

    def _items(self, path: Path, closing: str) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._text.startswith(closing, self._at):
                self._at += 1
                return
            if closing == "}":
                self._pair(path)
            else:
                self._offsets[(*path, index)] = self._at
                self._value((*path, index))
                index += 1
            self._skip(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return self._at
