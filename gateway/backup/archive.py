"""Writes one archive: a gzipped tar that is there whole, under its name, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from gateway.backup.names import PART

CHUNK_BYTES: Final = 1 << 20
COMPRESSION: Final = 3  # batches are JSON: a third of the time of 6 for a tenth more bytes


class TooSlowError(OSError):
    """The place for the archive takes less than it should."""


class ArchiveWriter:
    """Use as a context: without `finish` nothing stays.

    Raises:
        OSError: it cannot be written; here and in every method.
    """

    def __init__(self, target: Path, *, until_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`until_s`: when `clock` shows it, writing is given up."""
        self._target = target
        self._until_s = until_s
        self._clock = clock
        self._part = target.with_name(f".{target.name}.{os.getpid()}{PART}")
        self._part.unlink(missing_ok=True)
        handle = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=self._file, mtime=0)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # closed by us

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            if kind is None:
                raise
        finally:
            self._part.unlink(missing_ok=True)

    def add(self, name: str, source: IO[bytes], size_bytes: int, mode: int, at_s: float) -> str:
        """Add `size_bytes` of a file; returns its SHA-256. A shorter source is an OSError."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, mode, at_s
        hashing = _Hashing(source, self._in_time)
        self._tar.addfile(info, hashing)
        return hashing.digest.hexdigest()

    def finish(self, name: str, manifest: bytes) -> None:
        """Add the manifest, make everything durable, and give the archive its name."""
        self.add(name, io.BytesIO(manifest), len(manifest), 0o600, time.time())
        self._tar.close()
        self._gzip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._in_time()
        self._part.replace(self._target)
        sync_directory(self._target.parent)

    def _in_time(self) -> None:
        if self._clock() > self._until_s:
            raise TooSlowError(0, "the place for the archive is too slow or hangs; nothing was left there")


class _Hashing(io.RawIOBase):
    """A file whose bytes are hashed as they pass."""

    def __init__(self, source: IO[bytes], look: Callable[[], None]) -> None:
        super().__init__()
        self.digest = hashlib.sha256()
        self._source = source
        self._look = look

    def read(self, size: int = -1, /) -> bytes:
        self._look()
        content = self._source.read(size)
        self.digest.update(content)
        return content


def sync_directory(directory: Path) -> None:
    """Make names in it durable, as far as its file system can: some shares cannot."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
