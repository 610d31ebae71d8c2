"""The console in a real Chromium (Debian's), on the running demonstration."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from gateway.broker import free_port

STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 60.0
WAIT_MS = 30_000
EXPECTED = re.compile(r"the server responded with a status of (400|401|403|404|409|429|503)")
"""What Chromium itself says of an answer that a test may want; a page's own words are never expected."""

expect.set_options(timeout=WAIT_MS)


@dataclass(frozen=True, slots=True)
class Demo:
    """A demonstration that runs. `directory`: everything it keeps; `password`: of viewer, operator and engineer."""

    url: str
    password: str
    directory: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration, for all tests of the console together."""
    directory = tmp_path_factory.mktemp("console-demo")
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli", "demo", "--keep", str(directory), "--console-port", str(port)]
    with (directory / "demo.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        ends_s = time.monotonic() + STARTS_WITHIN_S
        while not _answers(port):
            assert process.poll() is None, (directory / "demo.log").read_text()
            assert time.monotonic() < ends_s, "the demonstration did not start in time"
            time.sleep(0.2)
        yield Demo(f"http://127.0.0.1:{port}", (directory / "console-password.txt").read_text(), directory)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for as long as its tests run: Playwright keeps a loop running, beside which nobody else may run one."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: tests/system/install_servers.sh installs it")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own: no cookies, in English, wide."""
    made = browser.new_context(locale="en-GB", viewport={"width": 1400, "height": 900}, timezone_id="Asia/Shanghai")
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; whatever it complains of in the end fails the test: errors, missing words, what the policy forbids."""
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED.search(message.text):
            complaints.append(message.text)

    made = context.new_page()
    made.on("console", said)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    made.close()
    assert complaints == []


@pytest.fixture
def log_in(page: Page, demo: Demo) -> Callable[[str], None]:
    """Logs in as one of the roles."""

    def as_role(role: str) -> None:
        page.goto(f"{demo.url}/login")
        page.get_by_label("Name").fill(role)
        page.get_by_label("Password").fill(demo.password)
        page.get_by_role("button", name="Log in").click()
        page.locator("#logout").wait_for()

    return as_role
