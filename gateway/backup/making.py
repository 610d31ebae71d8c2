"""Makes a backup while everything runs.

Each database is copied as it was at one moment. The moments come in the direction of the data, so that nothing that was
acknowledged falls between two of them:

    edge journals   first: what they call judged, the memory of the rules, pinned later, has judged
    rules.db        what its outbox no longer holds, the event journal, pinned later, holds
    event journal   what it holds beyond is written again under the same keys
    audit           last: an order that was carried out is known, and is not carried out again

Files are read before the first of them: the noted end of the audit may lag behind, never be ahead.
"""

from __future__ import annotations

import grp
import io
import os
import pwd
import socket
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

from gateway import day_sum
from gateway.backup import names
from gateway.backup.archive import ArchiveWriter
from gateway.backup.contents import Contents, contents_of, credentials_of, kind_of
from gateway.backup.databases import DatabaseError, Pinned, Watch
from gateway.backup.manifest import (
    FORMAT,
    NAME,
    VERSIONS,
    LeftOut,
    Manifest,
    ManifestError,
    Member,
    archive_name,
    checked_path,
    encode_manifest,
)
from gateway.config.models import SiteFile
from gateway.event_journal import ALTERED, CHECKED_BYTES

PLAIN_BYTES_MOST: Final = 64 << 20
QUIET_TRIES: Final = 50
QUIET_PAUSE_S: Final = 0.004  # a fraction of what lies between two commits
LEFT_BEHIND_S: Final = 86_400.0


class BackupError(Exception):
    """No backup was made; the last good one is untouched. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted.

    Attributes:
        to: a directory, or the name of the archive, which ends in `.tar.gz`.
        keep: older archives of this site and gateway beyond so many are deleted; None: none is.
        within_s: when it takes longer, it is given up.
        mounted: refuse a directory on which nothing is mounted.
        work: where a copy of the largest database has room; the system's directory for temporary files when None.
    """

    site_file: Path
    to: Path
    keep: int | None = None
    within_s: float = 6 * 3600.0
    mounted: bool = False
    work: Path | None = None
    system: Path = Path("/")


@dataclass(slots=True)
class Made:
    """What was made.

    Attributes:
        deleted: older archives.
    """

    archive: Path
    size_bytes: int
    manifest: Manifest
    deleted: list[Path] = field(default_factory=list)


def make_backup(order: Order, site: SiteFile, *, now_us: Callable[[], int] | None = None) -> Made:
    """Make one.

    Raises:
        BackupError: it cannot be made.
    """
    made_at_us = (now_us or _now_us)()
    target = _target(order, site, made_at_us)
    until_s = time.monotonic() + order.within_s
    try:
        for path in names.left_behind(target.parent, site.site.name, site.site.gateway, time.time() - LEFT_BEHIND_S):
            path.unlink(missing_ok=True)
        contents = contents_of(order.site_file, site, order.system)
        with (
            tempfile.TemporaryDirectory(prefix="tagwharf-backup-", dir=order.work) as work,
            ExitStack() as pins,
            ArchiveWriter(target, until_s=until_s) as writer,
        ):
            manifest = _Work(order, site, contents, writer, Path(work), pins).run(made_at_us)
            writer.finish(NAME, encode_manifest(manifest))
    except (DatabaseError, ManifestError) as error:
        raise BackupError(f"{error}; no backup was made") from error
    except OSError as error:
        raise BackupError(_why(error, target)) from error
    made = Made(target, target.stat().st_size, manifest)
    if order.keep is not None:
        try:
            for path in names.older(target.parent, site.site.name, site.site.gateway, order.keep):
                path.unlink()
                made.deleted.append(path)
        except OSError as error:
            raise BackupError(f"{target} was made, but an older one cannot be deleted: {error.strerror}") from error
    return made


