from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.observations import Readings, Signals, TagRead, TagReads

READS = st.builds(
    TagRead,
    epc=st.binary(max_size=62),
    antenna_port=st.integers(1, 32),
    rssi_dbm=st.none() | st.floats(-90, 0),
    first_seen_us=st.none() | st.integers(0, 2**60),
    count=st.integers(1, 100),
    tid=st.none() | st.binary(max_size=12),
    channel_index=st.none() | st.integers(1, 50),
)


@given(st.lists(READS, max_size=5))
def test_rows_come_back_from_columns(reads: list[TagRead]) -> None:
    batch = TagReads.of(1, *reads)
    assert len(batch) == len(reads)
    assert list(batch.rows()) == reads


def test_a_column_that_no_read_has_is_left_out() -> None:
    batch = TagReads.of(1, TagRead(b"\x01"), TagRead(b"\x02", rssi_dbm=-40.0), clock_offset_us=7)
    assert batch.rssi_dbm == [None, -40.0]
    assert batch.first_seen_us is None
    assert batch.count == [1, 1]
    assert batch.clock_offset_us == 7


def test_the_length_of_a_batch_is_what_the_ledger_counts() -> None:
    assert len(Readings(1, [])) == 0
    assert len(Signals(1, [])) == 0
    assert len(TagReads.of(1)) == 0
