"""What each rule costs and makes: the engine, with some of its steps on a stopwatch.

While the engine takes next to nothing of a core, every step is measured, so that a rule that runs once an hour is seen.
Beyond that it is one step in `ONE_IN`, chosen by chance and counted as often. Either way the price stays below a
hundredth of a core.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from gateway.contract.batches import Batch
from rules.alarms import RAISED
from rules.outputs import Outputs
from rules.stopwatch import Stopwatch

ONE_IN: Final = 16
"""A measured step takes up to a tenth longer; a sixteenth of that is what all of them pay."""
SPARE: Final = 20
"""While the engine takes less than one part in so many of the time, each step is measured."""
REST: Final = "(rest)"
"""Owner of the processor time of this process that no step took; the name of a rule has no parentheses."""
_NOTHING: Final = (0, 0)


class Engine(Protocol):
    """The engine, as it is measured."""

    def step(self, batch: Batch, watch: Stopwatch | None = None, /) -> Outputs:
        """Judge one batch."""

    def changes(self) -> list[tuple[str, bytes | None]]:
        """See `rules.daemon.pipeline.Judge`."""

    def restore(self, entries: Iterable[tuple[str, bytes]], /) -> object:
        """See `rules.daemon.pipeline.Judge`."""


class RuleTime(NamedTuple):
    """What a rule, or another part of the daemon, took and made. Time and items are estimates, the others are exact.

    Attributes:
        alarms: raised, or raised anew.
    """

    rule: str
    busy_ns: int
    items: int
    events: int
    alarms: int


class RuleTimes:
    """A judge that is an engine, and knows where its time goes."""

    def __init__(
        self,
        engine: Engine,
        *,
        rng: random.Random | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        cpu_ns: Callable[[], int] = time.process_time_ns,
    ) -> None:
        """`cpu_ns` tells the processor time of this process, `rng` which steps are measured."""
        self._engine = engine
        self._rng = rng or random.Random()  # noqa: S311  # chooses samples, hides nothing
        self._clock_ns = clock_ns
        self._cpu_ns = cpu_ns
        self._watch = Stopwatch(clock_ns)
        self._since_ns = clock_ns()
        self._since_cpu_ns = cpu_ns()
        self._busy_ns = 0
        self._events = Counter[str]()
        self._alarms = Counter[str]()

    def step(self, batch: Batch) -> Outputs:
        """Judge one batch."""
        began_ns = self._clock_ns()
        if self._busy_ns * SPARE <= began_ns - self._since_ns:
            weight = 1
        else:
            weight = ONE_IN if self._rng.random() * ONE_IN < 1 else 0
        try:
            if weight:
                self._watch.start(weight)
                outputs = self._engine.step(batch, self._watch)
            else:
                outputs = self._engine.step(batch)
        finally:
            self._busy_ns += self._clock_ns() - began_ns
        for event in outputs.events:
            if event.rule is not None:
                self._events[event.rule] += 1
        for alarm in outputs.alarms:
            if alarm.state == RAISED and not alarm.ended and not alarm.escalated:
                self._alarms[alarm.rule] += 1
        return outputs

    def changes(self) -> list[tuple[str, bytes | None]]:
        """See `rules.daemon.pipeline.Judge`."""
        return self._engine.changes()

    def restore(self, entries: Iterable[tuple[str, bytes]]) -> object:
        """See `rules.daemon.pipeline.Judge`."""
        return self._engine.restore(entries)

    def take(self) -> list[RuleTime]:
        """What was taken and made since the last call, by those who did something."""
        now_ns, cpu_ns = self._clock_ns(), self._cpu_ns()
        taken = self._watch.take()
        events, self._events = self._events, Counter()
        alarms, self._alarms = self._alarms, Counter()
        found = [
            RuleTime(name, *taken.get(name, _NOTHING), events[name], alarms[name])
            for name in sorted({*taken, *events, *alarms})
        ]
        rest_ns = cpu_ns - self._since_cpu_ns - self._busy_ns
        if rest_ns > 0:  # a step that had to wait for a core took more time than it took of a processor
            found.append(RuleTime(REST, rest_ns, 0, 0, 0))
        self._since_ns, self._since_cpu_ns, self._busy_ns = now_ns, cpu_ns, 0
        return found
