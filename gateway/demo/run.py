"""Runs the demonstration from start to report."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from msgspec import structs
from rich.console import Console
from rich.live import Live as Picture

from gateway.broker import EmbeddedBroker, free_port
from gateway.config.load import load_site, state_directory
from gateway.config.models import SiteFile
from gateway.console.live import Live
from gateway.contract import batches, ledger
from gateway.contract.topics import Topics
from gateway.demo import truth
from gateway.demo.children import Child, ChildDiedError
from gateway.demo.logins import hand_out
from gateway.demo.meters import meters
from gateway.demo.operator import CREDENTIAL, LEAST_S, METER_PASSWORD, PASSWORD_CREDENTIAL, Operator, audit_of
from gateway.demo.report import faults, report
from gateway.demo.view import render
from gateway.event_history import EventHistory
from gateway.mqtt import BrokerError, Session, session, stay_connected
from readers.tasks import end

READY_WITHIN_S: Final = 60.0
SETTLE_S: Final = 5.0  # the last truck has gone; portals close, meters answer once more
STARTS_IN_S: Final = 12  # until the first truck: the daemons start meanwhile
ORDERS_WITHIN_S: Final = 20.0
PICTURES_PER_S: Final = 4
RETAINED_WITHIN_S: Final = 3.0
EVENTS_MOST: Final = 100_000
US_PER_S: Final = 1_000_000
CREDENTIALS: Final = "credentials"
PASSWORD_FILE: Final = "console-password.txt"  # noqa: S105  # the name of one
CARD_KEY: Final = "card-key"
RULES_CREDENTIALS: Final = ("control-gate-rules", "control-car-park-rules")
KEY_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the command line asks for.

    Attributes:
        duration_s: from the first truck to the end; None to run until interrupted.
        broker: HOST:PORT of a real broker instead of the embedded one.
        influx: URL of a real InfluxDB or VictoriaMetrics beside the event journal; its token is in `INFLUX_TOKEN`.
        influx_api: `v2`, or `v1` for InfluxDB 1.x.
        keep: keep everything in this directory; a temporary one otherwise.
    """

    scenario: str = "showcase"
    duration_s: float | None = None
    report: Path | None = None
    seed: int = 7
    broker: str | None = None
    influx: str | None = None
    influx_bucket: str = "tagwharf"
    influx_org: str = "tagwharf"
    influx_api: str = "v2"
    console_port: int = 8680
    keep: Path | None = None


