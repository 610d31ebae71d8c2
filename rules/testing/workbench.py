"""Engines for a site file away from the daemon: for tests, replays and traces, with the site's things and tables."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from gateway.config import ConfigError
from gateway.config.faults import Faults
from gateway.config.models import Cards, IdentityStyle, SiteFile
from gateway.config.positions import Positions
from gateway.identity import Identities, identities_of
from rules import expansion
from rules.engine import Engine
from rules.list_file import RefusedError
from rules.tables.shelf import Shelf
from rules.tables.table import Tables
from rules.testing.models import Thing
from rules.things.file import RegistryError
from rules.things.registry import Registry
from rules.things.source import ChangingError, empty, load

_KEY: Final = b"tests of rules name cards by this key"
_COLUMNS: Final = ("epc", "tid", "card", "name", "kind", "class")


class Workbench:
    """One site, and what its rules need to know beside its file."""

    def __init__(self, site: SiteFile, things: Registry, identities: Identities) -> None:
        """Load the tables of the site.

        Raises:
            ConfigError: one of them cannot be used.
        """
        self.site = site
        self.identities = identities
        self.tables = _tables(site)
        self._things = things

    def engine(self) -> Engine:
        """A new engine that knows nothing yet."""
        return Engine(self.site, self._things, self.tables)

    def close(self) -> None:
        """Let go of what was loaded."""
        self._things.close()
        self.tables.close()


def of_site(site: SiteFile) -> Workbench:
    """As the daemon has it, with the key of the site if this process was given it.

    Raises:
        ConfigError: the list of things cannot be used.
    """
    identities = identities_of(site.cards, is_key_needed=False)
    return Workbench(site, _things(site, identities), identities)


def of_tests(site: SiteFile, things: Iterable[Thing]) -> Workbench:
    """For tests, which bring their own things, or else have those of the site; cards are named by a key of ours.

    Raises:
        ConfigError: the things have faults.
    """
    identities = identities_of_tests(site.cards)
    listed = list(things)
    if not listed:
        return Workbench(site, _things(site, identities), identities)
    with tempfile.TemporaryDirectory(prefix="tagwharf-rules-") as directory:
        path = Path(directory) / "things.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows((t.epc, t.tid, t.card, t.name, t.kind, t.class_name) for t in listed)
        return Workbench(site, _loaded(path, Path(directory), identities, "things"), identities)


def identities_of_tests(cards: Cards) -> Identities:
    """How tests name cards."""
    is_raw = cards.identity is IdentityStyle.RAW
    return Identities(cards.identity, None if is_raw else _KEY)


def card_name(text: str, identities: Identities) -> str:
    """What events call a card that a test names by its number.

    Raises:
        ValueError: it names no card.
    """
    if identities.style is IdentityStyle.RAW or "#" in text:
        return text
    card = identities.read(text)
    part = "" if card.part == "whole" else f"~{card.part}"
    return f"{card.technology}{part}#{card.digest.hex()}"


def site_of_tables(tables: Mapping[str, Any], path: Path) -> SiteFile:
    """A site file that stands in another file, as it runs; relative paths start at that file.

    Raises:
        ConfigError: all faults, one line each.
    """
    raw: dict[str, Any] = {"site": {"name": "test"}, **tables}
    items = raw.get("table")
    if isinstance(items, list):
        raw["table"] = [
            {**each, "file": str(path.parent / str(each["file"]))}
            if isinstance(each, dict) and "file" in each
            else each
            for each in items
        ]
    try:
        site = SiteFile.model_validate(raw)
    except ValidationError as error:
        faults = Faults(f"{path}: inline", raw, Positions(""))
        faults.add_validation(error, SiteFile)
        raise ConfigError("\n".join(faults.lines())) from error
    if found := expansion.faults(site):
        raise ConfigError("\n".join(f"{path}: inline: {line.removeprefix('site.toml: ')}" for line in found))
    return expansion.as_run(site)


def _tables(site: SiteFile) -> Tables:
    with tempfile.TemporaryDirectory(prefix="tagwharf-rules-") as directory:
        shelf = Shelf(Path(directory))
        try:
            shelf.start(site.table)
        except RefusedError as error:
            raise ConfigError("\n".join(error.faults)) from error
        return shelf.tables


def _things(site: SiteFile, identities: Identities) -> Registry:
    if site.site.assets is None:
        return empty(identities)
    with tempfile.TemporaryDirectory(prefix="tagwharf-rules-") as directory:
        return _loaded(site.site.assets, Path(directory), identities, "site.assets")


def _loaded(path: Path, directory: Path, identities: Identities, what: str) -> Registry:
    try:
        return load(path, directory, identities)
    except RegistryError as error:
        raise ConfigError("\n".join(f"{what}: {fault}" for fault in error.faults)) from error
    except (OSError, ChangingError) as error:
        raise ConfigError(f"{what}: {path} cannot be read: {error}") from error
