"""Lists of things: CSV with the columns epc, tid or card, then name, kind and class, in any order.

    epc,name,kind                                 a tag by its EPC: hex, whole 16-bit words
    epc,tid,card,name,kind,class                  each line needs one of the three, and may have all
    nfca:04A1B2C3D4E5F6   nfca#3f0c...            a card by its number, or by the hash that events show
    wiegand~last24:D4E5F6                         a card of which only the printed part is known

A fault never repeats what stands in the column `card`: faults are logged, and card numbers must not be.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config import ConfigError
from gateway.identity import Enrolled, Identities
from rules.list_file import SHOWN_FAULTS
from rules.things.file import RegistryError, Row, build

KEYS: Final = ("epc", "tid", "card")
MOST_TEXT: Final = 200
"""Characters of a name, a kind or a class at most: they travel in every event of the thing."""

NO_CARD: Final = Enrolled("", ())
_HEX: Final = re.compile(r"([0-9A-F]{4}){1,31}")


class Imported(NamedTuple):
    """What went into a registry."""

    things: int
    epcs: int
    tids: int
    cards: int


def import_csv(path: Path, to: Path, identities: Identities) -> Imported:
    """Make a registry of a list; what stood at `to` is replaced when all is well, and stays when it is not.

    Raises:
        RegistryError: every fault of the list, one line each. OSError, sqlite3.Error: a file cannot be read or written.
    """
    draft = to.with_name(f".{to.name}.draft")
    try:
        imported = build_from_csv(path, draft, identities)
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    return imported


def build_from_csv(path: Path, to: Path, identities: Identities) -> Imported:
    """Write the registry of a list to a new file.

    Raises:
        RegistryError, OSError, sqlite3.Error: as `import_csv`.
    """
    faults: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            counts = build(to, _rows(file, identities, faults), {"identities": identities.check})
    except UnicodeDecodeError as error:
        raise RegistryError([f"is no UTF-8 text ({error.reason}); save the list as UTF-8"]) from error
    except RegistryError as error:
        raise RegistryError([*faults, *error.faults][:SHOWN_FAULTS]) from None
    if faults:
        raise RegistryError(faults)
    return Imported(**counts)


def _rows(file: Iterator[str], identities: Identities, faults: list[str]) -> Iterator[Row]:
    """The sound lines of a list; what is wrong with the others is added to `faults`."""
    rows = csv.reader(file, strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if "name" not in header or not any(key in header for key in KEYS):
            raise RegistryError(
                [f"line 1: {', '.join(header)[:80] or 'empty'}: write epc, tid or card, then name,kind,class"]
            )
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
            try:
                yield _row(cells, rows.line_num, identities)
            except ValueError as error:
                faults.append(f"line {rows.line_num}: {error}")
            if len(faults) >= SHOWN_FAULTS:
                raise RegistryError(["there may be more; the rest was not read"])
    except csv.Error as error:
        faults.append(f"line {rows.line_num}: is no CSV: {error}; quote a cell that holds commas or quotes")


def _row(cells: Mapping[str, str], line: int, identities: Identities) -> Row:
    name, kind, class_name = (cells.get(column, "") for column in ("name", "kind", "class"))
    epc, tid = _memory(cells, "epc"), _memory(cells, "tid")
    technology, digests = _card(cells.get("card", ""), identities)
    if not (epc or tid or digests):
        raise ValueError("has neither epc nor tid nor card; one of them names the thing")
    if not name:
        raise ValueError("name is empty; give the thing a name or delete the line")
    if max(map(len, (name, kind, class_name))) > MOST_TEXT:
        raise ValueError(f"name, kind and class must be at most {MOST_TEXT} characters")
    if not (name + kind + class_name).isprintable():
        raise ValueError(f"name = {name!r}, kind = {kind!r}, class = {class_name!r}: must be printable characters")
    return Row(line, name, kind, class_name, epc, tid, technology, digests)


def _memory(cells: Mapping[str, str], column: str) -> bytes | None:
    """The bytes of a memory bank, compared without spaces, in either case."""
    given = cells.get(column, "")
    text = given.replace(" ", "").upper()
    if not text:
        return None
    if not _HEX.fullmatch(text):
        raise ValueError(f"{column} = {given[:80]!r}: must be hex, whole 16-bit words, 4 to 124 digits")
    return bytes.fromhex(text)


def _card(text: str, identities: Identities) -> Enrolled:
    if not text:
        return NO_CARD
    try:
        return identities.enrol(text)
    except ValueError as error:
        raise ValueError(f"card: {error}") from None
    except ConfigError as error:  # it would be the same in every line
        raise RegistryError([f"card: {error}"]) from None
