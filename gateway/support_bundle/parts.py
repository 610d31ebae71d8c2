"""What the bundle holds, part by part: each a file, made as well as it can be, and a sentence that says what it is."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, Final

from gateway import ledger_report
from gateway.backup.contents import is_database, state_roots
from gateway.backup.databases import DatabaseError, Pinned
from gateway.config.load import load_site, site_files, state_directory, warnings
from gateway.config.models import SiteFile
from gateway.config.toml_file import parse, read
from gateway.mqtt import BrokerError
from gateway.support_bundle.masking import Masker
from readers.errors import ConfigError

ANSWER_BYTES_MOST: Final = 4 << 20
ANSWER_WITHIN_S: Final = 3.0
COMMAND_WITHIN_S: Final = 30.0
LOG_LINES_MOST: Final = 20_000
FILES_MOST: Final = 20_000
UNITS: Final = "tagwharf-*"
SERIAL: Final = ("dev/serial/by-id/*", "dev/serial/by-path/*", "dev/tagwharf/*", "dev/ttyUSB*", "dev/ttyACM*")
_UNIT_FACTS: Final = (
    "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ActiveEnterTimestamp,MemoryCurrent,CPUUsageNSec"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its name, what it is, and what makes it."""

    name: str
    what: str
    make: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose bundle. `since_s`: how far back the log goes. `system`: where devices are looked for."""

    site_file: Path
    since_s: float
    system: Path = Path("/")


def parts(asked: Asked, masker: Masker) -> list[Part]:
    """All parts, in the order of a person's interest. None of them raises."""
    site = _site(asked.site_file)
    found = [
        Part("check.txt", "what `tagwharf check` says of the site file", lambda: _check(asked.site_file)),
        Part(
            "site.json",
            "the site file without comments, secrets and numbers of cards; then its rule file",
            lambda: _site_text(asked.site_file, masker),
        ),
        Part("versions.txt", "versions of Tagwharf, of Python and of its libraries", _versions),
        Part("platform.txt", "machine, memory, disks", lambda: _platform(site)),
        Part("clock.txt", "the clock, and who sets it", _clock),
        Part("units.txt", "the services: running or not, restarts, memory", _units),
        Part("serial.txt", "serial devices, where they lead, and whose they are", lambda: _serial(asked.system)),
        Part("log.txt", f"the log of {UNITS}, at most {LOG_LINES_MOST} lines", lambda: _log(asked.since_s)),
    ]
    if site is None:
        return found
    own = site
    found += [
        Part("ledger.txt", "what `tagwharf ledger` says", lambda: _ledger(own)),
        Part("journals.txt", "journals and databases: size, age, schema; not what is in them", lambda: _journals(own)),
    ]
    for daemon, port in (("edge", site.health.edge_port), ("rules", site.health.rules_port)):
        for page in ("readyz", "metrics"):
            url = f"http://{site.health.host}:{port}/{page}"
            what = f"/{page} of the {daemon} daemon"
            found.append(Part(f"{daemon}-{page}.txt", what, lambda url=url, port=port: _page(url, port)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return found


def _site(path: Path) -> SiteFile | None:
    try:
        return load_site(path)
    except ConfigError:
        return None


def _check(path: Path) -> str:
    try:
        site = load_site(path)
    except ConfigError as error:
        return f"{error}\n"
    return "\n".join([f"{path}: ok", *(f"warning: {each}" for each in warnings(site))]) + "\n"


def _site_text(path: Path, masker: Masker) -> str:
    """Only what TOML makes of it: in comments people keep what they must not forget."""
    told = {}
    for file in site_files(path):
        try:
            told[str(file)] = masker.table(parse(file, read(file, "it belongs to the site")))
        except ConfigError as error:
            told[str(file)] = str(error)
    return json.dumps(told, indent=1, default=str, ensure_ascii=False) + "\n"


def _versions() -> str:
    lines = [
        f"tagwharf {version('tagwharf')}",
        f"python {platform.python_version()}",
        f"sqlite {sqlite3.sqlite_version}",
    ]
    return "\n".join([*lines, *sorted({f"{each.name} {each.version}" for each in distributions()})]) + "\n"


def _platform(site: SiteFile | None) -> str:
    lines = [" ".join(platform.uname()), f"processors: {os.cpu_count()}", f"load: {os.getloadavg()}"]
    lines += _head(Path("/etc/os-release"), ("PRETTY_NAME", "VERSION_ID"))
    lines += _head(Path("/proc/meminfo"), ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree"))
    lines += _head(Path("/proc/uptime"), ("",))
    for path in {Path("/"), Path("/var"), *(state_roots(site) if site is not None else [])}:
        used = shutil.disk_usage(path)
        lines.append(f"{path}: {used.total} bytes, {used.free} free, {os.statvfs(path).f_favail} inodes free")
    return "\n".join(lines) + "\n"


def _clock() -> str:
    now = datetime.now(UTC).isoformat()
    lines = [
        f"now {now}",
        f"monotonic {time.monotonic():.3f} s",
        f"boot {time.clock_gettime(time.CLOCK_BOOTTIME):.3f} s",
    ]
    lines += [
        f"$ timedatectl show\n{_said('timedatectl', 'show')}",
        f"$ chronyc tracking\n{_said('chronyc', '-n', 'tracking')}",
    ]
    return "\n".join(lines) + "\n"


def _units() -> str:
    return _said("systemctl", "show", UNITS, f"--property={_UNIT_FACTS}", "--no-pager")


def _log(since_s: float) -> str:
    since = f"--since=-{int(since_s)}s"
    return _said("journalctl", "-u", UNITS, since, "-n", str(LOG_LINES_MOST), "-o", "short-iso", "--no-pager", "-q")


def _serial(system: Path) -> str:
    lines = []
    for pattern in SERIAL:
        for path in sorted(system.glob(pattern)):
            try:
                found = path.stat()
            except OSError as error:
                lines.append(f"{path}: {error.strerror}")
                continue
            lines.append(f"{path} -> {path.resolve()} mode {found.st_mode:o} owner {found.st_uid} group {found.st_gid}")
    return "\n".join(lines or ["none"]) + "\n"


def _ledger(site: SiteFile) -> str:
    try:
        ledgers = asyncio.run(ledger_report.from_broker(site.site.name, site.mqtt))
    except (BrokerError, ConfigError, OSError) as error:
        ledgers = ledger_report.from_directory(state_directory(site))
        return f"the broker does not answer: {error}\n" + "\n".join(ledgers.lines(time.time_ns() // 1_000)) + "\n"
    return "\n".join(ledgers.lines(time.time_ns() // 1_000)) + "\n"


def _journals(site: SiteFile) -> str:
    return "\n".join(line for root in state_roots(site) for line in [str(root), *_files(root)]) + "\n"


def _files(root: Path) -> Iterator[str]:
    count = 0
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        count += 1
        if count > FILES_MOST:
            yield "  and more"
            return
        try:
            found = path.stat()
            at = datetime.fromtimestamp(found.st_mtime, UTC)
            schema = f" schema {_schema(path)}" if path.suffix in (".db", ".sqlite") and is_database(path) else ""
        except OSError as error:
            yield f"  {path.relative_to(root)}: {error.strerror}"
            continue
        yield f"  {path.relative_to(root)}: {found.st_size} bytes, {at:%Y-%m-%d %H:%M:%SZ}{schema}"


def _schema(path: Path) -> str:
    try:
        pinned = Pinned(path)
    except (DatabaseError, FileNotFoundError) as error:
        return str(error)
    pinned.close()
    return str(pinned.schema)


def _page(url: str, port: int) -> str:
    if not port:
        return "switched off in the site file\n"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310  # http, made here
            return _decoded(answer.read(ANSWER_BYTES_MOST))
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code}\n{_decoded(error.read(ANSWER_BYTES_MOST))}"
    except (OSError, ValueError) as error:
        return f"does not answer: {error}\n"


def _said(*command: str) -> str:
    """What a command says, its complaints included."""
    program = shutil.which(command[0])
    if program is None:
        return f"{command[0]} is not here\n"
    try:
        done = subprocess.run(  # noqa: S603  # fixed words and a number
            [program, *command[1:]], check=False, capture_output=True, timeout=COMMAND_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}\n"
    return _decoded(done.stdout[-ANSWER_BYTES_MOST:]) + _decoded(done.stderr[-ANSWER_BYTES_MOST:])


def _head(path: Path, keys: tuple[str, ...]) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if line.startswith(keys)]
    except OSError as error:
        return [f"{path}: {error.strerror}"]


def _decoded(content: Any) -> str:
    return bytes(content).decode(errors="replace")
