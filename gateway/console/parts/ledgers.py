"""The loss ledgers, of every gateway and of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.ledger import EdgeLedger, RulesLedger

LEDGERS_MOST: Final = 256
RULES: Final = "rules"


class Ledgers:
    """Rows by the gateway's name; that of the rules daemon is `rules`. Each says whether it is `balanced`."""

    def __init__(self) -> None:
        self._rows = Rows(LEDGERS_MOST)

    def take(self, heard: Heard) -> None:
        """Take a ledger."""
        if isinstance(heard, RulesLedger):
            balanced = all(account.balanced for account in heard.points.values())
            self._rows.put(RULES, msgspec.to_builtins(heard) | {"balanced": balanced})
        elif isinstance(heard, EdgeLedger):
            balanced = all(account.balanced for account in heard.accounts.values())
            self._rows.put(heard.gateway, msgspec.to_builtins(heard) | {"balanced": balanced})

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All of them."""
        del query
        return self._rows.follow()

    def whole(self) -> dict[str, dict[str, Any]]:
        """All of them, by name."""
        return dict(self._rows.items())
