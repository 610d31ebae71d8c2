"""`rate` against a plain model of it: items out of order, late, restarts anywhere, readers and gateways away."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.rules import Function, RateRule, Window
from tests.rules.play import START_US, site
from tests.rules.shapes.test_rate import SETTINGS, rule
from tests.rules.shapes.timeline import LATENESS_MS, Heard, Line, alarms, events, frozen, judged, ms

VALUES = (-4.0, -1.5, 0.0, 0.5, 3.0, 8.0)
KEYS = ("AA00", "BB00")

Told = tuple[str, int, float, int, int]
"""Key, time, value, beginning and end of an event."""
Stood = tuple[str, str, int]
"""Key, state and time of an alarm."""


def value_of(function: Function, items: list[Heard]) -> float | None:
    if function is Function.COUNT:
        return float(len(items))
    if function is Function.DISTINCT:
        return float(len({item.antenna_port for item in items}))
    values = [item.rssi_dbm for item in items if item.rssi_dbm is not None]
    if function is Function.SUM:
        return sum(values)
    if not values:
        return 0.0 if function is Function.CHANGE else None
    if function is Function.CHANGE:
        in_order = sorted(items, key=lambda item: item.at_ms)
        first, last = in_order[0].rssi_dbm, in_order[-1].rssi_dbm
        assert first is not None
        assert last is not None
        return last - first
    return {Function.MEAN: sum(values) / len(values), Function.MIN: min(values), Function.MAX: max(values)}[function]


class Model:
    """What a rule makes of each key, told apart from how it finds out."""

    def __init__(self, rule: RateRule, line: Line) -> None:
        self.rule, self.line = rule, line
        self.within_ms, self.quiet_ms = round(rule.within_s * 1000), round((rule.quiet_s or 0) * 1000)
        self.end_ms = line.end_ms - LATENESS_MS
        self.told: list[Told] = []
        self.stood: list[Stood] = []
        self.is_raised = False
        counts = rule.function in {Function.COUNT, Function.DISTINCT}
        items = [(at, each) for at, each in line.moments() if counts or each.rssi_dbm is not None]
        run = {Window.SLIDING: self.slide, Window.TUMBLING: self.tumble, Window.SESSION: self.sessions}[rule.window]
        for key in KEYS:
            self.key, self.is_raised = key, False
            run([(at, each) for at, each in items if each.key == key])

    def fire(self, at_ms: int, value: float | None, from_ms: int, to_ms: int, known_ms: int) -> None:
        assert value is not None
        self.told.append((self.key, at_ms, value, from_ms, to_ms))
        if not self.is_raised:
            self.is_raised = True
            self.stood.append((self.key, "raised", known_ms))

    def lower(self, known_ms: int) -> None:
        if self.is_raised:
            self.is_raised = False
            self.stood.append((self.key, "cleared", known_ms))

    def judge(self, items: list[Heard], from_ms: int, to_ms: int, *, was_watched: bool) -> str:
        rule, value = self.rule, value_of(self.rule.function, items)
        if rule.above is None and rule.below is None:
            if items:
                self.fire(to_ms, value, from_ms, to_ms, to_ms)
            return "kept"
        is_above = rule.above is not None and value is not None and value > rule.above
        is_below = rule.below is not None and value is not None and value < rule.below
        if is_above or (is_below and was_watched):
            self.fire(to_ms, value, from_ms, to_ms, to_ms)
            return "broken"
        if is_below or (rule.above is not None and not was_watched) or (value is None and rule.below is not None):
            return "unknown"
        self.lower(to_ms)
        return "kept"

    def tumble(self, items: list[tuple[int, Heard]]) -> None:
        """Window after window, while somebody waits for the next."""
        since_ms: int | None = None
        last_ms = max((at for at, _ in items), default=0)
        # START_US is no multiple of every window; windows begin at multiples since 1970.
        shift_ms = (START_US // 1000) % self.within_ms
        index = 0
        while True:
            from_ms, to_ms = index * self.within_ms - shift_ms, (index + 1) * self.within_ms - shift_ms
            if to_ms > self.end_ms:
                return
            inside = [(at, each) for at, each in items if from_ms <= each.at_ms < to_ms and at < to_ms]
            if since_ms is None and inside:
                since_ms = inside[0][0]
            if since_ms is not None:
                was_watched = since_ms <= from_ms and self.watched(from_ms, to_ms)
                verdict = self.judge([each for _, each in inside], from_ms, to_ms, was_watched=was_watched)
                if self.rule.below is None and (verdict == "kept" or not self.is_raised):
                    since_ms = None
            elif from_ms > last_ms:
                return
            index += 1

    def watched(self, from_ms: int, to_ms: int) -> bool:
        return self.line.counted_ms(from_ms, to_ms) == to_ms - from_ms

    def sessions(self, items: list[tuple[int, Heard]]) -> None:
        """Runs without a silence, cut where they are too long."""
        session: list[Heard] = []
        from_ms = to_ms = -1
        for moment_ms, each in [*items, (self.end_ms + 1, None)]:
            if session and moment_ms >= to_ms and to_ms <= self.end_ms:
                self.judge(session, from_ms, to_ms, was_watched=self.watched(from_ms, to_ms))
                session = []
            if (
                each is None
                or moment_ms > self.end_ms
                or (each.at_ms < moment_ms and (not session or each.at_ms < from_ms))
            ):
                continue  # too late: its session is over
            if not session:
                from_ms = to_ms = each.at_ms
            session.append(each)
            to_ms = min(max(to_ms, each.at_ms + self.quiet_ms), from_ms + self.within_ms)

    def slide(self, items: list[tuple[int, Heard]]) -> None:
        """The value at each item, and whenever one leaves."""
        above, heard, is_over = self.rule.above, [], False
        assert above is not None
        leaves = {each.at_ms + self.within_ms for _, each in items}
        for now_ms in sorted(leaves | {at for at, _ in items}):
            if now_ms > self.end_ms:
                return
            new = [each for at, each in items if at == now_ms and each.at_ms > now_ms - self.within_ms]
            in_time = [each for each in new if each.at_ms == now_ms]
            for each in [*in_time, None, *(each for each in new if each not in in_time)]:
                if each is not None:
                    heard.append(each)
                inside = sorted(
                    (one for one in heard if one.at_ms > now_ms - self.within_ms), key=lambda one: one.at_ms
                )
                value = value_of(self.rule.function, inside)
                if inside and value is not None and value > above:
                    if each is not None and not is_over:
                        is_over = True
                        self.fire(now_ms, value, -1, now_ms, now_ms)
                elif is_over:
                    is_over = False
                    self.lower(now_ms)


@st.composite
def lines(draw: st.DrawFn, *, may_be_dark: bool) -> Line:
    seconds = draw(st.integers(20, 60))
    count = draw(st.integers(0, 40))
    heard = {}
    for _ in range(count):
        at_ms = draw(st.integers(0, seconds * 20 - 1)) * 50
        delay_ms = draw(st.sampled_from((0, 0, 0, 20, 300, 499, 499, 3_000, 9_000)))
        one = Heard(at_ms, draw(st.sampled_from(KEYS)), "p", draw(st.sampled_from((*VALUES, None))),
                    draw(st.integers(1, 4)), delay_ms)  # fmt: skip
        if at_ms + delay_ms < seconds * 1000:
            heard[one.key, one.at_ms] = one
    dark: list[tuple[int, int]] = []
    dead: list[tuple[int, int]] = []
    if may_be_dark and draw(st.booleans()):
        from_ms = draw(st.integers(1, seconds - 8)) * 1000
        spans = draw(st.sampled_from((dark, dead)))
        spans.append((from_ms, from_ms + draw(st.integers(3_100, 7_900))))
    return Line(list(heard.values()), seconds * 1000, dark, dead, rng=draw(st.randoms(use_true_random=False)))


def compare(made: RateRule, line: Line, seed: int) -> None:
    batches, file = line.batches(), site(made, settings=SETTINGS)
    # What is cut another way the next time has other ids: the model is told of these batches.
    line.batches = lambda: batches  # type: ignore[method-assign]  # of this one line
    outputs = judged(file, batches)
    model = Model(made, line)
    told = [
        (event.subject, ms(event.at_us), event.fields["value"],
         ms(number(event.fields["from_us"])) if made.window is not Window.SLIDING else -1,
         ms(number(event.fields["to_us"])))
        for event in events(outputs, "many")
    ]  # fmt: skip
    assert sorted(told) == sorted(model.told)
    stood = [(alarm.subject, alarm.state, ms(alarm.at_us)) for alarm in alarms(outputs, "many")]
    for key in KEYS:
        assert [each for each in stood if each[0] == key] == [each for each in model.stood if each[0] == key]
    assert frozen(judged(file, batches, random.Random(seed))) == frozen(outputs)
    assert len({event.id for event in events(outputs, "many")}) == len(told)


def number(value: object) -> int:
    assert isinstance(value, int)
    return value


def of(function: Function) -> dict[str, object]:
    field = {Function.COUNT: None, Function.DISTINCT: "antenna_port"}.get(function, "rssi_dbm")
    return {"function": function, "of": field}


LIMITS = st.sampled_from((-2.0, 0.0, 1.0, 2.0, 3.5))
FUNCTIONS = st.sampled_from(list(Function))
LENGTHS = st.sampled_from((1.0, 2.5, 7.0))


@given(lines(may_be_dark=False), FUNCTIONS, LIMITS, LENGTHS, st.integers())
@settings(max_examples=60, deadline=None)
def test_a_sliding_window_is_as_the_model_says(
    line: Line, function: Function, above: float, within_s: float, seed: int
) -> None:
    compare(rule(Window.SLIDING, within_s, above=above, **of(function)), line, seed)


BOUNDS = st.sampled_from(((None, None), (1.0, None), (0.0, None), (None, 1.0), (None, 2.5), (3.0, 1.0), (-2.0, None)))


@given(lines(may_be_dark=True), FUNCTIONS, BOUNDS, LENGTHS, st.sampled_from((["p"], [])), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_tumbling_window_is_as_the_model_says(
    line: Line,
    function: Function,
    bounds: tuple[float | None, float | None],
    within_s: float,
    names: list[str],
    seed: int,
) -> None:
    above, below = bounds
    watched = ["p"] if line.dark else names
    compare(rule(Window.TUMBLING, within_s, above=above, below=below, watched=watched, **of(function)), line, seed)


@given(lines(may_be_dark=True), FUNCTIONS, BOUNDS, LENGTHS, st.sampled_from((0.3, 1.0, 3.0)), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_session_is_as_the_model_says(
    line: Line,
    function: Function,
    bounds: tuple[float | None, float | None],
    within_s: float,
    quiet_s: float,
    seed: int,
) -> None:
    above, below = bounds
    made = rule(Window.SESSION, within_s, quiet_s=quiet_s, above=above, below=below, watched=["p"], **of(function))
    compare(made, line, seed)
