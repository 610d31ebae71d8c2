"""Reads the list of things again when its file changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.health import Health
from gateway.identity import Identities
from rules.own_events import OwnAlarms
from rules.reload import FileReloader
from rules.things.registry import Registry
from rules.things.source import Stamp, load


class Reloader(FileReloader[Registry]):
    """Watches one list.

    Args:
        stamp: of the file as it was read at the start.
        install: takes the new registry into use.
    """

    noun = "registry"
    serves_on = "the list before it serves on"

    def __init__(
        self,
        path: Path,
        directory: Path,
        identities: Identities,
        *,
        stamp: Stamp | None,
        install: Callable[[Registry], None],
        alarms: OwnAlarms,
        health: Health,
    ) -> None:
        super().__init__(path.name, {path: stamp}, alarms=alarms, health=health)
        self._path = path
        self._directory = directory
        self._identities = identities
        self._install = install

    def files(self) -> Sequence[Path]:
        """See `FileReloader`."""
        return (self._path,)

    def load(self) -> Registry:
        """See `FileReloader`."""
        return load(self._path, self._directory, self._identities)

    def install(self, loaded: Registry) -> None:
        """See `FileReloader`."""
        self._install(loaded)

    def describe(self, loaded: Registry) -> dict[str, object]:
        """See `FileReloader`."""
        return {"version": loaded.version, "things": loaded.things, "cards": loaded.cards}

    def discard(self, loaded: Registry) -> None:
        """See `FileReloader`."""
        loaded.close()
