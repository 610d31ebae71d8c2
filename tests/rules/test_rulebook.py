"""Which rules an item is shown to; that they do right is tested with their shapes."""

from __future__ import annotations

import pytest

from gateway.config.rules import AlarmSettings, HoldRule, Input, LookUp, MatchRule, NoData, PairRule, RateRule, Rule
from gateway.contract.events import Alarm, Event, Evidence
from rules.alarms import Source
from rules.item import Item
from rules.language.grammar import ExpressionError
from rules.language.vocabulary import Fields
from rules.rulebook import Rulebook
from rules.shapes.shape import Cause
from rules.state import State
from rules.tables.table import Tables
from tests.rules.play import site

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
ALARM = AlarmSettings()


class StillClock:
    """A gateway whose time stands still."""

    name = "edge-1"
    clock_us = 1_000_000

    def passed_us(self, on: str, source: str) -> int:
        del on, source
        return 0

    def is_silenced(self, on: str, source: str) -> bool:
        del on, source
        return False

    def wake(self, at_us: int, rule: int, key: str) -> None:
        """Nothing will wake up."""


class Desk:
    """A rulebook, and what its rules make of items that are shown to it."""

    def __init__(self, *rules: Rule) -> None:
        self.book = Rulebook(site(*rules), State(), Tables())
        self.made: list[str] = []
        self.alarms: list[tuple[str, str]] = []

    def show(self, on: str, **fields: object) -> bool:
        cause = Cause(StillClock(), ("edge-1", 1), 1, self._make, self._raise)
        cause.event = Event(id="e", type=on, at_us=5, subject="s", evidence=EVIDENCE)
        return self.book.audiences[on].show(item(on, **fields).fields, cause)

    def takers(self, on: str, **fields: object) -> list[tuple[str, str, str]]:
        found = self.book.audiences[on].takers(item(on, **fields))
        return [(shape.rule.name, intake.role, key) for shape, intake, key, _ in found]

    def _make(self, event: Event) -> None:
        self.made.append(event.type)

    def _raise(self, alarm: Alarm, source: Source) -> None:
        del source
        self.alarms.append((alarm.rule, alarm.state))


def item(on: str, **fields: object) -> Item:
    found: Fields = {"subject": "s", **fields}  # type: ignore[dict-item]  # texts and numbers
    return Item(on, 5, 5, "o", "", is_historical=False, fields=found, evidence=EVIDENCE)


def match(name: str, when: str = "true", alarm: AlarmSettings | None = None, on: str = "arrived") -> MatchRule:
    return MatchRule(shape="match", name=name, on=on, when=when, alarm=alarm)


def test_rules_are_judged_in_the_order_of_the_file_however_they_are_found() -> None:
    desk = Desk(
        match("one", "e.kind == 'truck'"), match("two"), match("three", "e.reads > 3"),
        match("four", "e.zone in ['a', 'b'] && e.kind == 'truck'"), match("five", "e.zone == 'c'"),
    )  # fmt: skip
    desk.show("arrived", zone="a", kind="truck", reads=4)
    assert desk.made == ["one", "two", "three", "four"]
    desk.show("arrived", zone="c", reads=1)
    assert desk.made[4:] == ["two", "five"]


def test_an_item_of_a_kind_that_nobody_asks_for_has_no_audience() -> None:
    book = Desk(match("one")).book
    assert book.takes("arrived")
    assert not book.takes("departed")
    assert not book.takes("one")


@pytest.mark.parametrize(
    "rule",
    [
        match("r", "e.zone == 'a'", ALARM),
        HoldRule(shape="hold", name="r", on="arrived", when="e.zone == 'a'", for_s=0, alarm=ALARM),
    ],
)
def test_a_rule_with_memory_is_begun_by_what_it_asks_for_and_ended_by_anything_else(rule: Rule) -> None:
    desk = Desk(rule)
    desk.show("arrived", zone="b")
    assert desk.alarms == []
    desk.show("arrived", zone="a")
    desk.show("arrived", zone="b", subject="other")
    assert desk.alarms == [("r", "raised")]
    desk.show("arrived", zone="b")
    assert desk.alarms == [("r", "raised"), ("r", "cleared")]


def test_an_item_that_begins_and_ends_is_judged_once() -> None:
    hold = HoldRule(
        shape="hold", name="r", on="arrived", when="e.zone == 'a'", clear="e.reads > 3", for_s=0, emit="held"
    )
    desk = Desk(hold)
    desk.show("arrived", zone="a", reads=1)
    assert desk.made == ["held"]
    desk.show("arrived", zone="a", reads=9)
    assert desk.made == ["held"]


def test_a_rule_that_alarms_of_silence_hears_of_everything_that_it_watches() -> None:
    watch = HoldRule(
        shape="hold", name="r", on="reading", when="e.quantity == 'voltage' && e.quality == 'absent'", for_s=60,
        no_data=NoData.ALARM, alarm=ALARM,
    )  # fmt: skip
    desk = Desk(watch)
    desk.show("reading", quantity="current", quality="good")
    desk.show("reading", quantity="voltage", quality="good")
    assert len(desk.book.shapes[0].rows.rows) == 1


def test_what_an_ordered_rule_wants_waits_and_goes_to_each_of_its_inputs() -> None:
    pair = PairRule(
        shape="pair", name="p", entry=Input(on="arrived", when="e.zone == 'a'"),
        exit=Input(on="arrived", when="e.zone in ['a', 'b'] && e.reads > 3"),
    )  # fmt: skip
    rate = RateRule(shape="rate", name="r", on="arrived", key="device", within_s=1, above=1)
    desk = Desk(rate, pair)
    assert not desk.show("arrived", zone="c")  # the rate has no key for it
    assert not desk.show("arrived", zone="b", reads=3)
    assert desk.show("arrived", zone="b", reads=4)
    assert desk.takers("arrived", zone="a", reads=4, device="d") == [
        ("r", "item", "d"),
        ("p", "entry", "s"),
        ("p", "exit", "s"),
    ]
    assert desk.takers("arrived", zone="b", reads=3) == []


def test_what_is_looked_up_decides_nothing_before_it_is_looked_up() -> None:
    lookup = {"truck": LookUp(table="trucks", key="subject")}
    rate = RateRule(
        shape="rate", name="r", on="arrived", when="e.zone == 'a' && e.truck_state == 'due'", lookup=lookup, key="zone",
        within_s=1, above=1,
    )  # fmt: skip
    desk = Desk(rate)
    assert desk.show("arrived", zone="a")
    assert not desk.show("arrived", zone="b")
    assert desk.takers("arrived", zone="a") == []  # there is no such table: nothing was found


def test_a_rule_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"did you mean e\.zone"):
        Desk(match("one", "e.zon == 'a'"))


def test_owners_and_figures_are_by_name() -> None:
    rule = match("one").model_copy(update={"figures": ["dwell_s", "reads", "dwell_s"]})
    book = Desk(rule, match("two")).book
    assert [owner.split(".")[0] for owner in book.owners] == ["one", "two"]
    assert book.figures == {"one": ["dwell_s", "reads"]}
