from typing import Any

from gateway.contract.batches import StatusBatch
from gateway.contract.events import Event, Evidence
from gateway.contract.ledger import Account, EdgeLedger, PointAccount, RulesLedger
from gateway.demo.report import compare, faults, report

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


def test_each_crossing_takes_one_event_and_what_is_left_is_a_ghost() -> None:
    crossings = [crossing("AA", "lane-1", "in", 10_000_000), crossing("BB", "lane-2", "out", 20_000_000)]
    found = compare(
        [
            passage("AA", "lane-1", "in", 10_200_000),
            passage("AA", "lane-1", "in", 10_300_000),  # the same crossing twice: one is a ghost
            passage("BB", "lane-2", "in", 20_100_000),
        ],
        crossings,
    )
    assert found == {"passages": 2, "detected": 2, "wrong_direction": 1, "ghosts": 1}


def test_an_event_in_the_wrong_lane_or_at_the_wrong_time_is_no_detection() -> None:
    found = compare(
        [passage("AA", "lane-2", "in", 10_000_000), passage("AA", "lane-1", "in", 90_000_000)],
        [crossing("AA", "lane-1", "in", 10_000_000)],
    )
    assert found == {"passages": 1, "detected": 0, "wrong_direction": 0, "ghosts": 2}


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
