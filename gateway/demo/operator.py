"""The person at the switchboard: trips a feeder and closes it again, by signed commands as anybody would send them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gateway.config.models import SiteFile
from gateway.contract.commands import Kind, Outcome
from gateway.control.audit import AuditError, records, verify
from gateway.control.client import WAIT_S, Sender, make, send
from gateway.mqtt import BrokerError
from readers.control import Action

PERSON: Final = "operator"
CREDENTIAL: Final = "control-operator"
PASSWORD_CREDENTIAL: Final = "switchboard-password"  # noqa: S105  # the name of one
METER_PASSWORD: Final = "741852 1"  # noqa: S105  # of the simulated meters, and the operator's number
LOOKS_EVERY_S: Final = 0.25
ARM_WITHIN_S: Final = 5.0
ARM_TRIES: Final = 3  # to arm sends nothing, so it may be asked again: a gateway that starts may not listen yet
OPEN_S: Final = 5.0
AGAIN_S: Final = 600.0  # an hour of it leaves others room within the most_per_hour of the point
LEAST_S: Final = 25.0
"""A demonstration that is shorter leaves no time to trip and close."""


class Operator:
    """Orders one feeder about while the demonstration runs.

    Attributes:
        orders: what became of each order, oldest first.
    """

    def __init__(self, site: SiteFile, key: str) -> None:
        self._site = site
        self._sender = Sender(site.site.name, site.site.gateway, PERSON, key.encode())
        self.orders: list[dict[str, Any]] = []

    async def work(self, is_online: Callable[[str], bool], *, once: bool) -> None:
        """Trip and close as soon as the device is online; again and again unless `once`."""
        point = next(
            (point for point in self._site.control.point if {Action.TRIP, Action.CLOSE} <= set(point.actions)), None
        )
        if not self._site.control.enabled or point is None:
            return
        while not is_online(point.device):  # noqa: ASYNC110  # it looks as a person does
            await asyncio.sleep(LOOKS_EVERY_S)
        while True:
            if await self._order(point.device, point.point, Action.TRIP):
                await asyncio.sleep(max(OPEN_S, point.least_pause_s))
                await self._order(point.device, point.point, Action.CLOSE)
            if once:
                return
            await asyncio.sleep(AGAIN_S)

    async def _order(self, device: str, point: str, action: Action) -> bool:
        """Arm and confirm; whether the device then showed it."""
        entry: dict[str, Any] = {"device": device, "point": point, "action": action.value, "state": "no_outcome"}
        self.orders.append(entry)
        armed = None
        for _ in range(ARM_TRIES):
            armed = await self._send(entry, "arm", ARM_WITHIN_S, action=action.value, reason="demonstration")
            if armed is not None:
                break
        if armed is None or armed.state != "armed":
            return False
        entry["shown"] = dict(armed.shows)
        done = await self._send(entry, "confirm", WAIT_S, action=action.value, nonce=armed.nonce)
        return done is not None and done.state == "verified"

    async def _send(self, entry: dict[str, Any], kind: Kind, within_s: float, **more: str | None) -> Outcome | None:
        def told(outcome: Outcome) -> None:
            entry.update(state=outcome.state, detail=outcome.detail, at_us=outcome.at_us)
            entry["audit_sequence"] = outcome.audit_sequence

        command = make(self._sender, kind, entry["device"], entry["point"], time.time_ns() // 1000, **more)
        try:
            heard = await send(self._site.mqtt, self._sender, command, within_s=within_s, told=told)
        except BrokerError as error:
            entry["detail"] = str(error)
            return None
        return heard.outcome


def audit_of(state_dir: Path) -> dict[str, Any]:
    """The trail that the orders left: each record, and whether the chain of hashes is whole."""
    try:
        verdict = verify(state_dir)
        trail = [
            {
                "sequence": record.sequence,
                "at_us": record.outcome.at_us,
                "by": record.outcome.by,
                "device": record.outcome.device,
                "point": record.outcome.point,
                "action": record.outcome.action,
                "state": record.outcome.state,
            }
            for record in records(state_dir, verdict.records)
        ]
    except AuditError as error:
        return {"records": 0, "faults": [str(error)], "trail": []}
    return {"records": verdict.records, "faults": verdict.faults, "trail": trail}


def faults(control: dict[str, Any]) -> list[str]:
    """What is not as it should be, one line each."""
    found = [
        f"order {order['action']} of {order['device']} ended as {order['state']}: {order.get('detail', 'no outcome')}"
        for order in control["orders"]
        if order["state"] != "verified"
    ]
    return found + [f"the audit of control is not whole: {fault}" for fault in control["audit"]["faults"]]
