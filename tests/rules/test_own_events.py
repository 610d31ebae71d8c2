from __future__ import annotations

from gateway.contract.topics import NAME
from rules.own_events import not_judged, sink_alarm, sink_alarm_id
from tests.rules.passthrough import reads


def test_the_alarm_of_a_sink_keeps_its_id_from_raised_to_cleared() -> None:
    raised = sink_alarm("store", "raised", 1, 2, "401")
    cleared = sink_alarm("store", "cleared", 1, 3, "fine")
    assert raised.id == cleared.id == sink_alarm_id("store") != sink_alarm_id("other")
    assert NAME.fullmatch(raised.id)


def test_a_batch_that_was_not_judged_can_be_found_again() -> None:
    event = not_judged(reads(7), ValueError("x"))
    assert (event.evidence.sequence_from, event.evidence.sequence_to, event.device) == (7, 7, "gate-1")
    assert event.id == not_judged(reads(7), KeyError("y")).id != not_judged(reads(8), ValueError("x")).id
    assert NAME.fullmatch(event.type)
