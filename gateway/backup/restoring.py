"""Puts a backup in the place of what is there, or of nothing: all of it is staged beside its place, then renamed.

What was there before is set aside, never deleted. A failure before the first rename leaves everything as it was.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.backup import notice
from gateway.backup.archive import sync_directory
from gateway.backup.continuing import Continued, ContinueError, continue_journal
from gateway.backup.databases import faults_of
from gateway.backup.manifest import Manifest, Member
from gateway.backup.reading import ArchiveError, checked, extract
from gateway.edge import segment

STAGED: Final = ".restoring"
ASIDE: Final = ".before-restore-"
SPARE_BYTES: Final = 64 << 20
LOCKS: Final = {"edge.lock": "the edge daemon", "rules.lock": "the rules daemon"}
USUAL: Final = ("/etc/tagwharf", "/var/lib/tagwharf", "/var/lib/tagwharf-edge", "/etc/systemd/system")
"""Where a site is installed. An archive that wants to write elsewhere as root may be somebody's attack."""
US_PER_S: Final = 1_000_000


class RestoreError(Exception):
    """Nothing was changed, unless the message says so; it says what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted.

    Attributes:
        root: everything goes below it, under the path that it had.
        replace: set aside what is there.
        elsewhere: write to other places than the usual ones, too.
    """

    archive: Path
    root: Path = Path("/")
    replace: bool = False
    elsewhere: bool = False


@dataclass(slots=True)
class Restored:
    """What was done.

    Attributes:
        aside: what was there before, under its new name.
        remarks: what a person should know, one line each.
    """

    manifest: Manifest
    site_file: Path
    journals: list[Continued] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def restore(wish: Wish, *, now_us: int | None = None) -> Restored:
    """Restore.

    Raises:
        ArchiveError: the archive must not be used. RestoreError: it cannot be restored here and now.
    """
    try:
        manifest = checked(wish.archive)
    except OSError as error:
        raise RestoreError(f"{wish.archive}: cannot be read: {error.strerror}") from error
    at_us = time.time_ns() // 1_000 if now_us is None else now_us
    if at_us < manifest.made_at_us:
        raise RestoreError(
            f"the clock of this machine shows {notice.time_of(at_us)}, before the backup was made "
            f"({notice.time_of(manifest.made_at_us)}); set it first: a restored journal goes on by the clock"
        )
    work = _Restore(wish, manifest, at_us)
    work.refuse()
    try:
        work.stage()
        work.swap()
    except (ContinueError, sqlite3.Error) as error:
        raise RestoreError(f"{error}; {work.state_told}") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RestoreError(f"{where}{error.strerror or error}; {work.state_told}") from error
    finally:
        work.clean()
    return work.done


