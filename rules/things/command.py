"""`python -m rules registry import CSV --to FILE`: makes the registry that `site.assets` may name, of a list."""

from __future__ import annotations

import sqlite3
import sys
import tomllib
from pathlib import Path
from typing import Final

from gateway.config import ConfigError
from gateway.config.models import Cards
from gateway.identity import identities_of
from rules.things.file import RegistryError
from rules.things.listing import import_csv

EX_IOERR: Final = 74  # sysexits.h
EX_CONFIG: Final = 78


def import_list(config: Path, path: Path, to: Path) -> int:
    """Import the list and return the exit status; faults go to standard error, what was imported to standard output."""
    try:
        made = import_csv(path, to, identities_of(cards_of(config), is_key_needed=False))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EX_CONFIG
    except RegistryError as error:
        sys.stderr.writelines(f"{path}: {fault}\n" for fault in error.faults)
        return EX_CONFIG
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{path} to {to}: {getattr(error, 'strerror', None) or error}\n")
        return EX_IOERR
    sys.stdout.write(
        f"{to}: {made.things} things with {made.epcs} EPCs, {made.tids} TIDs and {made.cards} cards; "
        f'write assets = "{to}" into [site]\n'
    )
    return 0


def cards_of(config: Path) -> Cards:
    """How the site names cards. The rest of its file is not looked at: it may name the registry that is to be made.

    Raises:
        ConfigError: the file cannot be read, or this table has faults.
    """
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8")).get("cards", {})
        return Cards.model_validate(table)
    except OSError as error:
        raise ConfigError(f"{config}: cannot be read: {error.strerror}; name the site file with --config") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a wrong value, or nested without end
        raise ConfigError(f"{config}: cannot be used; `tagwharf check {config}` tells its faults") from error
