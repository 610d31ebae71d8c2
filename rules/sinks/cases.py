"""An alarm as a case of a service desk: one case from its beginning to its end, with the time that people have.

A case is told anew with each state of its alarm, whole, so that whoever missed one knows the next. An alarm that is
raised again after it was cleared is another case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from gateway.config.sinks import RespondWithin
from gateway.contract.events import Alarm, Evidence, Scalar
from rules.alarms import CLEARED
from rules.sinks.selection import state_of

_US_PER_S: Final = 1_000_000


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One state of a case.

    Attributes:
        case: its id, the same in every state.
        state: `raised`, `acknowledged` or `cleared`.
        alarm: the id of the alarm, the same in every case of the same trouble.
        due_at: until when somebody must have answered; earlier when the alarm became louder.
        answered_at: when somebody acknowledged it, or when it was cleared before anybody did.
        in_time: whether that was not after `due_at`.
        ended: the condition is over; a person has to clear it.
    """

    case: str
    state: str
    alarm: str
    rule: str
    severity: str
    subject: str
    message: str
    opened_at: str
    changed_at: str
    due_at: str
    respond_within_s: float
    answered_at: str | None = None
    in_time: bool | None = None
    acknowledged_by: str | None = None
    comment: str | None = None
    comment_by: str | None = None
    ended: bool = False
    escalated: bool = False
    fields: dict[str, Scalar] = {}
    evidence: Evidence


def case_of(alarm: Alarm, within_s: Mapping[str, float]) -> Case:
    """The case that an alarm is now; `within_s` by severity."""
    limit_s = within_s[alarm.severity]
    due_us = alarm.since_us + round(limit_s * _US_PER_S)
    answered_us = alarm.acknowledged_at_us
    if answered_us is None and alarm.state == CLEARED:
        answered_us = alarm.at_us
    return Case(
        case=f"{alarm.id}-{alarm.since_us}",
        state=state_of(alarm),
        alarm=alarm.id,
        rule=alarm.rule,
        severity=alarm.severity,
        subject=alarm.subject,
        message=alarm.message,
        opened_at=rfc3339(alarm.since_us),
        changed_at=rfc3339(alarm.at_us),
        due_at=rfc3339(due_us),
        respond_within_s=limit_s,
        answered_at=None if answered_us is None else rfc3339(answered_us),
        in_time=None if answered_us is None else answered_us <= due_us,
        acknowledged_by=alarm.acknowledged_by,
        comment=alarm.comment,
        comment_by=alarm.comment_by,
        ended=alarm.ended,
        escalated=alarm.escalated,
        fields=alarm.fields,
        evidence=alarm.evidence,
    )


def limits_of(settings: RespondWithin) -> dict[str, float]:
    """The time limits by the names of severities."""
    return {"critical": settings.critical, "warning": settings.warning, "info": settings.info}


def rfc3339(at_us: int) -> str:
    """A time in UTC with microseconds.

    Raises:
        ValueError, OverflowError, OSError: it is outside the years 1 to 9999.
    """
    seconds, us = divmod(at_us, _US_PER_S)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=us, tzinfo=None)
    return at.isoformat(timespec="microseconds") + "Z"
