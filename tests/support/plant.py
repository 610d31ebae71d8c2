"""The daemons of a site as real processes, each to be killed: edge and rules, on a real broker.

`scene(...)` is the whole of a fault test: devices, daemons, a bystander on MQTT, and what must hold in the end.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from simulator.__main__ import fill
from simulator.faults import Plan
from simulator.scenario_file import site_template
from tests.support.evidence import Evidence
from tests.support.field import CountingRadio, Device, Field, counting_reader
from tests.support.servers import Server
from tests.support.watch import Watch, wait_until

SITE: Final = "jiangyin"
SINK: Final = '\n[[sink]]\nkind = "journal"\nname = "events"\n'
ONLINE_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 40.0
SETTLE_WITHIN_S: Final = 60.0
LAST_PASSAGE_S: Final = 5.0
"""After the last truck: it drives off, its lane is silent for 3 s, and late reads are waited for."""
STORE_READS: Final = """
[[sink]]
kind = "journal"
name = "events"
store_reads = true
"""


@dataclass(slots=True)
class Process:
    """One of our daemons."""

    name: str
    command: list[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log goes on."""
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", *self.command], stdout=log, stderr=log, env={**os.environ, **self.environment}
            )

    def kill(self) -> None:
        """Kill -9."""
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def stop(self) -> int:
        """SIGTERM; returns its exit status."""
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {STOP_WITHIN_S} s; {self.log()}") from None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None

    def log(self, last: int = 3000) -> str:
        """The end of what it said."""
        return self.whole_log()[-last:]

    def whole_log(self) -> str:
        """All that it said, over all its lives."""
        path = self.directory / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


