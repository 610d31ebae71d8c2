import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import Reader
from gateway.edge.intake import Intake
from gateway.edge.supervisor import BACKOFF_MOST_S, Backoff, Supervisor
from gateway.health import Health
from readers.control import Attempt, ControlPoint, Fate, Order, Shown
from readers.driver import DriverSettings, DriverSpec, Kind, Port, Report
from readers.errors import ConfigError, DeviceRefusedError, FrameError, LinkError, ReaderBusyError
from readers.observations import Observation, Watching
from readers.ports.memory import MemoryPort
from tests.gateway.edge.support import GATEWAY, opened
from tests.support.card_readers import CANARY, PIN, card_reads, leaks, logged

Act = Callable[[Report], Coroutine[Any, Any, None]]
Body = Callable[["Bench"], Coroutine[Any, Any, None]]


class Scripted:
    """A driver that does what the test says."""

    def __init__(self, act: Act) -> None:
        self._act = act

    async def run(self, port: Port, report: Report) -> None:
        assert port.description == "memory"
        await self._act(report)


class Bench:
    """One supervised reader with short waits."""

    def __init__(self, act: Act, health: Health, intake: Intake, kind: Kind = Kind.RFID, **reader: Any) -> None:
        self.health = health
        self.ports: list[MemoryPort] = []
        self.refuse: Exception | None = None
        spec = DriverSpec("scripted", kind, DriverSettings, lambda _: Scripted(act), "for tests", tcp_port=1)
        self.supervisor = Supervisor(
            Reader.model_validate({"name": "gate", "driver": "scripted", "port": "tcp://x", **reader}),
            spec,
            DriverSettings(),
            intake,
            health,
            opener=self.open,
            rng=random.Random(1),
        )
        self.device = self.supervisor.watched.devices["gate"]

    async def open(self, reader: Reader) -> Port:
        assert reader.port == "tcp://x"
        if self.refuse is not None:
            raise self.refuse
        self.ports.append(MemoryPort("memory"))
        return self.ports[-1]

    def troubles(self, event: str, level: str = "warning") -> float:
        labels = {"event": event, "level": level}
        return self.health.registry.get_sample_value("tagwharf_troubles_total", labels) or 0.0

    @property
    def status(self) -> tuple[str, str]:
        batch = self.device.batch(GATEWAY, 0)
        return batch.state, batch.reason


def supervise(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Act,
    body: Callable[[Bench], Coroutine[Any, Any, None]],
    **reader: Any,
) -> None:
    monkeypatch.setattr("gateway.edge.supervisor.BACKOFF_FIRST_S", 0.02)

    async def main() -> None:
        health = Health("edge")
        async with opened(directory) as journal:
            bench = Bench(act, health, Intake(GATEWAY, journal, health), **reader)
            running = asyncio.create_task(bench.supervisor.run())
            try:
                await body(bench)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            assert all(port._closed for port in bench.ports)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "reason", "event", "level"),
    [
        (LinkError("cut"), "link_failed", "reader_link_failed", "warning"),
        (ReaderBusyError("taken"), "another_client", "reader_busy", "warning"),
        (FrameError("length", "short"), "frame_error", "frame_rejected", "warning"),
        (ZeroDivisionError(), "driver_failed", "driver_failed", "error"),
    ],
)
def test_it_tries_again(
    error: Exception, reason: str, event: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    async def act(report: Report) -> None:
        tries.append(1)
        report(Watching(frozenset({1})))
        if len(tries) < 3:
            raise error
        await asyncio.sleep(100)

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while len(tries) < 2:
                await asyncio.sleep(0.001)
            while bench.status[0] != "online" or len(tries) < 3:
                await asyncio.sleep(0.001)
        assert bench.troubles(event, level) == 2.0
        assert bench.device.reconnects == 2
        assert len(bench.ports) == 3

    supervise(tmp_path, monkeypatch, act, body)

    async def failing(report: Report) -> None:
        report(Watching(frozenset({1})))
        raise error

    async def seen(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while bench.status != ("offline", reason):
                await asyncio.sleep(0)
        assert bench.supervisor.watched.watched == []

    supervise(tmp_path / "2", monkeypatch, failing, seen)


def test_a_refusal_parks_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    async def act(_: Report) -> None:
        tries.append(1)
        raise DeviceRefusedError("tx_power_dbm = 45")

    async def body(bench: Bench) -> None:
        await asyncio.sleep(0.3)
        assert tries == [1]
        assert bench.status == ("offline", "refused")
        assert "45" in bench.device.batch(GATEWAY, 0).detail

    supervise(tmp_path, monkeypatch, act, body)


def test_a_driver_that_returns_has_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(_: Report) -> None:
        return

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while bench.status != ("offline", "driver_failed"):
                await asyncio.sleep(0)

    supervise(tmp_path, monkeypatch, act, body)


def test_an_open_link_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(_: Report) -> None:
        await asyncio.sleep(100)

    async def body(bench: Bench) -> None:
        await asyncio.sleep(0.05)
        assert bench.status == ("offline", "connecting")

    supervise(tmp_path, monkeypatch, act, body)


def test_the_same_trouble_again_is_counted_and_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def act(_: Report) -> None:
        raise LinkError("no answer")

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(10):
            while bench.troubles("reader_link_failed") < 4:
                await asyncio.sleep(0.01)

    supervise(tmp_path, monkeypatch, act, body)
    assert capsys.readouterr().out.count("reader_link_failed") == 1


def test_a_wrong_port_from_the_start_ends_the_gateway(tmp_path: Path) -> None:
    async def act(_: Report) -> None:
        raise AssertionError

    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path) as journal:
            bench = Bench(act, health, Intake(GATEWAY, journal, health))
            bench.refuse = ConfigError("no such scheme")
            with pytest.raises(ConfigError, match=r"reader\[gate\]: no such scheme"):
                await bench.supervisor.run()

    asyncio.run(main())


def test_a_certificate_that_vanishes_later_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(_: Report) -> None:
        raise LinkError("cut")

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while not bench.ports:
                await asyncio.sleep(0.001)
            bench.refuse = ConfigError("cannot load")
            while bench.status != ("offline", "configuration"):
                await asyncio.sleep(0.001)
            bench.refuse = None
            before = len(bench.ports)
            while len(bench.ports) == before:
                await asyncio.sleep(0.001)

    supervise(tmp_path, monkeypatch, act, body)


def test_waits_grow_to_a_limit_with_a_random_part_and_shrink_after_a_good_spell() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.after(0) for _ in range(10)]
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits[:5]))
    assert max(waits) <= BACKOFF_MOST_S
    assert min(waits[6:]) >= BACKOFF_MOST_S / 2
    assert backoff.after(59.9) > 10
    assert backoff.after(60) <= 1


