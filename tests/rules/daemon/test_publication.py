from __future__ import annotations

from gateway.contract.events import Alarm, Evidence
from gateway.contract.topics import Topics
from rules.daemon.publication import Publication, messages_of
from rules.outputs import Outputs
from tests.rules.passthrough import PassThrough, reads

AT = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


def alarm(state: str) -> Outputs:
    made = Alarm(
        id="a1",
        rule="door",
        severity="info",
        subject="gate",
        state=state,
        since_us=1,
        at_us=2,
        message="",
        evidence=AT,
    )
    return Outputs(1, alarms=[made])


def test_alarms_become_messages_before_the_events_of_their_commit() -> None:
    outputs = [alarm("raised"), PassThrough().step(reads(1)), alarm("cleared")]
    messages = messages_of(outputs, Topics("port"), 7)
    assert [(m.id, m.topic.removeprefix("tagwharf/1/port/"), bool(m.payload), m.retain) for m in messages] == [
        (7, "alarms/a1", True, True),
        (8, "alarms/a1", True, False),
        (9, "alarms/a1", False, True),
        (10, "events/seen", True, False),
    ]


def test_a_command_goes_before_everything_else() -> None:
    commands = [("tagwharf/1/port/barriers/command", b"{}")]
    messages = messages_of([alarm("raised")], Topics("port"), 1, commands)
    assert [(m.id, m.topic.removeprefix("tagwharf/1/port/"), m.retain) for m in messages] == [
        (1, "barriers/command", False),
        (2, "alarms/a1", True),
    ]


def test_an_answer_goes_out_behind_the_alarm_that_it_speaks_of() -> None:
    answered = alarm("raised")
    answered.answers.append(("tagwharf/1/port/order-outcome/a1", b"{}"))
    messages = messages_of([answered, alarm("cleared")], Topics("port"), 1)
    assert [(m.topic.removeprefix("tagwharf/1/port/"), m.retain) for m in messages] == [
        ("alarms/a1", True),
        ("alarms/a1", False),
        ("alarms/a1", True),
        ("order-outcome/a1", False),
    ]


def test_what_stands_is_known_and_what_was_acknowledged_is_deleted_once() -> None:
    async def nothing(after_id: int, most: int) -> list[object]:
        raise AssertionError((after_id, most))

    made = Publication(nothing, {"alarms/old": b"{}"})  # type: ignore[arg-type]  # never called here
    made.wake(messages_of([alarm("raised")], Topics("port"), 1))
    assert sorted(made.retained) == ["alarms/old", "tagwharf/1/port/alarms/a1"]
    made.wake(messages_of([alarm("cleared")], Topics("port"), 2))
    assert list(made.retained) == ["alarms/old"]
    made._done(1)
    made._done(2)
    assert sorted(made.acknowledged()) == [1, 2]
    made.deleted([1])
    assert made.acknowledged() == [2]
