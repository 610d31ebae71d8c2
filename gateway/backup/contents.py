"""What belongs to a site: its configuration with everything that it refers to, its state, and what must stay out.

Private keys and credentials never go into an archive: they are named, so that somebody can put them back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.backup.manifest import LeftOut
from gateway.config.load import site_files, state_directory
from gateway.config.models import InfluxSink, JournalSink, SiteFile, WebhookSink
from gateway.config.toml_file import parse, read
from gateway.identity import CREDENTIAL as CARD_KEY
from readers.driver import Kind
from readers.errors import ConfigError
from readers.registry import driver

CONFIG_BYTES_MOST: Final = 256 << 20  # a list of a million things is a tenth of it
PATH_MOST: Final = 500
LOOKED_AT_BYTES: Final = 64 << 10
SKIPPED: Final = re.compile(
    r".*\.lock|.*-(wal|shm|journal)|.*\.draft.*|.*\.part|.*\.tmp|.*\.suspect|.*\.db\.sum|restored\.json|core(\.\d+)?"
)
"""Locks, halves of databases, and what somebody was just making."""
DAMAGED: Final = re.compile(r".*\.damaged-\d+.*")
DROP_INS: Final = "etc/systemd/system"
_SECRET: Final = re.compile(rb"PRIVATE KEY|^\s*SetCredential(Encrypted)?=", re.MULTILINE)
_KEY_SUFFIXES: Final = frozenset({".key", ".p12", ".pfx", ".pk8"})
_NUMBERED: Final = re.compile(r"\d{20}\.sqlite")


@dataclass(slots=True)
class Contents:
    """Files by what they are.

    Attributes:
        roots: directories of state, each with everything below it.
        journal: segments of edge journals, newest first in each.
        rules: the memory of the rules daemon.
        others: further databases: the event journal, then whatever there is, the audit of control last.
        plain: state that is no database.
    """

    config: list[Path] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)
    journal: list[Path] = field(default_factory=list)
    rules: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    plain: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def contents_of(site_file: Path, site: SiteFile, system: Path = Path("/")) -> Contents:
    """What of this machine belongs to the site. `system`: where its drop-ins for systemd are looked for.

    Raises:
        OSError: a directory cannot be read.
    """
    found = Contents()
    for path in dict.fromkeys([*_config_files(site_file.absolute(), site), *_drop_ins(system)]):
        _take_config(found, path)
    found.roots = state_roots(site)
    for root in found.roots:
        for path in _below(root):
            _take_state(found, path)
    found.journal.sort(key=lambda path: (str(path.parent), path.name), reverse=True)
    found.others.sort(key=lambda path: (path.name.startswith("control-audit"), str(path)))
    return found


def state_roots(site: SiteFile) -> list[Path]:
    """Directories with state of this site on this machine; none lies in another."""
    state = state_directory(site).absolute()
    sinks = [sink.directory for sink in site.sink if isinstance(sink, JournalSink) and sink.directory is not None]
    wanted = [state, state.with_name(f"{state.name}-edge"), *(each.absolute() for each in sinks)]
    there = [path for path in dict.fromkeys(wanted) if path.is_dir()]
    return [path for path in there if not any(other in path.parents for other in there)]


def credentials_of(site: SiteFile) -> list[str]:
    """Names of the systemd credentials that the site needs."""
    names: set[str] = set()
    if site.mqtt.user is not None:
        names.add("mqtt-password")
    if site.site.assets is not None or any(driver(reader.driver).kind is Kind.CARD for reader in site.reader):
        names.add(CARD_KEY)
    for sink in site.sink:
        if isinstance(sink, InfluxSink):
            names.add(f"influx-{sink.name}")
        elif isinstance(sink, WebhookSink):
            names.add(f"webhook-{sink.name}")
    for key, value in _strings(site.model_dump(mode="json")):
        if key.endswith("_credential"):
            names.add(value)
    return sorted(names)


def kind_of(path: Path) -> str:
    """What a database is, by its name."""
    if _NUMBERED.fullmatch(path.name):
        return "journal"
    if path.name == "rules.db":
        return "rules"
    if path.name.startswith("events-"):
        return "events"
    return "audit" if path.name.startswith("control-audit") else "state"


def is_database(path: Path) -> bool:
    """Whether it is a SQLite file; an empty one is none yet."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _config_files(site_file: Path, site: SiteFile) -> Iterator[Path]:
    for beside in [site_file, *sorted(site_file.parent.glob("*.toml"))]:
        raw = _raw(beside)
        if beside != site_file and (raw.get("site") or {}).get("name") != site.site.name:
            continue  # of another edge daemon of this site, or none of ours
        yield beside
        for path in site_files(beside):
            yield path
            for _, value in _strings(_raw(path)):
                if (named := _named(path.parent, value)) is not None:
                    yield named


