"""The console's process: what it listens on, whom it follows, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from gateway import systemd
from gateway.config.load import state_directory
from gateway.config.models import JournalSink, SiteFile
from gateway.console.access.accounts import load_accounts
from gateway.console.access.tls import Certificate
from gateway.console.app import application
from gateway.console.explaining import Explaining
from gateway.console.live import Live
from gateway.console.page import Console
from gateway.console.registry import all_pages
from gateway.health import Progress
from gateway.logs import get_log
from gateway.mqtt import Session, stay_connected
from readers.tasks import end

BEAT_EVERY_S: Final = 1.0
STALLED_S: Final = 5.0
HEADERS_MOST_BYTES: Final = 16 << 10
EVENTS: Final = "events"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they end the process before anybody can say goodbye."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Stop serving."""
        self.should_exit = True


def console_of(site: SiteFile, config: Path) -> Console:
    """What the pages of a site stand on.

    Raises:
        ConfigError: a credential is missing.
    """
    state = state_directory(site)
    events = events_directory(site)
    more = {name: part for page in all_pages() for name, part in page.parts(site, events).items()}
    return Console(
        site=site,
        config=config,
        live=Live(site.site.name, more),
        accounts=load_accounts(site),
        explaining=Explaining(config),
        state=state,
        events=events,
    )


def events_directory(site: SiteFile) -> Path | None:
    """Where the event journal of a site is; None where it keeps none."""
    for sink in site.sink:
        if isinstance(sink, JournalSink):
            return sink.directory or state_directory(site) / EVENTS
    return None


async def serve(site: SiteFile, config: Path) -> None:
    """Serve the console of a site until cancelled or told to stop by a signal.

    Raises:
        ConfigError: a credential or certificate is missing. OSError: the address is taken.
    """
    console = console_of(site, config)
    progress = Progress()
    log = get_log()
    certificate = Certificate.of(site.console, health=console.accounts.health)
    listener = _listener(site)
    settings = uvicorn.Config(
        application(console),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=HEADERS_MOST_BYTES,
        ws="none",
    )
    if certificate is not None:
        settings.load()
        settings.ssl = certificate.context
    server = _Server(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.end)
    host = site.console.host
    scheme = "http" if certificate is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    work = [
        asyncio.create_task(_follow_broker(console)),
        asyncio.create_task(_beat(progress.watch("loop", STALLED_S))),
        asyncio.create_task(systemd.feed_watchdog(progress.stalled)),
    ]
    if certificate is not None:
        work.append(asyncio.create_task(certificate.watch()))
    serving = asyncio.create_task(server.serve([listener]))
    systemd.ready(url)  # connections wait in the listener's queue for the moment that uvicorn still needs
    log.info("console_started", url=url)
    try:
        await asyncio.wait({serving, *work}, return_when=asyncio.FIRST_COMPLETED)
        for task in work:
            if task.done():
                await task  # a credential that is missing, or a defect: neither may look like a healthy console
        await serving
    finally:
        systemd.stopping()
        server.end()
        await asyncio.gather(end(*work), serving, return_exceptions=True)
        listener.close()


def _listener(site: SiteFile) -> socket.socket:
    host, port = site.console.host, site.console.port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise OSError(error.errno, f"console.port = {port}: cannot listen on {host}: {error.strerror}") from error


async def _follow_broker(console: Console) -> None:
    live, site = console.live, console.site
    log = get_log()

    def changed(reason: str | None) -> None:
        live.connected = reason is None
        log.info("broker_connected" if reason is None else "broker_lost", reason=reason)

    async def listen(session: Session) -> None:
        while True:
            message = await session.receive()
            live.feed(message.topic, message.payload)

    await stay_connected(
        site.mqtt.of("console"),
        listen,
        client_id=f"tagwharf-console-{site.site.name}-{os.getpid()}",  # two may watch one site
        topics=Live.topics(site.site.name),
        changed=changed,
    )


async def _beat(beat: Callable[[], None]) -> None:
    while True:
        beat()
        await asyncio.sleep(BEAT_EVERY_S)
