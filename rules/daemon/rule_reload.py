"""Reads the rules again when the site file changes, or the rule file that it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.config import ConfigError
from gateway.config.load import site_files
from gateway.config.models import SiteFile
from gateway.health import Health
from rules.checking import check
from rules.expansion import load_as_run
from rules.list_file import RefusedError, Stamp
from rules.own_events import OwnAlarms
from rules.reload import FileReloader, Stamps, stamp_or_none
from rules.tables.shelf import Kept, Shelf
from rules.takeover import is_taken, left_over, taken_over

NOUN = "rules"
RESTART = "restart"


class Changed(NamedTuple):
    """A site file that changed.

    Attributes:
        whole: all of it; site: the one that runs, with the rules of it.
        tables: look-up tables that were read because they are new, or defined otherwise.
    """

    whole: SiteFile
    site: SiteFile
    tables: Sequence[Kept]


class RuleReloader(FileReloader[Changed]):
    """Watches a site file.

    Args:
        running: the site as it was started.
        seen: stamps of its files, taken before they were read at the start.
        shelf: the look-up tables in use.
        replace: takes new rules into use.
    """

    noun = NOUN
    serves_on = "the rules before it run on"
    settles = True

    def __init__(
        self,
        path: Path,
        running: SiteFile,
        *,
        seen: Stamps | None,
        shelf: Shelf,
        replace: Callable[[SiteFile], None],
        alarms: OwnAlarms,
        health: Health,
    ) -> None:
        super().__init__(path.name, seen, alarms=alarms, health=health)
        self._path = path
        self._running = running
        self._shelf = shelf
        self._replace = replace
        self._files: tuple[Stamp | None, Sequence[Path]] = (None, ())

    def files(self) -> Sequence[Path]:
        """See `FileReloader`."""
        stamp, files = self._files
        now = stamp_or_none(self._path)
        if now is None or now != stamp:
            files = site_files(self._path)
            self._files = now, files
        return files

    def load(self) -> Changed:
        """See `FileReloader`."""
        try:
            whole = load_as_run(self._path)
        except ConfigError as error:
            directory = f"{self._path.parent}/"
            raise RefusedError([line.removeprefix(directory) for line in str(error).splitlines()]) from error
        site = taken_over(self._running, whole)
        if faults := check.faults(site):
            told = (fault.removeprefix("site.toml: ") for fault in faults)
            raise RefusedError([f"{fault}; what it rests on waits for a restart" for fault in told])
        return Changed(whole, site, self._shelf.read(site.table))

    def install(self, loaded: Changed) -> None:
        """See `FileReloader`."""
        if is_taken(self._running, loaded.site):
            self._shelf.install(loaded.site.table, loaded.tables)
            self._replace(loaded.site)
            self._running = loaded.site
        waiting = left_over(self._running, loaded.whole)
        if not waiting:
            self.health.degraded.pop(RESTART, None)
            return
        said = f"{self._path.name}: {', '.join(waiting)} changed: needs a restart"
        if self.health.degraded.get(RESTART) != said:
            self.health.trouble(self.log, "restart_needed", tables=waiting, file=str(self._path))
        self.health.degraded[RESTART] = said

    def describe(self, loaded: Changed) -> dict[str, object]:
        """See `FileReloader`."""
        return {"rules": len(loaded.site.rule), "tables": len(loaded.site.table)}

    def discard(self, loaded: Changed) -> None:
        """See `FileReloader`."""
        for kept in loaded.tables:
            kept.table.close()


def stamps_of(path: Path) -> Stamps:
    """Stamps of a site file and of the rule file that it names."""
    return {each: stamp_or_none(each) for each in site_files(path)}
