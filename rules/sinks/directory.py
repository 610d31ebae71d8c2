"""A directory that others take files from: each document is one file, written whole or not at all.

    .NAME.tmp ─► fsync ─► rename to NAME ─► fsync of the directory

    NAME = {sink}_{time of what it tells, UTC}_{id}.{suffix}

A document that is written twice, after a crash, gets the same name and the same bytes: it replaces itself, or comes
back under a name that whoever took it knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gateway.config.sinks import DirectorySink as Settings
from rules.exporters import Exporter
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError
from rules.sinks.cases import rfc3339
from rules.sinks.letters import LETTERS_AT_ONCE, Clerk, Letter, letters_of

LOOK_EVERY_S: Final = 3_600.0
"""How often old files are looked for."""
S_PER_DAY: Final = 86_400
_ALONE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN})
"""Troubles that may end by themselves: space comes back, a share is mounted again. Others need a person."""


class DirectorySink:
    """One directory; implements `rules.outputs.Sink`."""

    points_at_once: Final = LETTERS_AT_ONCE

    def __init__(self, settings: Settings, *, clerk: Clerk, now_s: Callable[[], float] = time.time) -> None:
        self.name = settings.name
        self._settings = settings
        self._clerk = clerk
        self._now_s = now_s
        self._looked_at_s = 0.0
        self._ours = re.compile(rf"{re.escape(settings.name)}_\d{{8}}T\d{{12}}Z_[a-z0-9_-]+\.[a-z0-9]+")
        self._thread = ThreadPoolExecutor(1, f"sink-{settings.name}")

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """The documents of these outputs."""
        return self._clerk.parcels(outputs)

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        """Write the files durably; returns the documents that cannot be written anywhere.

        Raises:
            SinkTroubleError: not all are written.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, parcels)

    async def close(self) -> None:
        """End the thread."""
        await asyncio.to_thread(self._thread.shutdown)

    def _write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        letters = letters_of(parcels)
        directory = self._settings.directory
        try:
            for letter in letters:
                if not letter.refused:
                    _put(directory, self._file_name(letter), letter.body)
            sync_names(directory)
            self._tidy()
        except OSError as error:
            stopped = error.errno not in _ALONE
            advice = "; see that it is there, mounted, and ours to write to" if stopped else "; it is tried again"
            where = f"sink {self.name!r}: {directory}"
            raise SinkTroubleError(f"{where}: {error.strerror or error}{advice}", stopped=stopped) from error
        return [letter.refusal(letter.refused) for letter in letters if letter.refused]

    def _file_name(self, letter: Letter) -> str:
        at = re.sub(r"[-:.]", "", rfc3339(letter.at_us))
        return f"{self.name}_{at}_{letter.id}.{letter.suffix}"

    def _tidy(self) -> None:
        """Delete our own files that are too old; those of others are not ours to delete."""
        now_s = self._now_s()
        if not self._settings.keep_days or now_s - self._looked_at_s < LOOK_EVERY_S:
            return
        self._looked_at_s = now_s
        before_s = now_s - self._settings.keep_days * S_PER_DAY
        with os.scandir(self._settings.directory) as entries:
            for entry in entries:
                if self._ours.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):  # somebody took it meanwhile
                        if entry.stat(follow_symlinks=False).st_mtime < before_s:
                            Path(entry.path).unlink()


def open_directory(settings: Settings, *, site: str, exporter: Exporter | None = None) -> DirectorySink:
    """The sink of the site file.

    Raises:
        ExpressionError: a condition cannot be used.
    """
    return DirectorySink(settings, clerk=Clerk(settings, site=site, exporter=exporter))


def _put(directory: Path, name: str, body: bytes) -> None:
    """Write a file so that it is there whole, or not at all; a half one of an earlier life is written anew."""
    beside = directory / f".{name}.tmp"
    with beside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(directory / name)


def sync_names(directory: Path) -> None:
    """Make the names durable, too."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno != errno.EINVAL:  # so some shares answer, which have no such thing
            raise  # pragma: no cover  # no file system fails so on demand
    finally:
        os.close(number)