class _Work:
    """The making of one archive."""

    def __init__(
        self, order: Order, site: SiteFile, contents: Contents, writer: ArchiveWriter, work: Path, pins: ExitStack
    ) -> None:
        self._order = order
        self._site = site
        self._contents = contents
        self._writer = writer
        self._work = work
        self._pins = pins
        self._members: list[Member] = []
        self._left_out = list(contents.left_out)

    def run(self, made_at_us: int) -> Manifest:
        """Pin everything, copy it, and tell what it is."""
        contents = self._contents
        read = [(path, "config", _read(path)) for path in contents.config]
        read += [(path, "state", plain) for path in contents.plain if (plain := self._read_plain(path)) is not None]
        segments = self._pinned(contents.journal)
        rules, others, one_moment = self._one_moment()
        for path, kind, (content, found) in read:
            self._add(path, kind, io.BytesIO(content), len(content), found)
        # What is written all the time first: while it is pinned its write-ahead log cannot be folded in.
        segments.sort(key=lambda pinned: (-pinned.stat.st_mtime, str(pinned.path)))
        for pinned in (*rules, *others, *segments):
            self._copy(pinned)
        return Manifest(
            format=FORMAT,
            product=version("tagwharf"),
            site=self._site.site.name,
            gateway=self._site.site.gateway,
            made_at_us=made_at_us,
            host=socket.gethostname(),
            site_file=checked_path(str(self._order.site_file.absolute())),
            state_roots=[checked_path(str(root)) for root in contents.roots],
            one_moment=one_moment,
            members=self._members,
            left_out=self._left_out,
            credentials=credentials_of(self._site),
        )

    def _one_moment(self) -> tuple[list[Pinned], list[Pinned], bool]:
        """The rules' memory, then the rest, if possible with no commit of the rules between."""
        contents = self._contents
        watches = [Watch(path) for path in contents.rules if path.exists()]
        for watch in watches:
            self._pins.callback(watch.close)
        for tried in range(QUIET_TRIES):
            for watch in watches:
                watch.quiet()
            rules = self._pinned(contents.rules)
            others = self._pinned(contents.others)
            quiet = [watch.quiet() for watch in watches]
            if all(quiet) or tried + 1 == QUIET_TRIES:
                return rules, others, all(quiet)
            for pinned in (*rules, *others):
                pinned.close()
            time.sleep(QUIET_PAUSE_S)
        raise AssertionError("unreachable")

    def _pinned(self, paths: list[Path]) -> list[Pinned]:
        found = []
        for path in paths:
            try:
                pinned = Pinned(path)
            except FileNotFoundError:
                continue  # a segment or a day that was kept long enough
            except DatabaseError as error:
                self._leave_out(path, str(error))
                continue
            self._pins.callback(pinned.close)
            found.append(pinned)
        return found

    def _copy(self, pinned: Pinned) -> None:
        copy = self._work / "copy"
        kind = kind_of(pinned.path)
        try:
            if kind == "events" and day_sum.is_altered(pinned.path, CHECKED_BYTES):
                self._leave_out(pinned.path, f"damaged: {ALTERED}")
                return
            pinned.copy(copy)
            with copy.open("rb") as source:
                size = copy.stat().st_size
                self._add(pinned.path, kind, source, size, pinned.stat, pinned.schema)
        except DatabaseError as error:
            self._leave_out(pinned.path, str(error))
        finally:
            pinned.close()
            copy.unlink(missing_ok=True)
            copy.with_name("copy-journal").unlink(missing_ok=True)

    def _add(self, path: Path, kind: str, source: IO[bytes], size: int, found: os.stat_result, schema: int = 0) -> None:
        name = checked_path(str(path))
        mode = stat.S_IMODE(found.st_mode) & 0o755
        digest = self._writer.add(archive_name(name), source, size, mode, found.st_mtime)
        self._members.append(
            Member(
                path=name,
                kind=kind,
                size_bytes=size,
                sha256=digest,
                mode=mode,
                owner=_owner(found.st_uid),
                group=_group(found.st_gid),
                schema=schema if kind in VERSIONS else 0,
            )
        )

    def _read_plain(self, path: Path) -> tuple[bytes, os.stat_result] | None:
        try:
            if path.stat().st_size > PLAIN_BYTES_MOST:
                self._leave_out(path, f"larger than {PLAIN_BYTES_MOST} bytes, and no database")
                return None
            return _read(path)
        except FileNotFoundError:
            return None  # replaced meanwhile: no file that a daemon keeps

    def _leave_out(self, path: Path, why: str) -> None:
        self._left_out.append(LeftOut(str(path), why))


def _target(order: Order, site: SiteFile, made_at_us: int) -> Path:
    if order.keep is not None and order.keep < 1:
        raise BackupError(f"--keep {order.keep}: must be at least 1, for the one that is made")
    if order.to.is_dir():
        target = order.to / names.file_name(site.site.name, site.site.gateway, made_at_us)
    elif order.to.name.endswith(names.SUFFIX):
        target = order.to
    else:
        raise BackupError(
            f"{order.to}: is no directory that is there, and no name that ends in {names.SUFFIX}; "
            "mount the share, make the directory, or name the file"
        )
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent}: is not there; mount the share, or make the directory")
    if order.mounted and not names.is_mounted(target.parent):
        raise BackupError(f"{target.parent}: nothing is mounted there; mount the share, or leave --mounted out")
    return target.absolute()


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    with path.open("rb") as file:
        return file.read(), os.fstat(file.fileno())


def _why(error: OSError, target: Path) -> str:
    where = f"{error.filename}: " if error.filename else ""
    text = error.strerror or str(error)
    return f"{where}{text}; {target} was not made, older archives are as they were"


def _owner(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def _now_us() -> int:
    return time.time_ns() // 1_000
