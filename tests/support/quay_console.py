"""A console on a real edge daemon with commands, both on one state directory; the plant runs in a thread of its own."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from gateway.config.load import load_site
from gateway.console.access.accounts import Accounts
from gateway.console.explaining import Explaining
from gateway.console.live import Live
from gateway.console.page import Console
from gateway.console.registry import all_pages
from tests.gateway.console.access.served import hash_of_password
from tests.support.control_plant import KEYS, Plant, plant

STARTS_WITHIN_S = 60.0
USERS = {"anna": "operator", "ben": "operator", "vera": "viewer", "olaf": "operator"}
"""Olaf orders in nobody's name."""
POINTS = """
[[control.point]]
device = "lane-1-io"
point = "feeder"
actions = ["on", "off"]
roles = ["operator"]
interlocks = ["signal lane-1-io loop = false"]
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "red"
actions = ["on", "off"]
roles = ["operator"]
two_steps = false
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "barrier"
actions = ["pulse"]
roles = ["operator"]
second_person = true
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "speed"
actions = ["set"]
roles = ["chief"]
least_pause_s = 0
"""


def users() -> str:
    """`[console]` with the users."""
    found = "[console]\nport = 0\n"
    for name, role in USERS.items():
        person = f'person = "{name}"\n' if name in KEYS else ""
        found += f'[[console.user]]\nname = "{name}"\nrole = "{role}"\npassword_credential = "console-{name}"\n{person}'
    return found


@contextmanager
def running_plant(directory: Path, points: str = POINTS, control: str = "") -> Iterator[Plant]:
    """The plant, until the end; its site file has the users of the console."""
    begun: Future[tuple[Plant, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def hold() -> None:
        async with plant(directory, points + users(), control) as scene:
            end = asyncio.Event()
            begun.set_result((scene, asyncio.get_running_loop(), end))
            await end.wait()

    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(hold())
        except BaseException as error:  # noqa: BLE001  # told by the thread of the test
            failed.append(error)
            if not begun.done():
                begun.set_exception(error)

    thread = threading.Thread(target=work)
    thread.start()
    scene, loop, end = begun.result(STARTS_WITHIN_S)
    try:
        yield scene
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
    if failed:
        raise failed[0]


def console_on(scene: Plant, broker_port: int | None = None) -> Console:
    """A console on the plant's site file, state and broker; it may have a way of its own to the broker."""
    site = load_site(scene.edge.config)
    if broker_port is not None:
        site = site.model_copy(update={"mqtt": site.mqtt.model_copy(update={"port": broker_port})})
    accounts = Accounts(
        site.console, dict.fromkeys(USERS, hash_of_password()), {name: key.encode() for name, key in KEYS.items()}
    )
    parts = {name: part for page in all_pages() for name, part in page.parts(site, None).items()}
    return Console(
        site=site,
        config=scene.edge.config,
        live=Live(site.site.name, parts),
        accounts=accounts,
        explaining=Explaining(scene.edge.config),
        state=scene.edge.state,
        events=None,
    )


@contextmanager
def console_process(scene: Plant) -> Iterator[str]:
    """The address of a console in a process of its own."""
    keys = scene.edge.directory / "keys"
    for name in USERS:
        (keys / f"console-{name}").write_text(hash_of_password())
    log = scene.edge.directory / "console.log"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC")
    }
    with log.open("wb") as out:
        command = [sys.executable, "-m", "gateway.console", "--config", str(scene.edge.config)]
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment | {"CREDENTIALS_DIRECTORY": str(keys)}
        )
    try:
        ends_s = time.monotonic() + STARTS_WITHIN_S
        while "broker_connected" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends_s, log.read_text()
            time.sleep(0.1)
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)
