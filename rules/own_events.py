"""What the rules daemon says about itself and its gateways: alarms and events that rest on no reading.

They come from a clock and from links, not from batches: a replay of a recording does not repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from gateway.contract.alarm_orders import AlarmOrder
from gateway.contract.batches import Batch, Condition, StatusBatch, UnreadableBatch
from gateway.contract.events import Alarm, Event, Evidence, decode_alarm, event_id
from rules.alarms import CLEARED, RAISED, Answer, answered
from rules.outputs import Outputs
from rules.points import status_point

SINK_STOPPED: Final = "sink_stopped"
REGISTRY_REFUSED: Final = "registry_refused"
TABLE_REFUSED: Final = "table_refused"
RULES_REFUSED: Final = "rules_refused"
GATEWAY_VANISHED: Final = "gateway_vanished"
NOT_JUDGED: Final = "not_judged"
STATE_LOST: Final = "state_lost"
IDENTITY_CHANGED: Final = "identity_changed"
CERTIFICATE_EXPIRING: Final = "certificate_expiring"
RULES: Final = "rules"
VANISHED: Final = ("offline", "vanished")
PAST_US: Final = 300_000_000
HAPPENED: Final = frozenset({"order_failed"})
"""Alarms of ours that tell what happened: a person may clear them. All others end by themselves."""
_SEVERITIES: Final = {"info": "info", "warning": "warning", "fault": "critical"}
_LOUDNESS: Final = ("info", "warning", "critical")
_NOTHING: Final = Evidence(gateway=RULES, epoch=0, sequence_from=0, sequence_to=0)


def own_alarm_id(rule: str, subject: str) -> str:
    """The id of an alarm of ours: the same from raised to cleared, in every life."""
    return event_id("alarm", rule, subject)


class OwnAlarms:
    """Our alarms that stand, through restarts; `tell` is given what changes.

    Args:
        retained: payloads of all alarms that stand as of the last commit.
    """

    def __init__(
        self, retained: Mapping[str, bytes], tell: Callable[[Outputs], None], now_us: Callable[[], int]
    ) -> None:
        self._tell = tell
        self._now_us = now_us
        self._standing: dict[str, Alarm] = {}
        for payload in retained.values():
            alarm = decode_alarm(payload)
            if alarm.evidence.gateway == RULES:  # a name that no gateway may have
                self._standing[alarm.id] = alarm

    def subjects(self, rule: str) -> set[str]:
        """Whom alarms of this kind stand for."""
        return {alarm.subject for alarm in self._standing.values() if alarm.rule == rule}

    def put(self, rule: str, subject: str, message: str, severity: str = "critical") -> None:
        """Raise an alarm; what stands already is told anew only when its message is another.

        One that gets louder is no longer acknowledged: that was of what was seen.
        """
        key, now_us = own_alarm_id(rule, subject), self._now_us()
        before = self._standing.get(key)
        if before is not None and before.message == message:
            return
        if before is not None:
            alarm = msgspec.structs.replace(
                before, at_us=max(now_us, before.at_us + 1), message=message, severity=severity
            )
            if _LOUDNESS.index(severity) > _LOUDNESS.index(before.severity):
                alarm = msgspec.structs.replace(alarm, acknowledged_at_us=None, acknowledged_by=None)
        else:
            alarm = Alarm(
                id=key,
                rule=rule,
                severity=severity,
                subject=subject,
                state=RAISED,
                since_us=now_us,
                at_us=now_us,
                message=message,
                evidence=_NOTHING,
            )
        self._standing[key] = alarm
        self._tell(Outputs(now_us, alarms=[alarm]))

    def clear(self, rule: str, subject: str, message: str) -> None:
        """Clear an alarm, if it stands."""
        alarm = self._standing.pop(own_alarm_id(rule, subject), None)
        if alarm is not None:
            now_us = self._now_us()
            at_us = max(now_us, alarm.at_us + 1)
            cleared = msgspec.structs.replace(alarm, state=CLEARED, at_us=at_us, message=message)
            self._tell(Outputs(now_us, alarms=[cleared]))

    def certificates(self, holder: str, standing: Iterable[Condition]) -> None:
        """What one process says of its certificates: alarms of those that end soon, and the end of other alarms."""
        named = {f"{holder}/{each.key}": each for each in standing if each.name == CERTIFICATE_EXPIRING}
        for subject, each in named.items():
            severity = _SEVERITIES.get(each.severity, "critical")
            self.put(CERTIFICATE_EXPIRING, subject, f"certificate of {holder}: {each.detail}", severity)
        for subject in self.subjects(CERTIFICATE_EXPIRING) - named.keys():
            if subject.startswith(f"{holder}/"):
                self.clear(CERTIFICATE_EXPIRING, subject, f"certificate {subject} is renewed, or used no longer")

    def has(self, alarm_id: str) -> bool:
        """Whether this is an alarm of ours that stands."""
        return alarm_id in self._standing

    def order(self, order: AlarmOrder) -> Answer:
        """Take an order of a person about one of them; it is for the caller to tell what comes of it."""
        alarm = self._standing[order.alarm]
        if order.action == "clear" and alarm.rule not in HAPPENED:
            return Answer(
                None, "standing", "it clears itself when what it tells of is mended; acknowledge it meanwhile"
            )
        answer = answered(alarm, order)
        if answer.alarm is not None:
            self._standing[order.alarm] = answer.alarm
            if answer.alarm.state == CLEARED:
                del self._standing[order.alarm]
        return answer


class Gateways:
    """What gateways say of themselves: of no sequence, like a last will, so it is not judged, but shown and alarmed."""

    def __init__(
        self, site: str, alarms: OwnAlarms, tell: Callable[[Outputs], None], now_us: Callable[[], int]
    ) -> None:
        self._site = site
        self._alarms = alarms
        self._tell = tell
        self._now_us = now_us
        self._states: dict[str, tuple[str, str]] = {}
        self._vanished = alarms.subjects(GATEWAY_VANISHED)

    @property
    def vanished(self) -> frozenset[str]:
        """Those of which nothing is known now."""
        return frozenset(self._vanished)

    def says(self, batch: StatusBatch) -> None:
        """A known gateway's own status came, or its last will; the same again means nothing."""
        name, state = batch.gateway, (batch.state, batch.reason)
        if state != VANISHED:  # a last will was written when the gateway connected
            self._alarms.certificates(name, batch.conditions)
        if self._states.get(name) == state:
            return
        self._states[name] = state
        batch.received_at_us = self._now_us()  # a last will was written when the gateway connected
        self._tell(Outputs(batch.received_at_us, points=[status_point(batch, self._site)]))
        if state == VANISHED:
            self._vanished.add(name)
            message = f"gateway {name!r} vanished: nothing is known of its devices; look for power, network and host"
            self._alarms.put(GATEWAY_VANISHED, name, message)
        else:
            self.speaks(name)

    def judged(self, name: str, batches: Iterable[Batch | UnreadableBatch]) -> None:
        """Batches of this gateway were judged."""
        for batch in batches:
            if isinstance(batch, StatusBatch):
                self._device_says(batch)
        self.speaks(name)

    def _device_says(self, batch: StatusBatch) -> None:
        """What was so long ago raises no alarm: the present follows."""
        if batch.waited_us > PAST_US:
            return
        changed = next((each for each in batch.conditions if each.name == IDENTITY_CHANGED), None)
        if changed is not None:
            self._alarms.put(IDENTITY_CHANGED, batch.device, f"device {batch.device!r}: {changed.detail}")
        elif batch.state != "offline" and batch.serial:
            self._alarms.clear(IDENTITY_CHANGED, batch.device, f"device {batch.device!r} is the right one")

    def speaks(self, name: str) -> None:
        """Something came from this gateway."""
        if name in self._vanished:
            self._vanished.discard(name)
            self._alarms.clear(GATEWAY_VANISHED, name, f"gateway {name!r} is back")


def not_judged(batch: Batch | UnreadableBatch, reason: str) -> Event:
    """A batch that could not be judged; the evidence leads to it in the journal of the edge."""
    return Event(
        id=event_id(NOT_JUDGED, batch.gateway, batch.epoch, batch.sequence),
        type=NOT_JUDGED,
        at_us=batch.received_at_us,
        subject=batch.device,
        device=batch.device,
        evidence=Evidence(
            gateway=batch.gateway, epoch=batch.epoch, sequence_from=batch.sequence, sequence_to=batch.sequence
        ),
        fields={"reason": reason},
    )


def state_lost(subject: str, at_us: int, reason: str) -> Event:
    """What was known of a gateway, or of everything (`rules`), is gone: presence begins anew."""
    return Event(
        id=event_id(STATE_LOST, subject, at_us),
        type=STATE_LOST,
        at_us=at_us,
        subject=subject,
        evidence=_NOTHING,
        fields={"reason": reason},
    )
