import pytest

from gateway.contract.batches import ReadBatch, TickBatch
from gateway.contract.topics import NAME, RESERVED, Topics


def test_a_batch_goes_to_the_topic_of_its_device_and_kind() -> None:
    topics = Topics("jiangyin")
    read = ReadBatch(gateway="edge-1", device="gate-1", received_at_us=1, reads=[])
    tick = TickBatch(gateway="edge-1", device="edge-1", received_at_us=1, watched=[])
    assert topics.of(read) == "tagwharf/1/jiangyin/gate-1/reads"
    assert topics.of(tick) == "tagwharf/1/jiangyin/edge-1/tick"
    assert "tagwharf/1/jiangyin/+/reads" in topics.batches()


@pytest.mark.parametrize("name", ["+", "#", "a/b", "../x", "$SYS", "", "A", "a b", "é", "a\n", "-a", "x" * 65])
def test_names_that_could_break_out_of_their_level_are_no_names(name: str) -> None:
    assert NAME.fullmatch(name) is None


def test_reserved_levels_are_names_that_no_device_may_take() -> None:
    topics = Topics("s")
    used = [topics.ack("g"), topics.resume("g"), topics.event("t"), topics.alarm("i"), topics.ledger("p")]
    used += [topics.order("i"), topics.order_outcome("i")]
    assert {topic.split("/")[3] for topic in [*used, topics.rules_status()]} <= RESERVED
