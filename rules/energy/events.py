"""The events of the books: their types, their fields, and ids that are made of what happened to which register."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.contract.batches import Batch
from gateway.contract.events import Event, Evidence, Scalar, event_id

BOOK_EVENTS: Final = (
    "register_decreased",
    "register_jumped",
    "register_returned",
    "register_rolled_over",
    "segment_opened",
    "meter_swapped",
    "ratio_changed",
    "energy_gap",
    "tariff_sum_differs",
    "shed_proposed",
    "count_rose",
)

BOOK_FIELDS: Final[dict[str, str]] = {
    "quantity": "string",
    "unit": "string",
    "phase": "string",
    "tariff": "int",
    "before": "double",
    "after": "double",
    "elapsed_s": "double",
    "from_us": "int",
    "to_us": "int",
    "energy": "double",
    "segment": "string",
    "reason": "string",
    "closing": "double",
    "closed_at_us": "int",
    "opening": "double",
    "serial_before": "string",
    "serial_after": "string",
    "ratio": "string",
    "ratio_before": "string",
    "ratio_after": "string",
    "total": "double",
    "sum": "double",
    "difference": "double",
    "reasons": "string",
    "loads": "string",
    "stage": "int",
    "shed_w": "double",
    "excess_w": "double",
    "forecast_w": "double",
    "limit_w": "double",
    "enough": "bool",
}
"""What these events tell beside what every event has; each tells those that concern it."""


def book_event(
    kind: str, meter: str, batch: Batch, at_us: int, fields: Mapping[str, Scalar], *parts: Scalar, historical: bool
) -> Event:
    """One event about a meter; `parts` tell apart what could happen at the same time."""
    return Event(
        id=event_id(kind, batch.gateway, meter, at_us, *parts),
        type=kind,
        at_us=at_us,
        subject=meter,
        evidence=Evidence(
            gateway=batch.gateway, epoch=batch.epoch, sequence_from=batch.sequence, sequence_to=batch.sequence
        ),
        device=meter,
        historical=historical,
        fields={name: value for name, value in fields.items() if value is not None},
    )
