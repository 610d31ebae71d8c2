"""Look-up tables for tests, made of a few rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.config.rules import LookUpTable
from rules.tables.table import Cell

COLUMNS: dict[str, str] = {"slot": "time", "bay": "int", "mass_kg": "double", "released": "bool", "company": "string"}


def settings(file: Path, columns: Mapping[str, str] = COLUMNS, name: str = "slots", **more: Any) -> LookUpTable:
    return LookUpTable(**({"name": name, "file": file, "key": "truck", "columns": columns} | more))


def database(path: Path, *statements: str, rows: Sequence[tuple[object, ...]] = (), insert: str = "") -> Path:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)
        if rows:
            db.executemany(insert, rows)
    return path


class Listed:
    """A table of these rows, by key."""

    def __init__(
        self, columns: tuple[str, ...], rows: Mapping[str | int, tuple[Cell, ...]], version: str = "v1"
    ) -> None:
        self.columns = columns
        self.rows = dict(rows)
        self.version = version
        self.asked: list[str | int] = []
        self.is_open = True

    def find(self, key: str | int) -> tuple[Cell, ...] | None:
        assert self.is_open
        self.asked.append(key)
        return self.rows.get(key)

    def close(self) -> None:
        self.is_open = False
