#!/usr/bin/env python3
"""Set up Tagwharf's environment and run its everyday jobs; needs Python 3.11 or newer, pip and git, nothing else.

    python3 dev.py demo [--for 30s --report FILE]   the whole product on simulated devices
    python3 dev.py test [PYTEST ARGS]                unit and in-process tests
    python3 dev.py check                             lint, format, types, import contracts, spelling, generated files
    python3 dev.py bench [--only NAME] [--json FILE] the numbers of docs/explanation/performance.md
    python3 dev.py fuzz [--for SECONDS] [NAME ...]   every codec under a coverage-guided fuzzer
    python3 dev.py soak [--only NAME --scale S]      the long proofs of docs/explanation/soak.md (hours)
    python3 dev.py deb [--out DIR]                   the Debian packages (needs dpkg; --help tells the rest)
    python3 dev.py pictures [--out DIR]              the pictures in the docs (needs influxd and chromium)
    python3 dev.py run ARGS...                       `tagwharf ARGS...` in the environment made here
    python3 dev.py wheel                             build the wheel and run a short demonstration from it alone
    python3 dev.py lock                              renew requirements.lock (needs uv)

Standard library only. The environment lives in .venv and is rebuilt when the lock or the Python changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
STAMP = VENV / ".built-from"
OLDEST_PYTHON = (3, 11)


def main(arguments: list[str]) -> int:
    """Run one job and return its exit status."""
    if sys.version_info < OLDEST_PYTHON:
        return _refuse(f"Tagwharf needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")
    if not arguments or arguments[0] not in JOBS:
        return _refuse(__doc__ or "")
    job, *rest = arguments
    if job != "lock":
        set_up()
    return JOBS[job](rest)


def set_up() -> None:
    """Make .venv from the lock, hash-checked, unless it is already the one the lock asks for."""
    wanted = _fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print(
        "Setting up the environment in .venv (once per lock, about a minute) ...",
        file=sys.stderr,
        flush=True,
    )
    # Debian leaves ensurepip out of python3, so the environment is made without pip and filled by the outer one.
    _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV))
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(PYTHON),
        "--disable-pip-version-check",
        "install",
        "-qq",
        "--no-deps",
    )
    _run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK))
    _run(*pip, "--no-build-isolation", "--no-index", "-e", str(ROOT), env=_environment())
    STAMP.write_text(wanted)  # written last: an interrupted set-up is repeated


def demo(arguments: list[str]) -> int:
    """Run the whole product on simulated devices."""
    return _call("tagwharf", "demo", *arguments)


def test(arguments: list[str]) -> int:
    """Run the unit and in-process tests, on all cores; or those that are named, as pytest is told."""
    return _call("python", "-m", "pytest", *(arguments or ["-q", "-n", "auto", "--dist", "worksteal", "tests"]))


def check(arguments: list[str]) -> int:
    """Run every check; all of them, even after a failure, so that one run shows everything."""
    del arguments
    checks = {
        "lint": ("ruff", "check", "."),
        "format": ("ruff", "format", "--check", "."),
        "types": ("mypy",),
        "import contracts": ("lint-imports", "--no-logo"),
        "spelling": ("codespell",),
        "generated files": ("tagwharf", "generate", "--check"),
    }
    failed = []
    for name, command in checks.items():
        print(f"== {name}", flush=True)
        if _call(*command) != 0:
            failed.append(name)
    print(
        f"{len(checks) - len(failed)} of {len(checks)} checks passed"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def bench(arguments: list[str]) -> int:
    """Measure the numbers that the design promises."""
    return _call("python", "-m", "benchmarks", *arguments)


def fuzz(arguments: list[str]) -> int:
    """Search for bytes that a codec does not take well."""
    return _call("python", "-m", "tests.fuzz", *arguments)


def soak(arguments: list[str]) -> int:
    """Prove what takes long: days offline, overload, hours in compressed time, power cuts."""
    return _call("python", "-m", "tests.soak", *arguments)


def deb(arguments: list[str]) -> int:
    """Build the Debian packages of this checkout."""
    return _call("python", str(ROOT / "packaging" / "deb.py"), *arguments)


def pictures(arguments: list[str]) -> int:
    """Take the pictures of the boards and of the console's pages."""
    return _call("python", "-m", "tests.pictures", *arguments)


def run(arguments: list[str]) -> int:
    """Run the `tagwharf` command."""
    return _call("tagwharf", *arguments)


def wheel(arguments: list[str]) -> int:
    """Build the wheel, unpack it elsewhere, and see that the product runs from there."""
    del arguments
    with tempfile.TemporaryDirectory() as scratch:
        built, unpacked = Path(scratch, "built"), Path(scratch, "unpacked")
        _run(str(BIN / "hatchling"), "build", "-t", "wheel", "-d", str(built), env=_environment())
        files = [str(path) for path in built.glob("*.whl")]
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index")
        _run(*pip, "--target", str(unpacked), *files)
        command = [str(PYTHON), "-m", "gateway.cli", "demo", "--for", "15s"]
        environment = {**_environment(), "PYTHONPATH": str(unpacked)}
        return subprocess.run(command, check=False, cwd=unpacked, env=environment).returncode


def lock(arguments: list[str]) -> int:
    """Compile requirements.lock anew. Index settings of this machine are kept out of the file."""
    del arguments
    uv = shutil.which("uv")
    if uv is None:
        return _refuse("`dev.py lock` needs uv on the PATH (pip install uv in an environment of your own).")
    flags = [
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-emit-find-links",
    ]
    command = [
        uv,
        "pip",
        "compile",
        *flags,
        "--no-header",
        "--quiet",
        "--group",
        "dev",
        "pyproject.toml",
    ]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    LOCK.write_text("# The locked environment, hashes and all. Made by: python3 dev.py lock\n" + text)
    return 0


JOBS: dict[str, Callable[[list[str]], int]] = {
    job.__name__: job for job in (demo, test, check, bench, fuzz, soak, deb, pictures, run, wheel, lock)
}


def _fingerprint() -> str:
    """What the environment was made from: this Python, the lock, the project's own tables, and the place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tables = {name: table for name, table in project.items() if name != "tool"}
    parts = (sys.version, LOCK.read_text(), json.dumps(tables, sort_keys=True), str(ROOT))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "PYTHONNOUSERSITE": "1"}


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    status = subprocess.run(command, check=False, cwd=ROOT, env=env).returncode
    if status:
        sys.exit(
            f"dev.py: `{' '.join(command)}` ended with status {status}; mend the cause and run the same command again."
        )


def _call(program: str, *arguments: str) -> int:
    try:
        return subprocess.run([str(BIN / program), *arguments], check=False, cwd=ROOT, env=_environment()).returncode
    except KeyboardInterrupt:
        return 130


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
