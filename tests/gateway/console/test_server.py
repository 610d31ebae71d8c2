"""The console as a process: what it listens on, what it tells systemd, how it ends."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gateway.config.models import JournalSink, SiteFile
from gateway.console.server import console_of, events_directory
from tests.support.certificates import authority

WITHIN_S = 60.0


def started(directory: Path, port: int, head: str = "", console: str = "", **environment: str) -> subprocess.Popen[str]:
    config = directory / "site.toml"
    site = f'[site]\nname = "port"\nstate_dir = "{directory}"\n[mqtt]\nport = 1\n{head}\n'
    config.write_text(f"{site}[console]\nport = {port}\n{console}")
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.console", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def about(url: str, context: ssl.SSLContext | None = None) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}api/shell", timeout=10, context=context) as answer:
        told: dict[str, object] = json.loads(answer.read())
        return told


def test_it_tells_systemd_that_it_serves_and_feeds_its_watchdog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(WITHIN_S)
        console = started(tmp_path, 0, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
        try:
            told = ""
            while "READY=1" not in told or told.count("WATCHDOG=1") < 2:
                told += systemd.recv(4096).decode() + "\n"
            url = next(line for line in told.splitlines() if line.startswith("STATUS=")).removeprefix("STATUS=")
            assert about(url)["site"] == "port"
            console.terminate()
            output, _ = console.communicate(timeout=WITHIN_S)
        finally:
            console.kill()
            console.wait()
        assert console.returncode == 0, output
        while "STOPPING=1" not in told:
            told += systemd.recv(4096).decode() + "\n"


def test_a_port_that_is_taken_ends_it_for_systemd_to_try_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        console = started(tmp_path, taken)
        output, _ = console.communicate(timeout=WITHIN_S)
    assert console.returncode == 70
    assert f"console.port = {taken}: cannot listen on 127.0.0.1: Address already in use" in output


@pytest.mark.parametrize(
    ("head", "console", "said"),
    [
        ('user = "console"', "", "mqtt-password"),
        (
            "",
            '[[console.user]]\nname = "anna"\nrole = "viewer"\npassword_credential = "console-anna"\n',
            "console-anna",
        ),
        ("", '[console.tls]\ncertificate_file = "none.pem"\nkey_file = "none.key"\n', "none.pem"),
    ],
)
def test_what_it_needs_and_has_not_ends_it_for_good(tmp_path: Path, head: str, console: str, said: str) -> None:
    process = started(tmp_path, 0, head, console)
    output, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 78
    assert said in output


def test_with_a_certificate_it_speaks_https_alone(tmp_path: Path) -> None:
    certificates = authority(tmp_path, server="DNS:localhost")
    files = f'certificate_file = "{certificates}/server.pem"\nkey_file = "{certificates}/server.key"\n'
    console = started(tmp_path, 0, console=f"[console.tls]\n{files}")
    try:
        assert console.stdout is not None
        found = None
        while found is None:
            line = console.stdout.readline()
            assert line, "the console ended"
            found = re.search(r"https://127\.0\.0\.1:(\d+)/", line)
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        assert about(f"https://localhost:{found[1]}/", context)["site"] == "port"
        with pytest.raises(OSError, match=r".+"):
            about(f"http://localhost:{found[1]}/")
    finally:
        console.kill()
        console.communicate()


def test_the_past_is_where_the_journal_of_the_site_is(tmp_path: Path) -> None:
    site = SiteFile.model_validate({"site": {"name": "port", "state_dir": tmp_path}})
    assert events_directory(site) == tmp_path / "events"
    journal = JournalSink(kind="journal", name="events", directory=tmp_path / "elsewhere")
    assert events_directory(site.model_copy(update={"sink": [journal]})) == tmp_path / "elsewhere"
    assert events_directory(site.model_copy(update={"sink": []})) is None


def test_pages_bring_their_own_parts(tmp_path: Path) -> None:
    site = SiteFile.model_validate({"site": {"name": "port", "state_dir": tmp_path}})
    console = console_of(site, tmp_path / "site.toml")
    assert {"summary", "devices", "reads", "gate", "devices-walk"} <= set(console.live.parts)
    assert not console.accounts.login_possible
