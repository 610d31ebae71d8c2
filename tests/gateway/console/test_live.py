import msgspec

from gateway.console.live import Live
from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import ReadBatch, StatusBatch, TagRead, TickBatch, encode
from gateway.contract.events import Alarm, Event, Evidence
from gateway.contract.ledger import RulesLedger

ROOT = "tagwharf/1/site/"
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
ALARM = Alarm(
    id="a1", rule="r", severity="critical", subject="s", state="raised", since_us=1, at_us=1, message="m",
    evidence=EVIDENCE,
)  # fmt: skip
BOOK = RulesLedger(at_us=1, session="1", judged={}, events={}, points={}, latency_ms={})
EVENT = Event(id="e1", type="passage", at_us=1, subject="s", evidence=EVIDENCE)


def reads(count: int) -> bytes:
    rows = [TagRead(epc=f"{number:024X}", antenna_port=1, read_point="p", seen_at_us=number) for number in range(count)]
    return encode(ReadBatch(gateway="edge-1", device="gate-1", received_at_us=5, reads=rows))


class Recorder:
    """A part that keeps what it takes."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def take(self, heard: Heard) -> None:
        self.heard.append(heard)

    def follow(self, query: object) -> Cursor:
        del query
        return Rows(1).follow()


def test_every_part_hears_everything_that_a_page_may_show() -> None:
    recorder = Recorder()
    live = Live("site", {"mine": recorder})
    status = StatusBatch(gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="r", since_us=1)
    live.feed(ROOT + "gate-1/status", encode(status))
    live.feed(ROOT + "gate-1/reads", reads(2))
    live.feed(ROOT + "edge-1/tick", encode(TickBatch(gateway="edge-1", device="edge-1", received_at_us=1, watched=[])))
    live.feed(ROOT + "events/passage", msgspec.json.encode(EVENT))
    live.feed(ROOT + "alarms/a1", msgspec.json.encode(ALARM))
    live.feed(ROOT + "alarms/a1", b"")
    live.feed(ROOT + "ledger/rules", msgspec.json.encode(BOOK))
    assert [type(heard).__name__ for heard in recorder.heard] == [
        "StatusBatch", "ReadBatch", "TickBatch", "Event", "AlarmNews", "AlarmNews", "RulesLedger",
    ]  # fmt: skip
    assert live.malformed == 0
    assert live.is_online("gate-1")
    assert not live.is_online("gate-2")


def test_parts_of_pages_stand_beside_the_common_ones() -> None:
    live = Live("site", {"mine": Recorder()})
    assert set(live.parts) == {"summary", "devices", "readings", "alarms", "ledgers", "events", "reads", "mine"}


def test_what_is_malformed_is_counted_and_changes_nothing() -> None:
    live = Live("site")
    for topic, payload in (
        ("gate-1/reads", b"{"),
        ("events/passage", b"[]"),
        ("ledger/rules", b'{"at_us": "x"}'),
        ("gate-1/status", b"\xff"),
        ("events/x", b"[" * 100_000),
    ):
        live.feed(ROOT + topic, payload)
    live.feed(ROOT + "a/b/c", b"of a later version")
    assert live.malformed == 5
    whole = live.whole()
    assert (whole["reads"], whole["devices"], whole["malformed"]) == ([], {}, 5)


def test_everything_in_one_picture() -> None:
    live = Live("site")
    live.feed(ROOT + "gate-1/reads", reads(400))
    live.feed(ROOT + "events/passage", msgspec.json.encode(EVENT))
    live.feed(ROOT + "alarms/a1", msgspec.json.encode(ALARM))
    whole = live.whole()
    assert (whole["site"], whole["connected"], whole["reads_heard"]) == ("site", False, 400)
    assert [row["epc"] for row in whole["reads"]] == [f"{number:024X}" for number in range(340, 400)]
    assert [event["id"] for event in whole["events"]] == ["e1"]
    assert set(whole["alarms"]) == {"a1"}


def test_the_console_hears_all_that_it_shows_and_nothing_that_it_does_not() -> None:
    topics = Live.topics("site")
    assert {"tagwharf/1/site/events/+", "tagwharf/1/site/alarms/+", "tagwharf/1/site/ledger/+"} <= set(topics)
    assert all(topic.startswith(ROOT) and "command" not in topic for topic in topics)
