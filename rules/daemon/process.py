"""The rules daemon as a process: what it is made of, and how it ends."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from gateway import logs
from gateway.backup.notice import take as take_notice
from gateway.certificates import Certificates, rules_certificates
from gateway.config import ConfigError
from gateway.config.load import state_directory
from gateway.config.models import InfluxSink, JournalSink, SiteFile, WebhookSink
from gateway.contract.topics import Topics
from gateway.control.people import key_of
from gateway.credentials import credential
from gateway.event_journal import EventJournal
from gateway.health import Health
from gateway.identity import Identities, identities_of
from rules.daemon.alarm_desk import AlarmDesk
from rules.daemon.database import Database
from rules.daemon.database_file import RulesDatabaseError
from rules.daemon.edge_ledgers import EdgeLedgers
from rules.daemon.metrics import RulesCollector
from rules.daemon.pipeline import NS_PER_US, Pipeline
from rules.daemon.platform_points import PlatformPoints
from rules.daemon.rule_reload import RuleReloader, stamps_of
from rules.daemon.rule_times import RuleTimes
from rules.daemon.runner import Runner
from rules.daemon.threads import DatabaseThreads
from rules.engine import Engine
from rules.expansion import load_as_run
from rules.list_file import RefusedError
from rules.orders import Orders
from rules.outputs import Sink
from rules.own_events import REGISTRY_REFUSED, RULES_REFUSED, TABLE_REFUSED
from rules.reload import Stamps, Watcher
from rules.sinks.directory import open_directory
from rules.sinks.formats import exporter_of
from rules.sinks.influxdb import open_sink
from rules.sinks.journal import JournalSink as JournalStore
from rules.sinks.webhook import open_webhook
from rules.tables.reload import TableReloader
from rules.tables.shelf import Shelf
from rules.things.file import RegistryError
from rules.things.registry import Registry
from rules.things.reload import Reloader
from rules.things.source import ChangingError, Stamp, empty, load, stamp_of

EX_SOFTWARE: Final = 70  # sysexits.h: systemd starts us again
EX_CONFIG: Final = 78  # sysexits.h: it does not, the file must change first
EX_TEMPFAIL: Final = 75  # sysexits.h: another daemon is there; systemd tries again
DATABASE: Final = "rules.db"
LOCK: Final = "rules.lock"
EVENTS: Final = "events"


class AlreadyRunningError(Exception):
    """Another daemon holds the state directory."""


def run(config: Path, log_level: str) -> int:
    """Run the daemon until SIGTERM, and return the exit status of its process."""
    logs.configure("rules", level=log_level)
    log = logs.get_log()
    try:
        seen = stamps_of(config)  # before it is read: what changes meanwhile is read again
        site = load_as_run(config)
        with _held(state_directory(site)), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(site, config, seen))
    except (ConfigError, RulesDatabaseError) as error:
        return _refused(error)
    except AlreadyRunningError as error:
        log.critical("rules_already_running", error=error)
        return EX_TEMPFAIL
    except ExceptionGroup as group:
        refused, others = group.split(ConfigError)
        if refused is not None and others is None:
            return _refused(refused.exceptions[0])
        log.exception("rules_failed")
        return EX_SOFTWARE
    except (sqlite3.Error, OSError):
        log.exception("rules_failed")
        return EX_SOFTWARE
    return 0


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Hold the state directory for this process: two would judge past each other. The lock ends with the process."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"{directory} is held by another rules daemon; stop that one, or set another site.state_dir"
            ) from error
        yield


def _refused(error: Exception) -> int:
    for line in str(error).splitlines():
        logs.get_log().critical("site_file_refused", fault=line)
    return EX_CONFIG


async def serve(site: SiteFile, config: Path, seen: Stamps) -> None:
    """Judge until SIGTERM or SIGINT; SIGHUP reads the files of rules and lists again.

    `site` is what the file `config` says; `seen` are the stamps of the files that it was read from.

    Raises:
        ConfigError: the site file asks for the impossible. RulesDatabaseError, sqlite3.Error: the database. OSError:
            files, or a port that is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = Health("rules")
    directory = state_directory(site)
    identities = identities_of(site.cards, is_key_needed=False)
    things, stamp = await _things(site, directory, identities)
    shelf = await _tables(site, directory)
    engine = Engine(site, things, shelf.tables)
    times = RuleTimes(engine)
    certificates = rules_certificates(site, health)
    sinks = _sinks(site, directory, health, certificates)
    limits = {sink.name: sink.outbox_bytes for sink in site.sink if not isinstance(sink, JournalSink)}
    database = Database(directory / DATABASE, limits)
    threads = DatabaseThreads(database)
    server = None
    try:
        pipeline = Pipeline(
            site=site.site.name,
            judge=times if site.rules.platform_every_s else engine,
            sinks=sinks,
            threads=threads,
            stored=database.load(),
            health=health,
            commit_every_s=site.rules.commit_every_s,
            latency_sink=latency_sink(site),
            orders=_orders(site),
        )
        if database.set_aside is not None:
            pipeline.lost_state("rules", f"the database was damaged and is kept as {database.set_aside.name}")
        if (restored := take_notice(directory)) is not None:
            pipeline.lost_state("rules", restored.text)
        if unreadable := engine.counters()["state_unreadable"]:
            pipeline.lost_state("rules", f"{unreadable} entries of the state could not be read")
        well = {REGISTRY_REFUSED: "a list of things that is", RULES_REFUSED: "rules that are"}
        for alarm, what in (well | {TABLE_REFUSED: "look-up tables that are"}).items():
            for subject in pipeline.alarms.subjects(alarm):
                pipeline.alarms.clear(alarm, subject, f"the daemon was started with {what} well")
        health.registry.register(RulesCollector(pipeline, engine.counters))
        if site.health.rules_port:
            server = await health.serve(site.health.host, site.health.rules_port)
        gc.collect()
        gc.freeze()  # state and code stay: the collector need not look through them again and again
        alarms = pipeline.alarms
        reloaders: list[Watcher] = [
            RuleReloader(config, site, seen=seen, shelf=shelf, replace=engine.replace, alarms=alarms, health=health),
            TableReloader(shelf, alarms=alarms, health=health),
        ]
        if site.site.assets is not None:
            reloaders.append(
                Reloader(
                    site.site.assets,
                    directory,
                    identities,
                    stamp=stamp,
                    install=engine.install,
                    alarms=pipeline.alarms,
                    health=health,
                )
            )
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _ask, reloaders)
        runner = Runner(
            pipeline,
            mqtt=site.mqtt.of("rules"),
            client_id=f"tagwharf-{site.site.name}-rules",
            health=health,
            directory=directory,
            reloaders=reloaders,
            platform=PlatformPoints(
                pipeline, times, EdgeLedgers(health), site=site.site.name, every_s=site.rules.platform_every_s
            ),
            certificates=certificates,
            desk=AlarmDesk(site, engine, pipeline.alarms, pipeline.tell, health, secret=credential),
        )
        await runner.run(stop)
    finally:
        if server is not None:
            server.close()
        for sink in sinks:
            await sink.close()
        threads.close()


