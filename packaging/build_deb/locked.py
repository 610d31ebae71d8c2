"""The part of requirements.lock that runs in production, as pip reads it for one distribution."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from build_deb.targets import Target

_ENTRY: Final = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==")
_OWN: Final = re.compile(r"^(?P<project>[A-Za-z0-9._-]+) \(pyproject\.toml(?::(?P<group>[\w-]+))?\)$")


class LockError(Exception):
    """The lock is not what `dev.py lock` writes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One package of the lock: its line with all hashes, and what asks for it."""

    requirement: Requirement
    hashes: tuple[str, ...]
    asked_by: frozenset[NormalizedName]

    @property
    def name(self) -> NormalizedName:
        """As indexes normalise it."""
        return canonicalize_name(self.requirement.name)

    def line(self) -> str:
        """For pip, without the marker, which was judged for the target already."""
        return " ".join([f"{self.requirement.name}{self.requirement.specifier}", *map("--hash={}".format, self.hashes)])


def runtime(lock: Path, project: Path, target: Target) -> list[Entry]:
    """What the daemons import, with the extras that the lock knows: a machine without a network cannot add them later.

    Raises:
        LockError: a dependency of the project is not in the lock.
    """
    entries = {entry.name: entry for entry in read(lock.read_text())}
    table = tomllib.loads(project.read_text())["project"]
    roots = {canonicalize_name(Requirement(each).name) for each in table["dependencies"]}
    if missing := sorted(roots - entries.keys()):
        raise LockError(f"{lock.name} lacks {', '.join(missing)}; renew it with `python3 dev.py lock`")
    roots |= _extras(table) & entries.keys()
    kept, fresh = set[NormalizedName](), roots
    while fresh:
        kept |= fresh
        fresh = {name for name, entry in entries.items() if entry.asked_by & kept} - kept
    return [entries[name] for name in sorted(kept) if _applies(entries[name].requirement, target)]


def left_out(lock: Path, project: Path) -> list[str]:
    """Packages of extras that the lock does not know, which therefore are not in the bundle."""
    known = {entry.name for entry in read(lock.read_text())}
    return sorted(_extras(tomllib.loads(project.read_text())["project"]) - known)


def read(text: str) -> list[Entry]:
    """All entries of a lock.

    Raises:
        LockError: an entry has no hash.
    """
    entries = []
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    for block in blocks:
        if _ENTRY.match(block) is None:
            continue
        lines = [line.strip().removesuffix("\\").strip() for line in block.splitlines()]
        hashes = tuple(line.removeprefix("--hash=") for line in lines if line.startswith("--hash="))
        if not hashes:
            raise LockError(f"{lines[0]}: has no hash; renew the lock with `python3 dev.py lock`")
        reasons = [line.removeprefix("#").removeprefix(" ") for line in lines[1:] if line.startswith("#")]
        asked_by = {canonicalize_name(who) for each in reasons if (who := _asking(each))}
        entries.append(Entry(Requirement(lines[0]), hashes, frozenset(asked_by)))
    return entries


def _asking(reason: str) -> str:
    """The package in a line `# via NAME`; empty for the project itself, which is judged by its own tables."""
    name = reason.strip().removeprefix("via").strip()
    return "" if not name or _OWN.match(name) else name


def _extras(table: Mapping[str, Any]) -> set[NormalizedName]:
    extras = table.get("optional-dependencies", {}).values()
    return {canonicalize_name(Requirement(each).name) for extra in extras for each in extra}


def _applies(requirement: Requirement, target: Target) -> bool:
    if requirement.marker is None:
        return True
    environment = {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": target.python_version,
        "python_full_version": f"{target.python_version}.0",
        "implementation_name": "cpython",
        "implementation_version": f"{target.python_version}.0",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    return requirement.marker.evaluate(environment)
