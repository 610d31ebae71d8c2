"""How values look on a board: units, colours, limits, states, columns of tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Json = dict[str, object]
Say = Callable[[str], str]
"""Gives an English text in the language of a board."""


class Unit(StrEnum):
    """Units by the names of Grafana, which scales them itself: W to kW, s to min."""

    AMPERE = "amp"
    BYTES = "bytes"
    CELSIUS = "celsius"
    COUNT = "none"
    DBM = "dBm"
    HERTZ = "hertz"
    KILOGRAM = "masskg"
    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    MONEY = "none"
    PERCENT = "percent"
    READS_PER_S = "rps"
    SECONDS = "s"
    SHARE = "percentunit"  # 0 to 1
    SHORT = "short"
    TEXT = "string"
    TIME = "dateTimeAsIso"
    VOLT = "volt"
    WATT = "watt"
    WATT_HOURS = "watth"


class Color(StrEnum):
    """Colours by what they mean. A number or a word always says the same as its colour."""

    GOOD = "green"
    NOTICE = "yellow"
    WARN = "orange"
    BAD = "red"
    PLAIN = "blue"
    UNKNOWN = "#808080"


Steps = tuple[tuple[float | None, Color], ...]
"""From which value on a colour holds, the first from the least value on."""

PLAIN: Final[Steps] = ((None, Color.PLAIN),)
"""A number that is neither good nor bad."""
NONE_IS_GOOD: Final[Steps] = ((None, Color.GOOD), (1, Color.BAD))
NONE_IS_BEST: Final[Steps] = ((None, Color.GOOD), (1, Color.WARN))


def rising(warn: float, bad: float) -> Steps:
    """The more the worse."""
    return ((None, Color.GOOD), (warn, Color.WARN), (bad, Color.BAD))


def falling(bad: float, warn: float) -> Steps:
    """The less the worse: bad below `bad`, good from `warn` on."""
    return ((None, Color.BAD), (bad, Color.WARN), (warn, Color.GOOD))


def thresholds(steps: Steps) -> Json:
    """As Grafana has them."""
    return {"mode": "absolute", "steps": [{"color": color.value, "value": value} for value, color in steps]}


@dataclass(frozen=True, slots=True)
class State:
    """A value that is a word in the stores, what people read for it, and its colour."""

    value: str
    text: str
    color: Color


def mappings(states: tuple[State, ...], say: Say) -> list[Json]:
    """As Grafana has them."""
    options = {
        state.value: {"index": index, "text": say(state.text), "color": state.color.value}
        for index, state in enumerate(states)
    }
    return [{"type": "value", "options": options}] if states else []


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table by its name in the answer; columns that have no such entry are not shown.

    Attributes:
        width: in pixels; as wide as there is room, if 0.
        is_evidence: it holds the id of an event, and leads to its page in the console.
    """

    name: str
    title: str
    unit: Unit = Unit.TEXT
    width: int = 0
    decimals: int | None = None
    steps: Steps = ()
    states: tuple[State, ...] = ()
    is_evidence: bool = False

    def override(self, say: Say) -> Json:
        """As Grafana has it."""
        properties: list[Json] = [
            {"id": "displayName", "value": say(self.title)},
            {"id": "unit", "value": self.unit.value},
        ]
        if self.width:
            properties.append({"id": "custom.width", "value": self.width})
        if self.decimals is not None:
            properties.append({"id": "decimals", "value": self.decimals})
        if self.steps:
            properties.append({"id": "thresholds", "value": thresholds(self.steps)})
        if self.states:
            properties.append({"id": "mappings", "value": mappings(self.states, say)})
        if self.steps or self.states:
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}})
        if self.is_evidence:
            link = {"title": say("Evidence in the console"), "url": EVIDENCE, "targetBlank": False}
            shown = {"pattern": ".+", "result": {"index": 0, "text": say("show")}}
            properties += [
                {"id": "links", "value": [link]},
                {"id": "mappings", "value": [{"type": "regex", "options": shown}]},
            ]
        return {"matcher": {"id": "byName", "options": self.name}, "properties": properties}


EVIDENCE: Final = "${console}/event/${__data.fields.id}"


def column_of_time(name: str = "Time") -> Column:
    """When it was."""
    return Column(name, "Time", Unit.TIME, width=180)


def evidence() -> Column:
    """The way to the page of an event."""
    return Column("id", "Evidence", width=90, is_evidence=True)
