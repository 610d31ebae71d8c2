from __future__ import annotations

from pathlib import Path

import pytest

from gateway.contract.batches import Batch, TickBatch, encode
from gateway.recording import Recording, RecordingError
from tests.rules.recorded import write_journal

BEGIN_US = 1_790_000_000_000_000


def tick(sequence: int, at_s: float, gateway: str = "edge-1") -> TickBatch:
    return TickBatch(
        gateway=gateway,
        epoch=3,
        sequence=sequence,
        device=gateway,
        received_at_us=BEGIN_US + round(at_s * 1e6),
        watched=[],
    )


def ticks(count: int, gateway: str = "edge-1") -> list[Batch]:
    return [tick(number, number, gateway) for number in range(1, count + 1)]


def all_of(recording: Recording) -> list[tuple[str, int]]:
    return [(each.gateway, each.sequence) for each in recording.batches(0, 2**62)]


def test_a_journal_is_read_whole_or_in_part_over_its_segments(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal", ticks(100), per_segment=30)
    for place in (tmp_path, tmp_path / "journal"):
        recording = Recording(place)
        assert [sequence for _, sequence in all_of(recording)] == list(range(1, 101))
        assert recording.span() == (BEGIN_US + 1_000_000, BEGIN_US + 100_000_000)
        part = recording.batches(BEGIN_US + 40_000_000, BEGIN_US + 50_000_000)
        assert [each.sequence for each in part] == list(range(40, 50))
        assert recording.damaged == []


def test_the_batches_of_an_evidence_are_found(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal", ticks(100), per_segment=30)
    recording = Recording(tmp_path)
    assert [each.sequence for each in recording.of_sequences("edge-1", 3, 29, 32)] == [29, 30, 31, 32]
    assert list(recording.of_sequences("edge-1", 4, 29, 32)) == []
    assert list(recording.of_sequences("edge-2", 3, 29, 32)) == []
    assert list(recording.of_sequences("edge-1", 3, 500, 600)) == []


def test_several_gateways_are_merged_by_arrival_and_each_keeps_its_order(tmp_path: Path) -> None:
    state = tmp_path / "tagwharf"
    state.mkdir()
    first: list[Batch] = [tick(1, 1), tick(2, 5), tick(3, 2), tick(4, 6)]  # the clock was set back
    write_journal(tmp_path / "tagwharf-edge" / "one" / "journal", first)
    write_journal(tmp_path / "tagwharf-edge" / "two" / "journal", [tick(1, 1.5, "edge-2"), tick(2, 5.5, "edge-2")])
    found = all_of(Recording(state))
    assert found == [("edge-1", 1), ("edge-2", 1), ("edge-1", 2), ("edge-1", 3), ("edge-2", 2), ("edge-1", 4)]


def test_a_part_that_was_saved_is_a_recording_too(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal", ticks(20))
    file = tmp_path / "part.jsonl"
    assert Recording(tmp_path).save(file, BEGIN_US + 5_000_000, BEGIN_US + 9_000_000) == 4
    again = Recording(file)
    assert all_of(again) == [("edge-1", number) for number in (5, 6, 7, 8)]
    assert again.span() == (BEGIN_US + 5_000_000, BEGIN_US + 8_000_000)
    assert [each.sequence for each in again.of_sequences("edge-1", 3, 6, 7)] == [6, 7]


def test_what_is_no_batch_is_told_and_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "part.jsonl"
    file.write_bytes(encode(tick(1, 1)) + b'\n\n{"kind":"tick"}\nnonsense\n' + encode(tick(2, 2)) + b"\n")
    recording = Recording(file)
    assert all_of(recording) == [("edge-1", 1), ("edge-1", 2)]
    assert all_of(recording) == [("edge-1", 1), ("edge-1", 2)]
    assert [line.partition(": ")[0] for line in recording.damaged] == ["part.jsonl line 3", "part.jsonl line 4"]


def test_a_damaged_segment_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal", ticks(90), per_segment=30)
    middle = sorted((tmp_path / "journal").glob("*.sqlite"))[1]
    middle.write_bytes(b"no database at all" * 100)
    recording = Recording(tmp_path)
    assert [sequence for _, sequence in all_of(recording)] == [*range(1, 31), *range(61, 91)]
    assert len(recording.damaged) == 1
    assert middle.name in recording.damaged[0]


def test_no_recording_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no journal of a gateway; give a state directory"):
        Recording(tmp_path)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert Recording(empty).span() is None
