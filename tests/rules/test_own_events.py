from __future__ import annotations

import msgspec

from gateway.contract.alarm_orders import Action, AlarmOrder
from gateway.contract.batches import Condition, StatusBatch
from gateway.contract.events import Alarm, Evidence
from gateway.contract.topics import NAME
from rules.outputs import Outputs
from rules.own_events import (
    GATEWAY_VANISHED,
    HAPPENED,
    SINK_STOPPED,
    Gateways,
    OwnAlarms,
    not_judged,
    own_alarm_id,
    state_lost,
)
from tests.rules.passthrough import reads

NOW_US = 1_767_268_800_000_000


def alarms_of(told: list[Outputs]) -> list[tuple[str, str, int]]:
    return [(alarm.subject, alarm.state, alarm.since_us) for output in told for alarm in output.alarms]


def status(state: str, reason: str) -> StatusBatch:
    return StatusBatch(
        gateway="edge-1", epoch=1, device="edge-1", received_at_us=5, state=state, reason=reason, since_us=5
    )


def test_an_alarm_of_ours_keeps_its_id_and_its_beginning_through_a_restart() -> None:
    told: list[Outputs] = []
    first = OwnAlarms({}, told.append, lambda: 10)
    first.put(SINK_STOPPED, "store", "401")
    first.put(SINK_STOPPED, "store", "401")  # said before
    (raised,) = told[0].alarms
    assert raised.id == own_alarm_id(SINK_STOPPED, "store") != own_alarm_id(SINK_STOPPED, "other")
    assert NAME.fullmatch(raised.id)
    retained = {"alarms/x": msgspec.json.encode(raised), "alarms/y": msgspec.json.encode(somebodys_alarm())}
    second = OwnAlarms(retained, told.append, lambda: 20)
    assert second.subjects(SINK_STOPPED) == {"store"}
    second.put(SINK_STOPPED, "store", "403")  # another message is told anew
    second.clear(SINK_STOPPED, "store", "fine")
    second.clear(SINK_STOPPED, "store", "fine")
    assert alarms_of(told) == [("store", "raised", 10), ("store", "raised", 10), ("store", "cleared", 10)]
    assert len({alarm.id for output in told for alarm in output.alarms}) == 1


def order(action: Action, alarm: str, comment: str = "") -> AlarmOrder:
    return AlarmOrder(
        id="order-0001", alarm=alarm, action=action, by="anna", at_us=15, expires_at_us=60, comment=comment
    )


def test_an_alarm_of_ours_is_acknowledged_through_a_restart_until_it_ends() -> None:
    told: list[Outputs] = []
    first = OwnAlarms({}, told.append, lambda: 10)
    first.put(SINK_STOPPED, "store", "401")
    number = own_alarm_id(SINK_STOPPED, "store")
    assert (first.has(number), first.has("5" * 20)) == (True, False)
    seen = first.order(order("acknowledge", number, "on my way")).alarm
    assert seen is not None
    assert (seen.acknowledged_by, seen.acknowledged_at_us, seen.comment, seen.at_us) == ("anna", 15, "on my way", 15)
    assert first.order(order("clear", number)).code == "standing"
    second = OwnAlarms({"alarms/x": msgspec.json.encode(seen)}, told.append, lambda: 12)
    second.put(SINK_STOPPED, "store", "403")
    second.clear(SINK_STOPPED, "store", "fine")
    assert [(each.message, each.acknowledged_by, each.at_us) for output in told[1:] for each in output.alarms] == [
        ("403", "anna", 16),  # each state is later than the one before
        ("fine", "anna", 17),
    ]
    assert not second.has(number)


def test_an_alarm_of_ours_that_tells_what_happened_is_cleared_by_a_person() -> None:
    told: list[Outputs] = []
    own = OwnAlarms({}, told.append, lambda: 10)
    (kind,) = HAPPENED
    own.put(kind, "barrier", "it is failed")
    cleared = own.order(order("clear", own_alarm_id(kind, "barrier"))).alarm
    assert cleared is not None
    assert (cleared.state, cleared.message) == ("cleared", "it is failed: cleared by anna")
    assert not own.has(cleared.id)
    own.put(kind, "barrier", "it is failed")
    assert alarms_of(told) == [("barrier", "raised", 10)] * 2


def somebodys_alarm() -> Alarm:
    """One of a rule that is named like ours."""
    evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
    return Alarm(
        id="5" * 20, rule=SINK_STOPPED, severity="info", subject="x", state="raised", since_us=1, at_us=1, message="",
        evidence=evidence,
    )  # fmt: skip


