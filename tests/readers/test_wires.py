"""Every driver reads its device over a real link, in real time, as the gateway runs it: noise, lost bytes, unplugging.

All of them run at the same time, in one loop: most of the time they wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from gateway.config.models import Reader
from gateway.edge.intake import Intake
from gateway.edge.supervisor import Supervisor
from gateway.edge.watched import Watched
from gateway.health import Health
from gateway.links import open_link
from readers import registry
from readers.driver import Kind, Port, Report
from readers.observations import Observation, Rejected
from readers.ports.base import PassingPort
from tests.gateway.edge.support import GATEWAY, opened
from tests.support.card_readers import logged
from tests.support.seeds import VARIABLE, chosen_seed
from tests.support.wired_plants import PLANTS, Item, Link, items
from tests.support.wires import Rough, SerialWire, TcpWire, Weather, Wire, stable_names

ELSEWHERE: Final = {
    "pcsc": "tests/system/test_pcsc.py",
    "impinj_iot": "tests/system/test_mqtt_readers.py",
    "zebra_iotc": "tests/system/test_mqtt_readers.py",
    "opcua": "tests/system/test_opcua_peer.py",
    "mtconnect": "tests/readers/machines/mtconnect/test_driver.py",  # a real HTTP server, closed and opened again
}
"""Drivers that speak over neither a line nor a connection of their own, and where they meet their devices."""

HEARD_WITHIN_S: Final = 30.0
LOST_WITHIN_S: Final = 5.0
ROUGH_S: Final = 3.0
WATCHED_S: Final = 1.2
MOST_CALLS_PER_S: Final = 250
MOST_SILENT_CALLS_PER_S: Final = 150
LEAST_DAMAGED: Final = 5
LONGEST_BACKOFF_S: Final = 1.0
"""Instead of half a minute, which would make the test a long one."""
LINES_SHOWN: Final = 30
AT_ONCE: Final = 48
RUNS: Final = {f"{plant.name}-{link}": (plant, link) for plant in PLANTS for link in plant.links}


class Listener(Intake):
    """The gateway's intake, which lets a test listen to what each driver reports."""

    ears: Mapping[str, Report] = {}

    def reader(
        self, name: str, driver: str, kind: Kind, read_points: Mapping[int, str], sources: Sequence[str]
    ) -> tuple[Watched, Report]:
        """See `Intake`."""
        watched, report = super().reader(name, driver, kind, read_points, sources)
        ear = self.ears[name]

        def both(observed: Observation) -> None:
            ear(observed)
            report(observed)

        return watched, both


class CountingPort(PassingPort):
    """Counts how often a driver turns to its port."""

    def __init__(self, port: Port, calls: Counter[str]) -> None:
        super().__init__(port)
        self._calls = calls

    async def send(self, data: bytes) -> None:
        """See `Port`."""
        self._calls["send"] += 1
        await super().send(data)

    async def receive(self, within_s: float) -> bytes:
        """See `Port`."""
        self._calls["receive"] += 1
        return await super().receive(within_s)

    async def pause(self, seconds: float) -> None:
        """See `Port`."""
        self._calls["pause"] += 1
        await super().pause(seconds)