def _ask(reloaders: Sequence[Watcher]) -> None:
    for reloader in reloaders:
        reloader.ask()


def latency_sink(site: SiteFile) -> str | None:
    """The store whose write ends the latency: the first event journal, else the first store."""
    stores = [sink for sink in site.sink if isinstance(sink, JournalSink | InfluxSink)]
    journals = [sink for sink in stores if isinstance(sink, JournalSink)]
    return next((sink.name for sink in (*journals, *stores)), None)


async def _things(site: SiteFile, directory: Path, identities: Identities) -> tuple[Registry, Stamp | None]:
    """The things of the site, and the stamp of the file that they came from."""
    path = site.site.assets
    if path is None:
        return empty(identities), None
    for pause_s in (1.0, 2.0, 4.0, 0.0):
        try:
            stamp = stamp_of(path)
            return await asyncio.to_thread(load, path, directory, identities), stamp
        except RegistryError as error:
            raise ConfigError("\n".join(f"site.assets = {str(path)!r}: {fault}" for fault in error.faults)) from error
        except OSError as error:
            raise ConfigError(f"site.assets = {str(path)!r}: cannot be read: {error.strerror}") from error
        except ChangingError:
            await asyncio.sleep(pause_s)
    raise ConfigError(
        f"site.assets = {str(path)!r}: is written to all the time; replace it by renaming a finished file"
    )


async def _tables(site: SiteFile, directory: Path) -> Shelf:
    """The look-up tables of the site."""
    shelf = Shelf(directory)
    try:
        await asyncio.to_thread(shelf.start, site.table)
    except RefusedError as error:
        raise ConfigError("\n".join(error.faults)) from error
    return shelf


def _orders(site: SiteFile) -> Orders | None:
    """The orders that rules give, with the keys of the people that stand for them."""
    if not site.order:
        return None
    people = {person.name: person for person in site.control.person}
    names = sorted({order.person for order in site.order})
    keys = {
        name: key_of(credential(people[name].key_credential), f"credential {people[name].key_credential!r}")
        for name in names
    }
    return Orders(site.order, keys, Topics(site.site.name), lambda: time.time_ns() // NS_PER_US)


def _sinks(site: SiteFile, directory: Path, health: Health, certificates: Certificates) -> list[Sink]:
    found: list[Sink] = []
    notice = partial(health.trouble, logs.get_log())
    for sink in site.sink:
        shown = certificates.shown_as(f"sink.{sink.name}.server")
        if isinstance(sink, JournalSink):
            journal = EventJournal(sink.directory or directory / EVENTS, keep_days=sink.keep_days)
            found.append(JournalStore(sink.name, journal, store_reads=sink.store_reads))
        elif isinstance(sink, InfluxSink):
            found.append(open_sink(sink, site=site.site.name, notice=notice, shown=shown))
        elif isinstance(sink, WebhookSink):
            exporter = exporter_of(sink.format, site)
            found.append(open_webhook(sink, site=site.site.name, exporter=exporter, notice=notice, shown=shown))
        else:
            found.append(open_directory(sink, site=site.site.name, exporter=exporter_of(sink.format, site)))
    return found
