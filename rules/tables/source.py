"""Where a look-up table comes from: the file that its `file` names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from gateway.config.rules import LookUpTable
from rules.list_file import SHOWN_FAULTS, Source, read_whole
from rules.tables.file import StoredTable, TableError, build, open_file
from rules.tables.listing import csv_rows, database_rows, unsettled

MOST_BYTES: Final = 512 << 20


def load(table: LookUpTable, directory: Path) -> StoredTable:
    """Read the file of a table; `directory` takes our copy.

    Raises:
        TableError: it has faults, one line each. ChangingError: it is being written. OSError, sqlite3.Error: it cannot
            be read, or there is no room for the copy.
    """
    if (size := table.file.stat().st_size) > MOST_BYTES:
        raise TableError([f"has {size} bytes; at most {MOST_BYTES} are read"])
    # No name holds a full stop, so that no table takes the copies of another for its own.
    return read_whole(table.file, directory, f"table.{table.name}.", partial(_read, table))


def _read(table: LookUpTable, source: Source) -> StoredTable:
    made, faults = source.scratch / "table.db", list[str]()
    if source.is_database:
        if (text := unsettled(table.file)) is not None:
            raise TableError([text])
        noun, rows = "row", database_rows(source.path, table, faults)
    else:
        noun, rows = "line", csv_rows(source.path, table, faults)
    try:
        count = build(made, rows, len(table.columns), noun)
    except TableError as error:
        raise TableError([*faults, *(each for each in error.faults if each not in faults)][:SHOWN_FAULTS]) from None
    if faults:
        raise TableError(faults)
    return StoredTable(open_file(made), source.version, table.columns, count)
