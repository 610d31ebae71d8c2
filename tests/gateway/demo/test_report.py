from typing import Any

from gateway.contract.batches import StatusBatch
from gateway.contract.events import Event, Evidence
from gateway.contract.ledger import Account, EdgeLedger, PointAccount, RulesLedger
from gateway.demo.report import faults, report

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2, reads=30)


def passage(epc: str, lane: str, direction: str, at_us: int) -> Event:
    return Event(id="1", type="passage", at_us=at_us, subject=epc, evidence=EVIDENCE, zone=lane, direction=direction)


def crossing(epc: str, lane: str, direction: str, at_us: int) -> dict[str, Any]:
    return {"epc": epc, "lane": lane, "direction": direction, "crosses_us": at_us}


def books(account: Account, points: PointAccount) -> tuple[EdgeLedger, RulesLedger]:
    edge = EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=1,
        next_sequence=3,
        watermark=2,
        tag_reads=account,
        readings=Account(),
        signals=Account(),
    )
    rules = RulesLedger(
        at_us=1,
        session="s",
        judged={},
        events={"passage": 1},
        points={"events": points},
        latency_ms={"p50": 20.0, "p99": 80.1234},
    )
    return edge, rules


def test_a_good_run_has_no_faults_and_the_promised_keys() -> None:
    edge, rules = books(
        Account(heard=10, journalled=10, judged=8, dropped={"journal_full": 2}), PointAccount(made=3, stored=3)
    )
    status = StatusBatch(
        gateway="edge-1",
        device="gate-1",
        received_at_us=1,
        state="online",
        reason="reading",
        since_us=1,
        driver="llrp",
        heard=10,
    )
    made = report(
        edge,
        rules,
        {"gate-1": status},
        [passage("AA", "lane-1", "in", 5)],
        {"passages": [crossing("AA", "lane-1", "in", 5)]},
    )
    assert set(made) == {"ledger", "events", "devices", "latency_ms", "truth"}
    assert made["ledger"]["tag_reads"] == {
        "heard": 10,
        "journalled": 10,
        "judged": 8,
        "dropped": {"journal_full": 2},
        "queued": 0,
    }
    assert made["ledger"]["points"] == {"made": 3, "stored": 3, "refused": 0, "queued": 0}
    assert made["devices"] == [{"device": "gate-1", "driver": "llrp", "status": "online", "heard": 10}]
    assert made["latency_ms"] == {"p50": 20.0, "p99": 80.123}
    assert faults(made) == []


def test_every_fault_is_named() -> None:
    edge, rules = books(Account(heard=10, journalled=10, judged=8), PointAccount(made=3, stored=2, queued=1))
    made = report(
        edge, rules, {}, [passage("XX", "lane-1", "in", 5)], {"passages": [crossing("AA", "lane-1", "in", 5)]}
    )
    assert faults(made) == [
        "the loss ledger does not balance",
        "1 of 3 points are not in the store",
        "1 of 1 passages were not detected",
        "1 passages were reported that nobody made",
        "no device was heard of",
    ]
