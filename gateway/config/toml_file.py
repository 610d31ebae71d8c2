"""Reads one TOML file of a site: its text, its tables, and what is wrong with them, with the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from gateway.config.phrases import clean
from readers.errors import ConfigError

LARGEST_BYTES: Final = 4 << 20  # a thousand readers with all their settings need a tenth of it
DEEPEST: Final = 32  # tables and arrays in each other; a site file has eight at most


def read(path: Path, advice: str) -> str:
    """The text of a file, with line feeds alone.

    Raises:
        ConfigError: it cannot be read, which `advice` follows, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(clean(f"{path}: cannot be read: {error.strerror}; {advice}")) from error
    except ValueError as error:  # a NUL
        raise ConfigError(clean(f"{path}: is no name of a file; {advice}")) from error
    if len(content) > LARGEST_BYTES:
        raise ConfigError(f"{path}: is larger than {LARGEST_BYTES} bytes; this is no site file")
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from error


def parse(path: Path, text: str) -> dict[str, Any]:
    """The tables of a text.

    Raises:
        ConfigError: the syntax is wrong, with line and column; it is nested too deeply, or holds a number without end.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", str(error), re.DOTALL)
        reason, line, column = match.groups() if match else (str(error), None, None)
        place = f"{path}:{line or text.count(chr(10)) + 1}"
        where = f"column {column}" if column else "the end of the file"
        raise ConfigError(f"{place}: TOML syntax at {where}: {reason}{_syntax_hint(reason, text)}") from error
    except RecursionError:
        raise ConfigError(_too_deep(path)) from None
    except ValueError as error:  # Python reads whole numbers of some thousand digits at most
        raise ConfigError(f"{path}: holds a number without end; at most 64 bits are used") from error
    if not _is_flat(table):
        raise ConfigError(_too_deep(path))
    return table


def _too_deep(path: Path) -> str:
    return f"{path}: tables and arrays are nested more than {DEEPEST} deep; this is no site file"


def _is_flat(table: dict[str, Any]) -> bool:
    """Whether nothing is nested so deeply that whoever walks through it by recursion would fail."""
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def _syntax_hint(reason: str, text: str) -> str:
    if text.startswith("\ufeff"):
        return "; save the file without a byte order mark"
    if reason.startswith("Cannot declare"):
        return "; tables that may repeat are written [[reader]], with two brackets"
    if reason.startswith("Cannot overwrite"):
        return "; a key may stand once in a table"
    if reason.startswith("Invalid value"):
        return "; text needs quotes"
    return ""
