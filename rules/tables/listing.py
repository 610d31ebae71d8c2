"""The rows of a look-up table as they stand in its file, checked.

    appointment,slot,bay             CSV: a header with at least the key column and the columns of the site file, in
    A-4711,2026-03-01T08:00:00Z,3    any order and either case; other columns are not looked at; an empty cell is none

A table of an SQLite database is read the same; its cells may be texts, too, as a CSV import leaves them.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TextIO

from gateway.config.phrases import nearest
from gateway.config.rules import LookUpTable
from rules.list_file import SHOWN_FAULTS
from rules.tables.cells import cell
from rules.tables.file import Row, TableError
from rules.tables.table import Cell

MOST_ROWS: Final = 2_000_000
MOST_LINE: Final = 1 << 20
"""Characters of a line of CSV, or bytes of a value in a database, at most."""
_HOT: Final = bytes.fromhex("d9d505f920a163d7")
"""How a rollback journal begins that still counts. Source: SQLite, Database File Format, section 3."""


def csv_rows(path: Path, table: LookUpTable, faults: list[str]) -> Iterator[Row]:
    """The sound rows of a CSV file; what is wrong with the others is added to `faults`.

    Raises:
        TableError: the file as a whole cannot be used, or holds too many faults. OSError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(_lines(file), strict=True)
            header = [name.strip().lower() for name in next(rows, [])]
            places = _places(header, table, "line 1")
            sound = _Sound(table, "line", faults)
            for row in rows:
                if not any(each.strip() for each in row):
                    continue
                if len(row) != len(header):
                    sound.refuse(rows.line_num, f"has {len(row)} cells, the header has {len(header)}")
                    continue
                yield from sound.row(rows.line_num, [row[place] for place in places])
    except UnicodeDecodeError as error:
        raise TableError([*faults, f"is no UTF-8 text ({error.reason}); save the table as UTF-8"]) from error
    except csv.Error as error:
        text = f"line {rows.line_num}: is no CSV: {error}; quote a cell that holds commas or quotes"
        raise TableError([*faults, text]) from error


def database_rows(path: Path, table: LookUpTable, faults: list[str]) -> Iterator[Row]:
    """The sound rows of a table in a database that nobody writes to; what is wrong with the others is in `faults`.

    Raises:
        TableError: the database cannot be used, or holds too many faults.
    """
    name = sqlite_table_of(table)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_LINE)
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            # A view or a virtual table has no root page: its rows would be made by code that the file brings along.
            query = "SELECT lower(name) FROM sqlite_schema WHERE type = 'table' AND rootpage"
            found = [each for (each,) in db.execute(query)]
            if name not in found:
                known = f"; it has {', '.join(found)[:200]}" if found else ""
                raise TableError([f"has no table {name!r}{nearest(name, found)}{known}; sqlite_table names the one"])
            query = "SELECT name FROM pragma_table_info(?)"
            header = [str(column).lower() for (column,) in db.execute(query, (name,))]
            _places(header, table, f"table {name}")
            columns = ", ".join(f'"{column}"' for column in (table.key, *table.columns))
            sound = _Sound(table, "row", faults)
            rows = db.execute(f'SELECT {columns} FROM "{name}"')  # noqa: S608  # names that the configuration checked
            for number, row in enumerate(rows, 1):
                yield from sound.row(number, row)
        except sqlite3.DatabaseError as error:
            raise TableError([*faults, f"is damaged, or no database that can be read ({error})"]) from error


def sqlite_table_of(table: LookUpTable) -> str:
    """The name of the table in an SQLite file."""
    return table.sqlite_table or table.name.replace("-", "_")


def unsettled(path: Path) -> str | None:
    """What of a database is not in its file yet; None when all is.

    Raises:
        OSError: it cannot be read.
    """
    found = []
    log, journal = (path.with_name(f"{path.name}-{end}") for end in ("wal", "journal"))
    if log.exists() and log.stat().st_size:
        found.append(log.name)
    if journal.exists():
        with journal.open("rb") as file:
            if file.read(len(_HOT)) == _HOT:
                found.append(journal.name)
    return f"has changes in {found[0]} that are not in it yet; rename a finished file into its place" if found else None


def key_type(table: LookUpTable) -> str:
    """The type of the key column: text, unless it stands among the columns."""
    return table.columns.get(table.key, "string")


class _Sound:
    """Makes rows of cells, and notes what is wrong with them."""

    def __init__(self, table: LookUpTable, noun: str, faults: list[str]) -> None:
        self._columns = ((table.key, key_type(table)), *table.columns.items())
        self._noun = noun
        self._faults = faults
        self._count = 0

    def row(self, number: int, given: Sequence[object]) -> Iterator[Row]:
        """The row of these cells, key first; nothing when it has a fault.

        Raises:
            TableError: there are too many rows, or too many faults.
        """
        self._count += 1
        if self._count > MOST_ROWS:
            raise TableError([*self._faults, f"has more than {MOST_ROWS} rows"])
        cells: list[Cell] = []
        for (name, kind), each in zip(self._columns, given, strict=True):
            try:
                cells.append(cell(kind, each))
            except ValueError as error:
                self.refuse(number, f"{name} = {error}")
                return
        key = cells[0]
        if key is None:
            self.refuse(number, f"{self._columns[0][0]} is empty; each row needs its key")
            return
        assert isinstance(key, str | int)  # the check of the site file sees to the type of the key column
        yield Row(number, key, tuple(cells[1:]))

    def refuse(self, number: int, text: str) -> None:
        """Note a fault.

        Raises:
            TableError: there are too many.
        """
        self._faults.append(f"{self._noun} {number}: {text}")
        if len(self._faults) >= SHOWN_FAULTS:
            raise TableError([*self._faults, "there may be more; the rest was not read"])


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MOST_LINE):
        number += 1
        if len(line) >= MOST_LINE and not line.endswith("\n"):
            raise TableError([f"line {number}: is longer than {MOST_LINE} characters; this is no table"])
        yield line


def _places(header: Sequence[str], table: LookUpTable, where: str) -> list[int]:
    """Where the key and the columns stand.

    Raises:
        TableError: some of them are missing, or stand there twice.
    """
    wanted = (table.key, *table.columns)
    faults = []
    for name in dict.fromkeys(wanted):
        if header.count(name) > 1:
            faults.append(f"{where}: has {header.count(name)} columns {name!r}; keep one of them")
        elif name not in header:
            hint = nearest(name, header) or f"; it has {', '.join(header)[:200] or 'nothing'}"
            comma = "; separate the cells with commas" if len(header) == 1 and ";" in header[0] else ""
            faults.append(f"{where}: has no column {name!r}{hint}{comma}")
    if faults:
        raise TableError(faults)
    return [header.index(name) for name in wanted]
