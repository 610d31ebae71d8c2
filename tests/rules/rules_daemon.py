"""`python -m rules run` as a process, and traffic for the real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from gateway.contract.batches import Batch, ReadBatch, TagRead, TickBatch
from tests.support.broker import free_port

START_US = time.time_ns() // 1_000
TAGS = 12
SITE = """
[site]
name = "port"
state_dir = "{state}"
assets = "assets.csv"
[mqtt]
port = {port}
[health]
rules_port = {health}
[[reader]]
name = "gate-1"
driver = "llrp"
port = "tcp://127.0.0.1:5084"
read_points = {{ 1 = "gate-1-out" }}
{more}
"""


class Daemon:
    """`python -m rules run` as a process."""

    def __init__(self, directory: Path, broker_port: int, more: str = "") -> None:
        self.health = free_port()
        self.state = directory / "state"
        self.config = directory / "site.toml"
        self._directory = directory
        (directory / "assets.csv").write_text(f"epc,name,kind\n{epc(0)},CSQU3054383,container\n")
        self.config.write_text(SITE.format(state=self.state, port=broker_port, health=self.health, more=more))
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None and self._child.poll() is None:
            self.end(signal.SIGKILL)

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "NOTIFY_SOCKET")}
        with (self._directory / "rules.log").open("a") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "rules", "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                text=True,
                env=environment,
            )

    def end(self, how: signal.Signals) -> int:
        assert self._child is not None
        self._child.send_signal(how)
        return self._child.wait(20)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    @property
    def log(self) -> str:
        return (self._directory / "rules.log").read_text()


def epc(number: int) -> str:
    return f"3034257BF7194E40{number:08X}"


def traffic(seconds: int) -> list[Batch]:
    """Tags that stand at a gate, one more each second, with a tick of the gateway after each half second."""
    made: list[Batch] = []
    counted = 0
    for half in range(2 * seconds):
        at_us = START_US + half * 500_000
        rows = [
            TagRead(
                epc=epc(number), antenna_port=1, read_point="gate-1-out", seen_at_us=at_us + number * 10, rssi_dbm=-50.0
            )
            for number in range(min(TAGS, 1 + half // 2))
        ]
        here = {"gateway": "edge-1", "epoch": 1, "received_at_us": at_us + 400_000}
        made.append(
            ReadBatch(sequence=len(made) + 1, ordinal=counted, device="gate-1", reads=rows, **here)  # type: ignore[arg-type]  # mixed values
        )
        counted += len(rows)
        made.append(TickBatch(sequence=len(made) + 1, device="edge-1", watched=["gate-1-out"], **here))  # type: ignore[arg-type]  # mixed values
    return made
