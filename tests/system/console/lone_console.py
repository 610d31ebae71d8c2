"""A console without a gateway: it hears what the test publishes."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gateway.mqtt import session
from tests.support.broker import Broker

STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0


@contextmanager
def lone_console(directory: Path, broker: Broker, more: str = "") -> Iterator[str]:
    """The address of the console of the site `site`, whose site file has `more` in it."""
    config, log = directory / "site.toml", directory / "console.log"
    config.write_text(
        f'[site]\nname = "site"\nstate_dir = "{directory}"\n[mqtt]\nport = {broker.port}\n[console]\nport = 0\n{more}'
    )
    with log.open("wb") as out:
        command = [sys.executable, "-m", "gateway.console", "--config", str(config)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
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
        process.wait(ENDS_WITHIN_S)


def publish(broker: Broker, topic: str, *payloads: bytes, retain: bool = False) -> None:
    """Publish messages; `topic` below that of the site."""

    async def send() -> None:
        async with session(broker.settings, client_id="test") as ours:
            for payload in payloads:
                await ours.send(f"tagwharf/1/site/{topic}", payload, retain=retain)
            while ours.in_flight:
                await asyncio.sleep(0.01)

    with ThreadPoolExecutor(1) as thread:  # in ours runs the loop of the browser
        thread.submit(lambda: asyncio.run(send())).result()