def test_a_gateway_that_vanishes_is_shown_and_alarmed_once_and_cleared_when_it_is_back() -> None:
    told: list[Outputs] = []
    alarms = OwnAlarms({}, told.append, lambda: NOW_US)
    gateways = Gateways("port", alarms, told.append, lambda: NOW_US)
    for state, reason in (("online", "started"), ("offline", "vanished"), ("offline", "vanished"), ("online", "x")):
        gateways.says(status(state, reason))
    assert alarms_of(told) == [("edge-1", "raised", NOW_US), ("edge-1", "cleared", NOW_US)]
    points = [point for output in told for point in output.points]
    assert [dict(point.fields)["state"] for point in points] == ["online", "offline", "online"]
    assert {point.at_ns // 1_000 for point in points} == {NOW_US}  # when it was heard, not when the will was written


def test_a_gateway_that_is_stopped_is_no_alarm_and_one_that_speaks_has_not_vanished() -> None:
    told: list[Outputs] = []
    gateways = Gateways("port", OwnAlarms({}, told.append, lambda: 1), told.append, lambda: 1)
    gateways.says(status("offline", "stopped"))
    assert alarms_of(told) == []
    gateways.says(status("offline", "vanished"))
    (raised,) = told[-1].alarms
    alarms = OwnAlarms({"t": msgspec.json.encode(raised)}, told.append, lambda: 2)
    assert alarms.subjects(GATEWAY_VANISHED) == {"edge-1"}
    next_life = Gateways("port", alarms, told.append, lambda: 2)
    next_life.speaks("edge-2")
    next_life.speaks("edge-1")
    next_life.speaks("edge-1")
    assert alarms_of(told) == [("edge-1", "raised", 1), ("edge-1", "cleared", 1)]


def test_a_batch_that_was_not_judged_can_be_found_again() -> None:
    event = not_judged(reads(7), "ValueError")
    assert (event.evidence.sequence_from, event.evidence.sequence_to, event.device) == (7, 7, "gate-1")
    assert event.id == not_judged(reads(7), "KeyError").id != not_judged(reads(8), "ValueError").id
    assert NAME.fullmatch(event.type)


def test_lost_state_says_whose_and_why() -> None:
    event = state_lost("edge-1", 5, "gone")
    assert (event.subject, event.fields, NAME.fullmatch(event.type) is not None) == ("edge-1", {"reason": "gone"}, True)


def expiring(severity: str, detail: str, key: str = "mqtt.server") -> Condition:
    return Condition("certificate_expiring", severity, 5, key=key, detail=detail)


def told_of(told: list[Outputs]) -> list[tuple[str, str, str, str | None]]:
    return [(a.subject, a.state, a.severity, a.acknowledged_by) for output in told for a in output.alarms]


def test_certificates_of_a_gateway_are_alarms_that_get_louder_and_end_with_their_renewal() -> None:
    told: list[Outputs] = []
    alarms = OwnAlarms({}, told.append, lambda: 10)
    gateways = Gateways("hamburg", alarms, told.append, lambda: 10)
    for conditions in (
        [expiring("warning", "ends on 2026-12-20")],
        [expiring("warning", "ends on 2026-12-20")],  # said again, which means nothing
    ):
        batch = status("online", "started")
        batch.conditions = conditions
        gateways.says(batch)
    alarms.order(order("acknowledge", own_alarm_id("certificate_expiring", "edge-1/mqtt.server")))
    batch = status("online", "started")
    batch.conditions = [expiring("fault", "very soon"), expiring("warning", "x", "reader.gate-3.server")]
    gateways.says(batch)
    vanished = status("offline", "vanished")  # its last will knows nothing of them
    gateways.says(vanished)
    batch = status("online", "started")
    batch.conditions = [expiring("warning", "x", "reader.gate-3.server")]
    gateways.says(batch)
    alarms.certificates("rules", [])  # another process says nothing of these
    subject, other = "edge-1/mqtt.server", "edge-1/reader.gate-3.server"
    assert [each for each in told_of(told) if each[0] != "edge-1"] == [
        (subject, "raised", "warning", None),
        (subject, "raised", "critical", None),  # louder: acknowledged no longer
        (other, "raised", "warning", None),
        (subject, "cleared", "critical", None),
    ]
    assert alarms.subjects("certificate_expiring") == {other}


def test_another_reader_under_a_known_name_is_an_alarm_until_the_right_one_is_back() -> None:
    told: list[Outputs] = []
    alarms = OwnAlarms({}, told.append, lambda: 10)
    gateways = Gateways("hamburg", alarms, told.append, lambda: 10)

    def says(state: str, serial: str, *, changed: bool, waited_us: int = 0) -> set[str]:
        batch = status(state, "x")
        batch.device, batch.serial, batch.sequence = "gate-3", serial, 1
        batch.sent_at_us = batch.received_at_us + waited_us
        batch.conditions = [Condition("identity_changed", "fault", 5, detail="says that it is 0A")] if changed else []
        gateways.judged("edge-1", [batch, reads(1)])
        return alarms.subjects("identity_changed")

    assert says("degraded", "0A", changed=True, waited_us=3_600_000_000) == set()  # long ago
    assert says("degraded", "0A", changed=True) == {"gate-3"}
    assert says("offline", "0A", changed=False) == {"gate-3"}  # refused, or gone: it is not known to be right
    assert says("online", "", changed=False) == {"gate-3"}  # it has not yet said who it is
    assert says("online", "0B", changed=False, waited_us=3_600_000_000) == {"gate-3"}
    assert says("online", "0B", changed=False) == set()
    assert [each.state for output in told for each in output.alarms] == ["raised", "cleared"]
