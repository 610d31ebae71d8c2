"""What the rules daemon says about itself: a store that stopped, a batch that a defect kept from being judged."""

from __future__ import annotations

from typing import Final

from gateway.contract.batches import Batch
from gateway.contract.events import Alarm, Event, Evidence, event_id

SINK_STOPPED: Final = "sink_stopped"
NOT_JUDGED: Final = "not_judged"
RULES: Final = "rules"


def sink_alarm_id(sink: str) -> str:
    """The id of the alarm that a sink stopped."""
    return event_id("alarm", SINK_STOPPED, sink)


def sink_alarm(sink: str, state: str, since_us: int, at_us: int, message: str) -> Alarm:
    """The alarm that a sink stopped, `raised` or `cleared`; it rests on no batch."""
    return Alarm(
        id=sink_alarm_id(sink),
        rule=SINK_STOPPED,
        severity="critical",
        subject=sink,
        state=state,
        since_us=since_us,
        at_us=at_us,
        message=message,
        evidence=Evidence(gateway=RULES, epoch=0, sequence_from=0, sequence_to=0),
    )


def not_judged(batch: Batch, error: Exception) -> Event:
    """A batch tripped a defect of the engine; the evidence leads to it in the journal of the edge."""
    return Event(
        id=event_id(NOT_JUDGED, batch.gateway, batch.epoch, batch.sequence),
        type=NOT_JUDGED,
        at_us=batch.received_at_us,
        subject=batch.device,
        device=batch.device,
        evidence=Evidence(
            gateway=batch.gateway, epoch=batch.epoch, sequence_from=batch.sequence, sequence_to=batch.sequence
        ),
        fields={"reason": type(error).__name__},
    )
