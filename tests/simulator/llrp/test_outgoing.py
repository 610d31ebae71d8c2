from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from simulator.llrp.codec import Decoder
from simulator.llrp.identities import Overflow, plain
from simulator.llrp.outgoing import SEND_BYTES, Outgoing


def buffer(size: int, overflow: Overflow = Overflow.OLDEST) -> tuple[Outgoing, list[str]]:
    told: list[str] = []
    identity = dataclasses.replace(plain(), buffer_messages=size, overflow=overflow, warn_percent=50)
    made = Outgoing(identity, lambda percent: told.append(f"{percent} %"), lambda: told.append("overflow"))
    made.keeping = True
    return made, told


@given(st.lists(st.one_of(st.integers(1, 9), st.none(), st.just("drop")), max_size=60), st.sampled_from(Overflow))
def test_every_read_is_sent_queued_or_dropped(steps: list[int | str | None], overflow: Overflow) -> None:
    made, _ = buffer(5, overflow)
    put = 0
    for step in steps:
        if isinstance(step, int):
            made.put_report(b"x", step)
            put += step
        elif step is None:
            made.take(2, 1, 1)
        else:
            made.drop_all("no_client")
        assert len(made) <= 5
        assert put == made.reads_sent + made.reads_queued + sum(made.dropped.values())


def test_messages_leave_in_order_with_running_numbers() -> None:
    made, _ = buffer(10)
    made.put_event(63, b"e")
    made.put_report(b"r1", 1)
    made.put_report(b"r2", 1)
    data, count = made.take(2, 0xFFFFFFFF, 2)
    frames = list(Decoder().feed(data))
    assert (count, len(made)) == (2, 1)
    assert [(f.version, f.type, f.message_id, f.body) for f in frames] == [(2, 63, 0xFFFFFFFF, b"e"), (2, 61, 0, b"r1")]


def test_one_write_is_bounded() -> None:
    made, _ = buffer(1000)
    for _ in range(1000):
        made.put_report(bytes(1000), 1)
    data, _ = made.take(1000, 1, 1)
    assert SEND_BYTES <= len(data) < SEND_BYTES + 1100


def test_warning_and_overflow_are_told_once_until_the_buffer_was_empty() -> None:
    made, told = buffer(4)
    for _ in range(9):
        made.put_report(b"x", 1)
    assert told == ["50 %", "overflow"]
    made.take(9, 1, 1)
    made.put_report(b"x", 1)
    made.put_report(b"x", 1)
    assert told == ["50 %", "overflow", "50 %"]


def test_nothing_is_kept_for_nobody() -> None:
    made, _ = buffer(4)
    made.keeping = False
    made.put_report(b"x", 3)
    assert (len(made), made.dropped["no_client"]) == (0, 3)
