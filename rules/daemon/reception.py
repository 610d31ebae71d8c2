"""What comes from the broker: payloads become batches in order, words of gateways about themselves, or counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from gateway.contract.batches import StatusBatch, decode, outline
from gateway.contract.flow import decode_resume
from gateway.health import Health
from gateway.logs import get_log
from rules.daemon.intake import GATEWAYS_MOST, Arrival, Flow, Intake

UNUSABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
ADVICE: Final = {
    "old_epoch": "two gateways may share this name, or its clock was ahead when its journal was made: give each its "
    "own name; the older journal is believed when the newer has been silent for a minute",
    "too_many_gateways": f"{GATEWAYS_MOST} have been heard; who publishes under made-up names? see the access list",
}


class Ready(Protocol):
    """Takes the batches that may be judged now; none of them when only the watermark may move."""

    def __call__(self, flow: Flow, ready: Sequence[Arrival], /) -> None:
        """Judge."""


class Reception:
    """Sorts payloads.

    Attributes:
        malformed: payloads that were no batch and no resume, by kind.
    """

    def __init__(
        self,
        intake: Intake,
        health: Health,
        *,
        ready: Ready,
        gateway_says: Callable[[StatusBatch], None],
        lost_state: Callable[[str, str], None],
    ) -> None:
        """`lost_state(gateway, reason)` is told when a gateway's past was judged, but not in our database."""
        self.malformed: dict[str, int] = {}
        self._intake = intake
        self._health = health
        self._ready = ready
        self._gateway_says = gateway_says
        self._lost_state = lost_state
        self._log = get_log()
        self._refused_told: set[str] = set()

    def take(self, payload: bytes, device: str | None = None) -> None:
        """Take one batch; judged now, later, or never, and counted in each case.

        `device`, of its topic, must be that of the batch: so an access list on topics binds what a client may say.
        """
        batch: Arrival
        try:
            try:
                batch = decode(payload)
            except msgspec.ValidationError as error:
                batch = outline(payload, str(error))
        except UNUSABLE as error:
            self._count_malformed("batch", error)
            return
        if device is not None and batch.device != device:
            self._count_malformed("topic", f"the topic says {device!r}, the batch {batch.device!r}")
        elif isinstance(batch, StatusBatch) and _is_own(batch):
            if self._intake.knows(batch.gateway):
                self._gateway_says(batch)
        elif (found := self._intake.take(batch, asyncio.get_running_loop().time())) is None:
            self._tell_refused(batch.gateway)
        else:
            self._ready(*found)

    def take_retained_status(self, payload: bytes, device: str) -> None:
        """Take the last word of a gateway about itself; that of a device was judged, or comes with the journal."""
        try:
            batch = decode(payload)
        except UNUSABLE as error:
            self._count_malformed("batch", error)
            return
        if isinstance(batch, StatusBatch) and _is_own(batch) and batch.device == device:
            self.take(payload, device)

    def resume(self, payload: bytes) -> None:
        """Take one `Resume`."""
        try:
            resume = decode_resume(payload)
        except UNUSABLE as error:
            self._count_malformed("resume", error)
            return
        known = self._intake.knows(resume.gateway)
        found = self._intake.resume(resume, asyncio.get_running_loop().time())
        if found is None:
            self._tell_refused(resume.gateway)
            return
        flow, _ = found
        if not known and flow.skipped:
            self._lost_state(
                flow.gateway, f"batches 1 to {flow.skipped} were judged in a database that is not this one"
            )
        self._ready(*found)

    def _count_malformed(self, kind: str, error: object) -> None:
        """Count a payload that cannot be used; the first of its kind is logged."""
        seen = self.malformed.get(kind, 0)
        self.malformed[kind] = seen + 1
        if seen == 0:
            self._health.trouble(self._log, "payload_malformed", kind=kind, error=str(error), more="counted only")

    def _tell_refused(self, gateway: str) -> None:
        for reason in self._intake.refused.keys() - self._refused_told:
            self._refused_told.add(reason)
            advice = ADVICE.get(reason, "no edge daemon sends such; see who else may publish")
            self._health.trouble(
                self._log, "batch_refused", gateway=gateway, reason=reason, advice=advice, more="counted only"
            )


def _is_own(batch: StatusBatch) -> bool:
    return not batch.sequence and batch.device == batch.gateway
