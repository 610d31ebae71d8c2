"""The report of a demonstration: what the ledger says, what was concluded, and how that compares with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.contract.batches import StatusBatch
from gateway.contract.events import Event
from gateway.contract.ledger import Account, EdgeLedger, RulesLedger
from gateway.demo import operator, truth


def report(
    edge: EdgeLedger,
    rules: RulesLedger,
    devices: Mapping[str, StatusBatch],
    events: Sequence[Event],
    happened: Mapping[str, Any],
) -> dict[str, Any]:
    """The report as JSON-ready data; its keys are a contract."""
    points = rules.points.values()
    return {
        "ledger": {
            "tag_reads": _account(edge.tag_reads),
            "readings": _account(edge.readings),
            "signals": _account(edge.signals),
            "cards": _account(edge.cards),
            "points": {
                "made": sum(account.made for account in points),
                "stored": sum(account.stored for account in points),
                "refused": sum(account.refused for account in points),
                "queued": sum(account.queued for account in points),
            },
            "balanced": balanced(edge, rules),
        },
        "events": dict(sorted(rules.events.items())),
        "devices": [
            {"device": name, "driver": status.driver, "status": status.state, "heard": status.heard}
            for name, status in sorted(devices.items())
        ],
        "latency_ms": {name: round(rules.latency_ms.get(name, 0.0), 3) for name in ("p50", "p99")},
        "truth": truth.compare(events, happened),
    }


def balanced(edge: EdgeLedger, rules: RulesLedger) -> bool:
    """Whether everything heard and everything made is accounted for, and both sides count alike."""
    accounts = edge.accounts.values()
    return all(account.balanced for account in accounts) and all(point.balanced for point in rules.points.values())


def faults(made: Mapping[str, Any]) -> list[str]:
    """What is not as it should be, one line each; none when the demonstration went well."""
    found = []
    if not made["ledger"]["balanced"]:
        found.append("the loss ledger does not balance")
    points = made["ledger"]["points"]
    if points["stored"] != points["made"]:
        found.append(f"{points['made'] - points['stored']} of {points['made']} points are not in the store")
    found += truth.faults(made["truth"])
    if "control" in made:
        found += operator.faults(made["control"])
    by_state = Counter(device["status"] for device in made["devices"])
    if not made["devices"]:
        found.append("no device was heard of")
    elif by_state["online"] < len(made["devices"]):
        found.append(f"{len(made['devices']) - by_state['online']} of {len(made['devices'])} devices are not online")
    return found


def _account(account: Account) -> dict[str, Any]:
    return {
        "heard": account.heard,
        "journalled": account.journalled,
        "judged": account.judged,
        "dropped": dict(account.dropped),
        "queued": account.queued,
    }
