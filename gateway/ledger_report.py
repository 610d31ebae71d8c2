"""`tagwharf ledger`: where every read, reading and point is, and whether the sum comes out."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.ledger import (
    Account,
    EdgeLedger,
    PointAccount,
    RulesLedger,
    decode_edge_ledger,
    decode_rules_ledger,
)
from gateway.contract.topics import Topics
from gateway.logs import clean
from gateway.mqtt import session
from gateway.where import US_PER_S, time_text

RETAINED_WITHIN_S: Final = 2.0  # retained messages follow the subscription at once
RULES: Final = "rules"
OLD_S: Final = 10  # daemons that run publish every second, and write every five
KEPT: Final = "ledger*.json"
LARGEST_BYTES: Final = 16 << 20
_NAMES: Final = {"reads": "tag reads", "cards": "card presentations"}


@dataclass(slots=True)
class Ledgers:
    """The last word of each daemon.

    Attributes:
        source: where they come from, for people.
        unreadable: what came and was no ledger.
    """

    source: str
    edges: dict[str, EdgeLedger] = field(default_factory=dict)
    rules: RulesLedger | None = None
    unreadable: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Every account of every ledger that is there comes out; False when there is none at all."""
        accounts = [account for edge in self.edges.values() for account in _accounts(edge).values()]
        points = list(self.rules.points.values()) if self.rules else []
        if self.unreadable or not (self.edges or self.rules):
            return False
        return all(account.balanced for account in accounts) and all(account.balanced for account in points)

    def take(self, process: str, payload: bytes) -> None:
        """One ledger, as it was published or kept."""
        try:
            if process == RULES:
                self.rules = decode_rules_ledger(payload)
            else:
                edge = decode_edge_ledger(payload)
                self.edges[edge.gateway] = edge
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:  # anybody may have published it
            self.unreadable.append(f"{clean(process)}: {clean(str(error))}")

    def lines(self, now_us: int) -> list[str]:
        """All of it as text; a ledger that is no longer told says so."""
        lines = [f"from {self.source}"]
        for gateway, edge in sorted(self.edges.items()):
            lines.append(
                f"{clean(gateway)}, at {time_text(edge.at_us)}, batches 1 to {edge.next_sequence - 1}, judged "
                f"to {edge.watermark}:{_age(edge.at_us, now_us)}"
            )
            lines += [_account_line(name, account) for name, account in _accounts(edge).items()]
        if self.rules is not None:
            lines.append(f"rules, at {time_text(self.rules.at_us)}:{_age(self.rules.at_us, now_us)}")
            lines += [_point_line(sink, account) for sink, account in sorted(self.rules.points.items())]
            lines.append(f"  duplicates recognised {self.rules.duplicates}, gaps {self.rules.gaps}")
        lines += [f"not readable: {each}" for each in self.unreadable]
        if not self.edges and self.rules is None:
            lines.append("no ledger there; has a daemon of this site run yet?")
        else:
            lines.append("balanced" if self.balanced else "NOT balanced: something was lost and not counted")
        return lines


async def from_broker(site: str, mqtt: Mqtt) -> Ledgers:
    """The retained ledgers.

    Raises:
        BrokerError: the broker is away or refuses. ConfigError: a credential or certificate is missing.
    """
    topics = Topics(site)
    ledgers = Ledgers(f"the broker {mqtt.host}:{mqtt.port}")
    prefix = topics.ledger("")
    async with session(mqtt, client_id=f"tagwharf-ledger-{os.getpid()}", topics=(topics.ledger("+"),)) as link:
        try:
            async with asyncio.timeout(RETAINED_WITHIN_S):
                while True:
                    message = await link.receive()
                    ledgers.take(message.topic.removeprefix(prefix), message.payload)
        except TimeoutError:
            return ledgers


def from_directory(directory: Path) -> Ledgers:
    """The ledgers that the daemons keep beside their journals.

    The units give the edge daemon a state directory of its own, called like that of the others with `-edge` behind it,
    and each of several edge daemons one below it.
    """
    ledgers = Ledgers(f"the state directory {directory}")
    for root in (directory, directory.with_name(f"{directory.name}-edge")):
        for file in sorted({*root.glob(KEPT), *root.glob(f"*/{KEPT}")}):
            try:
                with file.open("rb") as stream:
                    content = stream.read(LARGEST_BYTES)
            except OSError as error:
                ledgers.unreadable.append(f"{file}: {error.strerror}")
                continue
            ledgers.take(RULES if file.stem.endswith(RULES) else str(file), content)
    return ledgers


def _accounts(edge: EdgeLedger) -> dict[str, Account]:
    return {_NAMES.get(kind, kind): account for kind, account in edge.accounts.items()}


def _account_line(name: str, account: Account) -> str:
    dropped = sum(account.dropped.values())
    reasons = ", ".join(f"{clean(reason)} {count}" for reason, count in sorted(account.dropped.items()))
    difference = account.heard - account.judged - dropped - account.queued
    return (
        f"  {name}: heard {account.heard} = judged {account.judged} + dropped {dropped}"
        f"{f' ({reasons})' if reasons else ''} + queued {account.queued}{_difference(difference)}"
    )


def _point_line(sink: str, account: PointAccount) -> str:
    difference = account.made - account.stored - account.refused - account.queued
    return (
        f"  points for sink {clean(sink)}: made {account.made} = stored {account.stored} + refused {account.refused} "
        f"+ queued {account.queued}{_difference(difference)}"
    )


def _age(at_us: int, now_us: int) -> str:
    age_s = (now_us - at_us) // US_PER_S
    return f"  {age_s} s old: does this daemon run?" if age_s > OLD_S else ""


def _difference(difference: int) -> str:
    return f"  DIFFERENCE {difference:+d}" if difference else ""
