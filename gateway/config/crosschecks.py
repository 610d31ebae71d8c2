"""Faults between tables of the site file, which no single model can see.

A read point belongs to one reader (several of its antennas may cover it) and to at most one zone or side of a portal:
so where a tag is, and whether that place is being watched, has one answer. A zone unites read points of many readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from gateway.config.console import check_console
from gateway.config.control_checks import check_control
from gateway.config.energy import check_energy
from gateway.config.faults import Faults, secret_advice
from gateway.config.machines import check_machines
from gateway.config.models import IdentityStyle, InfluxSink, Portal, Reader, Site, SiteFile, Tls, WebhookSink, Zone
from gateway.config.phrases import nearest
from gateway.config.plan import PICTURE_MOST_BYTES, Plan, check_plan
from gateway.config.positions import Path, Positions
from gateway.config.rules import LookUpTable
from gateway.config.sinks import on_this_machine
from gateway.contract import topics
from gateway.identity import card_key
from readers import registry
from readers.driver import DriverSettings, DriverSpec, Kind
from readers.errors import ConfigError
from readers.ports.gdw376 import SCHEME as TERMINAL
from readers.ports.open import check_port_url

_CREDENTIALS: Final = FilePath("/run/credentials")
_IMPLIED: Final = re.compile(r"(.+)-([1-9][0-9]{0,2})")
_MOST_ANTENNA_PORTS: Final = 255
_SECURED: Final = ("tls://", "mqtts://", "https://", "opc.tcp://")
_WITH_LOGIN: Final = ("mqtt://", "mqtts://", "https://", "opc.tcp://")
_WITHOUT_POINTS: Final = {
    Kind.METER: "reads meters and has no antennas",
    Kind.MACHINE: "hears a machine under its own name and has no antennas",
}
"""Kinds of devices that are no read points."""


@dataclass(slots=True)
class Draft:
    """The parts of a site file that are sound by themselves, each array with its index in the file.

    Attributes:
        whole: nothing was left out, so that a name that is not found really does not exist.
    """

    whole: bool
    site: Site | None = None
    reader: list[tuple[int, Reader]] = field(default_factory=list)
    zone: list[tuple[int, Zone]] = field(default_factory=list)
    portal: list[tuple[int, Portal]] = field(default_factory=list)
    table: list[tuple[int, LookUpTable]] = field(default_factory=list)
    rule: list[tuple[int, Any]] = field(default_factory=list)
    sink: list[tuple[int, Any]] = field(default_factory=list)
    tls: list[tuple[Path, Tls]] = field(default_factory=list)
    plan: Plan | None = None


class CrossChecks:
    """Runs every check over one draft."""

    def __init__(self, draft: Draft, faults: Faults) -> None:
        self._draft = draft
        self._faults = faults
        self._settings: dict[int, DriverSettings] = {}
        self._specs: dict[int, DriverSpec[Any]] = {}

    def run(self) -> None:
        """Add what is found to the faults."""
        self._drivers()
        self._links()
        self._device_names()
        self._read_points()
        self._places()
        for table in ("table", "rule", "sink"):
            self._unique((table, index, "name") for index, _ in getattr(self._draft, table))
        check_control(self._faults, self._settings, whole=self._draft.whole)
        check_console(self._faults, whole=self._draft.whole)
        check_plan(self._faults, self._settings, self._is_implied, whole=self._draft.whole)
        check_energy(self._faults, self._settings, whole=self._draft.whole)
        check_machines(self._faults, self._settings, whole=self._draft.whole)
        self._secrets()
        self._files()

    def _drivers(self) -> None:
        """Looks at the readers as they stand in the file: a fault elsewhere in the table must not hide these."""
        tables = self._faults.value(("reader",))
        for index, table in enumerate(tables if isinstance(tables, list) else []):
            name = table.get("driver") if isinstance(table, dict) else None
            if not isinstance(name, str):
                continue
            known = registry.drivers()
            if name not in known:
                hint = nearest(name, known)
                self._faults.add(("reader", index, "driver"), f"no such driver{hint}; known: {', '.join(known)}")
                self._draft.whole = False
                continue
            spec = self._specs[index] = known[name]
            settings = table.get("settings", {})
            try:
                self._settings[index] = spec.settings.model_validate(settings)
            except ValidationError as error:
                if isinstance(settings, dict):
                    self._faults.add_validation(error, spec.settings, ("reader", index, "settings"))
                self._draft.whole = False
            if (what := _WITHOUT_POINTS.get(spec.kind)) is not None and table.get("read_points"):
                text = f"driver {spec.name} {what}; remove this table"
                self._faults.add(("reader", index, "read_points"), text)

    def _links(self) -> None:
        taken: dict[str, str] = {}
        for index, reader in self._draft.reader:
            path: Path = ("reader", index, "port")
            spec = self._specs.get(index)
            if spec is None:
                continue
            wrong = check_port_url(reader.port, spec)
            for text in wrong:
                self._faults.add(path, text, show_value=False)
            if wrong:
                continue
            link = _link_of(reader.port, spec)
            if link in taken:
                self._faults.add(
                    path, f"reader {taken[link]} is on this port already; a link serves one reader: join or move them"
                )
            taken.setdefault(link, reader.name)
            if reader.tls is not None and not reader.port.startswith(_SECURED):
                scheme = {"mqtt": "mqtts://", "http": "https://"}.get(reader.port.partition("://")[0], "tls://")
                text = f"is of use with a {scheme} port only; write port = {scheme}..."
                self._faults.add(("reader", index, "tls"), text)
            if reader.login is not None and not reader.port.startswith(_WITH_LOGIN):
                text = "is of use with mqtt://, mqtts://, opc.tcp:// and https:// ports only"
                self._faults.add(("reader", index, "login"), text)
            if reader.line is not None and reader.port.startswith(("tcp://", "tls://", "socket://")):
                text = "is of use with /dev/... and rfc2217:// ports only; the device server sets its own line"
                self._faults.add(("reader", index, "line"), text)

    def _device_names(self) -> None:
        """Readers, the meters behind them and the gateway are devices: levels of one topic tree."""
        owners: dict[str, str] = {}
        if self._draft.site is not None:
            self._claim_device(owners, ("site", "gateway"), self._draft.site.gateway, "the gateway")
        for index, reader in self._draft.reader:
            self._claim_device(owners, ("reader", index, "name"), reader.name, f"reader {reader.name}")
        for index, settings in self._settings.items():
            for source in settings.sources():
                path = self._faults.path_to(source, ("reader", index, "settings"))
                if not topics.NAME.fullmatch(source):
                    text = "must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit"
                    self._faults.add(path, text)
                else:
                    owner = f"a device of reader {self._faults.value(('reader', index, 'name'))}"
                    self._claim_device(owners, path, source, owner)

    def _claim_device(self, owners: dict[str, str], path: Path, name: str, owner: str) -> None:
        if name in topics.RESERVED:
            self._faults.add(path, f"reserved for topics; not allowed: {', '.join(sorted(topics.RESERVED))}")
        elif name in owners:
            self._faults.add(path, f"{owners[name]} has this name already; devices need names of their own")
        owners.setdefault(name, owner)

    def _read_points(self) -> None:
        owners: dict[str, str] = {}
        for index, reader in self._draft.reader:
            settings = self._settings.get(index)
            ports = settings.antenna_ports() if settings else None
            for antenna_port, read_point in reader.read_points.items():
                path: Path = ("reader", index, "read_points", str(antenna_port))
                if ports is not None and antenna_port not in ports:
                    text = f"antenna port {antenna_port} is not read; the settings read {', '.join(map(str, ports))}"
                    self._faults.add(path, text)
                owner = owners.setdefault(read_point, reader.name)
                if owner != reader.name:
                    self._faults.add(
                        path,
                        f"read point belongs to reader {owner}; give it a name of its own and unite them in a zone",
                    )

    def _places(self) -> None:
        """Zones and portals: known read points, each in one place only, and names that mean one place."""
        places = [
            *(("zone", index, "read_points", zone.read_points) for index, zone in self._draft.zone),
            *(("portal", index, "outer", portal.outer) for index, portal in self._draft.portal),
            *(("portal", index, "inner", portal.inner) for index, portal in self._draft.portal),
        ]
        taken: dict[str, str] = {}
        for table, index, key, read_points in places:
            for at, read_point in enumerate(read_points):
                path: Path = (table, index, key, at)
                self._known_read_point(path, read_point)
                if read_point in taken:
                    self._faults.add(path, f"already in {taken[read_point]}; a read point is in one place only")
                taken.setdefault(read_point, self._faults.name_of((table, index, key)))
        self._unique((table, index, "name") for table in ("zone", "portal") for index, _ in getattr(self._draft, table))
        for table in ("zone", "portal"):
            for index, place in getattr(self._draft, table):
                if place.name in self._named_read_points() and place.name not in taken:
                    text = "a read point that is in no zone has this name, and is a zone of its own; rename one"
                    self._faults.add((table, index, "name"), text)

    def _known_read_point(self, path: Path, read_point: str) -> None:
        named = self._named_read_points()
        if not self._draft.whole or read_point in named or self._is_implied(read_point):
            return
        known = f"; known: {', '.join(sorted(named))}" if named else ""
        self._faults.add(path, f"no reader has this read point{nearest(read_point, named)}{known}")

    def _named_read_points(self) -> set[str]:
        return {point for _, reader in self._draft.reader for point in reader.read_points.values()}

    def _is_implied(self, read_point: str) -> bool:
        """`{reader}-{port}`, for an antenna port that has no name."""
        match = _IMPLIED.fullmatch(read_point)
        if match is None:
            return False
        antenna_port = int(match[2])
        for index, reader in self._draft.reader:
            spec, settings = self._specs.get(index), self._settings.get(index)
            if reader.name == match[1] and spec is not None and spec.kind not in _WITHOUT_POINTS:
                ports = settings.antenna_ports() if settings else None
                exists = antenna_port in ports if ports is not None else antenna_port <= _MOST_ANTENNA_PORTS
                return exists and antenna_port not in reader.read_points
        return False

    def _unique(self, paths: Iterable[Path]) -> None:
        first: dict[str, str] = {}
        for path in paths:
            name = self._faults.value(path)
            if name in first:
                self._faults.add(path, f"this name is taken by another {first[name]}; names must differ")
            first.setdefault(name, str(path[0]))

    def _secrets(self) -> None:
        """A user and password inside a URL; secrets under keys of their own are unknown keys already."""
        sinks = self._faults.value(("sink",))
        for index, sink in enumerate(sinks if isinstance(sinks, list) else []):
            url = sink.get("url") if isinstance(sink, dict) else None
            if isinstance(url, str) and "@" in url:
                path: Path = ("sink", index, "url")
                advice = secret_advice(path, sink.get("name"), sink.get("kind"))
                self._faults.add(path, advice, show_value=False)

    def _files(self) -> None:
        if self._draft.site is not None and self._draft.site.assets is not None:
            self._exists(("site", "assets"), self._draft.site.assets)
        if self._draft.plan is not None and (picture := self._draft.plan.picture) is not None:
            self._exists(("plan", "picture"), picture, most_bytes=PICTURE_MOST_BYTES)
        for index, look_up in self._draft.table:
            self._exists(("table", index, "file"), look_up.file)
        for path, tls in self._draft.tls:
            for key in ("ca_file", "certificate_file", "key_file"):
                file = getattr(tls, key)
                if file is not None:
                    self._exists((*path, key), file)
            if (tls.certificate_file is None) != (tls.key_file is None):
                self._faults.add(path, "certificate_file and key_file belong together; one of them is missing")

    def _exists(self, path: Path, file: FilePath, most_bytes: int | None = None) -> None:
        """Credentials exist only while their service runs, so they are not looked for."""
        if file.is_relative_to(_CREDENTIALS):
            return
        try:
            if not file.is_file():
                self._faults.add(path, f"there is no file {file}")
            elif most_bytes is not None and (size_bytes := file.stat().st_size) > most_bytes:
                self._faults.add(path, f"has {size_bytes} bytes; must have {most_bytes} at most")
        except OSError as error:
            self._faults.add(path, f"cannot look at {file}: {error.strerror}")


def warnings(site: SiteFile) -> list[str]:
    """What works but should be known, one line each."""
    found = []
    for sink in site.sink:
        if isinstance(sink, InfluxSink) and sink.url.startswith("http://") and not _is_loopback(sink.url):
            text = "the token and all data cross the network unencrypted; use https:// or a tunnel"
            found.append(f'sink[{sink.name}].url = "{sink.url}": {text}')
        elif isinstance(sink, WebhookSink) and sink.url.startswith("http://") and not on_this_machine(sink.url):
            text = "all that is sent, and the Authorization, cross the network unencrypted; use https://"
            found.append(f"sink[{sink.name}].insecure = true: {text}")
        if isinstance(sink, InfluxSink | WebhookSink) and sink.tls is not None and sink.url.startswith("http://"):
            found.append(f"sink[{sink.name}].tls: is of no use with http://; write the url with https://")
    if site.mqtt.tls is None and not _is_loopback(f"mqtt://{site.mqtt.host}"):
        text = "the password and all data cross the network unencrypted; add a [mqtt.tls] table"
        found.append(f'mqtt.host = "{site.mqtt.host}": {text}')
    for reader in site.reader:
        if reader.login is None or reader.tls is not None or _is_loopback(reader.port):
            continue
        if reader.port.startswith(("mqtt://", "opc.tcp://")):
            use = "use mqtts://" if reader.port.startswith("mqtt://") else "add a [reader.tls] table"
            text = f"the password and all data cross the network unencrypted; {use}"
            found.append(f'reader[{reader.name}].port = "{reader.port}": {text}')
    found += _about_cards(site)
    if not site.reader:
        found.append("no [[reader]]: this edge daemon will read nothing")
    if not site.sink:
        found.append("no [[sink]]: events will be published but kept nowhere")
    return found


def _about_cards(site: SiteFile) -> list[str]:
    """The key is handed over when a daemon starts, so its absence here is no fault yet."""
    known = registry.drivers()
    readers = [each.name for each in site.reader if each.driver in known and known[each.driver].kind is Kind.CARD]
    if not readers:
        return []
    if site.cards.identity is IdentityStyle.RAW:
        return ['cards.identity = "raw": card numbers are personal data, and will stand in every message and store']
    try:
        card_key()
    except ConfigError as error:
        return [f"{error} (for the card readers {', '.join(readers)}; a daemon that lacks it does not start)"]
    return []


def settings_of(reader: Reader) -> DriverSettings:
    """The settings of a reader by its driver's own model.

    Raises:
        ConfigError: the driver is unknown, or its settings have faults; one line each.
    """
    spec = registry.driver(reader.driver)
    try:
        settings: DriverSettings = spec.settings.model_validate(reader.settings)
    except ValidationError as error:
        faults = Faults("site file", {"reader": [{"name": reader.name, "settings": reader.settings}]}, Positions(""))
        faults.add_validation(error, spec.settings, ("reader", 0, "settings"))
        raise ConfigError("\n".join(faults.lines())) from error
    return settings


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _link_of(url: str, spec: DriverSpec[Any]) -> str:
    """The same text for the same link."""
    if url.startswith(("/", "serial:")):
        return str(FilePath(urlsplit(url).path).resolve())
    scheme, _, name = url.partition(":")
    if scheme in spec.schemes or scheme == TERMINAL:
        return f"{scheme}:{name.strip()}"  # a name, or a place that many share: whatever stands in it
    parts = urlsplit(url)
    number = parts.port or {"tcp": spec.tcp_port, "tls": spec.tls_port}.get(parts.scheme)
    return f"{parts.hostname}:{number}"
