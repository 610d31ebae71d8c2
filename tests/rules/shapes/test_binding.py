from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.config.identity_rules import BindingRule
from gateway.config.models import RulesSettings
from gateway.config.rules import AlarmSettings
from gateway.contract.batches import Batch, ReadBatch
from gateway.contract.events import Event
from rules.engine import Engine
from rules.things.thing import Thing
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.shapes.timeline import frozen, judged
from tests.rules.things.registries import NOTHING, registry

ONE = "E2801160200071234567"
TWO = "E2801160200079999999"
SHORT = ONE[:8]


def rule(**more: Any) -> BindingRule:
    given: dict[str, Any] = {
        "of": "tid",
        "expect": "registered_tid",
        "prefix": True,
        "again_after_s": 100,
        "alarm": AlarmSettings(message="other chip"),
        "emit": "tid-mismatch",
        **more,
    }
    return BindingRule(shape="binding", name="chip", on="read", key="epc", **given)


def play(*, listed: str | None = None, **more: Any) -> Play:
    things = registry({EPC: Thing("Truck 7", "truck", "", listed)}) if listed is not None else NOTHING
    return Play(site(rule(**more), settings=RulesSettings(lateness_s=0.5)), things)


def seen(played: Play, *sightings: tuple[float, str | None], epc: str = EPC) -> None:
    for at_s, tid in sightings:
        played.until(at_s)
        played.reads(at_s, replace(tag_read(at_s, "gate", epc), tid=tid))


def told(played: Play) -> list[Event]:
    return [event for event in played.events if event.type == "tid-mismatch"]


def test_another_tid_than_was_seen_before_is_told_with_both() -> None:
    played = play()
    seen(played, (1, ONE), (2, None), (3, ONE), (9, TWO))
    played.until(11)
    (event,) = told(played)
    heard = [batch.sequence for batch in played.batches if batch.device == "reader-1"]
    assert (event.subject, event.read_point, event.at_us) == (EPC, "gate", us(9))
    assert event.fields == {
        "found": TWO,
        "expected": ONE,
        "known_by": "seen",
        "doubtful": False,
        "other_at_us": us(1),
        "other_gateway": "edge-1",
        "other_epoch": 7,
        "other_sequence": heard[0],
        "other_read_point": "gate",
        "other_device": "reader-1",
        "repeats": 0,
    }
    assert (event.evidence.sequence_from, event.evidence.sequence_to) == (heard[0], heard[3])
    assert [alarm.message for alarm in played.alarms] == ["other chip"]


def test_another_tid_than_the_list_has_is_told_at_the_first_read() -> None:
    played = play(listed=ONE)
    seen(played, (1, TWO))
    played.until(3)
    (event,) = told(played)
    assert event.name == "Truck 7"
    assert event.fields == {
        "kind": "truck", "found": TWO, "expected": ONE, "known_by": "list", "doubtful": False, "repeats": 0,
    }  # fmt: skip
    right = play(listed=ONE)
    seen(right, (1, ONE), (2, SHORT), (3, None))
    right.until(5)
    assert told(right) == []
    assert right.engine.counters()["rule_states"] == 0


def test_a_tag_whose_tid_is_not_read_is_no_mismatch() -> None:
    played = play()
    seen(played, (1, None), (2, ""), (3, ONE), (4, None), (5, ""))
    played.until(7)
    assert told(played) == []


def test_a_part_of_a_tid_is_the_same_as_far_as_it_goes() -> None:
    played = play()
    seen(played, (1, SHORT), (2, ONE), (3, SHORT), (4, ONE + "FFFF"), (5, ONE))
    played.until(7)
    assert told(played) == []
    seen(played, (8, ONE + "FFFE"), (9, "E2003412"))
    played.until(11)
    assert [event.fields["expected"] for event in told(played)] == [ONE + "FFFF"]
    exact = play(prefix=False)
    seen(exact, (1, SHORT), (2, ONE))
    exact.until(4)
    assert [event.fields["found"] for event in told(exact)] == [ONE]


def test_a_rule_that_does_not_learn_knows_the_list_alone() -> None:
    played = play(learn=False)
    seen(played, (1, ONE), (2, TWO))
    played.until(4)
    assert told(played) == []
    assert played.engine.counters()["rule_states"] == 0


def test_values_that_prove_little_are_noted() -> None:
    for sightings in ((1, "FF00"), (2, ONE)), ((1, ONE), (2, "00000000")):
        played = play(doubtful=["FF", "0000"])
        seen(played, *sightings)
        played.until(4)
        assert [event.fields["doubtful"] for event in told(played)] == [True]