class Plant:
    """An edge daemon and a rules daemon with a site file of their own."""

    def __init__(self, directory: Path, broker: Server, site: str, environment: Mapping[str, str]) -> None:
        """`site` is the text of the site file, with places for the broker and the state directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.broker = broker
        self.state = directory / "state"
        self.site_file = directory / "site.toml"
        values = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), "STATE_DIR": str(self.state)}
        self.site_file.write_text(fill(site, values))
        self.edge = Process("edge", ["gateway.edge", "--config", str(self.site_file)], directory, environment)
        self.rules = Process("rules", ["rules", "run", "--config", str(self.site_file)], directory, environment)
        self.evidence = Evidence(self.state)

    def __enter__(self) -> Self:
        self.rules.start()
        self.edge.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.edge, self.rules):
            if process.alive:
                process.kill()

    def victim(self, name: str) -> Process | Server:
        """What is called so: `edge`, `rules` or `broker`."""
        known: dict[str, Process | Server] = {"edge": self.edge, "rules": self.rules, "broker": self.broker}
        return known[name]

    def torment(self, rng: random.Random, until_s: float, *victims: str) -> list[str]:
        """Kill -9 one of the victims again and again at random moments, and start it again; returns what was done."""
        done = []
        while time.monotonic() < until_s:
            time.sleep(rng.uniform(0.2, 2.5))
            name = rng.choice(victims)
            away_s = rng.choice([0.0, 0.2, 1.5])
            done.append(f"{name} away {away_s} s")
            victim = self.victim(name)
            victim.kill()
            time.sleep(away_s)
            victim.start()
        return done

    def stop(self) -> None:
        """Let everything arrive, then stop both daemons in the direction of the data."""
        for process in (self.edge, self.rules):
            assert process.alive, f"{process.name} is not alive: {process.log()}"
        # The gateway ticks every second: once it does, its last start is over, and it knows what SIGTERM means.
        last = self.evidence.last()
        wait_until(lambda: self.evidence.last() > last, SETTLE_WITHIN_S, self.edge.log)
        # For the same reason the end of its journal is never quite judged.
        wait_until(lambda: self.evidence.behind() < 20, SETTLE_WITHIN_S, self._say_behind)
        assert self.edge.stop() == 0, self.edge.log()
        wait_until(lambda: self.evidence.behind() == 0, SETTLE_WITHIN_S, self._say_behind)
        assert self.rules.stop() == 0, self.rules.log()

    def _say_behind(self) -> str:
        return f"{self.evidence.behind()} batches are not judged; edge: {self.edge.log()} rules: {self.rules.log()}"

    def assert_unhurt(self) -> None:
        """No daemon met a defect of its own."""
        for process in (self.edge, self.rules):
            told = process.whole_log()
            for word in ("Traceback", '"exception"', "driver_failed", "batch_not_judged", "sink_failed_defect"):
                at = told.find(word)
                assert at < 0, f"{process.name}: {told[max(0, at - 1500) : at + 1500]}"


@dataclass
class Scene:
    """Devices, daemons and a bystander."""

    seed: int
    rng: random.Random
    field: Field
    plant: Plant
    watch: Watch
    devices: Sequence[Device]

    @property
    def edge(self) -> Process:
        """The edge daemon."""
        return self.plant.edge

    @property
    def rules(self) -> Process:
        """The rules daemon."""
        return self.plant.rules

    @property
    def broker(self) -> Server:
        """The broker."""
        return self.plant.broker

    @property
    def evidence(self) -> Evidence:
        """What is on the disk."""
        return self.plant.evidence

    def wait_online(self, names: Sequence[str] | None = None) -> None:
        """Until every device, or each of these, has proven itself."""
        wanted = {device.name for device in self.devices} if names is None else set(names)

        def offline() -> set[str]:
            states = self.watch.states()
            return {name for name in wanted if states.get(name) != "online"}

        def met() -> bool:
            assert self.edge.alive, self.edge.log()
            assert self.rules.alive, self.rules.log()
            return not offline()

        wait_until(met, ONLINE_WITHIN_S, lambda: f"not online: {offline()}; {self.edge.log()}")

    def begin(self, traffic_s: float, *, online: Sequence[str] | None = None) -> None:
        """Let traffic come for so long, once these devices are online; all, if none is named."""
        self.wait_online(online)
        self.field.begin(traffic_s)

    def torment(self, *victims: str) -> list[str]:
        """Kill victims until traffic ends."""
        done = self.plant.torment(self.rng, self.field.ends_s, *victims)
        print(*done, sep="; ")  # noqa: T201  # pytest shows it when the test fails
        return done

    def settle(self, after_s: float = LAST_PASSAGE_S) -> None:
        """Let traffic end and everything arrive, then stop the daemons."""
        time.sleep(max(0.0, self.field.ends_s + after_s - time.monotonic()))
        self.plant.stop()

    def assert_exactly_once(self, *, refused_reads: bool = False) -> None:
        """I0, the ledgers at every moment that was seen, and no defect on the way."""
        self.evidence.assert_exactly_once(refused_reads=refused_reads)
        self.assert_ledgers(refused_reads=refused_reads)
        self.plant.assert_unhurt()

    def assert_ledgers(self, *, refused_reads: bool = False) -> None:
        """Every ledger seen balances, counts never go back, and the last ones agree with the disk."""
        assert self.watch.edge
        assert self.watch.rules
        assert not self.watch.faults, self.watch.faults[:3]
        told = sorted(self.watch.edge, key=lambda ledger: ledger.at_us)
        for before, after in itertools.pairwise(told):
            assert before.epoch == after.epoch
            assert before.watermark <= after.watermark
            assert before.next_sequence <= after.next_sequence
            assert before.tag_reads.journalled <= after.tag_reads.journalled
            assert before.tag_reads.judged <= after.tag_reads.judged
        self.evidence.assert_ledgers_agree(refused_reads=refused_reads)

    def assert_truth(self, *, edge_was_up: bool) -> None:
        """Passages as they were; where the edge was down some may be missed, but none invented or turned round."""
        found = self.evidence.compare(self.field.truth["passages"])
        assert found["passages"] >= 2, found  # each lane has had time for one
        assert found["wrong_direction"] == found["ghosts"] == 0, found
        assert found["detected"] == found["passages"] or not edge_was_up, found
        numbers = self.evidence.counted(self.field.counting)
        assert len(numbers) == len(set(numbers)), "a read was journalled twice"
        if edge_was_up:
            assert numbers == list(self.field.counting.numbers())


@contextmanager
def scene(
    directory: Path,
    broker: Server,
    seed: int,
    *,
    sinks: str = STORE_READS,
    reads_per_s: float = 200.0,
    keepalive_s: float = 5.0,
    extra: Sequence[Device] = (),
    plans: Mapping[str, Plan] | None = None,
    edge_port: int = 0,
    rules_port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Scene]:
    """The port gate and a counting reader at work, with every single read stored.

    Args:
        directory: for all files. broker: a running one.
        sinks: tables of the site file.
        edge_port, rules_port: of their /metrics; 0 for none.
        reads_per_s: of the counting reader. keepalive_s: of all LLRP readers.
        extra: further devices. plans: faults of the link, by name of the device.
        environment: of both daemons.
    """
    counting = CountingRadio(reads_per_s)
    site_field = Field(seed, counting, plans or {})
    devices = [*site_field.gate_devices(), counting_reader(counting, keepalive_s=keepalive_s), *extra]
    with site_field.serving(devices):
        template = site_template("port_gate")
        template = template.replace(SINK, "") + "".join(device.table for device in devices if device.table)
        template = template.replace("tx_power_dbm = 30.0,", f"tx_power_dbm = 30.0, keepalive_s = {keepalive_s},")
        template = template.replace("poll_s = 5.0", "poll_s = 1.0")
        template = template.replace('assets = "assets.csv"\n', "")  # names are decided when the world begins
        template = template.replace("edge_port = 0", f"edge_port = {edge_port}")
        template = template.replace("rules_port = 0", f"rules_port = {rules_port}")
        for name, address in site_field.addresses.items():
            template = template.replace(f"${{{name}}}", address)
        plant = Plant(directory / "plant", broker, template + sinks, environment or {})
        with Watch(broker, SITE) as watch, plant:
            yield Scene(seed, random.Random(seed), site_field, plant, watch, devices)
