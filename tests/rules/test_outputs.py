from gateway.contract.batches import ReadBatch
from rules.outputs import Outputs, Point, SinkTroubleError


def test_outputs_are_true_when_there_is_something_in_them() -> None:
    assert not Outputs(caused_at_us=1)
    assert Outputs(caused_at_us=1, points=[Point("event", (("site", "s"),), (("id", "1"),), 1)])
    assert Outputs(caused_at_us=1, answers=[("topic", b"{}")])
    assert Outputs(caused_at_us=1, reads=ReadBatch(gateway="g", device="d", received_at_us=1, reads=[]))


def test_trouble_says_whether_waiting_helps() -> None:
    assert SinkTroubleError("busy", retry_after_s=3).retry_after_s == 3
    assert not SinkTroubleError("busy").stopped
    assert str(SinkTroubleError("the token is wrong", stopped=True)) == "the token is wrong"
