"""Many rows into SQLite in few steps.

`executemany` makes one step for each row, and Python's sqlite3 lets go of the interpreter lock in each. Beside a busy
event loop a thread waits up to 5 ms (`sys.getswitchinterval`) to get it back: a commit of a thousand rows would take
seconds. A statement with hundreds of rows is one step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

ROWS_IN_A_STEP: Final = (512, 64, 8, 1)


def insert_many(
    connection: sqlite3.Connection, head: str, rows: Sequence[Sequence[Any]], width: int, tail: str = ""
) -> None:
    """What `executemany` would do with `{head} VALUES (?, ...){tail}`, rows in order; `width` is the number of columns.

    Raises:
        sqlite3.Error, OverflowError, UnicodeEncodeError: as `executemany`; some of the rows may be there, so use it in
            a transaction.
    """
    if any(len(row) != width for row in rows):
        connection.executemany(_statement(head, width, 1, tail), rows)  # which refuses the row that is wrong
        return
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    done = 0
    for size in ROWS_IN_A_STEP:
        if size > 1 and size * width > most:
            continue
        while len(rows) - done >= size:
            values = list(chain.from_iterable(rows[done : done + size]))
            connection.execute(_statement(head, width, size, tail), values)
            done += size


@lru_cache(maxsize=128)
def _statement(head: str, width: int, rows: int, tail: str) -> str:
    places = f"({', '.join('?' * width)})"
    return f"{head} VALUES {', '.join([places] * rows)}{tail}"
