"""The loss ledger of the edge, from counts that are taken apart from each other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gateway.contract.ledger import Account, EdgeLedger
from gateway.edge.intake import Intake, now_us
from gateway.edge.journal import Journal

FILE: Final = "ledger.json"


def edge_ledger(gateway: str, journal: Journal, intake: Intake) -> EdgeLedger:
    """The ledger of this instant."""
    return EdgeLedger(
        gateway=gateway,
        epoch=journal.epoch,
        at_us=now_us(),
        next_sequence=journal.last + 1,
        watermark=journal.watermark,
        tag_reads=_account("reads", journal, intake),
        readings=_account("readings", journal, intake),
        signals=_account("signals", journal, intake),
        cards=_account("cards", journal, intake),
    )


def write_ledger(directory: Path, ledger: EdgeLedger) -> None:
    """Keep the ledger where `tagwharf ledger` finds it while nothing runs.

    Raises:
        OSError: the directory cannot be written.
    """
    draft = directory / f"{FILE}.draft"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(ledger)) + b"\n")
    draft.replace(directory / FILE)


def _account(kind: str, journal: Journal, intake: Intake) -> Account:
    state = journal.state
    return Account(
        heard=intake.heard[kind],
        journalled=state.journalled.get(kind, 0),
        judged=state.judged.get(kind, 0),
        dropped=journal.dropped(kind),
        waiting=intake.gathered(kind) + journal.waiting(kind),
        unjudged=state.unjudged.get(kind, 0),
    )