def test_both_side_by_side_are_told_once_and_again_after_a_while() -> None:
    played = play()
    seen(played, *((1.0 + each, (ONE, TWO)[each % 2]) for each in range(220)))
    played.until(225)
    assert [(event.at_us - us(0)) / 1e6 for event in told(played)] == [2, 102, 202]
    assert [event.fields["repeats"] for event in told(played)] == [0, 49, 49]
    assert [alarm.state for alarm in played.alarms] == ["raised"]


def test_a_person_clears_it_and_what_comes_next_is_right() -> None:
    played = play()
    seen(played, (1, ONE), (2, TWO))
    played.until(4)
    (shape,) = played.engine._rulebook.ordered
    shape.let_go(EPC)
    seen(played, (5, TWO), (6, TWO))
    played.until(8)
    assert len(told(played)) == 1
    seen(played, (9, ONE))
    played.until(11)
    assert [event.fields["found"] for event in told(played)] == [TWO, ONE]


def test_what_was_learnt_is_forgotten_after_a_while() -> None:
    played = play(forget_after_s=100)
    seen(played, (1, ONE), (70, ONE))
    played.until(150)
    seen(played, (150, TWO))
    played.until(152)
    assert len(told(played)) == 1
    played.until(260)
    assert played.engine.counters()["rule_states"] == 0
    assert [(alarm.state, alarm.message) for alarm in played.alarms] == [
        ("raised", "other chip"),
        ("cleared", "other chip: not seen for long"),
    ]
    seen(played, (300, ONE))
    played.until(302)
    assert len(told(played)) == 1


def test_keys_are_bounded() -> None:
    played = play(most_keys=1)
    seen(played, (1, ONE))
    seen(played, (2, ONE), (3, TWO), epc=OTHER)
    played.until(5)
    assert told(played) == []
    assert played.engine.counters()["keys_refused"] == 2


def test_without_room_a_mismatch_with_the_list_is_counted() -> None:
    played = play(listed=ONE, most_keys=1)
    seen(played, (1, TWO), epc=OTHER)
    seen(played, (2, TWO))
    played.until(4)
    assert told(played) == []
    assert played.engine.counters()["keys_refused"] == 1


def test_a_clock_that_is_set_back_takes_what_it_saw_along() -> None:
    played = play()
    seen(played, (1000, ONE))
    played.until(1002)
    played.tick(500)
    seen(played, (510, TWO))
    played.until(512)
    (event,) = told(played)
    assert abs(int(str(event.fields["other_at_us"])) - us(498)) < 1_000_000


def test_a_clock_that_is_set_back_leaves_what_another_gateway_saw() -> None:
    played, other = play(), Play(site(), gateway="edge-2")
    seen(played, (1000, ONE))
    played.until(1002)
    other.engine = played.engine
    other.tick(2000)
    other.tick(20)
    seen(played, (1003, TWO))
    played.until(1005)
    (event,) = told(played)
    assert event.fields["other_at_us"] == us(1000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60), st.sampled_from((EPC, OTHER)), st.sampled_from((ONE, TWO, SHORT, None)),
            st.sampled_from((0.0, 0.4)),
        ),
        max_size=12,
        unique_by=lambda each: each[:2],
    ),
    st.integers(0, 100),
)  # fmt: skip
def test_all_that_differs_from_the_first_is_told_in_any_order_of_arrival(
    heard: list[tuple[int, str, str | None, float]], seed: int
) -> None:
    """Told of each tag: everything that differs from what was known of it, of which a longer one takes the place."""
    file = site(rule(again_after_s=0.001), settings=RulesSettings(lateness_s=0.5))
    batches = arrived(heard)
    expected, known = [], dict[str, str]()
    for at_s, epc, tid, _ in sorted(heard):
        if tid is None:
            continue
        first = known.setdefault(epc, tid)
        if not tid.startswith(first) and not first.startswith(tid):
            expected.append((us(at_s), epc, tid, first))
        elif len(tid) > len(first):
            known[epc] = tid
    outputs = judged(file, batches)
    found = [
        (e.at_us, e.subject, e.fields["found"], e.fields["expected"]) for one in outputs for e in one.events if e.rule
    ]
    assert sorted(found) == expected
    assert frozen(judged(file, batches, random.Random(seed))) == frozen(outputs)
    engine = Engine(file, NOTHING)
    assert frozen([engine.step(batch) for batch in batches]) == frozen(outputs)


def arrived(heard: list[tuple[int, str, str | None, float]]) -> list[Batch]:
    played = Play(site())
    for at_s, epc, tid, late_s in sorted(heard, key=lambda each: each[0] + each[3]):
        played.until(max(at_s + late_s, played.at_s))
        played.reads(at_s + late_s, replace(tag_read(at_s, "gate", epc), tid=tid))
    played.until(70)
    assert sum(isinstance(batch, ReadBatch) for batch in played.batches) == len(heard)
    return played.batches
