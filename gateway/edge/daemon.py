"""The edge daemon: readers to journal to broker, until a signal ends it.

Exit status: 0 after a signal, 1 when the journal fails (start anew: it recovers), 78 for a wrong site file (EX_CONFIG),
75 when another daemon holds the state directory (EX_TEMPFAIL).
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvloop
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import systemd
from gateway.certificates import edge_certificates
from gateway.config.load import driver_settings, load_site, state_directory
from gateway.config.models import SiteFile
from gateway.contract.batches import StatusBatch
from gateway.contract.ledger import EdgeLedger
from gateway.contract.topics import Topics
from gateway.control.audit import AuditError
from gateway.control.service import ControlService, controlled_points
from gateway.edge.committer import JournalFailedError
from gateway.edge.intake import Intake, now_us
from gateway.edge.journal import Journal
from gateway.edge.ledger import edge_ledger, write_ledger
from gateway.edge.publish import Publisher
from gateway.edge.supervisor import Supervisor
from gateway.health import PREFIX, Health
from gateway.identity import identities_of
from gateway.links import open_link
from gateway.logs import configure, get_log
from readers.control import Controllable
from readers.driver import Kind
from readers.errors import ConfigError
from readers.registry import driver
from readers.tasks import end

EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78
FAREWELL_S: Final = 5.0
LOOP_LIMIT_S: Final = 5.0
LEDGER_FILE_EVERY_S: Final = 5.0


class AlreadyRunningError(Exception):
    """Another daemon holds the state directory."""


class Edge:
    """The parts of one edge daemon, wired together. On a running event loop.

    Raises:
        ConfigError: the site file asks for the impossible. OSError, sqlite3.Error: the journal cannot be opened.
        AuditError: the audit of control cannot be opened.
    """

    def __init__(self, site: SiteFile, state_dir: Path) -> None:
        site = site.model_copy(update={"mqtt": site.mqtt.of("edge")})
        self.site = site
        self.gateway = site.site.gateway
        self.health = Health("edge")
        self._state_dir = state_dir
        self._log = get_log()
        self._started_us = now_us()
        has_cards = any(driver(reader.driver).kind is Kind.CARD for reader in site.reader)
        identities = identities_of(site.cards, is_key_needed=has_cards)
        self.journal = Journal(state_dir / "journal", self.gateway, site.journal, self.health)
        self.intake = Intake(
            self.gateway, self.journal, self.health, identities=identities, settle_s=site.rules.lateness_s
        )
        self.certificates = edge_certificates(site, self.health)
        self.control = self._control() if site.control.enabled else None
        self.supervisors = [
            Supervisor(
                reader,
                driver(reader.driver),
                driver_settings(reader),
                self.intake,
                self.health,
                opener=partial(open_link, shown=self.certificates.shown_as(f"reader.{reader.name}.server")),
                listener=partial(self.control.observed, reader.name) if self.control else None,
            )
            for reader in site.reader
        ]
        self.publisher = Publisher(
            site.mqtt,
            Topics(site.site.name),
            self.gateway,
            self.journal,
            self.health,
            ledger=self.ledger,
            status=self._own_status,
            on_connected=self.intake.tell_all,
            shown=self.certificates.shown_as("mqtt.server"),
        )
        self.health.registry.register(_Figures(self))

    def ledger(self) -> EdgeLedger:
        """The ledger of this instant."""
        return edge_ledger(self.gateway, self.journal, self.intake)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            ConfigError: a port, a certificate or a credential is wrong. JournalFailedError: the disk failed.
            OSError: the address of /metrics is taken.
        """
        self.journal.start()
        beat = self.health.progress.watch("loop", LOOP_LIMIT_S)
        settings = self.site.health
        server = await self.health.serve(settings.host, settings.edge_port) if settings.edge_port else None
        readers = [asyncio.create_task(s.run(), name=f"reader {s.watched.reader}") for s in self.supervisors]
        background = [
            asyncio.create_task(self.intake.tick_forever(beat), name="tick"),
            asyncio.create_task(systemd.feed_watchdog(self.health.progress.stalled), name="watchdog"),
            asyncio.create_task(self._keep_ledger(), name="ledger"),
            asyncio.create_task(self.certificates.run(), name="certificates"),
        ]
        if self.control is not None:
            background.append(asyncio.create_task(self.control.run(), name="control"))
        publishing = asyncio.create_task(self.publisher.run(), name="publisher")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        if self.supervisors:
            self.health.not_ready.pop("start", None)
        else:
            self.health.not_ready["start"] = "no reader is configured"
        systemd.ready(f"{len(self.supervisors)} readers")
        self._log.info("edge_started", gateway=self.gateway, readers=len(self.supervisors), epoch=self.journal.epoch)
        try:
            await self._until_stop(stopping, [*readers, *background, publishing])
            systemd.stopping()
            if self.control is not None:
                await self.control.finish()
            await self._farewell(readers, background, publishing)
        finally:
            await end(*readers, *background, publishing, stopping)
            if server is not None:
                server.close()
            self.health.progress.retire("loop")
            await self.journal.close()
            write_ledger(self._state_dir, self.ledger())

    def _control(self) -> ControlService:
        """Looks for the supervisors when it needs them: they are made after it."""

        def live(reader: str) -> Controllable | None:
            return next((s.controllable for s in self.supervisors if s.watched.reader == reader), None)

        def is_online(device: str) -> bool:
            return any(s.watched.devices[device].proven for s in self.supervisors if device in s.watched.devices)

        return ControlService(
            self.site,
            self._state_dir,
            self.health,
            controlled_points(self.site),
            live=live,
            is_online=is_online,
        )

    async def _until_stop(self, stopping: asyncio.Task[Any], tasks: list[asyncio.Task[None]]) -> None:
        waiting: set[asyncio.Future[Any]] = {stopping, self.journal.failed, *tasks}
        while not stopping.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # what a task raises ends the daemon; the watchdog's returns when nobody watches

    async def _farewell(
        self, readers: list[asyncio.Task[None]], background: list[asyncio.Task[None]], publishing: asyncio.Task[None]
    ) -> None:
        """Stop the readers, journal what they said, and send the rest for some seconds at most."""
        await end(*readers, background[0])
        self.health.progress.retire("loop")
        self.intake.tick()  # nothing is watched any more
        await self.journal.flush()
        self.publisher.finish()
        try:
            async with asyncio.timeout(FAREWELL_S if self.publisher.connected else 0):
                await asyncio.shield(publishing)
        except TimeoutError:
            self._log.info("rest_left_in_journal", rows=self.journal.last - self.journal.watermark)
        final = self.ledger()
        self._log.info("edge_stopped", balanced=final.tag_reads.balanced, watermark=final.watermark)

    async def _keep_ledger(self) -> None:
        while True:
            await asyncio.sleep(LEDGER_FILE_EVERY_S)
            ledger = self.ledger()
            try:
                write_ledger(self._state_dir, ledger)
            except OSError as error:  # the journal says the same, and louder
                self.health.trouble(self._log, "ledger_not_written", error=error)
            systemd.status(
                f"{sum(d.proven for d in self.intake.devices)} of {len(self.intake.devices)} devices online, "
                f"{ledger.tag_reads.heard} reads, {ledger.next_sequence - 1 - ledger.watermark} batches unjudged"
            )

    def _own_status(self, state: str, reason: str) -> StatusBatch:
        return StatusBatch(
            gateway=self.gateway,
            epoch=self.journal.epoch,
            device=self.gateway,
            received_at_us=now_us(),
            state=state,
            reason=reason,
            since_us=self._started_us if state == "online" else now_us(),
            watched=[],
            conditions=self.certificates.conditions(),
        )


