from gateway.console.parts.events import AT_ONCE, EVENTS_KEPT, Events
from gateway.contract.events import Event, Evidence
from tests.support.console import told

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


def an_event(number: int, kind: str = "passage") -> Event:
    return Event(id=f"e{number}", type=kind, at_us=number, subject="s", evidence=EVIDENCE)


def test_the_newest_are_shown_and_kept_within_a_bound() -> None:
    events = Events()
    for number in range(EVENTS_KEPT + 10):
        events.take(an_event(number))
    news = told(events.follow({}))
    assert (news["matched"], len(news["rows"]), news["rows"][-1]["id"]) == (EVENTS_KEPT, AT_ONCE, "e2009")
    assert [row["id"] for row in events.whole()] == [row["id"] for row in news["rows"]]


def test_a_follower_may_ask_for_some_types() -> None:
    events = Events()
    cursor = events.follow({"types": "arrived,departed"})
    cursor.news()
    for number, kind in enumerate(("arrived", "passage", "departed")):
        events.take(an_event(number, kind))
    assert [row["type"] for row in told(cursor)["rows"]] == ["arrived", "departed"]
