"""The certificates that a process holds or is shown, and how long they are in force.

Of a file with our own certificate the earliest end counts, for a chain is as good as its weakest link; of a file with
authorities the latest, for an old one beside its successor is how authorities are changed. A certificate that lives for
weeks only is not told a month before its end: see `limits_s`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.config.models import InfluxSink, SiteFile, Tls, WebhookSink
from gateway.contract.batches import Condition
from gateway.health import PREFIX, Health
from gateway.logs import get_log
from gateway.validity import validities, validity_of
from readers.ports.tls import Shown

EXPIRING: Final = "certificate_expiring"
LOOK_EVERY_S: Final = 10.0
FILE_MOST_BYTES: Final = 1 << 20
MOST_CERTIFICATES: Final = 300

SOON_S: Final = 30 * 86_400.0
NOW_S: Final = 7 * 86_400.0
DAY_S: Final = 86_400.0
SERVER: Final = "server"
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate: what it is called, when it begins and ends, by the seconds since 1970, and what to do about it."""

    begins_s: float
    ends_s: float
    todo: str

    def limits_s(self) -> tuple[float, float]:
        """How long before its end it is a warning, and a fault."""
        whole_s = self.ends_s - self.begins_s
        return min(SOON_S, whole_s / 3), min(NOW_S, whole_s / 6)


class Certificates:
    """All certificates of one process.

    Args:
        own: files with a certificate of ours; authorities: files with those that we trust. By name, as in
            `mqtt.certificate_file`.
        now: the wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        health: Health,
        *,
        own: Mapping[str, Path],
        authorities: Mapping[str, Path],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._health = health
        self._files = {name: (path, min) for name, path in own.items()}
        self._files |= {name: (path, max) for name, path in authorities.items()}
        self._now = now
        self._log = get_log(part="certificates")
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._unreadable: set[str] = set()
        self._held: dict[str, Held] = {}
        self._since_us: dict[tuple[str, str], int] = {}
        self._told: dict[str, str] = {}
        self._standing: list[Condition] = []
        health.registry.register(_DaysLeft(self))

    def shown_as(self, name: str) -> Shown:
        """A function that takes the certificate of a server, in DER; may be called by any thread."""
        return partial(self._shown, name)

    def days_left(self) -> dict[str, float]:
        """How many days each is in force; negative afterwards."""
        now_s = self._now()
        return {name: (held.ends_s - now_s) / DAY_S for name, held in sorted(self._held.items())}

    def conditions(self) -> list[Condition]:
        """Those that end soon, or have ended, as of the last look."""
        return self._standing

    def _judge(self) -> list[Condition]:
        found, now_s = [], self._now()
        for name, held in sorted(self._held.items()):
            severity, detail = _told_of(held, now_s)
            if not severity:
                continue
            since_us = self._since_us.setdefault((name, detail), round(now_s * _US))
            found.append(Condition(EXPIRING, severity, since_us, key=name, detail=f"{name} {detail}"))
        self._since_us = {key: at for key, at in self._since_us.items() if any(key[0] == each.key for each in found)}
        return found

    def look(self) -> list[Condition]:
        """Read the files that have changed; log what ends soon, once for each step, and return it."""
        for name in self._files:
            self._read(name)
        found = self._standing = self._judge()
        told = {each.key: each.detail for each in found}
        for each in found:
            if self._told.get(each.key) != each.detail:
                level = "error" if each.severity == "fault" else "warning"
                self._health.trouble(self._log, EXPIRING, level=level, certificate=each.key, detail=each.detail)
        self._told = told
        return found

    async def run(self, changed: Callable[[list[Condition]], None] = lambda _: None) -> None:
        """Look every 10 s until cancelled; `changed` is given what stands, after each look."""
        while True:
            changed(await asyncio.to_thread(self.look))
            await asyncio.sleep(LOOK_EVERY_S)

    def _shown(self, name: str, certificate: bytes) -> None:
        if name not in self._held and len(self._held) >= MOST_CERTIFICATES:
            return
        try:
            begins, ends = validity_of(certificate)
        except ValueError as error:  # OpenSSL took it, so it is ours to mend
            self._health.trouble(self._log, "certificate_unreadable", certificate=name, error=error)
            return
        self._held[name] = Held(begins.timestamp(), ends.timestamp(), "have it renewed on that side")

    def _read(self, name: str) -> None:
        path, choose = self._files[name]
        try:
            found = path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._stamps.get(name) == stamp:
                return
            with path.open("rb") as file:
                terms = _terms(file.read(FILE_MOST_BYTES))
        except (OSError, ValueError) as error:
            if name not in self._unreadable:
                self._unreadable.add(name)
                self._health.trouble(self._log, "certificate_unreadable", certificate=name, file=str(path), error=error)
            return
        self._stamps[name] = stamp
        self._unreadable.discard(name)
        begins, ends = choose(terms, key=lambda term: term[1])
        todo = f"renew {path}; it is taken without a restart"
        self._held[name] = Held(begins.timestamp(), ends.timestamp(), todo)


class _DaysLeft(Collector):
    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    def collect(self) -> Iterator[Metric]:
        text = "Days that a certificate is in force; negative when it has ended"
        days = GaugeMetricFamily(f"{PREFIX}certificate_days_left", text, labels=["certificate"])
        for name, left in self._certificates.days_left().items():
            days.add_metric([name], left)
        yield days


def edge_certificates(site: SiteFile, health: Health) -> Certificates:
    """Those of the edge daemon: of the broker and of its readers."""
    tables = {"mqtt": site.mqtt.tls, **{f"reader.{each.name}": each.tls for each in site.reader}}
    return _of(tables, {}, health)


def rules_certificates(site: SiteFile, health: Health) -> Certificates:
    """Those of the rules daemon: of the broker and of its sinks; and of the console, which has nobody to tell."""
    sinks = {f"sink.{each.name}": each.tls for each in site.sink if isinstance(each, InfluxSink | WebhookSink)}
    console = site.console.tls
    own: dict[str, Path] = {}
    if console is not None and console.certificate_file.exists():  # else it is handed to the console alone
        own["console.certificate_file"] = console.certificate_file
    return _of({"mqtt": site.mqtt.tls, **sinks}, own, health)


def _of(tables: Mapping[str, Tls | None], own: dict[str, Path], health: Health) -> Certificates:
    authorities: dict[str, Path] = {}
    for name, tls in tables.items():
        if tls is not None and tls.certificate_file is not None:
            own[f"{name}.certificate_file"] = tls.certificate_file
        if tls is not None and tls.ca_file is not None:
            authorities[f"{name}.ca_file"] = tls.ca_file
    return Certificates(health, own=own, authorities=authorities)


def _terms(content: bytes) -> list[tuple[datetime, datetime]]:
    """Of PEM; or of one certificate in DER, as OPC UA likes it."""
    if b"-----BEGIN" in content:
        return validities(content.decode("ascii", "replace"))
    return [validity_of(content)]


def _told_of(held: Held, now_s: float) -> tuple[str, str]:
    """Severity and words; the same words until it gets worse, for each change is told to people."""
    left_s = held.ends_s - now_s
    soon_s, at_once_s = held.limits_s()
    day = datetime.fromtimestamp(held.ends_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if left_s <= 0:
        return "fault", f"ended on {day}; {held.todo}"
    if left_s <= at_once_s:
        return "fault", f"ends on {day}, very soon; {held.todo}"
    if left_s <= soon_s:
        return "warning", f"ends on {day}; {held.todo}"
    return "", ""
