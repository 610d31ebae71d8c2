"""Opens the port that a URL of the site file names, and says what is wrong with a URL without opening anything."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from readers.driver import DriverSpec, Kind, LineDefaults, Port
from readers.errors import ConfigError
from readers.ports.echo import EchoStrippingPort
from readers.ports.gdw376 import LOOPBACK, open_gdw376, path_fault
from readers.ports.gdw376 import SCHEME as TERMINAL
from readers.ports.http import SCHEMES as WEB
from readers.ports.http import open_http
from readers.ports.mqtt import SCHEMES as BROKERS
from readers.ports.mqtt import open_mqtt, topic_fault
from readers.ports.mqtt_client import Login
from readers.ports.opcua import SCHEME as OPC_TCP
from readers.ports.opcua import USUAL_PORT as OPC_TCP_PORT
from readers.ports.opcua import open_opcua
from readers.ports.pcsc import open_pcsc
from readers.ports.rfc2217 import open_rfc2217
from readers.ports.serial import LineSettings, open_tty
from readers.ports.tcp import TlsSettings, open_tcp

__all__ = ["LineSettings", "Login", "TlsSettings", "check_port_url", "open_port"]

_NETWORK: Final = ("tcp", "tls")
_LINE: Final = ("serial", "socket", "rfc2217")
_BROKER_URLS: Final = tuple(f"{scheme}://" for scheme in BROKERS)
_NAMED: Final = {"pcsc": "pcsc:READER NAME"}
"""Forms of the drivers that name them in `schemes`: a scheme, and a name that is no host."""
_SHOWN: Final = {
    "tcp": "tcp://HOST[:PORT]",
    "tls": "tls://HOST[:PORT]",
    "serial": "/dev/serial/by-id/NAME",
    "socket": "socket://HOST:PORT",
    "rfc2217": "rfc2217://HOST:PORT",
    "mqtt": "mqtt://HOST[:PORT]/TOPIC",
    "mqtts": "mqtts://HOST[:PORT]/TOPIC",
    OPC_TCP: "opc.tcp://HOST[:PORT][/PATH]",
    "http": "http://HOST[:PORT][/PATH]",
    "https": "https://HOST[:PORT][/PATH]",
    TERMINAL: "gdw376://[HOST]:PORT/TERMINAL/MEASURING_PORT",
    **_NAMED,
}
_SERVERS: Final = {OPC_TCP: OPC_TCP_PORT, **WEB}
"""Servers that may have a path, with their usual port numbers."""
_LOGINS: Final = (*BROKERS, OPC_TCP, "https")
_PATH: Final = r"[A-Za-z0-9._~/%-]{0,200}"


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL that was understood; `host` is a path for serial lines, the reader's name for PC/SC.

    Attributes:
        topic: of a broker; of an OPC UA server its path, with the slash; so of a collection terminal.
    """

    scheme: str
    host: str
    port: int
    topic: str = ""


async def open_port(
    url: str,
    spec: DriverSpec[Any],
    *,
    line: LineSettings | None = None,
    tls: TlsSettings | None = None,
    login: Login | None = None,
) -> Port:
    """Open the link to a device.

    Ports of local and RFC 2217 lines are `SerialPort`s. `tcp://` and `socket://` are the same bytes: the device server
    keeps the settings of its line to itself.

    Raises:
        LinkError: it cannot be opened now. ConfigError: the URL, a certificate file or a credential is wrong.
    """
    target, faults = _understand(url, spec)
    if target is None:
        raise ConfigError("; ".join(faults))
    wanted = line or LineSettings()
    settings = wanted.over(spec.line or LineDefaults(baud=9600))
    port: Port
    if target.scheme == "pcsc":
        return await open_pcsc(target.host)
    if target.scheme in _SERVERS:
        shown = f"[{target.host}]" if ":" in target.host else target.host
        server = f"{target.scheme}://{shown}:{target.port}{target.topic}"
        return await (open_opcua if target.scheme == OPC_TCP else open_http)(server, tls, login)
    if target.scheme == TERMINAL:
        return await open_gdw376(target.host, target.port, target.topic, settings)
    if target.scheme in BROKERS:
        secured = (tls or TlsSettings()) if target.scheme == "mqtts" else None
        return await open_mqtt(target.host, target.port, target.topic, secured, login)
    if target.scheme == "serial":
        port = open_tty(target.host, settings)
    elif target.scheme == "rfc2217":
        port = await open_rfc2217(target.host, target.port, settings)
    elif target.scheme == "tls":
        port = await open_tcp(target.host, target.port, tls or TlsSettings())
    else:
        port = await open_tcp(target.host, target.port)
    return EchoStrippingPort(port) if wanted.strip_echo else port


def check_port_url(url: str, spec: DriverSpec[Any]) -> list[str]:
    """What is wrong with a port URL for this driver, one sentence each; empty when nothing is. Opens nothing."""
    return _understand(url, spec)[1]


