"""The rules of a site, compiled and indexed: by kind of item, and by the value of a field that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from gateway.config.models import SiteFile
from rules.item import Item
from rules.language.chooser import Chooser
from rules.language.vocabulary import Fields
from rules.planned import planned_times
from rules.shapes.catalogue import shape_of
from rules.shapes.hold import Hold
from rules.shapes.match import Match
from rules.shapes.ordered import Intake, Ordered
from rules.shapes.prepared import Preparation, Prepared, preparation_of
from rules.shapes.shape import Cause
from rules.state import State, Table
from rules.stopwatch import ENGINE, Stopwatch
from rules.tables.table import Tables

Prompt = Match | Hold
"""A rule that judges items as they arrive."""
Judge = Callable[[Fields, Cause], None]


class Rulebook:
    """All rules.

    Attributes:
        shapes: by their numbers; prompt: those that judge items as they arrive; ordered: in the order of event time.
        audiences: the rules that look at each kind of item.
        figures: the fields of their events that are points of their own, by rule.
    """

    def __init__(self, site: SiteFile, state: State, tables: Tables) -> None:
        """Compile the rules, which look things up in these tables.

        Raises:
            ExpressionError: a condition cannot be used; `rules.checking.check.faults` names all of them beforehand.
        """
        self.shapes = [shape_of(rule, number, state) for number, rule in enumerate(site.rule)]
        self.prompt: list[Prompt] = []
        self.ordered: list[Ordered] = []
        self.audiences: dict[str, Audience] = {}
        planned = planned_times(site)
        for shape in self.shapes:
            preparation = preparation_of(shape.rule, tables, planned)
            if isinstance(shape, Ordered):
                self.ordered.append(shape)
                if preparation is not None:
                    shape.prepare(preparation)
                for intake in shape.intakes:
                    self._audience(intake.on).add_input(shape, intake)
            else:
                self.prompt.append(shape)
                shape.lookups = preparation.lookups if preparation is not None else None
                self._audience(shape.on).add_prompt(shape, preparation)
        self.figures = {rule.name: list(dict.fromkeys(rule.figures)) for rule in site.rule if rule.figures}
        self.owners = {shape.owner: shape for shape in self.shapes}
        self._timed: tuple[Stopwatch, dict[str, Audience]] | None = None

    def takes(self, on: str) -> bool:
        """Whether any rule looks at items of this kind."""
        return on in self.audiences

    def timed(self, watch: Stopwatch) -> dict[str, Audience]:
        """The audiences, which tell this stopwatch whose turn it was."""
        if self._timed is None or self._timed[0] is not watch:
            self._timed = watch, {on: TimedAudience(audience, watch) for on, audience in self.audiences.items()}
        return self._timed[1]

    def _audience(self, on: str) -> Audience:
        return self.audiences.setdefault(on, Audience())


class _Judging(NamedTuple):
    """A rule that judges items as they arrive; `states`, unless None: only while it has some."""

    judge: Judge
    states: Table[Any] | None
    name: str


class _Input(NamedTuple):
    """An input of a rule that takes items in the order of event time."""

    shape: Ordered
    intake: Intake


class _Concerned(NamedTuple):
    prompts: list[_Judging]
    inputs: list[_Input]


class Audience:
    """The rules that look at one kind of item. Those that ask for a text are found by it: `rules` finds them."""

    def __init__(self) -> None:
        self.rules: Chooser[_Judging | _Input, _Concerned] = Chooser(_sorted_out)

    def add_prompt(self, shape: Prompt, preparation: Preparation | None) -> None:
        """Add a rule, and what items go through before it looks at them."""
        judge = shape.judge if preparation is None else Prepared(shape, preparation).judge
        name = shape.rule.name
        self.rules.add(
            (_Judging(judge, None, name), shape.asked_first), (_Judging(judge, shape.rows, name), shape.asked)
        )

    def add_input(self, shape: Ordered, intake: Intake) -> None:
        """Add an input of a rule."""
        self.rules.add((_Input(shape, intake), intake.asked))

    def show(self, fields: Fields, cause: Cause) -> bool:
        """Have an item judged by the rules that do so at once; whether another wants it in its turn."""
        prompts, inputs = self.rules.of(fields)
        for judge, states, _ in prompts:
            if states is None or states.rows:
                judge(fields, cause)
        for _, intake in inputs:  # noqa: SIM110 - any() over a generator costs twice as much
            if intake.may_want(fields):
                return True
        return False

    def takers(self, item: Item) -> Iterable[tuple[Ordered, Intake, str, Item]]:
        """The rules that take an item, the input it is to them, its key there, and how they see it.

        In the order of rules, and of the inputs of each: one item may be several of them.
        """
        takers = []
        for shape, intake in self.rules.of(item.fields).inputs:
            if (taken := intake.taken(item)) is not None:
                takers.append((shape, intake, *taken))
        return takers


class TimedAudience(Audience):
    """The same rules in the same order, on a stopwatch. Finding them is the engine's time."""

    def __init__(self, audience: Audience, watch: Stopwatch) -> None:
        super().__init__()
        self.rules = audience.rules
        self._watch = watch

    def show(self, fields: Fields, cause: Cause) -> bool:
        """See `Audience.show`."""
        lap = self._watch.lap
        prompts, inputs = self.rules.of(fields)
        lap(ENGINE)
        for judge, states, name in prompts:
            if states is None or states.rows:
                judge(fields, cause)
                lap(name, 1)
        for shape, intake in inputs:
            is_wanted = intake.may_want(fields)
            lap(shape.rule.name)
            if is_wanted:
                return True
        return False

    def takers(self, item: Item) -> Iterator[tuple[Ordered, Intake, str, Item]]:
        """See `Audience.takers`; what is done with each before the next is asked for is that rule's time."""
        lap = self._watch.lap
        inputs = self.rules.of(item.fields).inputs
        lap(ENGINE)
        for shape, intake in inputs:
            taken = intake.taken(item)
            if taken is not None:
                yield shape, intake, *taken
            lap(shape.rule.name, int(taken is not None))


def _sorted_out(found: list[_Judging | _Input]) -> _Concerned:
    return _Concerned(
        [each for each in found if isinstance(each, _Judging)], [each for each in found if isinstance(each, _Input)]
    )
