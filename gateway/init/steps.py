"""Steps of a plan: what each would do is known before it is done, and doing it again does no harm.

A file is written whole beside its place and then linked there, so that it appears complete or not at all, and one that
came meanwhile is not replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

PUBLIC: Final = 0o644
SECRET: Final = 0o600
DIRECTORY: Final = 0o755
SECRET_DIRECTORY: Final = 0o700
PASSWORD_BYTES: Final = 24
CREDSTORE: Final = "/etc/credstore"
_SHARED_BITS: Final = 0o077
_LONGEST_SECRET: Final = 4_096


class StepError(Exception):
    """A step could not be carried out; the message says what to do."""


class State(Enum):
    """What is to be done."""

    TO_DO = "will"
    DONE = "done"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a file becomes; by number, since the machine may be another one than this."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        what: a line for people: what it does, or did, or why it is left.
        carry_out: does it and says what was done; only for a step that is to be done.
    """

    what: str
    state: State = State.TO_DO
    carry_out: Callable[[], Awaitable[str]] | None = None


def left(what: str) -> Step:
    """A step that is not ours to make; `what` says why, and what to do by hand."""
    return Step(what, State.LEFT)


def done(what: str) -> Step:
    """A step that an earlier run has made."""
    return Step(what, State.DONE)


@dataclass(frozen=True, slots=True)
class Root:
    """The file system of the machine that is set up: `/`, or the directory that an image is made in."""

    directory: Path

    def at(self, path: str | Path) -> Path:
        """Where a path of that machine is now."""
        return self.directory / str(path).lstrip("/")

    def owner(self, user: str) -> Owner | None:
        """A user of that machine; None when it has none of that name."""
        try:
            lines = self.at("/etc/passwd").read_text(errors="replace").splitlines()
        except OSError:
            return None
        for line in lines:
            fields = line.split(":")
            if fields[0] == user and len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():  # noqa: PLR2004  # passwd(5)
                return Owner(int(fields[2]), int(fields[3]))
        return None

    def file(self, path: str, text: str, what: str, mode: int = PUBLIC, owner: Owner | None = None) -> Step:
        """Write a file that is not there; one that is there stays as it is."""
        place = self.at(path)
        existing = _text_of(place)
        if existing == text:
            return done(f"{path} is there: {what}")
        if place.exists() or place.is_symlink():
            return left(f"{path} is there and says something else; it stays as it is ({what})")

        async def carry_out() -> str:
            await asyncio.to_thread(write_new, place, text, mode, owner)
            return f"written: {path}"

        return Step(f"write {path}: {what}", State.TO_DO, carry_out)

    def secret(self, name: str, what: str, make: Callable[[], str]) -> Step:
        """Put a secret into the credential store, where none of that name is; it is never shown."""
        path = f"{CREDSTORE}/{name}"
        if self.at(path).exists():
            return done(f"{path} is there: {what}")

        async def carry_out() -> str:
            await asyncio.to_thread(self.put_secret, name, make())
            return f"written: {path} (readable by root alone)"

        return Step(f"write {path}: {what}", State.TO_DO, carry_out)

    def put_secret(self, name: str, value: str) -> None:
        """Write one credential.

        Raises:
            StepError: it cannot be written, or is there.
        """
        store = self.at(CREDSTORE)
        if not store.exists():
            _made(store, SECRET_DIRECTORY)
        write_new(store / name, value, SECRET, None)

    def get_secret(self, name: str) -> str | None:
        """A credential that is there.

        Raises:
            StepError: it is there and cannot be read.
        """
        place = self.at(f"{CREDSTORE}/{name}")
        try:
            return place.read_text().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StepError(f"{place}: cannot be read: {error}; run as root, or remove it") from error


def new_password() -> str:
    """A password that nobody has to remember."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def write_new(place: Path, text: str, mode: int, owner: Owner | None) -> None:
    """Write a file that is not there, whole or not at all, and durable.

    Raises:
        StepError: it cannot be written, or is there.
    """
    if not place.parent.exists():
        _made(place.parent, DIRECTORY)
    unfinished = place.with_name(f".{place.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, owner.uid, owner.gid)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.link(unfinished, place)
        _synchronise(place.parent)
    except FileExistsError as error:
        raise StepError(f"{place}: came meanwhile, and stays as it is; run this again") from error
    except OSError as error:
        raise StepError(f"{place}: cannot be written: {error.strerror}; run as root") from error
    finally:
        with contextlib.suppress(OSError):  # it may never have been made
            unfinished.unlink()


def _synchronise(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made(directory: Path, mode: int) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode, exist_ok=True)
        directory.chmod(mode)  # whatever the umask is
    except OSError as error:
        raise StepError(f"{directory}: cannot be made: {error.strerror}; run as root") from error


def _text_of(place: Path) -> str | None:
    try:
        return place.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def secret_in(path: Path) -> str:
    """A secret from a file that nobody else may read.

    Raises:
        StepError: it cannot be read, is empty, or others may read it.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StepError(f"{path}: cannot be read: {error}") from error
    if mode & _SHARED_BITS:
        raise StepError(f"{path}: others may read it: chmod 600 {path}")
    if not text or len(text) > _LONGEST_SECRET or not text.isprintable():
        raise StepError(f"{path}: holds no secret: one line of text is expected")
    return text
