from __future__ import annotations

import sqlite3

from gateway.book_tables import BOOK_SCHEMA
from gateway.event_tables import NS_PER_DAY, SCHEMA, TABLES, US_PER_DAY


def test_every_table_has_its_columns_in_the_schema_and_a_time_that_decides_the_day() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA + BOOK_SCHEMA)
    for name, table in TABLES.items():
        known = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        assert set(table.columns) <= set(known), name
        assert table.columns[0] == known[0], name
        assert table.per_day == (NS_PER_DAY if table.columns[0].endswith("_ns") else US_PER_DAY), name
    connection.close()
