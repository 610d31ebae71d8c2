import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.contract.ledger import Account, EdgeLedger, PointAccount, RulesLedger
from gateway.contract.topics import Topics
from gateway.ledger_report import Ledgers, from_broker, from_directory
from gateway.mqtt import BrokerError, session
from tests.support.broker import Broker

SIGNALS = Account()


def edge(reads: Account) -> EdgeLedger:
    return EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=0,
        next_sequence=8,
        watermark=5,
        tag_reads=reads,
        readings=Account(),
        signals=Account(),
    )


def rules(**points: PointAccount) -> RulesLedger:
    return RulesLedger(at_us=0, session="s", judged={}, events={}, points=points, latency_ms={})


NOW_US = 5_000_000
GOOD = Account(heard=10, judged=6, dropped={"journal_full": 1}, waiting=1, unjudged=2)


def test_balanced_ledgers() -> None:
    ledgers = Ledgers("here", {"edge-1": edge(GOOD)}, rules(main=PointAccount(made=3, stored=2, queued=1)))
    assert ledgers.balanced
    assert ledgers.lines(NOW_US) == [
        "from here",
        "edge-1, at 1970-01-01 00:00:00.000Z, batches 1 to 7, judged to 5:",
        "  tag reads: heard 10 = judged 6 + dropped 1 (journal_full 1) + queued 3",
        "  card presentations: heard 0 = judged 0 + dropped 0 + queued 0",
        "  readings: heard 0 = judged 0 + dropped 0 + queued 0",
        "  signals: heard 0 = judged 0 + dropped 0 + queued 0",
        "rules, at 1970-01-01 00:00:00.000Z:",
        "  points for sink main: made 3 = stored 2 + refused 0 + queued 1",
        "  duplicates recognised 0, gaps 0",
        "balanced",
    ]


@pytest.mark.parametrize(
    ("ledgers", "difference"),
    [
        (Ledgers("", {"edge-1": edge(Account(heard=10, judged=9))}), "DIFFERENCE +1"),
        (Ledgers("", {"edge-1": edge(Account(heard=1, judged=1, unjudged=2))}), "DIFFERENCE -2"),
        (Ledgers("", {}, rules(main=PointAccount(made=2))), "DIFFERENCE +2"),
    ],
)
def test_what_is_missing_is_told(ledgers: Ledgers, difference: str) -> None:
    assert not ledgers.balanced
    assert any(line.endswith(difference) for line in ledgers.lines(NOW_US))
    assert ledgers.lines(NOW_US)[-1] == "NOT balanced: something was lost and not counted"


def test_no_ledger_is_not_balanced() -> None:
    assert not Ledgers("here").balanced
    assert "no ledger there" in Ledgers("here").lines(NOW_US)[-1]


def test_nonsense_is_told_and_not_balanced() -> None:
    ledgers = Ledgers("here", {"edge-1": edge(GOOD)})
    ledgers.take("edge-2", b'{"gateway": 1}')
    ledgers.take("rules", b"\xff")
    assert not ledgers.balanced
    assert [line.split(":")[1] for line in ledgers.lines(NOW_US) if line.startswith("not readable")] == [
        " edge-2",
        " rules",
    ]


def test_ledgers_of_the_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "tagwharf"
    for directory in (state / "edge", tmp_path / "tagwharf-edge/dock"):
        directory.mkdir(parents=True)
    (state / "ledger-rules.json").write_bytes(msgspec.json.encode(rules(main=PointAccount())))
    (state / "edge/ledger.json").write_bytes(msgspec.json.encode(edge(GOOD)))
    dock = msgspec.structs.replace(edge(GOOD), gateway="dock")
    (tmp_path / "tagwharf-edge/dock/ledger.json").write_bytes(msgspec.json.encode(dock))
    (tmp_path / "tagwharf-edge/ledger.json").mkdir()
    ledgers = from_directory(state)
    assert ledgers.edges == {"edge-1": edge(GOOD), "dock": dock}
    assert ledgers.rules is not None
    assert ledgers.unreadable == [f"{tmp_path}/tagwharf-edge/ledger.json: Is a directory"]
    assert not ledgers.balanced


def test_retained_ledgers_come_from_the_broker(tmp_path: Path) -> None:
    async def go(broker: Broker) -> Ledgers:
        topics = Topics("hamburg")
        async with session(broker.settings, client_id="test") as link:
            await link.publish(topics.ledger("edge-1"), msgspec.json.encode(edge(GOOD)), retain=True)
            await link.publish(topics.ledger("rules"), msgspec.json.encode(rules()), retain=True)
            await link.publish(Topics("bremen").ledger("edge-9"), msgspec.json.encode(edge(GOOD)), retain=True)
        return await from_broker("hamburg", broker.settings)

    with Broker(tmp_path) as broker:
        ledgers = asyncio.run(go(broker))
    assert ledgers.edges == {"edge-1": edge(GOOD)}
    assert ledgers.balanced


def test_broker_away(tmp_path: Path) -> None:
    settings = Broker(tmp_path).settings
    with pytest.raises(BrokerError):
        asyncio.run(from_broker("hamburg", settings))


def test_a_ledger_that_is_no_longer_told_says_so() -> None:
    ledgers = Ledgers("here", {"edge-1": edge(GOOD)}, rules())
    at_us = edge(GOOD).at_us
    fresh, old = (ledgers.lines(at_us + age_s * 1_000_000) for age_s in (9, 75))
    assert not any("does this daemon run?" in line for line in fresh)
    assert sum(line.endswith("75 s old: does this daemon run?") for line in old) == 2
