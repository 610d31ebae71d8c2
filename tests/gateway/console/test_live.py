from decimal import Decimal

import msgspec

from gateway.console.live import ALARMS_MOST, LEDGERS_MOST, READS_SHOWN, Live
from gateway.contract.batches import ReadBatch, Reading, ReadingBatch, StatusBatch, TagRead, encode
from gateway.contract.events import Alarm, Evidence
from gateway.contract.ledger import Account, EdgeLedger

ROOT = "tagwharf/1/site/"
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


def reads(count: int) -> bytes:
    rows = [TagRead(epc=f"{number:024X}", antenna_port=1, read_point="p", seen_at_us=number) for number in range(count)]
    return encode(ReadBatch(gateway="edge-1", device="gate-1", received_at_us=5, reads=rows))


def test_all_reads_are_counted_and_the_newest_are_shown() -> None:
    live = Live("site")
    live.feed(ROOT + "gate-1/reads", reads(400))
    whole = live.whole()
    assert whole["reads_heard"] == 400
    assert [row["epc"] for row in whole["reads"]] == [f"{n:024X}" for n in range(400 - READS_SHOWN, 400)]


def test_changes_are_told_once() -> None:
    live = Live("site")
    live.feed(ROOT + "gate-1/reads", reads(2))
    status = StatusBatch(gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="r", since_us=1)
    live.feed(ROOT + "gate-1/status", encode(status))
    first, second = live.changes(), live.changes()
    assert len(first["reads"]) == 2
    assert first["devices"]["gate-1"]["state"] == "online"
    assert live.is_online("gate-1")
    assert not live.is_online("gate-2")
    assert "reads" not in second
    assert "devices" not in second


def test_what_a_device_said_is_counted_on_from_its_last_status() -> None:
    live = Live("site")
    status = StatusBatch(
        gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="r", since_us=1, heard=1000
    )
    live.feed(ROOT + "gate-1/status", encode(status))
    live.feed(ROOT + "gate-1/reads", reads(7))
    assert live.changes()["devices"]["gate-1"]["heard"] == 1007


def test_the_latest_reading_of_each_register_stands() -> None:
    live = Live("site")
    for value in ("100.1", "100.2"):
        reading = Reading(quantity="voltage", obis="1-0:32.7.0", value=Decimal(value), unit="V", phase="a")
        batch = ReadingBatch(gateway="edge-1", device="crane-1", received_at_us=7, readings=[reading])
        live.feed(ROOT + "crane-1/readings", encode(batch))
    assert live.whole()["readings"]["crane-1/voltage/a/"]["value"] == "100.2"


def test_an_alarm_stands_until_it_is_cleared_or_its_topic_emptied() -> None:
    live = Live("site")

    def alarm(state: str) -> bytes:
        return msgspec.json.encode(
            Alarm(
                id="a1",
                rule="r",
                severity="critical",
                subject="s",
                state=state,
                since_us=1,
                at_us=1,
                message="m",
                evidence=EVIDENCE,
            )
        )

    live.feed(ROOT + "alarms/a1", alarm("raised"))
    assert set(live.whole()["alarms"]) == {"a1"}
    live.feed(ROOT + "alarms/a1", alarm("cleared"))
    assert live.whole()["alarms"] == {}
    live.feed(ROOT + "alarms/a1", alarm("raised"))
    live.feed(ROOT + "alarms/a1", b"")
    assert live.whole()["alarms"] == {}


def test_a_ledger_says_whether_it_balances() -> None:
    live = Live("site")
    account = Account(heard=5, journalled=5, judged=4)
    book = EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=1,
        next_sequence=2,
        watermark=1,
        tag_reads=account,
        readings=Account(),
        signals=Account(),
    )
    live.feed(ROOT + "ledger/edge-1", msgspec.json.encode(book))
    assert live.whole()["ledgers"]["edge-1"]["balanced"] is False


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
    assert live.whole()["reads"] == []


def test_devices_of_a_gateway_that_is_away_are_offline_until_it_is_back() -> None:
    live = Live("site")

    def told(device: str, state: str, reason: str, gateway: str = "edge-1") -> None:
        batch = StatusBatch(
            gateway=gateway, device=device, received_at_us=1, state=state, reason=reason, since_us=1, watched=["p"]
        )
        live.feed(f"{ROOT}{device}/status", encode(batch))

    told("edge-1", "offline", "vanished")  # retained words come in any order
    told("gate-1", "online", "ok")
    told("gate-9", "online", "ok", gateway="edge-9")
    shown = live.changes()["devices"]
    assert {name: (row["state"], row["reason"]) for name, row in shown.items()} == {
        "edge-1": ("offline", "vanished"),
        "gate-1": ("offline", "gateway_away"),
        "gate-9": ("online", "ok"),
    }
    assert (shown["gate-1"]["detail"], shown["gate-1"]["watched"]) == ("gateway edge-1 is offline: vanished", [])
    told("edge-1", "online", "started")
    assert live.changes()["devices"]["gate-1"]["state"] == "online"
    assert live.whole()["devices"]["gate-1"]["reason"] == "ok"


def test_what_strangers_publish_is_bounded() -> None:
    live = Live("site")
    book = EdgeLedger(gateway="x", epoch=1, at_us=1, next_sequence=1, watermark=0, tag_reads=Account(),
                      readings=Account(), signals=Account())  # fmt: skip
    alarm = Alarm(id="a", rule="r", severity="info", subject="s", state="raised", since_us=1, at_us=1, message="m",
                  evidence=EVIDENCE)  # fmt: skip
    for number in range(LEDGERS_MOST + 5):
        live.feed(f"{ROOT}ledger/edge-{number}", msgspec.json.encode(book))
    for number in range(ALARMS_MOST + 5):
        live.feed(f"{ROOT}alarms/a{number}", msgspec.json.encode(alarm))
    live.feed(ROOT + "ledger/edge-0", msgspec.json.encode(book))
    whole = live.whole()
    assert (len(whole["ledgers"]), len(whole["alarms"]), whole["malformed"]) == (LEDGERS_MOST, ALARMS_MOST, 0)