def run(settings: DemoSettings) -> int:
    """Run the demonstration; 0 when everything went as it should."""
    screen = Console()
    directory = settings.keep or Path(tempfile.mkdtemp(prefix="tagwharf-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        made = asyncio.run(_Demo(settings, directory, screen).play())
    except (ChildDiedError, TimeoutError) as error:
        screen.print(f"[red]The demonstration failed:[/red] {error}", markup=True, highlight=False)
        screen.print(f"Everything that was said is in {directory}", highlight=False)
        return 1
    wrong = faults(made) if settings.duration_s is not None else []
    if settings.report is not None:
        settings.report.write_text(json.dumps(made, indent=2) + "\n")
    _summary(screen, made, wrong, settings)
    if settings.keep is None and not wrong:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        screen.print(f"Logs, journals and the truth of this run are in {directory}", highlight=False)
    return 1 if wrong else 0


class _Demo:
    """One run: the processes, the picture, the report."""

    def __init__(self, settings: DemoSettings, directory: Path, screen: Console) -> None:
        self.settings = settings
        self.directory = directory
        self.screen = screen
        self.site_path = directory / "site.toml"
        self.children: list[Child] = []
        self._interrupted = asyncio.Event()
        self._operator_key = secrets.token_hex(KEY_BYTES)

    async def play(self) -> dict[str, Any]:
        """Start everything, show it, stop it in order, and report."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted.set)
        async with AsyncExitStack() as stack:
            host, port = await self._broker(stack)
            stack.push_async_callback(self._stop_all)
            console_port = self.settings.console_port
            if not _is_free(console_port):
                console_port = free_port()
            simulator = await self._start_simulator(host, port, console_port)
            handed = self._credentials()
            password = self._add_logins()
            site = load_site(self.site_path)
            config = ("--config", str(self.site_path))
            rules = await self._start("rules", "rules", "run", *config, environment=handed)
            edge = await self._start("edge", "gateway.edge", *config, environment=handed)
            await self._start("console", "gateway.console", *config, environment=handed)
            address = f"http://{site.console.host}:{console_port}/"
            logins = f"log in as viewer, operator or engineer, password {password}"
            if not self.screen.is_terminal:
                self.screen.print(f"Playing {self.settings.scenario}; console: {address} ({logins})", highlight=False)
            operator = Operator(site, self._operator_key)
            at_end = await self._show(site, address, operator)
            # In the direction of the data: what the edge has sent is judged and stored before the rules daemon ends.
            await edge.stop()
            await rules.stop()
            made = await self._report(site, at_end)
            if site.control.enabled:
                audit = await asyncio.to_thread(audit_of, state_directory(site))
                made["control"] = {"orders": operator.orders, "audit": audit}
            await simulator.stop()
            return made

    async def _broker(self, stack: AsyncExitStack) -> tuple[str, int]:
        if self.settings.broker is not None:
            host, _, port = self.settings.broker.rpartition(":")
            return host or "127.0.0.1", int(port)
        broker = await stack.enter_async_context(EmbeddedBroker(self.directory / "broker"))
        return broker.host, broker.port

    async def _start(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Child:
        child = await Child.start(name, self.directory, *arguments, environment=environment)
        self.children.append(child)
        return child

    async def _start_simulator(self, host: str, port: int, console_port: int) -> Child:
        arguments = [
            *("simulator", self.settings.scenario, "--out", str(self.directory), "--seed", str(self.settings.seed)),
            *("--start-in", f"{STARTS_IN_S}s", "--fill", f"MQTT_HOST={host}", "--fill", f"MQTT_PORT={port}"),
            *("--fill", f"STATE_DIR={self.directory / 'state'}"),
        ]
        if self.settings.duration_s is not None:
            arguments += ["--for", f"{max(1.0, self.settings.duration_s - SETTLE_S):g}s"]
        self.site_path.unlink(missing_ok=True)  # of an earlier run that was kept here
        child = await self._start("simulator", *arguments)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not self.site_path.exists():
                    child.require_alive()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = f"the simulator was not ready within {READY_WITHIN_S:.0f} s: is the machine busy? See {child.log}"
            raise TimeoutError(text) from None
        with self.site_path.open("a") as file:
            file.write(f"\n[console]\nport = {console_port}\n")
            if self.settings.influx is not None:
                values = {"url": self.settings.influx, "api": self.settings.influx_api, "org": self.settings.influx_org}
                values["bucket"] = self.settings.influx_bucket
                lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
                file.write("\n".join(["\n[[sink]]", 'kind = "influxdb"', 'name = "influx"', *lines]) + "\n")
        return child

    def _add_logins(self) -> str:
        """Give the console its users, and return their password."""
        people = [person.name for person in load_site(self.site_path).control.person]
        password, tables = hand_out(self.directory / CREDENTIALS, people)
        with self.site_path.open("a") as file:
            file.write(f"\n{tables}\n")
        (self.directory / PASSWORD_FILE).write_text(password)
        return password

    def _credentials(self) -> dict[str, str]:
        """Keys, passwords and the store's token, handed to the daemons as systemd does it."""
        directory = self.directory / CREDENTIALS
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / CARD_KEY).write_text(secrets.token_hex(KEY_BYTES))
        (directory / CREDENTIAL).write_text(self._operator_key)
        for name in RULES_CREDENTIALS:
            (directory / name).write_text(secrets.token_hex(KEY_BYTES))
        (directory / PASSWORD_CREDENTIAL).write_text(METER_PASSWORD)
        token = os.environ.get("INFLUX_TOKEN")
        if self.settings.influx is not None and token:
            (directory / "influx-influx").write_text(token)
        return {"CREDENTIALS_DIRECTORY": str(directory)}

    async def _show(self, site: SiteFile, address: str, operator: Operator) -> dict[str, Any]:
        """Show the site until the end, and return how it was just before."""
        live = Live(site.site.name)
        duration_s = self.settings.duration_s
        tasks = [asyncio.create_task(_follow(site, live))]
        if duration_s is None or duration_s >= LEAST_S:
            tasks.append(asyncio.create_task(operator.work(live.is_online, once=duration_s is not None)))
        ends_s = self._ends_s()
        try:
            with self._picture() as picture:
                while not self._interrupted.is_set() and (ends_s is None or time.monotonic() < ends_s):
                    for child in self.children:
                        child.require_alive()
                    left = "Ctrl-C ends it" if ends_s is None else f"{max(0, ends_s - time.monotonic()):.0f} s left"
                    picture.update(render(live, address, left, operator.orders), refresh=True)
                    await asyncio.sleep(1 / PICTURES_PER_S)
            if duration_s is not None and len(tasks) > 1:
                await asyncio.wait(tasks[1:], timeout=ORDERS_WITHIN_S)  # an order that was begun is ended
        finally:
            await end(*tasks)
        return live.whole()

    def _ends_s(self) -> float | None:
        if self.settings.duration_s is None:
            return None
        start_us: int = json.loads((self.directory / "truth.json").read_text())["start_us"]
        return time.monotonic() + start_us / US_PER_S - time.time() + self.settings.duration_s

    def _picture(self) -> Picture | _Blind:
        if not self.screen.is_terminal:
            return _Blind()
        return Picture(console=self.screen, auto_refresh=False, vertical_overflow="crop")

    async def _report(self, site: SiteFile, at_end: dict[str, Any]) -> dict[str, Any]:
        """What the retained ledgers and statuses, the event journal and the truth say."""
        edge, rules, devices = await _retained(site)
        history = EventHistory(state_directory(site) / "events")
        happened = json.loads((self.directory / "truth.json").read_text())
        events = await asyncio.to_thread(history.recent_events, EVENTS_MOST, truth.types(happened))
        if self.settings.duration_s is None:  # interrupted
            happened = truth.until(happened, time.time_ns() // 1000 - round(SETTLE_S * US_PER_S))
        states = {name: device["state"] for name, device in at_end["devices"].items()}
        known = {
            name: structs.replace(status, state=states.get(name, status.state))  # they are offline by now
            for name, status in devices.items()
            if name != site.site.gateway
        }
        return report(edge, rules, known, events, happened) | {"meters": meters(at_end["readings"])}

    async def _stop_all(self) -> None:
        for child in reversed(self.children):
            await child.stop()


class _Blind:
    """Stands where no terminal is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, picture: object, *, refresh: bool) -> None:
        """Show nothing."""


async def _follow(site: SiteFile, live: Live) -> None:
    def changed(reason: str | None) -> None:
        live.connected = reason is None

    async def listen(link: Session) -> None:
        while True:
            message = await link.receive()
            live.feed(message.topic, message.payload)

    name = f"tagwharf-demo-{os.getpid()}"
    await stay_connected(site.mqtt, listen, client_id=name, topics=Live.topics(site.site.name), changed=changed)


async def _retained(site: SiteFile) -> tuple[ledger.EdgeLedger, ledger.RulesLedger, dict[str, batches.StatusBatch]]:
    """The last words of the daemons, as the broker keeps them.

    Raises:
        ChildDiedError: a ledger is missing; a daemon did not say its last word.
    """
    topics = Topics(site.site.name)
    edge: ledger.EdgeLedger | None = None
    rules: ledger.RulesLedger | None = None
    devices: dict[str, batches.StatusBatch] = {}
    wanted = (topics.ledger("+"), topics.device("+", "status"))
    try:
        async with (
            asyncio.timeout(RETAINED_WITHIN_S),
            session(site.mqtt, client_id=f"tagwharf-report-{os.getpid()}", topics=wanted) as link,
        ):
            while True:
                message = await link.receive()
                if message.topic == topics.ledger("rules"):
                    rules = ledger.decode_rules_ledger(message.payload)
                elif message.topic.startswith(topics.ledger("")):
                    edge = ledger.decode_edge_ledger(message.payload)
                elif message.topic != topics.rules_status():
                    batch = batches.decode(message.payload)
                    assert isinstance(batch, batches.StatusBatch)
                    devices[batch.device] = batch
    except TimeoutError:
        pass  # retained messages come at once; what has not come is not there
    except BrokerError as error:
        raise ChildDiedError(f"the broker is away at the end: {error}") from error
    if edge is None or rules is None:
        missing = "edge" if edge is None else "rules"
        raise ChildDiedError(f"the {missing} daemon left no ledger; its log says why")
    return edge, rules, devices


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _summary(screen: Console, made: dict[str, Any], wrong: list[str], settings: DemoSettings) -> None:
    book = made["ledger"]
    screen.print(
        f"{truth.summary(made['truth'])}; ledger {'balanced' if book['balanced'] else 'NOT balanced'}: "
        f"{book['tag_reads']['heard']} tag reads and {book['readings']['heard']} readings heard, "
        f"{book['points']['stored']} of {book['points']['made']} points stored; read to store "
        f"p50 {made['latency_ms']['p50']:.0f} ms, p99 {made['latency_ms']['p99']:.0f} ms",
        highlight=False,
        soft_wrap=True,
    )
    if settings.report is not None:
        screen.print(f"report: {settings.report}", highlight=False)
    for line in wrong:
        screen.print(f"WRONG: {line}", highlight=False)
