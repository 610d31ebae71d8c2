"""Runs fault tests two at a time, each in a process of its own: most of the time they wait.

One test alone, or any number with -s, runs in this process as any other. TAGWHARF_FAULTS_AT_ONCE sets how many.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
ALONE: Final = "TAGWHARF_FAULT_TEST"  # set in the process of one test
AT_ONCE: Final = int(os.environ.get("TAGWHARF_FAULTS_AT_ONCE", "2"))
ENDS_WITHIN_S: Final = 600.0
Done = subprocess.CompletedProcess[str]
STARTED: Final = pytest.StashKey[dict[str, Future[Done]]]()


@pytest.fixture(scope="session", autouse=True)
def at_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start the fault tests of this run, some at a time."""
    names = [item.nodeid for item in request.session.items if HERE in item.path.parents]
    if len(names) < 2 or ALONE in os.environ or request.config.option.capture == "no":
        yield
        return
    root = request.config.rootpath

    def run(name: str, own: Path) -> Done:
        command = [sys.executable, "-m", "pytest", name, "-rs", "-p", "no:cacheprovider", f"--basetemp={own / 'tmp'}"]
        return subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=root,
            env={**os.environ, ALONE: name},
            timeout=ENDS_WITHIN_S,
        )

    pool = ThreadPoolExecutor(AT_ONCE)
    request.session.stash[STARTED] = {name: pool.submit(run, name, tmp_path_factory.mktemp("alone")) for name in names}
    yield
    pool.shutdown(cancel_futures=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Take the result of a test that runs elsewhere for its own."""
    started = pyfuncitem.session.stash.get(STARTED, {}).get(pyfuncitem.nodeid)
    if started is None:
        return None
    done = started.result()
    if done.returncode == 0 and " skipped" in done.stdout and " passed" not in done.stdout:
        pytest.skip(done.stdout)
    if done.returncode != 0:
        pytest.fail(done.stdout, pytrace=False)
    return True
