from gateway.console.parts.reads import AT_ONCE, READS_KEPT, Reads
from gateway.contract.batches import ReadBatch, StatusBatch, TagRead
from tests.support.console import told


def a_batch(count: int, device: str = "gate-1", start: int = 0) -> ReadBatch:
    rows = [
        TagRead(epc=f"{number:024X}", antenna_port=1, read_point="p", seen_at_us=number)
        for number in range(start, start + count)
    ]
    return ReadBatch(gateway="edge-1", device=device, received_at_us=5, reads=rows)


def test_all_are_counted_and_the_newest_are_shown_oldest_first() -> None:
    reads = Reads()
    reads.take(a_batch(400))
    assert reads.heard == 400
    assert [row["seen_at_us"] for row in reads.whole()] == list(range(400 - AT_ONCE, 400))
    news = told(reads.follow({}))
    assert (news["matched"], news["left_out"]) == (400, 0)
    assert news["rows"] == reads.whole()
    assert news["rows"][-1] == {
        "device": "gate-1", "epc": f"{399:024X}", "antenna_port": 1, "read_point": "p", "seen_at_us": 399,
    }  # fmt: skip


def test_a_follower_with_a_filter_gets_what_matches() -> None:
    reads = Reads()
    cursor = reads.follow({"device": "gate-2"})
    cursor.news()
    reads.take(a_batch(5))
    assert cursor.news() is None
    reads.take(a_batch(3, "gate-2"))
    news = told(cursor)
    assert (news["matched"], {row["device"] for row in news["rows"]}) == (3, {"gate-2"})


def test_a_flood_is_bounded_and_what_nobody_looked_at_is_told() -> None:
    reads = Reads()
    cursor = reads.follow({})
    cursor.news()
    for start in range(0, READS_KEPT + 1000, 500):
        reads.take(a_batch(500, start=start))
    news = told(cursor)
    assert (news["matched"], news["left_out"], len(news["rows"])) == (READS_KEPT, 1000, AT_ONCE)
    assert len(list(reads.newest)) == READS_KEPT


def test_other_batches_are_not_its_business() -> None:
    reads = Reads()
    reads.take(StatusBatch(gateway="e", device="d", received_at_us=1, state="online", reason="r", since_us=1))
    assert (reads.heard, reads.whole()) == (0, [])
