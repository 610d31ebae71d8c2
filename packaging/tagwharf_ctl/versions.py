"""The versions on this machine, and which of them is used.

    /opt/tagwharf/
      versions/0.1.0/  venv/ share/        each from a package tagwharf-runtime-0.1.0
      versions/0.2.0/  venv/ share/
      current  -> versions/0.2.0           what starts
      previous -> versions/0.1.0           what `rollback` goes back to
      .switching                           there while a switch is under way: what was before it
      .lock                                one switch at a time

A switch begins by writing `.switching` and is done when that file is unlinked. Whoever finds it under the lock finds a
switch that died, and takes it back. Each step is one rename or unlink in one directory, followed by its fsync.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path("/opt/tagwharf")
NAME: Final = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,63}")
_NUMBER: Final = re.compile(r"\d+|[A-Za-z]+|~")
_NOTE: Final = ".switching"


class RefusedError(Exception):
    """Nothing was changed, and the message tells why not and what to do."""


class BusyError(RefusedError):
    """Another call is at work."""


@dataclass(frozen=True, slots=True)
class Before:
    """What was used before a switch began, and where it goes."""

    to: str
    current: str | None
    previous: str | None


class Versions:
    """The directory with all versions, its links and its lock."""

    def __init__(self, root: Path = ROOT) -> None:
        """Open nothing yet."""
        self.root = root

    def installed(self) -> list[str]:
        """All versions that are there, oldest first."""
        there = self.root / "versions"
        names = [path.name for path in there.iterdir()] if there.is_dir() else []
        return sorted((name for name in names if self.is_there(name)), key=_order)

    def is_there(self, version: str) -> bool:
        """Whether this version is installed."""
        return NAME.fullmatch(version) is not None and (self.directory(version) / "venv").is_dir()

    def directory(self, version: str) -> Path:
        """Where a version lies."""
        return self.root / "versions" / version

    @property
    def current(self) -> str | None:
        """The version that starts; also one that has been removed since."""
        return self._target("current")

    @property
    def previous(self) -> str | None:
        """The version before it."""
        return self._target("previous")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time on this machine; the lock goes with the process, however it ends.

        Raises:
            BusyError: somebody else holds it. RefusedError: it cannot be had at all.
        """
        try:
            handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise RefusedError(f"{self.root / '.lock'}: {error.strerror}; run this as root") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError("another tagwharf-ctl is at work on this machine; try again when it is done") from None
            yield
        finally:
            os.close(handle)

    def unfinished(self) -> Before | None:
        """The switch that is under way; under the lock: that died.

        Raises:
            RefusedError: the note cannot be understood.
        """
        note = self.root / _NOTE
        try:
            told = json.loads(note.read_text())
            return Before(to=told["to"], current=told["current"], previous=told["previous"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                f"{note} cannot be understood ({error}); see that {self.root}/current leads to the version you want, "
                "then delete that file"
            ) from error

    def begin(self, to: str) -> Before:
        """Note what is used now, then let the links lead to `to`; `finish` or `undo` must follow."""
        before = Before(to=to, current=self.current, previous=self.previous)
        draft = self.root / f"{_NOTE}.new"
        with draft.open("w") as file:
            json.dump({"to": before.to, "current": before.current, "previous": before.previous}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.root / _NOTE)
        self._sync()
        if before.current is not None and before.current != to:
            self._point("previous", before.current)
        self._point("current", to)
        return before

    def undo(self, before: Before) -> None:
        """Let the links lead where they led. The switch is still noted: `finish` must follow."""
        self._point("current", before.current)
        self._point("previous", before.previous)

    def finish(self) -> None:
        """The switch, or its undoing, is done."""
        (self.root / _NOTE).unlink(missing_ok=True)
        self._sync()

    def forget(self, version: str) -> None:
        """A version that is being removed is nobody's previous one."""
        if self.previous == version:
            self._point("previous", None)

    def _target(self, link: str) -> str | None:
        try:
            target = (self.root / link).readlink()
        except OSError:  # absent, or no link
            return None
        return target.name if NAME.fullmatch(target.name) else None

    def _point(self, link: str, version: str | None) -> None:
        path, draft = self.root / link, self.root / f".{link}.new"
        if version is None:
            path.unlink(missing_ok=True)
        else:
            draft.unlink(missing_ok=True)
            draft.symlink_to(Path("versions") / version)
            draft.replace(path)
        self._sync()

    def _sync(self) -> None:
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _order(version: str) -> list[tuple[int, int, str]]:
    """Numbers by their value, and what stands before a release (0.2.0rc1) before it."""
    parts = [(1, int(part), "") if part.isdecimal() else (-1, 0, part) for part in _NUMBER.findall(version)]
    return [*parts, (0, 0, "")]
