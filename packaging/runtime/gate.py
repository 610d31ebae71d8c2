"""The gate of one version, run by its own Python before anything is switched to it; prints what is wrong.

    venv/bin/python -I share/gate.py [--state=DIRECTORY] SITE_FILE...

It imports everything that the bundle holds, loads all drivers, checks the site files, and looks at the state of an
earlier or later version: a database that a later one wrote is refused here, before a service is stopped for it. It only
reads, and never through SQLite, which would leave files behind that the daemons cannot open.
"""

# ruff: noqa: INP001  # a script: this directory is no package
from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

from gateway.config.load import load_site
from gateway.edge import segment
from gateway.event_journal import VERSION as EVENT_JOURNAL
from readers import registry
from readers.errors import ConfigError
from rules.daemon.database_file import VERSION as RULES_DATABASE

STATE: Final = Path("/var/lib")
IMPORTS: Final = Path(__file__).with_name("imports.txt")
KNOWN: Final = {
    "tagwharf/events/*.db": EVENT_JOURNAL,
    "tagwharf/rules.db": RULES_DATABASE,
    "tagwharf-edge/journal/*.sqlite": segment.VERSION,
    "tagwharf-edge/*/journal/*.sqlite": segment.VERSION,
}
"""Databases that outlive an upgrade, and the latest version of each that this program reads."""
_MAGIC: Final = b"SQLite format 3\0"
_VERSION_AT: Final = 60  # https://www.sqlite.org/fileformat2.html: `user_version`, 4 bytes, big-endian
_HEADER_BYTES: Final = 100


def imports() -> list[str]:
    """What cannot be imported."""
    faults = []
    for name in IMPORTS.read_text().split():
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  # a damaged module raises anything
            faults.append(f"cannot import {name}: {type(error).__name__}: {error}")
    try:
        registry.drivers()
    except Exception as error:  # noqa: BLE001  # likewise
        faults.append(f"cannot load the drivers: {type(error).__name__}: {error}")
    return faults


def state(directory: Path) -> list[str]:
    """Which databases were written by a later version."""
    faults = []
    for pattern, known in KNOWN.items():
        for path in sorted(directory.glob(pattern)):
            found = written_version(path)
            if found > known:
                faults.append(
                    f"{path}: has version {found}, this program knows up to {known}; stay with the newer program, or "
                    "restore a backup that the older one made, or move the file away to begin anew without it"
                )
    return faults


def written_version(path: Path) -> int:
    """The number in the header of an SQLite file; 0 for a file that is none, or is gone."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return 0
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return 0
    return int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")


def site_files(paths: list[Path]) -> list[str]:
    """The faults of these site files."""
    faults: list[str] = []
    for path in paths:
        try:
            load_site(path)
        except ConfigError as error:
            faults += str(error).splitlines()
    return faults


def main(arguments: list[str]) -> int:
    """Print all faults; 0 when there is none."""
    directory, paths = STATE, []
    for argument in arguments:
        if argument.startswith("--state="):
            directory = Path(argument.removeprefix("--state="))
        else:
            paths.append(Path(argument))
    faults = [*imports(), *state(directory), *site_files(paths)]
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