def _drop_ins(system: Path) -> Iterator[Path]:
    for directory in sorted((system / DROP_INS).glob("tagwharf-*.d")):
        yield from sorted(directory.glob("*.conf"))


def _below(root: Path) -> Iterator[Path]:
    """All files; unlike a glob, it does not pass over what it may not read in silence."""

    def fail(error: OSError) -> None:
        raise error

    for directory, subdirectories, files in os.walk(root, onerror=fail):
        subdirectories.sort()
        links = [name for name in subdirectories if Path(directory, name).is_symlink()]
        yield from (Path(directory, name) for name in sorted([*files, *links]))


def _raw(path: Path) -> dict[str, Any]:
    try:
        return parse(path, read(path, "it belongs to the site"))
    except ConfigError:
        return {}


def _named(directory: Path, value: str) -> Path | None:
    """The file that a setting names, if it names one; a device or a URL is none."""
    if not value or len(value) > PATH_MOST or "://" in value or "\0" in value or "\n" in value:
        return None
    path = directory / value
    try:
        return path if path.is_file() and not path.is_relative_to("/dev") else None
    except PermissionError:
        return path  # it is there, and will be told as what cannot be read
    except OSError:
        return None


def _take_config(found: Contents, path: Path) -> None:
    if why := _secret(path):
        found.left_out.append(LeftOut(str(path), why))
    else:
        found.config.append(path)


def _secret(path: Path) -> str:
    """Why a file is left out as a secret; empty when it is none."""
    if path.suffix.lower() in _KEY_SUFFIXES:
        return "a private key: put it back by hand"
    if "credstore" in str(path.parent):
        return "a credential: put it back by hand"
    try:
        with path.open("rb") as file:
            head = file.read(LOOKED_AT_BYTES)
        large = path.stat().st_size > CONFIG_BYTES_MOST
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if large:
        return f"larger than {CONFIG_BYTES_MOST} bytes"
    return "holds a private key or a credential: put it back by hand" if _SECRET.search(head) else ""


def _take_state(found: Contents, path: Path) -> None:
    if path.is_symlink():
        found.left_out.append(LeftOut(str(path), "a symbolic link"))
        return
    if not path.is_file() or SKIPPED.fullmatch(path.name):
        return
    if DAMAGED.fullmatch(path.name) or path.parent.name == "damaged":
        found.left_out.append(LeftOut(str(path), "set aside as damaged"))
        return
    if why := _secret(path) if path.stat().st_size <= LOOKED_AT_BYTES else "":
        found.left_out.append(LeftOut(str(path), why))
        return
    try:
        if not is_database(path):
            found.plain.append(path)
            return
    except FileNotFoundError:
        return  # replaced or deleted meanwhile
    kind = kind_of(path)
    {"journal": found.journal, "rules": found.rules}.get(kind, found.others).append(path)


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a tree, with the key that it stands under."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _strings(each, str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, key)
    elif isinstance(value, str):
        yield key, value
