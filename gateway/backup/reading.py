"""Reads an archive as what it is: a file that anybody may have made. Nothing is written before all of it is checked.

Refused: a member that is no plain file, two of one name, a name that leads elsewhere, one that the manifest does not
name or names otherwise, a wrong size or hash, a missing manifest (the archive was cut off), whatever is no archive.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from gateway.backup.manifest import NAME, Manifest, ManifestError, Member, archive_name, decode_manifest

CHUNK_BYTES: Final = 1 << 20
MANIFEST_BYTES_MOST: Final = 64 << 20
MEMBERS_MOST: Final = 200_000
_BROKEN: Final = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeError, ValueError)


_EXTENSIONS: Final = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
EXTENSION_BYTES_MOST: Final = 64 << 10


class ArchiveError(Exception):
    """The archive must not be used; the message says why."""


class _Bounded(tarfile.TarInfo):
    """A member whose extended header cannot fill the memory: `tarfile` reads it at once, whatever size it claims."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > EXTENSION_BYTES_MOST:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        made: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # the one place where it is known
        return made


def checked(path: Path) -> Manifest:
    """Go through the whole archive, and return its manifest when every byte is what it says.

    Raises:
        ArchiveError: it is not. OSError: it cannot be read.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    with _opened(path) as members:
        for info, source in members:
            if manifest is not None:
                raise ArchiveError(f"{path}: something follows the manifest; do not use it")
            if info.name in found or len(found) >= MEMBERS_MOST:
                raise ArchiveError(f"{path}: {info.name!r} stands in it twice, or it has too many files; do not use it")
            if info.name == NAME:
                if info.size > MANIFEST_BYTES_MOST:
                    raise ArchiveError(f"{path}: its manifest has {info.size} bytes; do not use it")
                manifest = decode_manifest(source.read(MANIFEST_BYTES_MOST))
                continue
            found[info.name] = (info.size, _digest(source, lambda _: None))
    if manifest is None:
        raise ArchiveError(f"{path}: has no manifest: it was cut off, or is no backup; take another one")
    _compare(path, manifest, found)
    return manifest


def extract(path: Path, manifest: Manifest, place: Callable[[Member], Path | None]) -> None:
    """Write the members of a checked archive where `place` says; None leaves one out. Files must not exist.

    Raises:
        ArchiveError: it is not what was checked. OSError: a file cannot be written.
    """
    wanted = {archive_name(member.path): member for member in manifest.members}
    with _opened(path) as members:
        for info, source in members:
            member = wanted.get(info.name)
            if member is None or (target := place(member)) is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                if _digest(source, file.write) != member.sha256:
                    raise ArchiveError(f"{path}: changed while it was read; try again")
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), member.mode & 0o755)


def _compare(path: Path, manifest: Manifest, found: dict[str, tuple[int, str]]) -> None:
    told = {archive_name(member.path): (member.size_bytes, member.sha256) for member in manifest.members}
    if len(told) != len(manifest.members):
        raise ArchiveError(f"{path}: its manifest names a file twice; do not use it")
    for name, (size, digest) in told.items():
        if name not in found:
            raise ArchiveError(f"{path}: {name!r} is missing; take another backup")
        if found[name] != (size, digest):
            raise ArchiveError(f"{path}: {name!r} is not what the manifest says; take another backup")
    if stray := sorted(found.keys() - told.keys()):
        raise ArchiveError(f"{path}: {stray[0]!r} is in it, but not in its manifest; do not use it")


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    try:
        # Not tarfile's own gzip, which compares no checksum: the manifest has no other.
        with gzip.open(path) as file, tarfile.open(fileobj=file, mode="r|", tarinfo=_Bounded) as tar:
            yield _members(path, tar)
            while file.read(CHUNK_BYTES):
                pass
    except _BROKEN as error:
        raise ArchiveError(f"{path}: is damaged or no backup: {error}; take another one") from error
    except ManifestError as error:
        raise ArchiveError(f"{path}: {error}") from error


def _members(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    for info in tar:
        if not info.isreg() or info.issparse():
            raise ArchiveError(f"{path}: {info.name!r} is no plain file; do not use it: somebody made it by hand")
        source = tar.extractfile(info)
        assert source is not None  # it is a plain file
        yield info, source


def _digest(source: IO[bytes], take: Callable[[bytes], object]) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        take(chunk)
    return digest.hexdigest()
