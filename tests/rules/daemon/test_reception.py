from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.contract.batches import StatusBatch, encode
from gateway.contract.flow import Resume
from gateway.event_history import EventHistory
from rules.daemon.pipeline import Pipeline
from tests.rules.passthrough import NOW_US, pipeline, reads


def will(gateway: str = "edge-1") -> bytes:
    return encode(
        StatusBatch(
            gateway=gateway, epoch=1, device=gateway, received_at_us=5, state="offline", reason="vanished", since_us=5
        )
    )


def alarms(made: Pipeline) -> list[str]:
    return [msgspec.json.decode(payload)["rule"] for payload in made.publication.retained.values()]


def test_a_batch_says_the_device_of_its_topic_or_is_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1)), "gate-2")
            assert (made.malformed, made.intake.flows) == ({"topic": 1}, {})
            made.take(encode(reads(1)), "gate-1")
            assert made.intake.living()[0].expected == 2

    asyncio.run(main())


def test_a_batch_whose_header_alone_is_right_keeps_its_place_and_is_told_of(tmp_path: Path) -> None:
    broken = encode(reads(2)).replace(b'"antenna_port":1', b'"antenna_port":"one"', 1)
    beyond = encode(reads(3)).replace(b'"seen_at_us":%d' % NOW_US, b'"seen_at_us":%d' % -(10**30), 1)

    async def main() -> None:
        async with pipeline(tmp_path) as made:
            for payload in (encode(reads(1)), broken, beyond, encode(reads(4))):
                made.take(payload, "gate-1")
            await made.commit()
            ledger = made.ledger()
            assert made.intake.living()[0].watermark == 4  # no gateway is held up for ever by what one side mistook
            assert ledger.judged == {"edge-1": {"reads": 20}}
            assert ledger.events == {"seen": 2, "not_judged": 2}
            tasks = [asyncio.create_task(each.run()) for each in made.deliveries.values()]
            await made.finish(5)
            for task in tasks:
                task.cancel()

    asyncio.run(main())
    found = EventHistory(tmp_path / "events").recent_events(types=["not_judged"])
    assert sorted((event.evidence.sequence_from, event.fields["reason"]) for event in found) == [
        (2, "unreadable"),
        (3, "unreadable"),
    ]


def test_the_last_will_of_a_known_gateway_raises_an_alarm_and_its_next_batch_clears_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(will(), "edge-1")  # nobody has ever heard of it
            made.take(encode(reads(1)))
            await made.commit()
            assert alarms(made) == []
            made.take(will(), "edge-1")
            await made.commit()
            assert alarms(made) == ["gateway_vanished"]
        async with pipeline(tmp_path) as again:
            assert alarms(again) == ["gateway_vanished"]
            again.reception.take_retained_status(will(), "edge-1")  # it is still away
            again.take(encode(reads(1)))  # a duplicate is no word of its own
            await again.commit()
            assert alarms(again) == ["gateway_vanished"]
            again.take(encode(reads(2)))
            await again.commit()
            assert alarms(again) == []
            assert again.intake.refused == {}

    asyncio.run(main())


def test_of_what_is_retained_only_a_gateways_own_word_is_taken(tmp_path: Path) -> None:
    device = StatusBatch(
        gateway="edge-1",
        epoch=1,
        sequence=2,
        device="gate-1",
        received_at_us=5,
        state="online",
        reason="ok",
        since_us=5,
    )

    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.take(encode(reads(1)))
            made.reception.take_retained_status(encode(device), "gate-1")
            made.reception.take_retained_status(will(), "edge-2")
            made.reception.take_retained_status(b"{", "edge-1")
            await made.commit()
            assert alarms(made) == []
            assert made.intake.living()[0].expected == 2
            assert made.malformed == {"batch": 1}

    asyncio.run(main())


def test_a_gateway_whose_past_is_in_no_database_of_ours_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def resume(from_sequence: int) -> bytes:
        return msgspec.json.encode(Resume(gateway="edge-1", epoch=1, from_sequence=from_sequence))

    async def main() -> None:
        async with pipeline(tmp_path) as made:
            made.resume(resume(50))
            made.take(encode(reads(50)))
            made.resume(resume(60))  # what the edge shed is nothing new
            await made.commit()
            assert made.ledger().events == {"state_lost": 1, "seen": 1}
            assert made.intake.living()[0].watermark == 59

    asyncio.run(main())
    assert capsys.readouterr().out.count("batches 1 to 49 were judged in a database that is not this one") == 1


def test_what_no_flow_may_take_is_logged_once_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with pipeline(tmp_path) as made:
            for gateway in ("bad name", "worse/name"):
                made.take(encode(reads(1, gateway=gateway)))
            evil = reads(1)
            evil.device = "../x"
            made.take(encode(evil))
            made.resume(msgspec.json.encode(Resume(gateway="edge-1", epoch=0, from_sequence=1)))
            assert made.intake.refused == {"bad_gateway_name": 2, "bad_device_name": 1, "out_of_range": 1}

    asyncio.run(main())
    assert capsys.readouterr().out.count("batch_refused") == 3