class Run:
    """One supervised reader, and what came of it.

    Attributes:
        invented: what was reported and is not there, with the phase in which it was.
        opened, refused: how often the link was opened, and could not be.
    """

    def __init__(self, name: str, seed: int, directory: Path) -> None:
        self.name = name
        self.plant, self.link = RUNS[name]
        self.weather = Weather(Random(f"{seed}/{name}"), self.plant.rough)
        self.wire = self._wire(directory)
        self.seed = seed
        self.phase = "calm"
        self.heard: set[Item] = set()
        self.invented: list[tuple[str, Item]] = []
        self.rejects: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.opened = 0
        self.refused = 0
        self.health = Health("edge")
        self.told: list[str] = []

    def _wire(self, directory: Path) -> Wire:
        serve = self.plant.twin()
        if self.link in (Link.SERIAL, Link.ECHO):
            return SerialWire(directory, self.name, serve, self.weather, echo=self.link is Link.ECHO)
        return TcpWire(self.link, serve, self.weather)

    def hear(self, observed: Observation) -> None:
        """Take what the driver reports."""
        found = set(items(observed))
        self.heard |= found
        self.invented += [(self.phase, each) for each in found - self.plant.truth - self.plant.more]
        if isinstance(observed, Rejected):
            self.rejects[observed.reason] += observed.count

    async def open(self, reader: Reader) -> Port:
        """Open the link as the gateway does."""
        try:
            port = await open_link(reader)
        except Exception:
            self.refused += 1
            raise
        self.opened += 1
        return CountingPort(port, self.calls)

    async def go(self, intake: Intake) -> None:
        """Read in calm, in rough weather, in calm again, over a silent link; unplugged, and plugged in again."""
        spec = registry.driver(self.plant.driver)
        settings = spec.settings.model_validate(self.plant.settings or {})
        described: dict[str, Any] = {"name": self.name, "driver": self.plant.driver, "port": self.wire.url}
        if self.link is Link.ECHO:
            described["line"] = {"strip_echo": True}
        reader = Reader.model_validate(described)
        rng = Random(f"{self.seed}/{self.name}/backoff")
        supervisor = Supervisor(reader, spec, settings, intake, self.health, opener=self.open, rng=rng)
        running = asyncio.create_task(supervisor.run())
        try:
            await self._phases(supervisor, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self.wire.unplug()
            self.wire.close()
        assert not self.wire.failures, self.wire.failures

    async def _phases(self, supervisor: Supervisor, running: asyncio.Task[None]) -> None:
        watched = supervisor.watched

        async def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
            began_s = time.monotonic()
            while not condition():
                if running.done():
                    running.result()
                assert not self._gave_up(), "the driver has a bug, or takes noise for a refusal"
                assert time.monotonic() < began_s + within_s, f"not {what} in {within_s:g} s"
                await asyncio.sleep(0.02)
            self.told.append(f"{what} after {time.monotonic() - began_s:.1f} s")

        async def reads(what: str) -> None:
            self.heard.clear()
            await until(lambda: self.heard >= self.plant.truth, HEARD_WITHIN_S, f"all read, {what}")
            await until(lambda: len(watched.watched) == self.plant.watches, LOST_WITHIN_S, f"watches, {what}")
            devices = watched.devices.values()
            await until(lambda: all(device.state == "online" for device in devices), LOST_WITHIN_S, f"online, {what}")

        def is_lost() -> bool:
            return not watched.watched and watched.devices[self.name].state == "offline"

        await until(is_lost, 0.0, "offline before it was plugged in")
        await self.wire.plug()
        await reads("at first")
        self.phase, self.weather.is_rough = "rough", True
        await asyncio.sleep(ROUGH_S)
        await until(lambda: self.weather.damaged >= LEAST_DAMAGED, HEARD_WITHIN_S, f"{LEAST_DAMAGED} frames damaged")
        self.weather.is_rough, self.phase = False, "after"
        await reads("after rough weather")
        self.phase = "calm"
        await self._rests("talking", MOST_CALLS_PER_S)
        self.weather.is_silent = True
        await self._rests("not answered", MOST_SILENT_CALLS_PER_S)
        self.weather.is_silent = False
        await reads("after a silence")
        opened, refused = self.opened, self.refused
        await self.wire.unplug()
        await until(is_lost, LOST_WITHIN_S, "noticed that it is unplugged")
        await until(lambda: self.refused > refused, HEARD_WITHIN_S, "tried again")
        assert is_lost()
        await self.wire.plug()
        await reads("plugged in again")
        assert self.opened > opened

    def _gave_up(self) -> bool:
        troubles = [{"event": event, "level": "error"} for event in ("driver_failed", "reader_refused")]
        return any(self.health.registry.get_sample_value("tagwharf_troubles_total", each) for each in troubles)

    async def _rests(self, what: str, most_per_s: float) -> None:
        self.calls.clear()
        began_s = time.monotonic()
        await asyncio.sleep(WATCHED_S)
        per_s = self.calls.total() / (time.monotonic() - began_s)
        self.told.append(f"{per_s:.0f} calls/s while {what}")
        assert per_s <= most_per_s, f"{per_s:.0f} calls a second while {what}: {self.calls}"

    def __str__(self) -> str:
        missing = sorted(map(repr, self.plant.truth - self.heard))
        return "\n".join(
            [
                f"{self.name} with {VARIABLE}={self.seed}: {'; '.join(self.told)}",
                f"  missing {missing}",
                f"  struck {dict(self.weather.struck)}, rejected {dict(self.rejects)}, invented {self.invented}",
                f"  opened {self.opened}, refused {self.refused}",
            ]
        )


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run | Exception]:
    """What came of the runs that are asked for, or how they failed."""
    wanted = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    ]
    seed = chosen_seed()
    directory = tmp_path_factory.mktemp("journal")

    async def main() -> dict[str, Run | Exception]:
        with stable_names() as names, logged("edge") as said, pytest.MonkeyPatch.context() as patch:
            patch.setattr("gateway.edge.supervisor.BACKOFF_MOST_S", LONGEST_BACKOFF_S)
            async with opened(directory) as journal:
                intake = Listener(GATEWAY, journal, Health("edge"))
                all_runs = {name: Run(name, seed, names) for name in wanted}
                intake.ears = {name: run.hear for name, run in all_runs.items()}
                some = asyncio.Semaphore(AT_ONCE)

                async def go(run: Run) -> Run | Exception:
                    async with some:
                        try:
                            await run.go(intake)
                        except Exception as error:  # noqa: BLE001  # each test shows its own
                            lines = [line for line in said.getvalue().splitlines() if run.name in line]
                            error.add_note("\n".join([str(run), *lines[-LINES_SHOWN:]]))
                            return error
                    return run

                return dict(zip(wanted, await asyncio.gather(*map(go, all_runs.values())), strict=True))

    return asyncio.run(main())


@pytest.mark.parametrize("name", RUNS)
def test_a_device_is_read_whatever_happens_to_its_line(name: str, runs: Mapping[str, Run | Exception]) -> None:
    run = runs[name]
    if isinstance(run, Exception):
        raise run
    print(run)  # noqa: T201  # how long it took
    if run.plant.rough is Rough.LINE:
        assert run.rejects.total() > 0
    if run.plant.slips is not None:
        assert len(run.invented) <= run.plant.slips, run.invented
    assert {phase for phase, _ in run.invented} <= {"rough", "after"}


def test_every_driver_meets_its_device() -> None:
    """The one entry that a new driver needs is in `tests/support/wired_plants.py`."""
    assert {plant.driver for plant in PLANTS} | set(ELSEWHERE) == set(registry.drivers())
    root = Path(__file__).resolve().parents[2]
    assert [name for name in ELSEWHERE.values() if not (root / name).is_file()] == []