class _Figures(Collector):
    """The ledger and the devices as metrics, read when asked for: nothing is counted twice on the hot path."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def collect(self) -> Iterator[Metric]:
        edge = self._edge
        ledger = edge.ledger()
        heard = CounterMetricFamily(f"{PREFIX}heard_items", "Items reported by drivers", labels=["kind"])
        judged = CounterMetricFamily(f"{PREFIX}judged_items", "Items judged by the rules", labels=["kind"])
        dropped = CounterMetricFamily(f"{PREFIX}dropped_items", "Items never to be judged", labels=["kind", "reason"])
        queued = GaugeMetricFamily(f"{PREFIX}queued_items", "Items on their way", labels=["kind"])
        for kind, account in ledger.accounts.items():
            heard.add_metric([kind], account.heard)
            judged.add_metric([kind], account.judged)
            queued.add_metric([kind], account.queued)
            for reason, count in account.dropped.items():
                dropped.add_metric([kind, reason], count)
        yield from (heard, judged, dropped, queued)
        up = GaugeMetricFamily(
            f"{PREFIX}device_up", "1 while the device has proven itself", labels=["device", "driver"]
        )
        reads = CounterMetricFamily(f"{PREFIX}device_heard_items", "Items of one device", labels=["device"])
        links = CounterMetricFamily(f"{PREFIX}device_reconnects", "Further attempts to connect", labels=["device"])
        for device in edge.intake.devices:
            up.add_metric([device.device, device.driver], float(device.proven))
            reads.add_metric([device.device], device.heard)
            links.add_metric([device.device], device.reconnects)
        yield from (up, reads, links)
        backlog = edge.journal.last - edge.journal.watermark
        yield GaugeMetricFamily(f"{PREFIX}journal_unjudged_batches", "Batches above the watermark", value=backlog)
        yield GaugeMetricFamily(f"{PREFIX}broker_up", "1 while the broker is connected", value=edge.publisher.connected)
        yield GaugeMetricFamily(
            f"{PREFIX}rules_up", "1 while a rules daemon listens", value=edge.publisher.rules_online
        )
        yield CounterMetricFamily(f"{PREFIX}published_batches", "Batches sent, also again", value=edge.publisher.sent)
        yield CounterMetricFamily(f"{PREFIX}rewinds", "Times the sender went back", value=edge.publisher.rewinds)


async def run(site_path: Path) -> None:
    """Run the edge daemon of a site file until SIGTERM or SIGINT.

    Raises:
        ConfigError: the site file is wrong. AlreadyRunningError: the state directory is taken.
        JournalFailedError, AuditError: the disk failed. OSError, sqlite3.Error: the journal or an address cannot be
            opened.
    """
    site = load_site(site_path)
    state_dir = state_directory(site)
    with _locked(state_dir):
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Edge(site, state_dir).run(stop)


def serve(site_path: Path) -> int:
    """Run the edge daemon and return its exit status; what went wrong is in the log."""
    configure("edge")
    log = get_log()
    try:
        uvloop.run(run(site_path))
    except ConfigError as error:
        for line in str(error).splitlines():
            log.critical("site_file_refused", fault=line)
        return EX_CONFIG
    except AlreadyRunningError as error:
        log.critical("edge_already_running", error=error)
        return EX_TEMPFAIL
    except (JournalFailedError, AuditError, OSError, sqlite3.Error) as error:
        log.critical("edge_failed", exc_info=error)
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    """`python -m gateway.edge --config FILE`."""
    parser = argparse.ArgumentParser(prog="python -m gateway.edge", description="The edge daemon of Tagwharf.")
    parser.add_argument("--config", type=Path, default=Path("/etc/tagwharf/site.toml"), help="the site file")
    return serve(parser.parse_args(arguments).config)


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for this process; the lock ends with it, however it ends."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(state_dir / "edge.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"site.state_dir = {state_dir}: cannot be used: {error.strerror}; make it, owned by the user who runs this"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunningError(
                f"{state_dir} is held by the edge daemon with process id {holder}; stop that one, "
                "or set another site.state_dir"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