class _Restore:
    """One restore."""

    def __init__(self, wish: Wish, manifest: Manifest, at_us: int) -> None:
        self._wish = wish
        self._manifest = manifest
        self._at_us = at_us
        self._root = wish.root.absolute()
        self._suffix = f"{ASIDE}{datetime.fromtimestamp(at_us // US_PER_S, UTC):%Y%m%dT%H%M%SZ}"
        self._roots = {Path(root): self._at(root) for root in manifest.state_roots}
        self._config = [member for member in manifest.members if self._root_of(member) is None]
        self.done = Restored(manifest, self._at(manifest.site_file))

    @property
    def state_told(self) -> str:
        """How far it came."""
        if not self.done.aside:
            return "nothing was changed"
        return "it was interrupted half way; what was there before: " + ", ".join(map(str, self.done.aside))

    def refuse(self) -> None:
        """Look at everything that stands against it."""
        wanted = [*self._manifest.state_roots, *(member.path for member in self._config)]
        strange = [path for path in wanted if not any(Path(path).is_relative_to(usual) for usual in USUAL)]
        if strange and self._root == Path("/") and os.geteuid() == 0 and not self._wish.elsewhere:
            raise RestoreError(
                f"the archive would write to {strange[0]}; look at `tagwharf restore --list`, and say --elsewhere if "
                "that is right; nothing was changed"
            )
        for target in self._roots.values():
            for name, daemon in LOCKS.items():
                for lock in (target / name, *target.glob(f"*/{name}")):
                    if _is_held(lock):
                        raise RestoreError(
                            f"{daemon} runs on {lock.parent}; stop it first: systemctl stop 'tagwharf-*'; nothing was "
                            "changed"
                        )
        if not self._wish.replace:
            for target in self._roots.values():
                if target.is_dir() and any(target.iterdir()):
                    raise RestoreError(
                        f"{target}: there is state already; say --replace to set it aside; nothing was changed"
                    )
        needed = sum(member.size_bytes for member in self._manifest.members) + SPARE_BYTES
        free = shutil.disk_usage(_existing(self._root)).free
        if free < needed:
            raise RestoreError(f"{self._root}: {needed} bytes are needed, {free} are free; nothing was changed")

    def stage(self) -> None:
        """Write everything beside its place, and make the journals go on."""
        self.clean()
        extract(self._wish.archive, self._manifest, self._staged)
        if not self._wish.replace:
            for member in self._config:
                target, staged = self._at(member.path), self._staged(member)
                if target.exists() and target.read_bytes() != staged.read_bytes():
                    raise OSError(0, f"{target} is there and is another; say --replace to set it aside")
        for member in self._manifest.members:
            if member.kind not in ("config", "state") and (why := faults_of(self._staged(member))):
                raise OSError(0, f"{member.path} in the archive is damaged: {why}")
        for staged in self._staged_roots():
            for journal in sorted({path.parent for path in staged.rglob("*.sqlite") if _is_segment(path)}):
                self.done.journals.append(continue_journal(journal, self._at_us, self._remark))
            for database in staged.rglob("rules.db"):
                notice.leave(database.parent, notice.Notice(self._manifest.made_at_us, self._at_us))
        self._own()

    def swap(self) -> None:
        """Give everything its name."""
        for root, target in self._roots.items():
            staged = _staged_name(self._at(str(root)))
            if not staged.exists():
                continue
            if target.is_dir() and not any(target.iterdir()):
                target.rmdir()
            elif target.exists():
                self._set_aside(target)
            staged.replace(target)
            sync_directory(target.parent)
        for member in self._config:
            target, staged = self._at(member.path), self._staged(member)
            if target.exists() and target.read_bytes() != staged.read_bytes():
                self._set_aside(target)
            staged.replace(target)
            sync_directory(target.parent)

    def clean(self) -> None:
        """Take away what was staged and not renamed."""
        for staged in self._staged_roots():
            shutil.rmtree(staged, ignore_errors=True)
        for member in self._config:
            self._staged(member).unlink(missing_ok=True)

    def _set_aside(self, target: Path) -> None:
        aside = target.with_name(f"{target.name}{self._suffix}")
        target.rename(aside)
        self.done.aside.append(aside)

    def _own(self) -> None:
        """Give files to those whom they belonged to, as far as this machine knows them."""
        if os.geteuid() != 0:
            return
        unknown: set[str] = set()
        for member in self._manifest.members:
            _give(self._staged(member), member, unknown)
        for staged in self._staged_roots():
            # Directories, and files that were made here, belong to the owner of what lies in them.
            for directory, _, files in os.walk(staged, topdown=False):
                _like_a_child(Path(directory), files)
            staged.chmod(0o750)
        for name in sorted(unknown):
            self._remark(name, "is no user or group of this machine; run systemd-sysusers, then chown by hand")

    def _remark(self, what: str, why: str) -> None:
        self.done.remarks.append(f"{what}: {why}")

    def _root_of(self, member: Member) -> Path | None:
        return next((root for root in self._roots if Path(member.path).is_relative_to(root)), None)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _staged(self, member: Member) -> Path:
        root = self._root_of(member)
        if root is None:
            return _staged_name(self._at(member.path))
        return _staged_name(self._at(str(root))) / Path(member.path).relative_to(root)

    def _staged_roots(self) -> Iterator[Path]:
        for target in self._roots.values():
            staged = _staged_name(target)
            if staged.is_dir():
                yield staged


def _staged_name(target: Path) -> Path:
    return target.with_name(f".{target.name}{STAGED}")


def _is_segment(path: Path) -> bool:
    return path in segment.paths(path.parent)


def _is_held(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # not there: nobody runs
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _give(path: Path, member: Member, unknown: set[str]) -> None:
    for owner, group in ((member.owner, ""), ("", member.group)):
        try:
            if owner:
                shutil.chown(path, user=owner)
            if group:
                shutil.chown(path, group=group)
        except LookupError:
            unknown.add(owner or group)


def _like_a_child(directory: Path, files: list[str]) -> None:
    children = [each.lstat() for each in sorted(directory.iterdir())]
    owners = [(each.st_uid, each.st_gid) for each in children if each.st_uid != 0] or [(0, 0)]
    uid, gid = max(set(owners), key=owners.count)
    os.chown(directory, uid, gid)
    for name in files:
        path = directory / name
        if path.lstat().st_uid == 0 and uid != 0:
            os.chown(path, uid, gid)


__all__ = ["ArchiveError", "RestoreError", "Restored", "Wish", "restore"]
