from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.batches import ReadBatch, TagRead, TickBatch
from gateway.contract.flow import Resume
from rules.daemon.intake import (
    AHEAD_BATCHES,
    ASK_FIRST_S,
    EPOCH_OVER_S,
    PATIENCE_S,
    QUIET_S,
    Arrival,
    Flow,
    FlowRow,
    Intake,
)

READ = TagRead(epc="E200", antenna_port=1, read_point="gate-1", seen_at_us=1)


def reads(sequence: int, items: int = 2, *, gateway: str = "edge-1", epoch: int = 1, ordinal: int = -1) -> ReadBatch:
    return ReadBatch(
        gateway=gateway,
        epoch=epoch,
        sequence=sequence,
        ordinal=(sequence - 1) * items if ordinal < 0 else ordinal,
        device="gate-1",
        received_at_us=5,
        reads=[READ] * items,
    )


def tick(sequence: int) -> TickBatch:
    return TickBatch(gateway="edge-1", epoch=1, sequence=sequence, device="edge-1", received_at_us=5, watched=[])


def sequences(batches: list[Arrival]) -> list[int]:
    return [batch.sequence for batch in batches]


def test_in_order_everything_is_next() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    assert [sequences(flow.take(reads(n), 0)) for n in (1, 2, 3)] == [[1], [2], [3]]
    assert flow.row() == FlowRow("edge-1", 1, 3, {"reads": 6}, {"reads": 6, "cards": 0, "readings": 0, "signals": 0})
    assert (flow.duplicates, flow.gaps, flow.ordinals_wrong) == (0, 0, 0)


def test_what_comes_twice_is_judged_once() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(reads(1), 0)
    flow.take(reads(3), 0)
    assert flow.take(reads(1), 0) == flow.take(reads(3), 0) == []
    assert flow.duplicates == 2
    assert sequences(flow.take(reads(2), 0)) == [2, 3]


def test_the_watermark_is_what_was_committed_not_what_was_received() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(reads(1), 0)
    row = flow.row()
    flow.take(reads(2), 0)
    flow.committed(row)
    ack = flow.ack("s")
    assert (ack.sequence, ack.received, ack.judged, ack.resend_from) == (1, 2, {"reads": 2}, None)
    again = Flow.restored(row, now_s=0)
    assert (again.expected, again.ack("t").judged) == (2, {"reads": 2})


def test_a_gap_is_asked_for_after_patience_and_then_ever_more_rarely() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(reads(2), 0.0)
    asked = [t / 100 for t in range(800) if flow.take(reads(2), t / 100) == [] and flow.asks(t / 100)]
    assert asked == [PATIENCE_S, PATIENCE_S + ASK_FIRST_S, PATIENCE_S + 3 * ASK_FIRST_S, PATIENCE_S + 7 * ASK_FIRST_S]
    assert flow.ack("s", resend=True).resend_from == 1
    assert sequences(flow.take(reads(1), 8.0)) == [1, 2]
    assert not flow.asks(8.5)
    assert flow.gaps == 1


def test_silence_is_asked_about_because_the_end_of_a_window_may_be_lost() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(tick(1), 0.0)
    assert [flow.asks(t) for t in (QUIET_S - 0.1, QUIET_S, QUIET_S + 0.5, QUIET_S + 1)] == [False, True, False, True]
    flow.take(tick(2), 10.0)
    assert not flow.asks(10.0 + QUIET_S / 2)


def test_a_declared_gap_moves_on_and_late_copies_of_it_are_not_judged() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(reads(1), 0)
    for held in (3, 5, 6):
        flow.take(reads(held), 0)
    assert sequences(flow.resume(5, 0)) == [5, 6]
    assert flow.take(reads(2), 0) == flow.take(reads(3), 0) == []
    assert (flow.skipped, flow.judged, flow.ordinals_wrong) == (3, {"reads": 6}, 0)
    assert flow.resume(2, 0) == []
    assert flow.expected == 7


def test_a_sender_that_counts_otherwise_is_noticed() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    flow.take(reads(1, ordinal=0), 0)
    flow.take(reads(2, ordinal=5), 0)
    flow.take(reads(3, ordinal=7), 0)
    assert flow.ordinals_wrong == 1


def test_what_is_held_is_bounded_by_batches_and_items() -> None:
    flow = Flow("edge-1", 1, now_s=0)
    for n in range(2, AHEAD_BATCHES + 500):
        flow.take(reads(n), 0)
    assert len(flow.held) == AHEAD_BATCHES
    large = Flow("edge-1", 1, now_s=0)
    for n in range(2, 300):
        large.take(reads(n, 500), 0)
    assert len(large.held) == 100
    assert len(large.take(reads(1, 500), 0)) == 101


