"""What the writer writes, made of numbers alone, so that the judge knows what every row must be."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.events import Event, Evidence
from gateway.event_journal import US_PER_DAY, Rows

GATEWAY: Final = "edge-1"
SEGMENT_BYTES: Final = 200_000  # several segments within seconds, so that cuts fall into their making, too
KEEP_DAYS: Final = 3
STARVED_TIMES: Final = 3
READINGS_EACH: Final = 3
EVERY_US: Final = 100_000
NS_PER_US: Final = 1_000


def epc_of(sequence: int) -> str:
    """The EPC in the batch of this sequence."""
    return f"{sequence:024X}"


def reads_of(sequence: int) -> int:
    """How many reads that batch holds."""
    return 1 + sequence % 4


def batch_of(sequence: int, at_us: int) -> ReadBatch:
    """The batch that the edge journal gives this sequence."""
    memory = f"{sequence % 251:02X}" * (50 + sequence % 700)
    read = TagRead(epc_of(sequence), 1, "gate-1", at_us, user_memory=memory)
    return ReadBatch(gateway=GATEWAY, device="gate", received_at_us=at_us, reads=[read] * reads_of(sequence))


def event_rows(number: int, now_us: int) -> Rows:
    """An event, and readings that move the minutes kept beside them; of no two numbers at the same time."""
    at_us = now_us // US_PER_DAY * US_PER_DAY + number * EVERY_US
    evidence = Evidence(gateway=GATEWAY, epoch=1, sequence_from=number, sequence_to=number)
    event = Event(id=f"{number:020x}", type="arrived", at_us=at_us, subject=epc_of(number), evidence=evidence)
    body = msgspec.json.encode(event)
    columns = (event.type, event.subject, None, None, None, None, None, None, None, GATEWAY, 1, number, number, body)
    readings = [
        (at_us * NS_PER_US + part, "m1", "active_power", "W", "", "", float(part), str(part), "", "good", None)
        for part in range(READINGS_EACH)
    ]
    return {"events": [(at_us, event.id, *columns)], "readings": readings}
