from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.contract.batches import encode
from rules.daemon.metrics import RulesCollector
from tests.rules.passthrough import PassThrough, pipeline, reads


def test_every_number_of_the_ledger_is_shown_and_no_tag_ever_is(tmp_path: Path) -> None:
    async def main() -> str:
        judge = PassThrough()
        async with pipeline(tmp_path, judge) as made:
            made._health.registry.register(RulesCollector(made, judge.counters))
            for n in (1, 1, 2, 4):
                made.take(encode(reads(n)))
            made.take(b"no batch")
            made.take(encode(reads(0)))
            await made.commit()
            return made._health.answer("/metrics")[2].decode()

    page = asyncio.run(main())
    expected = [
        'tagwharf_judged_total{gateway="edge-1",kind="reads"} 10.0',
        'tagwharf_watermark{gateway="edge-1"} 2.0',
        'tagwharf_held_batches{gateway="edge-1"} 1.0',
        "tagwharf_duplicates_total 1.0",
        "tagwharf_gaps_total 1.0",
        'tagwharf_events_total{type="seen"} 2.0',
        'tagwharf_points{sink="events",state="made"} 2.0',
        'tagwharf_points{sink="events",state="queued"} 2.0',
        'tagwharf_malformed_payloads_total{kind="batch"} 1.0',
        'tagwharf_refused_batches_total{reason="unsequenced"} 1.0',
        'tagwharf_sink_down{sink="events"} 0.0',
        'tagwharf_engine_total{what="reads"} 10.0',
        "tagwharf_commits_total 1.0",
    ]
    lines = page.splitlines()
    assert [line for line in expected if line not in lines] == []
    assert "3034257B" not in page