def _understand(url: str, spec: DriverSpec[Any]) -> tuple[_Target | None, list[str]]:
    allowed = _allowed(spec)
    forms = " or ".join(_SHOWN[scheme] for scheme in allowed)
    if url.startswith("/"):
        scheme, parts = "serial", None
    elif (named := url.partition(":")[0]) in _NAMED or url.startswith(_BROKER_URLS):
        scheme, parts = named, None
    else:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            return None, [f"port {url!r} is no URL ({error}); allowed for driver {spec.name}: {forms}"]
        scheme = parts.scheme
    if scheme not in _SHOWN:
        near = difflib.get_close_matches(scheme, allowed, n=1) or difflib.get_close_matches(scheme, _SHOWN, n=1)
        hint = f"; did you mean {near[0]}{':' if near[0] in _NAMED else '://'}?" if near else ""
        return None, [f"port {url!r} has no known scheme{hint}; allowed for driver {spec.name}: {forms}"]
    if scheme not in allowed:
        what = _NAMED.get(scheme) or ("a serial line" if scheme in _LINE else "a network connection")
        return None, [f"port {url!r}: driver {spec.name} does not speak over {what}; allowed: {forms}"]
    if scheme in _NAMED:
        name = url.partition(":")[2].strip()
        return (_Target(scheme, name, 0), []) if name else (None, [f"port {url!r} names no reader; write {forms}"])
    if scheme == "serial":
        return _understand_line(url, parts)
    if scheme in BROKERS:
        return _understand_topic(url, scheme, spec.name)
    assert parts is not None
    if scheme in _SERVERS:
        return _understand_server(url, parts, spec.name)
    if scheme == TERMINAL:
        return _understand_terminal(url, parts, spec.name)
    return _understand_host(url, parts, {"tcp": spec.tcp_port, "tls": spec.tls_port}.get(scheme), spec.name)


def _allowed(spec: DriverSpec[Any]) -> list[str]:
    """A serial protocol may come over plain TCP too, from a device server in raw mode; a meter's from a terminal."""
    has_stream = spec.line is not None or spec.tcp_port is not None or spec.tls_port is not None
    is_stream = has_stream or all(scheme in BROKERS for scheme in spec.schemes)
    named = [scheme for scheme in spec.schemes if scheme in _SHOWN]
    is_metered = spec.kind is Kind.METER
    lines = () if spec.line is None else (*_LINE, TERMINAL) if is_metered else _LINE
    return [*named, *lines, *(_NETWORK if is_stream else ())]


def _understand_line(url: str, parts: SplitResult | None) -> tuple[_Target | None, list[str]]:
    path = url if parts is None else parts.path
    if parts is not None and parts.netloc:
        return None, [f"port {url!r}: a local line needs three slashes, serial:///dev/..., or just its path /dev/..."]
    if not path.startswith("/dev/") or path.endswith("/"):
        return None, [f"port {url!r}: a serial line is a path below /dev, best one of /dev/serial/by-id/"]
    return _Target("serial", path, 0), []


def _understand_topic(url: str, scheme: str, driver: str) -> tuple[_Target | None, list[str]]:
    """A topic may hold # and ?, which mean something else in other URLs."""
    before, _, topic = url.removeprefix(f"{scheme}://").partition("/")
    broker = f"{scheme}://{before}"
    shown = _without_user(url) if "@" in before else url
    try:
        parts = urlsplit(broker)
    except ValueError as error:
        return None, [f"port {shown!r} is no URL ({error}); write {_SHOWN[scheme]}"]
    target, faults = _understand_host(broker, parts, BROKERS[scheme], driver)
    if fault := topic_fault(topic):
        faults = [*faults, f"port {shown!r} {fault}; write {_SHOWN[scheme]}"]
    if target is None or faults:
        return None, faults
    return _Target(scheme, target.host, target.port, topic), []


def _understand_server(url: str, parts: SplitResult, driver: str) -> tuple[_Target | None, list[str]]:
    """A server may have a path."""
    if re.fullmatch(_PATH, parts.path) is None:
        shown = _without_user(url) if "@" in url else url
        return None, [f"port {shown!r}: a path holds letters, digits and -._~/% only"]
    target, faults = _understand_host(url, parts._replace(path=""), _SERVERS[parts.scheme], driver)
    return (None if target is None else _Target(target.scheme, target.host, target.port, parts.path)), faults


def _understand_terminal(url: str, parts: SplitResult, driver: str) -> tuple[_Target | None, list[str]]:
    """The host is where this one listens; none is itself alone."""
    faults = [f"port {url!r} {fault}; write {_SHOWN[TERMINAL]}"] if (fault := path_fault(parts.path)) else []
    if not parts.hostname:
        parts = parts._replace(netloc=LOOPBACK + parts.netloc)
    target, more = _understand_host(url, parts._replace(path=""), None, driver)
    if target is None or faults:
        return None, [*more, *faults]
    return _Target(target.scheme, target.host, target.port, parts.path), []


def _understand_host(
    url: str, parts: SplitResult, default_port: int | None, driver: str
) -> tuple[_Target | None, list[str]]:
    faults = []
    if parts.username is not None or parts.password is not None:
        url = _without_user(url)
        belongs = "; name the user in [reader.login], whose password is a credential" if parts.scheme in _LOGINS else ""
        faults.append(f"port {url!r}: a user or password has no place here{belongs}")
    try:
        number = parts.port
    except ValueError:
        number = 0
    if number == 0:
        faults.append(f"port {url!r}: the port number must be 1 to 65535")
    if not parts.hostname:
        faults.append(f"port {url!r} names no host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        faults.append(f"port {url!r}: nothing may follow the host and the port number")
    if number is None:
        number = default_port
    if number is None:
        faults.append(f"port {url!r} names no port number, and driver {driver} has no usual one for {parts.scheme}://")
    if faults or number is None:
        return None, faults
    assert parts.hostname
    return _Target(parts.scheme, parts.hostname, number), []


def _without_user(url: str) -> str:
    """A password must not reach a screen or a log."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://...@{rest.rpartition('@')[2]}"
