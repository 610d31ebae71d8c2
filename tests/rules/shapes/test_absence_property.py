"""`absence` against a plain model of it: items out of order, restarts anywhere, readers and gateways away."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.rules import AbsenceRule
from tests.rules.play import site
from tests.rules.shapes.test_absence import AFTER, EXPECT, SETTINGS, UNLESS, rule
from tests.rules.shapes.timeline import LATENESS_MS, Heard, Line, alarms, events, frozen, judged, ms

KEYS = ("AA00", "BB00")


def model(made: AbsenceRule, line: Line, key: str) -> tuple[list[tuple[int, int]], list[tuple[str, int]]]:
    """What is made of one key, in the order of event time: times and beginnings of events; states of its alarm."""
    within_ms, grace_ms = round(made.within_s * 1000), round(made.grace_s * 1000)
    end_ms = line.end_ms - LATENESS_MS
    told: list[tuple[int, int]] = []
    stood: list[tuple[str, int]] = []
    since_ms: int | None = None
    full_ms: int | None = None
    decided_ms = 0

    def deadline(from_ms: int) -> int | None:
        """The first moment at which the time was full."""
        if line.counted_ms(from_ms, end_ms) < within_ms:
            return None
        low_ms, high_ms = from_ms, end_ms
        while low_ms < high_ms:
            middle_ms = (low_ms + high_ms) // 2
            if line.counted_ms(from_ms, middle_ms) >= within_ms:
                high_ms = middle_ms
            else:
                low_ms = middle_ms + 1
        return low_ms

    def fail() -> None:
        assert full_ms is not None
        assert since_ms is not None
        told.append((full_ms, since_ms))
        if not stood or stood[-1][0] == "cleared":
            stood.append(("raised", decided_ms))

    items = sorted((each for each in line.heard if each.key == key), key=lambda each: each.at_ms)
    for each in items:
        if each.at_ms > end_ms:
            break
        if since_ms is not None and full_ms is not None and each.at_ms > full_ms and full_ms + grace_ms <= end_ms:
            decided_ms = full_ms + grace_ms
            fail()
            since_ms = None
        is_after = each.point == AFTER if made.after is not None else each.point == EXPECT
        is_end = each.point == EXPECT or (made.unless is not None and each.point == UNLESS)
        if is_end:
            since_ms = None
            if stood and stood[-1][0] == "raised":
                stood.append(("cleared", max(each.at_ms, decided_ms)))
        if is_after and since_ms is None:
            since_ms, full_ms = each.at_ms, deadline(each.at_ms)
    if since_ms is not None and full_ms is not None and full_ms + grace_ms <= end_ms:
        decided_ms = full_ms + grace_ms
        fail()
    return told, stood


@st.composite
def lines(draw: st.DrawFn) -> Line:
    seconds = draw(st.integers(20, 60))
    heard = {}
    for _ in range(draw(st.integers(0, 30))):
        at_ms = draw(st.integers(0, seconds * 20 - 1)) * 50
        key = draw(st.sampled_from(KEYS))
        point = draw(st.sampled_from((AFTER, EXPECT, EXPECT, UNLESS)))
        heard[key, at_ms] = Heard(at_ms, key, point, delay_ms=draw(st.sampled_from((0, 0, 20, 300, 499))))
    dark: list[tuple[int, int]] = []
    dead: list[tuple[int, int]] = []
    for spans in draw(st.lists(st.sampled_from((dark, dead)), max_size=3)):
        from_ms = draw(st.integers(1, seconds - 10)) * 1000
        to_ms = from_ms + draw(st.integers(3_100, 8_900))
        if all(to_ms + 1000 < a or b + 1000 < from_ms for a, b in (*dark, *dead)):
            spans.append((from_ms, to_ms))
    kept = [each for each in heard.values() if not any(a - 600 <= each.at_ms <= b for a, b in dead)]
    kept = [each for each in kept if each.at_ms + each.delay_ms < seconds * 1000]
    return Line(kept, seconds * 1000, dark, dead, (AFTER, EXPECT), draw(st.randoms(use_true_random=False)))


@given(lines(), st.booleans(), st.booleans(), st.sampled_from((0.4, 1.0, 5.0, 9.95)), st.sampled_from((0.0, 0.7, 3.0)),
       st.sampled_from(((AFTER, EXPECT), (EXPECT,))), st.integers())  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_it_is_as_the_model_says(
    line: Line,
    after: bool,  # noqa: FBT001 - drawn
    unless: bool,  # noqa: FBT001 - drawn
    within_s: float,
    grace_s: float,
    watched: tuple[str, ...],
    seed: int,
) -> None:
    made = rule(within_s, after=after, unless=unless, grace_s=grace_s, watched=list(watched))
    batches, file = line.batches(), site(made, settings=SETTINGS)
    outputs = judged(file, batches)
    for key in KEYS:
        told, stood = model(made, line, key)
        found = [event for event in events(outputs, "lost") if event.subject == key]
        assert [(ms(event.at_us), ms(int(str(event.fields["since_us"])))) for event in found] == told
        assert [event.fields["waited_s"] for event in found] == [(at - since) / 1000 for at, since in told]
        raised = [alarm for alarm in alarms(outputs, "lost") if alarm.subject == key]
        assert [alarm.state for alarm in raised] == [state for state, _ in stood]
        later_ms = 1000 if line.dark or line.dead else 0  # it looks again every second while time does not count
        assert all(0 <= ms(alarm.at_us) - at_ms <= later_ms for alarm, (_, at_ms) in zip(raised, stood, strict=True))
    assert frozen(judged(file, batches, random.Random(seed))) == frozen(outputs)
    assert len({event.id for event in events(outputs, "lost")}) == len(events(outputs, "lost"))
