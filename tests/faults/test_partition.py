"""The network between site and broker is cut without a word: the journal grows by exactly the reads, and drains.

The broker has a network of its own, behind a pair of virtual cables; nft drops every packet there, as a dead switch
would. TAGWHARF_LONG makes the cut ten minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.plant import Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import Server, program
from tests.support.watch import wait_until

CUT_S: Final = 600.0 if os.environ.get("TAGWHARF_LONG") else 14.0
"""Longer than what is waited for a PUBACK, 10 s: the session ends and connections are tried in vain."""
READS_PER_S: Final = 400.0
BACK_WITHIN_S: Final = 90.0
"""An attempt that has just failed waits 30 s for the next, which takes up to 10 s, and so do the rules."""
NEARLY: Final = 25
LEAST_FACTOR: Final = 5.0
CUT: Final = """table inet cut {
    chain into { type filter hook input priority 0; policy drop; }
    chain out { type filter hook output priority 0; policy drop; }
}
"""


@dataclass(frozen=True)
class Wire:
    """The way to the broker's network."""

    namespace: str

    def cut(self) -> None:
        """Drop everything, both ways."""
        run("ip", "netns", "exec", self.namespace, "nft", "-f", "-", said=CUT)

    def heal(self) -> None:
        """Let everything through again."""
        run("ip", "netns", "exec", self.namespace, "nft", "delete", "table", "inet", "cut")


def run(*command: str, said: str = "") -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=said)
    assert done.returncode == 0, f"{command}: {done.stderr}"


@contextmanager
def far_broker(directory: Path) -> Iterator[tuple[Server, Wire]]:
    """Mosquitto in a network of its own."""
    number = random.randrange(1 << 14)
    name = f"tw{number}"
    subnet = f"10.213.{number >> 6}.{(number & 63) * 4}".rpartition(".")
    here, there = (f"{subnet[0]}.{int(subnet[2]) + last}" for last in (1, 2))
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [tool for tool in ("ip", "nft") if shutil.which(tool, path=path) is None]
    probe = missing or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode != 0
    if probe and not os.environ.get("CI"):
        pytest.skip(f"networks of one's own are not allowed here, or not there: {missing}")
    assert not probe, "iproute2 and nftables, and the right to make networks, are needed"
    try:
        run("ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        run("ip", "address", "add", f"{here}/30", "dev", f"{name}a")
        run("ip", "link", "set", f"{name}a", "up")
        for words in (f"address add {there}/30 dev {name}b", f"link set {name}b up", "link set lo up"):
            run("ip", "-n", name, *words.split())
        with running(directory, name, there) as broker:
            yield broker, Wire(name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)  # and the cables with it


@contextmanager
def running(directory: Path, namespace: str, address: str) -> Iterator[Server]:
    def command(port: int) -> list[str]:
        lines = [f"listener {port} {address}", "allow_anonymous true", "set_tcp_nodelay true"]
        lines += ["max_queued_messages 100000", "persistence false", "user root"]
        (directory / "mosquitto.conf").write_text("\n".join([*lines, ""]))
        return ["ip", "netns", "exec", namespace, program("mosquitto"), "-c", str(directory / "mosquitto.conf")]

    broker = Server(directory, "mosquitto", command)
    broker.host = address
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def drained(site: Scene, arrival_per_s: float) -> float:
    """How many times faster than it came the backlog went, once it began to go."""
    before = site.evidence.watermark()
    wait_until(lambda: site.evidence.watermark() > before, BACK_WITHIN_S, site.edge.log)
    started_s = time.monotonic()
    behind = site.evidence.behind()
    while site.evidence.behind() > NEARLY:
        assert time.monotonic() - started_s < BACK_WITHIN_S, site.edge.log()
        time.sleep(0.005)
    took_s = max(time.monotonic() - started_s, 0.005)
    factor = (site.evidence.watermark() - before) / took_s / arrival_per_s
    print(f"drain: {behind} batches in {took_s:.2f} s, {factor:.0f} times the arrival rate")  # noqa: T201  # the measurement
    return factor


def test_a_network_that_is_cut(tmp_path: Path) -> None:
    with (
        far_broker(tmp_path / "broker") as (broker, wire),
        scene(tmp_path, broker, chosen_seed(), reads_per_s=READS_PER_S) as site,
    ):
        site.begin(CUT_S + 10)
        time.sleep(2)
        wire.cut()
        time.sleep(1)
        watermark, last, since_s = site.evidence.watermark(), site.evidence.last(), time.monotonic()
        time.sleep(CUT_S - 1)
        assert site.evidence.watermark() == watermark, "something came through the cut"
        arrived = site.evidence.last() - last
        assert arrived >= CUT_S  # reads, readings and a tick every second
        assert site.edge.alive
        assert site.rules.alive
        arrival_per_s = arrived / (time.monotonic() - since_s)
        wire.heal()
        assert drained(site, arrival_per_s) >= LEAST_FACTOR
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)  # every read of the cut is in the journal, once
