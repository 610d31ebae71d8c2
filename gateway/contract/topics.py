"""Topics of contract version 1, under `tagwharf/1/{site}/`.

    {device}/reads  {device}/cards  {device}/readings  {device}/signals      batches, not retained
    {device}/status                                          StatusBatch, retained; a gateway's own is its last will
    {device}/command  {device}/outcome                       what a person orders, and what became of it; never retained
    {gateway}/tick                                           TickBatch, every second
    resume/{gateway}  ack/{gateway}                          the hand-over; ack is retained
    events/{type}  alarms/{id}                               what the rules concluded; alarms are retained while raised
    order/{alarm}  order-outcome/{alarm}                     what a person does about an alarm; never retained
    rules/status  ledger/{process}                           retained

Names that become topic levels are `[a-z0-9_-]`, 1 to 64 characters; nothing that a device says ever does.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.contract.batches import ITEM_KINDS, Batch, kind_of

ROOT: Final = "tagwharf/1"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
RESERVED: Final = frozenset(
    {"events", "alarms", "ack", "resume", "ledger", "rules", "console", "order", "order-outcome"}
)
"""First levels that no device or gateway may be named after."""


class Topics:
    """The topics of one site."""

    def __init__(self, site: str) -> None:
        self.root = f"{ROOT}/{site}"

    def of(self, batch: Batch) -> str:
        """Where a batch is published."""
        return f"{self.root}/{batch.device}/{kind_of(batch)}"

    def device(self, device: str, kind: str) -> str:
        """`{device}/{kind}`."""
        return f"{self.root}/{device}/{kind}"

    def batches(self) -> list[str]:
        """Subscriptions that bring every batch."""
        return [f"{self.root}/+/{kind}" for kind in (*ITEM_KINDS, "status", "tick")]

    def ack(self, gateway: str) -> str:
        """`ack/{gateway}`."""
        return f"{self.root}/ack/{gateway}"

    def resume(self, gateway: str) -> str:
        """`resume/{gateway}`; `+` for all."""
        return f"{self.root}/resume/{gateway}"

    def event(self, event_type: str) -> str:
        """`events/{type}`; `+` for all."""
        return f"{self.root}/events/{event_type}"

    def alarm(self, alarm_id: str) -> str:
        """`alarms/{id}`; `+` for all."""
        return f"{self.root}/alarms/{alarm_id}"

    def order(self, alarm_id: str) -> str:
        """`order/{alarm}`."""
        return f"{self.root}/order/{alarm_id}"

    def order_outcome(self, alarm_id: str) -> str:
        """`order-outcome/{alarm}`."""
        return f"{self.root}/order-outcome/{alarm_id}"

    def ledger(self, process: str) -> str:
        """`ledger/{process}`; `+` for all."""
        return f"{self.root}/ledger/{process}"

    def rules_status(self) -> str:
        """`rules/status`."""
        return f"{self.root}/rules/status"