def test_what_no_flow_may_take_is_refused_by_reason() -> None:
    intake = Intake()
    assert intake.take(reads(0), 0) is None
    assert intake.take(reads(1 << 60), 0) is None
    assert intake.take(reads(1, epoch=-4), 0) is None
    assert intake.take(reads(1, gateway="a/+/#"), 0) is None
    assert intake.take(reads(1, epoch=9), 0) is not None
    assert intake.take(reads(1, epoch=8), 0) is None
    assert intake.resume(Resume(gateway="edge-1", epoch=9, from_sequence=0), 0) is None
    for n in range(300):
        intake.take(reads(1, gateway=f"edge-{n}", epoch=9), 0)
    assert intake.refused == {
        "unsequenced": 1,
        "out_of_range": 3,
        "bad_gateway_name": 1,
        "old_epoch": 1,
        "too_many_gateways": 44,
    }


def test_a_new_epoch_counts_anew_and_epochs_long_over_are_forgotten() -> None:
    intake = Intake()
    for epoch in (1, 2, 3):
        intake.take(reads(1, epoch=epoch), 0)
    assert [(f.epoch, f.expected) for f in intake.living()] == [(3, 2)]
    assert intake.forgotten() == [("edge-1", 1)]
    assert intake.take(reads(2, epoch=2), 0) is not None
    assert intake.take(reads(2, epoch=1), 0) is None


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(1, 60),
    loss=st.floats(0, 0.6),
    shed=st.sets(st.integers(1, 60), max_size=10),
)
def test_through_loss_repetition_disorder_and_restarts_each_is_judged_once_and_in_order(
    seed: int, count: int, loss: float, shed: set[int]
) -> None:
    """An edge that only follows the acks, a link that loses, repeats and swaps, a rules daemon that dies at will."""
    rng = random.Random(seed)
    journal = [n for n in range(1, count + 1) if n not in shed]
    ordinals = {n: at * 2 for at, n in enumerate(range(1, count + 1))}
    flow, row, judged_durably, judged = Flow("edge-1", 1, now_s=0), None, [], []
    now_s, send_from = 0.0, 1
    last = journal[-1] if journal else 0
    for _ in range(400):
        if flow.watermark >= last:
            break
        now_s += PATIENCE_S + 0.1
        window = [n for n in journal if n >= send_from][:20]
        link = [n for n in window for _ in range(rng.choice([1, 1, 1, 2])) if rng.random() >= loss]
        if rng.random() < 0.5:  # a broker may swap neighbours, but a resume is never overtaken by what is before it
            for at in range(len(link) - 1):
                if rng.random() < 0.3 and not any(link[at] <= s <= link[at + 1] for s in shed):
                    link[at], link[at + 1] = link[at + 1], link[at]
        if window:
            judged += sequences(flow.resume(window[0], now_s))
        for n in link:
            before = [m for m in journal if m < n]
            if n - 1 in shed and all(m < flow.expected for m in before):
                judged += sequences(flow.resume(n, now_s))
            judged += sequences(flow.take(reads(n, ordinal=ordinals[n]), now_s))
        if rng.random() < 0.6:
            row = flow.row()
            flow.committed(row)
            judged_durably = list(judged)
        if rng.random() < 0.2:  # kill -9: what was not committed never happened
            judged = list(judged_durably)
            flow = Flow("edge-1", 1, now_s=now_s) if row is None else Flow.restored(row, now_s=now_s)
            send_from = flow.watermark + 1
        now_s += QUIET_S
        if flow.asks(now_s):
            send_from = flow.ack("s", resend=True).resend_from or send_from
        assert judged == sorted(set(judged))
    else:
        pytest.fail(f"stuck at {flow.expected} of {last}")
    assert judged_durably == journal
    assert flow.judged_durably.get("reads", 0) == 2 * len(journal)
    assert flow.ordinals_wrong == 0


def test_an_older_epoch_is_believed_when_the_newer_has_been_silent_for_long() -> None:
    intake = Intake()
    intake.take(reads(1, epoch=900), 0.0)  # made while the clock of that host was years ahead
    assert intake.take(reads(1, epoch=7), 1.0) is None
    assert intake.refused == {"old_epoch": 1}
    intake.take(reads(2, epoch=900), 2.0)
    assert intake.take(reads(2, epoch=7), 2.0 + EPOCH_OVER_S - 0.1) is None
    found = intake.take(reads(1, epoch=7), 2.0 + EPOCH_OVER_S)
    assert found is not None
    assert sequences(found[1]) == [1]
    assert [flow.epoch for flow in intake.living()] == [7]
    intake.take(reads(1, epoch=8), 70.0)
    assert intake.forgotten() == [("edge-1", 900)]
    assert sorted(intake.flows) == [("edge-1", 7), ("edge-1", 8)]
