"""Orders about alarms: a person acknowledges, escalates or clears one, or comments on it; and what became of that.

An order is signed as a command is (`gateway.contract.commands`), with the person's key, over its own topic
`order/{alarm}`; its outcome on `order-outcome/{alarm}` is signed for the person whom it answers. Neither is ever
retained. The effect is in the state of the alarm itself, on `alarms/{alarm}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.contract.batches import Whole
from gateway.contract.commands import Id, Name

AlarmId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{20}$(?!\n)")]
Comment = Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Action = Literal["acknowledge", "comment", "escalate", "clear"]
ACTIONS: Final[tuple[Action, ...]] = ("acknowledge", "comment", "escalate", "clear")


class AlarmOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a person does about an alarm; taken once at most.

    Attributes:
        id: unique for ever, a UUID or ULID; one that was seen before is refused.
        alarm: id of the alarm, as in its topic.
        action: `acknowledge` (somebody sees to it; it does not escalate), `comment`, `escalate` (one severity louder,
            and acknowledged no longer), or `clear` (a latched one that has ended, or one that has no end of its own).
        by: name of the person in the site file, whose key makes the signature.
        at_us, expires_at_us: by the sender's clock; at most 60 s apart.
        comment: for whoever looks at the alarm next; one line. It replaces the one before.
    """

    id: Id
    alarm: AlarmId
    action: Action
    by: Name
    at_us: Whole
    expires_at_us: Whole
    comment: Comment = ""
    signature: Annotated[str, msgspec.Meta(max_length=64)] = ""


class AlarmOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an order about an alarm; sent when it is as durable as the alarm's state.

    Attributes:
        id: of the order that this answers.
        code: why it was refused, in a fixed word; `detail` says it to a person, with what to do next.
    """

    id: str
    alarm: str
    state: Literal["done", "refused"]
    at_us: Whole
    by: str = ""
    action: str = ""
    code: str = ""
    detail: str = ""
    signature: str = ""


def as_alarm_order(fields: dict[str, Any]) -> AlarmOrder:
    """An order from its fields; raises msgspec.ValidationError."""
    return msgspec.convert(fields, AlarmOrder, strict=True)


def as_alarm_outcome(fields: dict[str, Any]) -> AlarmOutcome:
    """An outcome from its fields; raises msgspec.ValidationError."""
    return msgspec.convert(fields, AlarmOutcome, strict=True)
