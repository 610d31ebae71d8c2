"""Assets: what people call a tag. A CSV file with the columns epc, name, kind."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Final, NamedTuple

COLUMNS: Final = ("epc", "name", "kind")
MOST_TEXT: Final = 200
"""Characters of a name or a kind at most: they travel in every event of the tag."""

_EPC: Final = re.compile(r"([0-9A-F]{4}){1,31}")


class Asset(NamedTuple):
    """One thing that carries a tag."""

    epc: str
    name: str
    kind: str = ""


class AssetsError(ValueError):
    """The asset list has faults; `faults` holds one line for each, with its line number."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


def parse(text: str, source: str = "assets.csv") -> dict[str, Asset]:
    """Read the list from CSV text; EPCs are compared in upper case, without spaces.

    Raises:
        AssetsError: with every fault of the file at once.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    faults: list[str] = []
    assets: dict[str, Asset] = {}
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        missing = [column for column in COLUMNS[:2] if column not in header]
        if missing:
            raise AssetsError(
                [f"{source}: line 1: {', '.join(header) or 'empty'}: no {', '.join(missing)}; write epc,name,kind"]
            )
        for row in rows:
            if any(cell.strip() for cell in row):
                _take(
                    dict(zip(header, (cell.strip() for cell in row), strict=False)),
                    rows.line_num,
                    assets,
                    faults,
                    source,
                )
    except csv.Error as error:
        faults.append(f"{source}: line {rows.line_num}: is no CSV: {error}; quote a cell that holds commas or quotes")
    if faults:
        raise AssetsError(faults)
    return assets


def _take(row: dict[str, str], line: int, assets: dict[str, Asset], faults: list[str], source: str) -> None:
    epc = row.get("epc", "").replace(" ", "").upper()
    name = row.get("name", "")
    kind = row.get("kind", "")
    where = f"{source}: line {line}"
    if not _EPC.fullmatch(epc):
        faults.append(f"{where}: epc = {row.get('epc', '')[:80]!r}: must be hex, whole 16-bit words, 4 to 124 digits")
    elif epc in assets:
        faults.append(f"{where}: epc = {epc!r}: is listed twice, as {assets[epc].name!r} too; keep one of the lines")
    elif not name:
        faults.append(f"{where}: name is empty; give the tag {epc} a name or delete the line")
    elif len(name) > MOST_TEXT or len(kind) > MOST_TEXT:
        faults.append(f"{where}: name and kind must be at most {MOST_TEXT} characters")
    elif not (name + kind).isprintable():
        faults.append(f"{where}: name = {name!r}, kind = {kind!r}: must be printable characters")
    else:
        assets[epc] = Asset(epc, name, kind)


def read(path: Path) -> dict[str, Asset]:
    """Read the list from a file.

    Raises:
        AssetsError: the file has faults or is not UTF-8. OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AssetsError([f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8"]) from error
    return parse(text, str(path))
