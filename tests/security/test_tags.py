"""What a tag holds, in EPC, TID and user memory: stored as hex and nothing else, whatever it says as text."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.contract import batches
from gateway.edge.normalise import Normaliser
from readers.observations import TagRead, TagReads
from readers.tagdata.tag import decode_tag
from rules.outputs import Outputs
from tests.rules.play import START_US, Play, site
from tests.security.attacks import IDS, PAYLOADS
from tests.security.bounds import bounded
from tests.security.stores import SITE, journalled, lines

DISTINCT = 100_000


def heard(*reads: TagRead) -> list[batches.ReadBatch]:
    """What the edge makes of reads, as it comes out of the message."""
    normaliser = Normaliser("edge-1", "gate-1", {1: "lane-1"})
    assert normaliser.take(TagReads.of(START_US, *reads))
    found = []
    for sequence, made in enumerate(normaliser.flush(), 1):
        made.epoch, made.sequence = 7, sequence
        taken = batches.decode(batches.encode(made))
        assert isinstance(taken, batches.ReadBatch)
        found.append(taken)
    return found


def judged(*reads: TagRead) -> tuple[list[batches.ReadBatch], list[Outputs]]:
    play = Play(site())
    made = heard(*reads)
    outputs = [play.give(each) for each in made]
    outputs += [play.give(batches.TickBatch(
        gateway="edge-1", epoch=7, sequence=len(made) + second, device="edge-1",
        received_at_us=START_US + second * 1_000_000, watched=["lane-1"],
    )) for second in range(1, 30)]  # fmt: skip
    return made, outputs


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_memory_of_a_tag_is_hex(payload: bytes, tmp_path: Path) -> None:
    tag = TagRead(epc=payload, antenna_port=1, last_seen_us=START_US, tid=payload, user_memory=payload)
    made, outputs = judged(tag, tag)
    (batch,) = made
    text = payload.hex().upper()
    assert [(read.epc, read.tid, read.user_memory) for read in batch.reads] == [(text, text, text)] * 2
    rows, refused = lines(outputs)
    of_the_tag = [row for row in rows if row.measurement == "tag_read"]
    fits = len(text) <= 60_000
    assert len(of_the_tag) == (2 if fits else 0)
    assert refused == sum(len(each.events) for each in outputs) * (not fits) + (0 if fits else 2)
    for row in of_the_tag:
        assert row.fields["epc"] == text
        assert row.tags == {"site": SITE, "device": "gate-1", "read_point": "lane-1", "antenna_port": "1"}
    stored, refused = journalled(tmp_path, outputs)
    assert (stored, refused) == ([(text,)] * 2, 0)
    events = [event for each in outputs for event in each.events]
    assert {event.subject for event in events} <= {text}
    assert {event.read_point for event in events} <= {None, "lane-1"}


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_the_meaning_of_an_epc_is_found_in_bounded_time(payload: bytes) -> None:
    for pc_bits in (None, 0x3000, 0x3100, 0xFFFF, 0x31A9):
        tag = bounded(lambda: decode_tag(payload, pc_bits), len(payload))  # noqa: B023  # called at once
        assert tag.scheme
        assert msgspec.json.encode(tag.as_json())


def test_a_hundred_thousand_tags_make_no_series() -> None:
    tags = (TagRead(epc=number.to_bytes(12), antenna_port=1, last_seen_us=START_US) for number in range(DISTINCT))
    made = heard(*tags)
    assert sum(len(each.reads) for each in made) == DISTINCT
    outputs = []
    for each in made:
        outputs.append(Outputs(START_US))
        outputs[-1].reads = each
    rows, refused = lines(outputs, budget=1)
    assert (len(rows), refused) == (DISTINCT, 0)
    assert len({tuple(row.tags.items()) for row in rows}) == 1
