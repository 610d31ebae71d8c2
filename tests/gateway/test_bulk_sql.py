from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bulk_sql import ROWS_IN_A_STEP, delete_many, insert_many


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(_database()) as connection:
        yield connection


def _database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    return connection


def _rows(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT a, b FROM t ORDER BY a").fetchall()


@given(count=st.integers(0, 1200), doubles=st.integers(0, 3))
def test_it_does_what_executemany_does(count: int, doubles: int) -> None:
    rows = [(number, f"row {number}") for number in range(count)]
    rows += [(number, "the later one wins") for number in range(min(doubles, count))]
    with closing(_database()) as ours, closing(_database()) as theirs:
        insert_many(ours, "INSERT OR REPLACE INTO t", rows, 2)
        theirs.executemany("INSERT OR REPLACE INTO t VALUES (?, ?)", rows)
        assert _rows(ours) == _rows(theirs)


def test_a_thousand_rows_are_a_few_steps(db: sqlite3.Connection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    insert_many(db, "INSERT INTO t", [(number, "x") for number in range(1023)], 2)
    assert len(_rows(db)) == 1023
    assert len(statements) < 30


def test_a_tail_rules_over_all_rows_of_a_step(db: sqlite3.Connection) -> None:
    insert_many(db, "INSERT INTO t", [(5, "first")], 2)
    insert_many(db, "INSERT INTO t", [(number, "second") for number in range(8)], 2, " ON CONFLICT DO NOTHING")
    assert _rows(db)[5] == (5, "first")
    assert len(_rows(db)) == 8


def test_a_library_with_few_variables_gets_smaller_steps(db: sqlite3.Connection) -> None:
    db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 20)
    insert_many(db, "INSERT INTO t", [(number, "x") for number in range(ROWS_IN_A_STEP[0] + 3)], 2)
    assert len(_rows(db)) == ROWS_IN_A_STEP[0] + 3


@pytest.mark.parametrize("bad", [(1,), (1, "x", "y")])
def test_rows_of_another_width_are_refused_and_never_shift_the_others(
    db: sqlite3.Connection, bad: tuple[object, ...]
) -> None:
    rows = [(2, "x"), bad, (3, "x"), (4, "x", "z")[: 4 - len(bad)]]
    with pytest.raises(sqlite3.ProgrammingError):
        insert_many(db, "INSERT INTO t", rows, 2)


@pytest.mark.parametrize(
    ("row", "error"),
    [((1, None), sqlite3.IntegrityError), ((1 << 64, "x"), OverflowError), ((1, "\ud800"), UnicodeError)],
)
def test_a_value_that_cannot_be_kept_is_said_as_by_executemany(
    db: sqlite3.Connection, row: tuple[object, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        insert_many(db, "INSERT INTO t", [(number + 10, "x") for number in range(70)] + [row], 2)


@given(count=st.integers(0, 1200), gone=st.integers(0, 1200))
def test_deleting_takes_those_that_are_named_and_no_others(count: int, gone: int) -> None:
    with closing(_database()) as connection:
        insert_many(connection, "INSERT INTO t", [(number, "x") for number in range(count)], 2)
        delete_many(connection, "DELETE FROM t WHERE a", range(gone))
        assert [a for a, _ in _rows(connection)] == list(range(gone, count))
