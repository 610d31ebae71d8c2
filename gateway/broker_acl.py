"""The access list of Mosquitto for the daemons of a site: what each needs, and nothing else.

Each line allows one topic; what no line allows is refused, `$SYS` included. A gateway may speak for its own devices
only, one by one, so that none speaks for another's.

Source: mosquitto.conf(5), `acl_file`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.config.load import driver_settings
from gateway.config.models import Reader, SiteFile
from gateway.contract.batches import ITEM_KINDS
from gateway.contract.topics import ROOT, Topics
from readers.errors import ConfigError

EXPORTER: Final = "exporter"
_OF_DEVICE: Final = (*ITEM_KINDS, "status")
_BROKERS: Final = ("mqtt://", "mqtts://")
_CONTRACT: Final = ROOT.split("/", 1)[0]
_HEADER: Final = """\
# Who may do what at the broker. Made by `tagwharf broker acl`: make it anew when a site file changes. Install it as
# /etc/mosquitto/tagwharf.acl, readable by mosquitto only, and let it be read with: systemctl reload mosquitto
# What is not allowed here is refused. Each user has a password (mosquitto_passwd), or a certificate with its name as
# common name (use_identity_as_username true).
"""


class _Block:
    """What one user may do."""

    def __init__(self, user: str, site: str) -> None:
        self.user = user
        self.site = site
        self.whose: dict[str, None] = {}
        self._rights: dict[str, set[str]] = {}

    def allow(self, whose: str, *, read: Iterable[str] = (), write: Iterable[str] = ()) -> None:
        self.whose[whose] = None
        for way, topics in (("read", read), ("write", write)):
            for topic in topics:
                self._rights.setdefault(topic, set()).add(way)

    def lines(self) -> Iterator[str]:
        yield f"# {'; '.join(self.whose)}"
        yield f"user {self.user}"
        for topic, ways in self._rights.items():
            yield f"topic {'readwrite' if len(ways) > 1 else next(iter(ways))} {topic}"


class _List:
    def __init__(self) -> None:
        self.blocks: dict[str, _Block] = {}

    def of(self, user: str, site: str) -> _Block:
        """The block of a user.

        Raises:
            ConfigError: the name would be read as something else, or is that of a user of another site.
        """
        if not user.isprintable() or user != user.strip():
            raise ConfigError(
                f"mqtt.user = {user!r}: a name in an access list is printable, without blanks at its ends"
            )
        block = self.blocks.setdefault(user, _Block(user, site))
        if block.site != site:
            raise ConfigError(
                f"user {user!r} is of the sites {block.site!r} and {site!r}: it could write in both; give each its own "
                "with [mqtt.users], or another site.gateway"
            )
        return block


def access_list(sites: Sequence[SiteFile]) -> str:
    """The access list for the daemons of these site files.

    The first file is that of the machine with the rules daemon and the console; of the others the edge daemons count.

    Raises:
        ConfigError: two gateways have one name, a name cannot stand in an access list, or the topic of a reader at this
            broker would let it into the topics of the contract.
    """
    found = _List()
    names = [(site.site.name, site.site.gateway) for site in sites]
    if twice := sorted({f"{site}/{gateway}" for site, gateway in names if names.count((site, gateway)) > 1}):
        raise ConfigError(
            f"site.gateway: two files are of the gateway {', '.join(twice)}; each gateway has its own name"
        )
    for site in sites:
        _edge(found, site)
    for name in dict.fromkeys(site.site.name for site in sites):
        of_site = [site for site in sites if site.site.name == name]
        _above(found, of_site)
    for site in sites:
        _publishing_readers(found, site)
    return "\n\n".join([_HEADER.rstrip(), *("\n".join(block.lines()) for block in found.blocks.values())]) + "\n"


def _edge(found: _List, site: SiteFile) -> None:
    topics, gateway = Topics(site.site.name), site.site.gateway
    own = [topics.device(gateway, kind) for kind in ("status", "tick")]
    block = found.of(site.mqtt.of("edge").user or gateway, site.site.name)
    block.allow(
        f"the edge daemon {gateway}",
        read=[topics.ack(gateway), topics.rules_status()],
        write=[*own, topics.resume(gateway), topics.ledger(gateway)],
    )
    for reader in site.reader:
        for device in dict.fromkeys((reader.name, *driver_settings(reader).sources())):
            block.allow(f"the edge daemon {gateway}", write=[topics.device(device, kind) for kind in _OF_DEVICE])
    for device in _controlled(site):
        block.allow(
            f"the edge daemon {gateway}",
            read=[topics.device(device, "command")],
            write=[topics.device(device, "outcome")],
        )


def _above(found: _List, sites: Sequence[SiteFile]) -> None:
    """Rules daemon, console and people of one site."""
    first = sites[0]
    name, topics = first.site.name, Topics(first.site.name)
    ordered = sorted({order.device for order in first.order})
    controlled = sorted({device for site in sites for device in _controlled(site)})
    batches = topics.batches()
    found.of(_user(first, "rules"), name).allow(
        "the rules daemon",
        read=[
            *batches,
            topics.resume("+"),
            topics.ledger("+"),
            topics.order("+"),
            *(topics.device(device, "outcome") for device in ordered),
        ],
        write=[
            topics.ack("+"),
            topics.event("+"),
            topics.alarm("+"),
            topics.order_outcome("+"),
            topics.rules_status(),
            topics.ledger("rules"),
            *(topics.device(device, "command") for device in ordered),
        ],
    )
    shown = [*batches, topics.event("+"), topics.alarm("+"), topics.ledger("+"), topics.rules_status()]
    people = {
        "read": [*(topics.device(device, "outcome") for device in controlled), topics.order_outcome("+")],
        "write": [*(topics.device(device, "command") for device in controlled), topics.order("+")],
    }
    gives_orders = any(user.person is not None for user in first.console.user)
    console = found.of(_user(first, "console"), name)
    console.allow("the console", read=shown)
    if gives_orders:
        console.allow("the console, in whose pages people give orders", **people)
    if first.control.person:
        operators = found.of(_user(first, "operators"), name)
        operators.allow("people at the command line; each order proves by a key whose it is", **people)
        operators.allow(
            "people at the command line; each order proves by a key whose it is",
            read=[topics.alarm("+"), topics.rules_status(), topics.ledger("+")],
        )
    if EXPORTER not in found.blocks:
        found.of(EXPORTER, name).allow(
            "programs of others that listen to what the rules conclude",
            read=[topics.event("+"), topics.alarm("+"), topics.rules_status()],
        )


def _user(site: SiteFile, daemon: str) -> str:
    own: str | None = getattr(site.mqtt.users, daemon, None)
    return own or site.mqtt.user or daemon


def _controlled(site: SiteFile) -> list[str]:
    return list(dict.fromkeys(point.device for point in site.control.point)) if site.control.enabled else []


def _publishing_readers(found: _List, site: SiteFile) -> None:
    """Readers that publish at this broker themselves, and whoever listens to them for us."""
    for reader in site.reader:
        topic = _topic_here(reader, site)
        if topic is None:
            continue
        if topic.split("/", 1)[0] in ("+", "#", _CONTRACT) or topic.startswith("$"):
            raise ConfigError(
                f"reader[{reader.name}].port: its topic {topic!r} reaches into {ROOT}/ or $SYS, so the reader could "
                "speak for a gateway; let it publish below a level of its own, as in readers/gate-3/#"
            )
        if reader.login is None:
            raise ConfigError(
                f"reader[{reader.name}]: listens at this broker without a user; name one in [reader.login], or nobody "
                "could tell it from others"
            )
        found.of(reader.login.user, site.site.name).allow(f"listens to the reader {reader.name}", read=[topic])
        if reader.name in found.blocks:
            raise ConfigError(
                f"reader[{reader.name}]: a user has the name of this reader, under which the reader itself publishes; "
                "rename one of them"
            )
        found.of(reader.name, site.site.name).allow(f"the reader {reader.name} itself", write=[topic])


def _topic_here(reader: Reader, site: SiteFile) -> str | None:
    """The topic of a reader that publishes at the broker of the site; None of any other reader."""
    if not reader.port.startswith(_BROKERS):
        return None
    address, _, topic = reader.port.partition("://")[2].partition("/")
    host = address.rpartition(":")[0] if ":" in address and not address.endswith("]") else address
    is_here = _plain(host) == _plain(site.mqtt.host)
    return topic if is_here else None


def _plain(host: str) -> str:
    bare = host.removeprefix("[").removesuffix("]").lower()
    try:
        return "localhost" if ipaddress.ip_address(bare).is_loopback else bare
    except ValueError:
        return bare
