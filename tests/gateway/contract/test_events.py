import msgspec
import pytest

from gateway.contract.events import Alarm, Event, Evidence, decode_alarm, decode_event, event_id

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=9, reads=12, read_points=("a", "b"))


def test_an_id_depends_on_every_part_and_on_their_order() -> None:
    ids = {event_id(*parts) for parts in [("a", "b"), ("b", "a"), ("ab",), ("a", "b", None), ("a", 1), ("a", "1", "")]}
    assert len(ids) == 6
    assert event_id("passage", "E280", 17) == event_id("passage", "E280", 17)
    assert len(event_id("x")) == 20


def test_events_and_alarms_survive_the_wire() -> None:
    event = Event(id="1", type="passage", at_us=5, subject="E280", evidence=EVIDENCE, fields={"speed": 1.5, "ok": True})
    alarm = Alarm(
        id="2",
        rule="r",
        severity="info",
        subject="s",
        state="raised",
        since_us=1,
        at_us=1,
        message="m",
        evidence=EVIDENCE,
    )
    assert decode_event(msgspec.json.encode(event)) == event
    assert decode_alarm(msgspec.json.encode(alarm)) == alarm
    assert b"acknowledged" not in msgspec.json.encode(alarm)  # an alarm that nobody has touched is told as ever
    seen = msgspec.structs.replace(alarm, acknowledged_at_us=7, acknowledged_by="anna", ended=True, escalated=True)
    assert decode_alarm(msgspec.json.encode(seen)) == seen
    with pytest.raises(msgspec.ValidationError, match="required field"):
        decode_event(b'{"id":"1"}')
