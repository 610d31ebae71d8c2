"""Many rows into SQLite, or out of it, in few steps.

`executemany` makes one step for each row, and Python's sqlite3 lets go of the interpreter lock in each. Beside a busy
event loop a thread waits up to 5 ms (`sys.getswitchinterval`) to get it back: a commit of a thousand rows would take
seconds. A statement with hundreds of rows is one step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

ROWS_IN_A_STEP: Final = (512, 64, 8, 1)
T = TypeVar("T")


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
    for part in _parts(rows, most // width):
        connection.execute(_statement(head, width, len(part), tail), list(chain.from_iterable(part)))


def delete_many(connection: sqlite3.Connection, head: str, keys: Sequence[Any]) -> None:
    """What `executemany` would do with `{head} = ?` for each key: `DELETE FROM table WHERE column`.

    Raises:
        sqlite3.Error: as `executemany`.
    """
    for part in _parts(keys, connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)):
        connection.execute(f"{head} IN ({', '.join('?' * len(part))})", part)


def _parts(rows: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Cut into lengths of few kinds, so that SQLite compiles few statements and remembers them."""
    done = 0
    for size in ROWS_IN_A_STEP:
        while size <= max(1, most) and len(rows) - done >= size:
            yield rows[done : done + size]
            done += size


@lru_cache(maxsize=128)
def _statement(head: str, width: int, rows: int, tail: str) -> str:
    places = f"({', '.join('?' * width)})"
    return f"{head} VALUES {', '.join([places] * rows)}{tail}"
