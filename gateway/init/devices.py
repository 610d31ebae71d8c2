"""From what was found to readers of the site file: ready ones, and those of which a person has to say more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Final

from pydantic import ValidationError

from gateway.config.phrases import nearest
from gateway.init.adapters import Adapter
from gateway.init.answers import LineAnswers
from gateway.init.half_open import OpenPort
from gateway.init.llrp_greeting import Answer, Greeting
from gateway.init.networks import Neighbour
from readers import registry
from readers.driver import DriverSpec, Kind
from readers.errors import ConfigError

LLRP: Final = "llrp"


@dataclass(frozen=True, slots=True)
class FoundReader:
    """One `[[reader]]`.

    Attributes:
        about: what is known of it, for people. is_ready: its table works as it is; else it is written as a comment.
        choices: drivers that it may be, where that is not known.
        kind: of its driver, where that is known.
    """

    name: str
    driver: str
    port: str
    about: str
    is_ready: bool
    choices: tuple[str, ...] = ()
    kind: Kind | None = None


@dataclass(slots=True)
class Devices:
    """What was found, and how."""

    adapters: list[Adapter] = field(default_factory=list)
    ports: list[OpenPort] = field(default_factory=list)
    neighbours: list[Neighbour] = field(default_factory=list)
    greetings: dict[OpenPort, Greeting] = field(default_factory=dict)
    called: dict[IPv4Address, str] = field(default_factory=dict)
    """Names by which readers announce themselves."""


def searched_ports() -> list[int]:
    """The port numbers of every driver that is installed."""
    return sorted({port for spec in registry.drivers().values() for port in (spec.tcp_port, spec.tls_port) if port})


def check_lines(lines: Sequence[LineAnswers], adapters: Sequence[Adapter]) -> None:
    """Refuse what cannot be.

    Raises:
        ConfigError: an adapter is not there, a driver is unknown or speaks over no line, or a line is named twice.
    """
    known = [each.name for each in adapters]
    faults = []
    for line in lines:
        if line.adapter not in known:
            found = f"found: {', '.join(known)}" if known else "none was found"
            faults.append(f"line: no adapter {line.adapter!r}{nearest(line.adapter, known)}; {found}")
        try:
            if registry.driver(line.driver).line is None:
                faults.append(f"line {line.adapter}: driver {line.driver!r} speaks over no serial line")
        except ConfigError as error:
            faults.append(f"line {line.adapter}: {error}")
    for what in ("adapter", "name"):
        given = [value for line in lines if (value := getattr(line, what)) is not None]
        faults += [
            f"line: {what} {value!r} is there twice" for value in sorted({v for v in given if given.count(v) > 1})
        ]
    if faults:
        raise ConfigError("\n".join(faults))


def readers_of(devices: Devices, lines: Mapping[str, LineAnswers], taken: Sequence[str] = ()) -> list[FoundReader]:
    """The readers, those of the network first; `lines` by adapter; `taken` are names that no reader may have."""
    names = _Names([*taken, *(line.name for line in lines.values() if line.name is not None)])
    found = [_of_port(devices, each, names) for each in devices.ports if not _is_second(each, devices.ports)]
    return found + [_of_adapter(each, lines.get(each.name), names) for each in devices.adapters]


def works_alone(spec: DriverSpec[Any]) -> bool:
    """Whether it needs no setting."""
    try:
        spec.settings.model_validate({})
    except ValidationError:
        return False
    return True


class _Names:
    """Names that nobody has yet."""

    def __init__(self, taken: Sequence[str]) -> None:
        self._taken = set(taken)

    def next(self, driver: str) -> str:
        number = 1
        stem = driver.replace("_", "-")
        while f"{stem}-{number}" in self._taken:
            number += 1
        self._taken.add(f"{stem}-{number}")
        return f"{stem}-{number}"


def _is_second(port: OpenPort, all_ports: Sequence[OpenPort]) -> bool:
    """The TLS port of a reader that has an open one as well: it serves one client only."""
    spec = registry.driver(LLRP)
    return port.port == spec.tls_port and OpenPort(port.address, spec.tcp_port or 0) in all_ports


def _of_port(devices: Devices, found: OpenPort, names: _Names) -> FoundReader:
    drivers = [spec for spec in registry.drivers().values() if found.port in (spec.tcp_port, spec.tls_port)]
    spec = drivers[0]
    scheme = "tcp" if found.port == spec.tcp_port else "tls"
    is_ready = len(drivers) == 1 and works_alone(spec)
    greeting = devices.greetings.get(found)
    if greeting is not None and greeting.answer is Answer.ELSE:
        is_ready = False
    return FoundReader(
        names.next(spec.name),
        spec.name,
        f"{scheme}://{found.address}",
        _about_port(devices, found, greeting),
        is_ready,
        tuple(each.name for each in drivers) if len(drivers) > 1 else (),
        spec.kind if len(drivers) == 1 else None,
    )


def _about_port(devices: Devices, found: OpenPort, greeting: Greeting | None) -> str:
    about = f"{found.address} listens on port {found.port}"
    neighbour = next((each for each in devices.neighbours if each.address == found.address), None)
    if neighbour is not None:
        about += f"; MAC address {neighbour.mac}{f', {neighbour.maker}' if neighbour.maker else ''}"
    if found.address in devices.called:
        about += f"; calls itself {devices.called[found.address]}"
    if greeting is not None:
        said = {
            Answer.FREE: "it is free",
            Answer.BUSY: "another client has it: stop that client before the gateway starts",
            Answer.ELSE: "what answers there is no LLRP",
            Answer.SILENT: "it took the connection and said nothing in time",
        }
        about += f"; {said[greeting.answer]}"
        if greeting.kept_reports:
            about += f"; {greeting.kept_reports} reports that it had kept for a client came to us and are lost"
    return about


def _of_adapter(adapter: Adapter, line: LineAnswers | None, names: _Names) -> FoundReader:
    if line is None:
        choices = tuple(spec.name for spec in registry.drivers().values() if spec.line is not None)
        return FoundReader(
            names.next("line"), choices[0], adapter.path, adapter.told(), is_ready=False, choices=choices
        )
    spec = registry.driver(line.driver)
    name = line.name or names.next(spec.name)
    return FoundReader(name, spec.name, adapter.path, adapter.told(), works_alone(spec), (), spec.kind)
