"""strace makes system calls of a process fail, or kills it at one: disk errors and cuts at a chosen moment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ATTACHED_WITHIN_S: Final = 30.0
INJECTED: Final = "(INJECTED)"
_CALL: Final = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_PATH: Final = re.compile(r"^\d+<(?P<path>[^>]*)>")
_EXTENT: Final = re.compile(r", (?P<size>\d+)(?:, (?P<offset>\d+))?\) += ")
_TEXT: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: on which file, what it wrote, how many bytes where, and whether it was made to fail."""

    name: str
    path: str
    text: str
    size: int
    offset: int
    succeeded: bool
    injected: bool


def needs_strace() -> None:
    """Skip where it is not installed or may not trace, but never in CI."""
    found = shutil.which("strace")
    probe = None if found is None else subprocess.run([found, "-qq", "true"], check=False, capture_output=True)
    if (probe is None or probe.returncode != 0) and not os.environ.get("CI"):
        pytest.skip("strace is not installed, or tracing is not allowed here")


def traced(
    log: Path, inject: str, command: Sequence[str], *, trace: str = "fdatasync,fsync,write,pwrite64"
) -> list[str]:
    """The command under strace, which writes what it saw to `log`; `inject` as strace has it."""
    options = ["-f", "-y", "-s", "80", "-o", str(log), "-e", f"trace={trace}", "-e", f"inject={inject}"]
    return ["strace", *options, *command]


@contextmanager
def attached(pid: int, log: Path, inject: str, *, only: Path | None = None) -> Iterator[None]:
    """Make calls of a running process fail as long as this lasts; `only` those on that file."""
    name = inject.split(":", 1)[0]
    command = ["strace", "-f", "-y", "-o", str(log), "-p", str(pid), "-e", f"trace={name}", "-e", f"inject={inject}"]
    if only is not None:
        command += ["-P", str(only)]
    said = log.with_suffix(".said")
    with said.open("wb") as file:
        child = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        until = time.monotonic() + ATTACHED_WITHIN_S
        while "attached" not in said.read_text(errors="replace"):
            assert child.poll() is None, said.read_text(errors="replace")
            assert time.monotonic() < until, said.read_text(errors="replace")
            time.sleep(0.02)
        yield
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)  # it lets go and leaves the process running
        child.wait(ATTACHED_WITHIN_S)


def calls(log: Path) -> list[Call]:
    """What strace saw, in order of the ends of the calls."""
    begun: dict[tuple[str, str], str] = {}
    found: list[Call] = []
    if not log.exists():
        return found
    for line in log.read_text(errors="replace").splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.startswith("<... "):
            name, _, end = rest.removeprefix("<... ").partition(" resumed>")
            rest = begun.pop((pid, name), f"{name}(") + end
        if " <unfinished ...>" in rest:
            head = rest.partition(" <unfinished ...>")[0]
            begun[pid, head.partition("(")[0]] = head
            continue
        call = _CALL.match(f"{pid} {rest}")
        if call is None:
            continue  # a signal, or an end
        path, text = _PATH.match(call["rest"]), _TEXT.search(call["rest"])
        extent = _EXTENT.search(call["rest"])
        result = rest.rpartition(" = ")[2]
        found.append(
            Call(
                name=call["name"],
                path=path["path"] if path else "",
                text=text["text"].replace("\\n", "\n") if text else "",
                size=int(extent["size"]) if extent else 0,
                offset=int(extent["offset"] or 0) if extent else 0,
                succeeded=not result.startswith(("-1", "?")),
                injected=INJECTED in result,
            )
        )
    return found
