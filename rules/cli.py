"""`python -m rules run --config FILE`: the rules daemon as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import gc
import os
import signal
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from gateway import logs
from gateway.config import ConfigError
from gateway.config.load import load_site, state_directory
from gateway.config.models import InfluxSink, JournalSink, SiteFile
from gateway.event_journal import EventJournal
from gateway.health import Health
from rules import assets
from rules.database import Database
from rules.database_file import RulesDatabaseError
from rules.engine import Engine
from rules.metrics import RulesCollector
from rules.outputs import Sink
from rules.pipeline import Pipeline
from rules.runner import Runner
from rules.sinks.influxdb import open_sink
from rules.sinks.journal import JournalSink as JournalStore
from rules.threads import DatabaseThreads

EX_SOFTWARE: Final = 70  # sysexits.h: systemd starts us again
EX_CONFIG: Final = 78  # sysexits.h: it does not, the file must change first
EX_TEMPFAIL: Final = 75  # sysexits.h: another daemon is there; systemd tries again
DATABASE: Final = "rules.db"
LOCK: Final = "rules.lock"
EVENTS: Final = "events"


class AlreadyRunningError(Exception):
    """Another daemon holds the state directory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m rules", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="judge what the edge daemons send, until SIGTERM")
    default = os.environ.get("TAGWHARF_CONFIG", "/etc/tagwharf/site.toml")
    run.add_argument("--config", type=Path, default=Path(default), help="the site file (default: %(default)s)")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    options = parser.parse_args(arguments)
    logs.configure("rules", level=options.log_level)
    log = logs.get_log()
    try:
        site = load_site(options.config)
        with _held(state_directory(site)), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(site))
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


async def serve(site: SiteFile) -> None:
    """Judge until SIGTERM or SIGINT.

    Raises:
        ConfigError: the site file asks for the impossible. RulesDatabaseError, sqlite3.Error: the database. OSError:
            files, or a port that is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = Health("rules")
    directory = state_directory(site)
    engine = Engine(site, _assets(site))
    sinks = _sinks(site, directory, health)
    limits = {sink.name: sink.outbox_bytes for sink in site.sink if isinstance(sink, InfluxSink)}
    database = Database(directory / DATABASE, limits)
    threads = DatabaseThreads(database)
    server = None
    try:
        pipeline = Pipeline(
            site=site.site.name,
            judge=engine,
            sinks=sinks,
            threads=threads,
            stored=database.load(),
            health=health,
            commit_every_s=site.rules.commit_every_s,
            latency_sink=latency_sink(site),
        )
        if database.set_aside is not None:
            pipeline.lost_state("rules", f"the database was damaged and is kept as {database.set_aside.name}")
        if unreadable := engine.counters()["state_unreadable"]:
            pipeline.lost_state("rules", f"{unreadable} entries of the state could not be read")
        health.registry.register(RulesCollector(pipeline, engine.counters))
        if site.health.rules_port:
            server = await health.serve(site.health.host, site.health.rules_port)
        gc.collect()
        gc.freeze()  # state and code stay: the collector need not look through them again and again
        runner = Runner(
            pipeline,
            mqtt=site.mqtt,
            client_id=f"tagwharf-{site.site.name}-rules",
            health=health,
            directory=directory,
        )
        await runner.run(stop)
    finally:
        if server is not None:
            server.close()
        for sink in sinks:
            await sink.close()
        threads.close()


def latency_sink(site: SiteFile) -> str | None:
    """The store whose write ends the latency: the first event journal, else the first store."""
    journals = [sink.name for sink in site.sink if isinstance(sink, JournalSink)]
    return next(iter([*journals, *(sink.name for sink in site.sink)]), None)


def _assets(site: SiteFile) -> Mapping[str, assets.Asset]:
    path = site.site.assets
    if path is None:
        return {}
    try:
        return assets.read(path)
    except (assets.AssetsError, OSError) as error:
        raise ConfigError(f"site.assets = {str(path)!r}: {error}") from error


def _sinks(site: SiteFile, directory: Path, health: Health) -> list[Sink]:
    found: list[Sink] = []
    for sink in site.sink:
        if isinstance(sink, JournalSink):
            journal = EventJournal(sink.directory or directory / EVENTS, keep_days=sink.keep_days)
            found.append(JournalStore(sink.name, journal, store_reads=sink.store_reads))
        else:
            notice = partial(health.trouble, logs.get_log())
            found.append(open_sink(sink, site=site.site.name, notice=notice))
    return found
