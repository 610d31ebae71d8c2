import threading
import time
from collections.abc import Callable, Iterable

import pytest

from gateway.console.parts import presence as module
from gateway.console.parts.presence import PASSED_MOST, Presence, Thing
from gateway.contract.batches import TickBatch
from gateway.contract.events import Event, Evidence
from tests.support.console import told

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
TICK = TickBatch(gateway="edge-1", device="edge-1", received_at_us=1, watched=[])


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Journal:
    """What the event journal knows, and how often it was asked."""

    def __init__(self, *things: Thing) -> None:
        self.things: Iterable[Thing] = things
        self.asked = 0
        self.wrong: Exception | None = None

    def __call__(self) -> Iterable[Thing]:
        self.asked += 1
        if self.wrong is not None:
            raise self.wrong
        return self.things


def happened(kind: str, subject: str, zone: str, at_us: int, **more: str) -> Event:
    return Event(id=f"{kind}-{subject}-{at_us}", type=kind, at_us=at_us, subject=subject, zone=zone, evidence=EVIDENCE,
                 name=f"name of {subject}", **more)  # type: ignore[arg-type]  # fmt: skip  # texts of the event


def a_thing(subject: str, zone: str, since_us: int) -> Thing:
    return Thing(subject, None, zone, since_us, f"id-{subject}")


def until(is_so: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


def names(presence: Presence, zone: str) -> list[str]:
    return [thing.subject for thing in presence.at(zone, 100)]


def test_things_come_move_and_go_the_newest_first() -> None:
    presence = Presence()
    cursor = presence.follow({})
    cursor.news()
    presence.take(happened("arrived", "A", "yard", 1, read_point="yard-1"))
    presence.take(happened("arrived", "B", "yard", 2))
    assert names(presence, "yard") == ["B", "A"]
    assert presence.where("A") == Thing("A", "name of A", "yard", 1, "arrived-A-1", "yard-1")
    row = told(cursor)["rows"]["yard"]
    assert (row["count"], row["last"]["subject"], row["last"]["type"]) == (2, "B", "arrived")
    presence.take(happened("moved", "A", "gate", 3, from_zone="yard"))
    assert (names(presence, "yard"), names(presence, "gate")) == (["B"], ["A"])
    assert {zone: row["count"] for zone, row in told(cursor)["rows"].items()} == {"yard": 1, "gate": 1}
    presence.take(happened("departed", "A", "gate", 4))
    assert (presence.where("A"), presence.count("gate")) == (None, 0)
    row = told(cursor)["rows"]["gate"]
    assert (row["count"], row["last"]["type"]) == (0, "departed")


def test_what_a_backlog_tells_late_changes_nothing_that_is_known_better() -> None:
    presence = Presence()
    presence.take(happened("moved", "A", "gate", 10))
    presence.take(happened("arrived", "A", "yard", 5))
    presence.take(happened("departed", "A", "yard", 12))
    assert names(presence, "gate") == ["A"]
    assert names(presence, "yard") == []


def test_passages_are_remembered_for_each_lane_within_a_bound() -> None:
    presence = Presence()
    for number in range(PASSED_MOST + 5):
        presence.take(happened("passage", f"T{number}", "lane-1", number, direction="in"))
    passed = presence.passed("lane-1")
    assert (len(passed), passed[0].subject, passed[0].direction) == (PASSED_MOST, "T204", "in")
    assert presence.where("T204") is None
    assert presence.whole()["lane-1"]["last"]["direction"] == "in"


def test_other_events_say_nothing_of_where_things_are() -> None:
    presence = Presence()
    presence.take(happened("gate-decision", "A", "yard", 1))
    presence.take(Event(id="x", type="arrived", at_us=1, subject="A", evidence=EVIDENCE))
    assert presence.whole() == {}


def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THINGS_MOST", 3)
    presence = Presence()
    for number in range(5):
        presence.take(happened("arrived", f"T{number}", "yard", number))
    presence.take(happened("moved", "T0", "gate", 9))
    assert (presence.count("yard"), presence.count("gate"), presence.refused) == (2, 1, 2)


def test_it_begins_with_what_the_journal_knows() -> None:
    presence = Presence(Journal(a_thing("B", "yard", 2), a_thing("A", "yard", 1)))
    presence.begin()
    assert names(presence, "yard") == ["B", "A"]
    assert presence.whole()["yard"]["count"] == 2


def test_what_was_missed_is_made_up_for_but_never_over_what_was_just_heard() -> None:
    clock, journal = Clock(), Journal(a_thing("gone", "yard", 1), a_thing("left", "yard", 1))
    presence = Presence(journal, clock=clock)
    presence.begin()
    assert sorted(names(presence, "yard")) == ["gone", "left"]
    clock.now_s += module.ASK_EVERY_S
    presence.take(happened("departed", "left", "yard", 5))  # the journal does not know yet
    presence.take(happened("arrived", "new", "yard", 6))
    journal.things = [a_thing("missed", "gate", 4), a_thing("left", "yard", 1)]
    presence.take(TICK)
    until(lambda: journal.asked == 2 and presence._answer is not None)
    clock.now_s += 1
    presence.take(TICK)
    assert (names(presence, "yard"), names(presence, "gate")) == (["new"], ["missed"])
    assert presence.whole()["gate"]["count"] == 1
    assert journal.asked == 2


def test_the_journal_is_asked_again_after_a_silence_of_the_gateway() -> None:
    clock, journal = Clock(), Journal()
    presence = Presence(journal, clock=clock)
    presence.begin()
    for _ in range(10):
        clock.now_s += 1
        presence.take(TICK)
    assert journal.asked == 1
    clock.now_s += module.ASK_AFTER_SILENCE_S + 1
    presence.take(TICK)
    until(lambda: journal.asked == 2)


def test_only_one_question_is_asked_at_a_time() -> None:
    clock, go_on, asked = Clock(), threading.Event(), []

    def slowly() -> Iterable[Thing]:
        asked.append(1)
        go_on.wait(10)
        return []

    presence = Presence(slowly, clock=clock)
    for _ in range(5):
        clock.now_s += module.ASK_EVERY_S
        presence.take(TICK)
    go_on.set()
    until(lambda: presence._answer is not None)
    assert len(asked) == 1


def test_a_journal_that_does_not_answer_is_told_and_asked_again() -> None:
    clock, journal = Clock(), Journal(a_thing("A", "yard", 1))
    journal.wrong = ValueError("too long")
    presence = Presence(journal, clock=clock)
    presence.begin()
    assert (presence.unanswered, presence.whole()) == ("too long", {})
    journal.wrong = None
    clock.now_s += module.ASK_EVERY_S
    presence.take(TICK)
    until(lambda: presence._answer is not None)
    presence.take(TICK)
    assert (presence.unanswered, names(presence, "yard")) == (None, ["A"])
