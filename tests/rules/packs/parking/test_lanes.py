from typing import Any

from tests.rules.packs.parking.place import HOLDERS, LANES, rules


def reasons(name: str, **changed: Any) -> list[str]:
    return [each.reason for each in rules(**changed)[name].decide.verdicts]


def test_an_entry_is_refused_for_what_is_asked_and_for_nothing_else() -> None:
    assert reasons("park-entry", antipassback="soft") == [
        "The card is not known",
        "The reader passes on a part of the number that several cards share",
        "The entry could not be counted: it came too late, or too many are inside",
    ]
    lists = [{"name": "staff", "hours": "day"}]
    assert len(reasons("park-entry", holders=HOLDERS, lists=lists, capacity=9)) == 10


def test_an_exit_opens_for_anyone_if_it_is_told_to() -> None:
    assert reasons("park-exit", exit="anyone") == []
    assert reasons("park-exit")[-1] == "The holder has not entered"
    assert "The holder has not entered" not in reasons("park-exit", antipassback="none")


def test_a_decision_does_not_wait() -> None:
    decide = rules()["park-entry"].decide
    assert (decide.settle_s, decide.emit, decide.otherwise) == (0, "access-decision", "granted")


def test_barriers_and_loops_are_watched_where_a_lane_has_them() -> None:
    assert {"park-north-up", "park-barriers", "park-forced", "park-north-waits"} <= set(rules())
    bare = [{key: value for key, value in lane.items() if key not in {"loop", "barrier_up"}} for lane in LANES]
    assert not {"park-barriers", "park-forced", "park-north-waits"} & set(rules(lane=bare))
