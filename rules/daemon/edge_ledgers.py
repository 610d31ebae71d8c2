"""The loss ledgers that edge daemons publish: the newest of each gateway, within bounds; the rest is counted.

What is believed here becomes series of a store. So the names of gateways and reasons are bounded over the life of the
daemon, not only at a time: whoever may publish cannot use up the series of a store by changing them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.contract.batches import NUMBER_MOST
from gateway.contract.ledger import Account, EdgeLedger, decode_edge_ledger
from gateway.contract.topics import NAME, RESERVED
from gateway.health import Health
from gateway.logs import get_log
from rules.daemon.intake import GATEWAYS_MOST
from rules.daemon.reception import UNUSABLE

PAYLOAD_MOST: Final = 64 << 10
"""Bytes: a ledger with all the reasons there are is some 2 KiB."""
REASONS_MOST: Final = 64
OTHER: Final = "(other)"
"""Stands for reasons that are too many, or no names."""

_REASON: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class EdgeLedgers:
    """Takes what comes on `ledger/{gateway}`."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._log = get_log()
        self._newest: dict[str, EdgeLedger | None] = {}
        self._fresh: dict[str, EdgeLedger] = {}
        self._reasons: set[str] = set()
        self._told: set[str] = set()
        self._counter = health.counter("ledgers_refused_total", "Ledgers of gateways that cannot be used", ("reason",))

    def take(self, gateway: str, payload: bytes, *, retained: bool) -> None:
        """Take one; of those that the broker kept only what is newer than what came before."""
        if gateway in RESERVED:
            return  # our own, which comes back to us
        if not payload:  # somebody took it away from the broker: the gateway is no more
            if gateway in self._newest:
                self._newest[gateway] = None
            self._fresh.pop(gateway, None)
            return
        try:
            ledger = _decoded(gateway, payload)
        except _RefusedError as why:
            self._refuse(why.reason, gateway, str(why))
            return
        if gateway not in self._newest and len(self._newest) >= GATEWAYS_MOST:
            self._refuse("too_many_gateways", gateway, f"{GATEWAYS_MOST} have been heard; see the access list")
            return
        known = self._newest.get(gateway)
        if not retained or known is None or ledger.at_us > known.at_us:
            self._newest[gateway] = self._fresh[gateway] = ledger

    def take_fresh(self) -> list[EdgeLedger]:
        """The newest of each gateway that was heard since the last call, by name."""
        fresh, self._fresh = self._fresh, {}
        return [fresh[name] for name in sorted(fresh)]

    def dropped(self, account: Account) -> dict[str, int]:
        """Items dropped, by reasons of which there are not too many."""
        found: dict[str, int] = {}
        for reason, items in sorted(account.dropped.items()):
            if items:
                name = self._admitted(reason)
                found[name] = found.get(name, 0) + items
        return found

    def _admitted(self, reason: str) -> str:
        if reason not in self._reasons:
            if len(self._reasons) >= REASONS_MOST or _REASON.fullmatch(reason) is None:
                return OTHER
            self._reasons.add(reason)
        return reason

    def _refuse(self, reason: str, gateway: str, text: str) -> None:
        self._counter.labels(reason).inc()
        if reason not in self._told:
            self._told.add(reason)
            self._health.trouble(
                self._log, "ledger_refused", gateway=gateway[:64], reason=reason, error=text, more="counted only"
            )


class _RefusedError(Exception):
    """A ledger that cannot be used; `reason` is one of a few."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


def _decoded(gateway: str, payload: bytes) -> EdgeLedger:
    """The ledger that a payload is; raises _RefusedError."""
    if NAME.fullmatch(gateway) is None:
        raise _RefusedError("topic", "its topic names no gateway")
    if len(payload) > PAYLOAD_MOST:
        raise _RefusedError("size", f"{len(payload)} bytes; at most {PAYLOAD_MOST}")
    try:
        ledger = decode_edge_ledger(payload)
    except UNUSABLE as error:
        raise _RefusedError("malformed", str(error)) from error
    if ledger.gateway != gateway:
        raise _RefusedError("topic", f"the topic says {gateway!r}, the ledger {ledger.gateway[:64]!r}")
    numbers = [ledger.epoch, ledger.at_us, *(n for account in ledger.accounts.values() for n in _numbers(account))]
    if min(numbers) < 0 or max(numbers) > NUMBER_MOST:
        raise _RefusedError("range", f"its numbers must be 0 to {NUMBER_MOST}")
    return ledger


def _numbers(account: Account) -> list[int]:
    values = msgspec.structs.astuple(account)
    counts = [value for value in values if isinstance(value, int)]
    return [*counts, *account.dropped.values(), sum(account.dropped.values())]