def test_a_serial_line_of_this_machine_is_tried_again_soon() -> None:
    backoff = Backoff(random.Random(1), is_local=True)
    assert max(backoff.after(0) for _ in range(50)) <= 4


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (FrameError("checksum", "3F, should be 40", bytes.fromhex("0204CA7A12F0AD9B03")), "checksum: 3F, should be 40"),
        (LinkError("cut within 15773083"), "cut within ..."),
        (ValueError("invalid literal for int() with base 16: '04CA7A12F0AD9B'"), "driver_failed"),
    ],
)
def test_no_number_of_a_card_is_told_or_logged(
    error: Exception, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(report: Report) -> None:
        report(card_reads(CANARY, keys=PIN))
        raise error

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while shown not in said.getvalue():
                await asyncio.sleep(0.01)
        assert leaks(bench.device.batch(GATEWAY, 0).detail.encode()) == []

    with logged("edge") as said:
        supervise(tmp_path, monkeypatch, act, body, kind=Kind.CARD)
    assert leaks(said.getvalue().encode()) == []
    assert leaks(b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())) == []


class Switch(Scripted):
    """A driver that can be ordered about."""

    def control_points(self) -> tuple[ControlPoint, ...]:
        return ()

    async def observe(self, source: str | None, point: str) -> Shown:
        raise LinkError(f"{source} {point}")

    async def attempt(self, order: Order) -> Attempt:
        return Attempt(Fate.NOT_SENT, order.point)

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        raise NotImplementedError(order, before, after)


def test_the_driver_that_talks_now_can_be_controlled_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.supervisor.BACKOFF_FIRST_S", 0.02)
    made: list[Switch] = []
    heard: list[Observation] = []

    async def main() -> None:
        end = asyncio.Event()

        async def act(report: Report) -> None:
            report(Watching(frozenset({1})))
            await end.wait()
            end.clear()
            raise LinkError("cut")

        def make(_: DriverSettings) -> Switch:
            made.append(Switch(act))
            return made[-1]

        async def open_port(reader: Reader) -> Port:
            assert reader.name == "gate"
            return MemoryPort("memory")

        health = Health("edge")
        async with opened(tmp_path) as journal:
            supervisor = Supervisor(
                Reader.model_validate({"name": "gate", "driver": "switch", "port": "tcp://x"}),
                DriverSpec("switch", Kind.RFID, DriverSettings, make, "for tests", tcp_port=1),
                DriverSettings(),
                Intake(GATEWAY, journal, health),
                health,
                opener=open_port,
                listener=heard.append,
            )
            assert not isinstance(supervisor.controllable, Switch)
            running = asyncio.create_task(supervisor.run())
            for _ in range(2):
                async with asyncio.timeout(5):
                    while supervisor.controllable is None:
                        await asyncio.sleep(0.001)
                assert supervisor.controllable is made[0]
                end.set()
                async with asyncio.timeout(5):
                    while supervisor.controllable is not None:
                        await asyncio.sleep(0.001)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert not isinstance(supervisor.controllable, Switch)
            assert supervisor.watched.devices["gate"].reconnects >= 1

    asyncio.run(main())
    assert heard[:2] == [Watching(frozenset({1}))] * 2
    assert len(made) == 1, "one driver for all links of its reader"


def test_a_driver_that_only_reads_is_not_controllable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(report: Report) -> None:
        report(Watching(frozenset({1})))
        await asyncio.sleep(100)

    async def body(bench: Bench) -> None:
        async with asyncio.timeout(5):
            while bench.status[0] != "online":
                await asyncio.sleep(0.001)
        assert bench.supervisor.controllable is None

    supervise(tmp_path, monkeypatch, act, body)
