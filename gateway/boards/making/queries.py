"""Queries in InfluxQL, tied to the schema of the stores: what names a column that is not there raises when it is made.

Only what InfluxDB 1.6, 2.x (through a DBRP mapping) and 3 all serve: no subquery, nothing younger than 1.6. Every query
has a bound in time. None makes a series of each EPC, card or person: those are fields, and only tags are grouped by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.contract.measurements import MEASUREMENTS, Measurement

NUMBERS: Final = frozenset({"float", "int"})
OF_NUMBERS: Final = frozenset({"mean", "median", "max", "min", "sum", "spread", "percentile"})
OF_ANYTHING: Final = frozenset({"count", "different", "first", "last"})
COUNTS: Final = frozenset({"count", "different"})
MOST_ROWS: Final = 1000
"""A table beyond this is read by nobody and slows the browser down."""

INTERVAL_MS: Final = "$__interval_ms"

_variable: Final = re.compile(r"\$\{?([a-z_]+)").findall
_word: Final = re.compile(r"[a-z][a-z0-9_]*").fullmatch


class QueryError(ValueError):
    """A query that the stores could not answer: it names what the schema does not have."""


class Span(StrEnum):
    """What part of time a query is about."""

    SHOWN = "$timeFilter"
    WEEK_BEFORE = "time >= ${__from}ms - 7d AND time < ${__from}ms"  # seven days until the time that is shown begins


class Shape(StrEnum):
    """How Grafana reads the answer."""

    SERIES = "time_series"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Select:
    """One column of numbers: `function` of a field; `growth` is what a counter grew by from interval to interval.

    Attributes:
        percent: the parameter of `percentile`.
        times: a constant factor, to change the unit.
        over: divides this by another column.
        per: divides this by a variable of Grafana that is a number.
    """

    function: str
    field: str
    percent: int | None = None
    times: float = 1
    is_growth: bool = False
    over: Select | None = None
    per: str = ""

    def text(self, measurement: Measurement) -> str:
        """As InfluxQL; raises QueryError where the measurement has no such field, or no such numbers."""
        kind = measurement.fields.get(self.field)
        if kind is None:
            raise QueryError(f"{measurement.name} has no field {self.field!r}; it has {_listed(measurement.fields)}")
        if self.function not in OF_NUMBERS | OF_ANYTHING:
            raise QueryError(f"{self.function} is none of {_listed(OF_NUMBERS | OF_ANYTHING)}")
        is_number = kind in NUMBERS or self.function in COUNTS
        if not is_number and (self.function in OF_NUMBERS or self.is_growth or self.over or self.times != 1):
            raise QueryError(f"{measurement.name}.{self.field} is {kind}: {self.function} cannot be reckoned of it")
        if (self.function == "percentile") is (self.percent is None):
            raise QueryError(f"{measurement.name}.{self.field}: percentile, and nothing else, has a percent")
        parameter = "" if self.percent is None else f", {self.percent}"
        text = f'{self.function}("{self.field}"{parameter})'
        if self.function == "different":
            text = f'count(distinct("{self.field}"))'
        if self.is_growth:
            text = f"non_negative_difference({text})"
        if self.over is not None:
            text = f"{text} / {self.over.text(measurement)}"
        if self.per:
            text = f"{text} / {self.per}"
        return text if self.times == 1 else f"{text} * {self.times:g}"


def mean(field: str, *, times: float = 1) -> Select:
    """The mean of a field."""
    return Select("mean", field, times=times)


def most(field: str, *, times: float = 1) -> Select:
    """The largest value of a field."""
    return Select("max", field, times=times)


def total(field: str, *, times: float = 1) -> Select:
    """The sum of a field."""
    return Select("sum", field, times=times)


def count(field: str) -> Select:
    """How many points have a field."""
    return Select("count", field)


def last(field: str, *, times: float = 1) -> Select:
    """The newest value of a field."""
    return Select("last", field, times=times)


def percentile(field: str, percent: int, *, times: float = 1) -> Select:
    """The value that `percent` of all are not above."""
    return Select("percentile", field, percent, times)


def different(field: str) -> Select:
    """How many different values a field has: an alarm is told anew when somebody acknowledges it."""
    return Select("different", field)


def growth(field: str) -> Select:
    """What a counter grew by; one that began anew counts as nothing."""
    return Select("last", field, is_growth=True)


def growth_per_s(field: str) -> Select:
    """What a counter grew by in a second."""
    return Select("last", field, is_growth=True, per=INTERVAL_MS, times=1000)


def share_of_time(field: str, *, times: float = 1000) -> Select:
    """What part of each step a field covers: of seconds, or with `times=1` of milliseconds."""
    return Select("sum", field, per=INTERVAL_MS, times=times)


def ratio(upper: str, lower: str, *, times: float = 1) -> Select:
    """The sum of one field by the sum of another: the mean, weighted as it should be."""
    return Select("sum", upper, times=times, over=Select("sum", lower))


@dataclass(frozen=True, slots=True)
class Where:
    """One condition.

    Attributes:
        values: one of these, each as it stands; or
        pattern: a regular expression, in which `$name` is a variable of the board.
        is_field: the column is a field, whose values are looked at one by one.
    """

    column: str
    values: tuple[str, ...] = ()
    pattern: str = ""
    is_field: bool = False
    is_not: bool = False

    def text(self, measurement: Measurement) -> str:
        """As InfluxQL; raises QueryError where the measurement has no such column."""
        known = measurement.fields if self.is_field else measurement.tags
        if self.column not in known:
            raise QueryError(
                f"{measurement.name} has no {'field' if self.is_field else 'tag'} {self.column!r}; it has "
                f"{_listed(known)}"
            )
        if self.is_field and measurement.fields[self.column] != "str":
            raise QueryError(f"{measurement.name}.{self.column} is no text")
        if self.pattern:
            return f'"{self.column}" {"!~" if self.is_not else "=~"} /{self.pattern}/'
        texts = [f'"{self.column}" {"!=" if self.is_not else "="} {_quoted(value)}' for value in self.values]
        if not texts:
            raise QueryError(f"{measurement.name}.{self.column}: a condition needs values or a pattern")
        both = " AND " if self.is_not else " OR "
        return texts[0] if len(texts) == 1 else f"({both.join(texts)})"


def is_(column: str, *values: str) -> Where:
    """The tag is one of these; the empty text is: it has none."""
    return Where(column, values)


def is_not(column: str, *values: str) -> Where:
    """The tag is none of these."""
    return Where(column, values, is_not=True)


def chosen(column: str, variable: str = "") -> Where:
    """The tag is among what people chose in the variable of that name."""
    return Where(column, pattern=f"^${variable or column}$")


def like(column: str, pattern: str) -> Where:
    """The tag has this pattern."""
    return Where(column, pattern=pattern)


def unlike(column: str, pattern: str) -> Where:
    """The tag does not have this pattern."""
    return Where(column, pattern=pattern, is_not=True)


def field_like(column: str, pattern: str) -> Where:
    """The text of a field has this pattern: slow, so only beside a condition on tags that leaves few points."""
    return Where(column, pattern=pattern, is_field=True)


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one panel.

    Attributes:
        alias: how its series are called, `$tag_NAME` being the value of a tag; empty in tables.
        columns: names of its columns, in tables.
    """

    text: str
    measurement: str
    shape: Shape
    alias: str = ""
    columns: tuple[str, ...] = ()

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables of the board that it uses."""
        return frozenset(name for name in _variable(self.text) if not name.startswith("__") and name != "time")


def series(
    measurement: str,
    select: Select,
    *where: Where,
    alias: str,
    by: tuple[str, ...] = (),
    fill: str = "null",
    every: str = "$__interval",
) -> Query:
    """A curve, or one for each value of the tags `by`, in steps of `every`.

    Raises:
        QueryError: the schema has no such thing.
    """
    known = _measurement(measurement)
    if fill not in {"null", "none", "0", "previous"}:
        raise QueryError(f"fill({fill}) is not served by all stores")
    _check_alias(alias, by)
    grouped = _group(known, by, f"time({every})")
    text = _select([select.text(known)], known, where, grouped, f"fill({fill})")
    return Query(text, measurement, Shape.SERIES, alias)


def single(measurement: str, select: Select, *where: Where, alias: str, by: tuple[str, ...] = ()) -> Query:
    """One number of all the time that is shown, or one for each value of the tags `by`.

    Raises:
        QueryError: the schema has no such thing.
    """
    known = _measurement(measurement)
    _check_alias(alias, by)
    text = _select([select.text(known)], known, where, _group(known, by))
    return Query(text, measurement, Shape.SERIES, alias)


def sums(
    measurement: str, selects: Mapping[str, Select], *where: Where, by: tuple[str, ...], span: Span = Span.SHOWN
) -> Query:
    """A table with one row for each value of the tags `by`; `selects` are its columns by name.

    Raises:
        QueryError: the schema has no such thing.
    """
    known = _measurement(measurement)
    if not by:
        raise QueryError(f"{measurement}: a table of sums needs tags to group by")
    made = [f'{select.text(known)} AS "{_column(name)}"' for name, select in selects.items()]
    text = _select(made, known, where, _group(known, by), span=span)
    return Query(text, measurement, Shape.TABLE, columns=(*by, *selects))


def rows(measurement: str, columns: tuple[str, ...], *where: Where, limit: int) -> Query:
    """The newest points as they are, at most `limit` of them.

    Raises:
        QueryError: the schema has no such thing, or all columns are tags: stores answer nothing then.
    """
    known = _measurement(measurement)
    for name in columns:
        if name not in known.tags and name not in known.fields:
            raise QueryError(f"{measurement} has no column {name!r}; it has {_listed([*known.tags, *known.fields])}")
    if not set(columns) & known.fields.keys():
        raise QueryError(f"{measurement}: one of the columns must be a field")
    text = _select([_quoted_name(name) for name in columns], known, where, _newest(limit))
    return Query(text, measurement, Shape.TABLE, columns=columns)


def states(measurement: str, field: str, *where: Where, alias: str, by: tuple[str, ...], limit: int) -> Query:
    """Each change of a state as it came, for a time line; `limit` is that of each line.

    Raises:
        QueryError: the schema has no such thing.
    """
    known = _measurement(measurement)
    if field not in known.fields:
        raise QueryError(f"{measurement} has no field {field!r}; it has {_listed(known.fields)}")
    _check_alias(alias, by)
    text = _select([_quoted_name(field)], known, where, _group(known, by), _newest(limit))
    return Query(text, measurement, Shape.SERIES, alias)


def tag_values(measurement: str, tag: str, *where: Where) -> str:
    """The values of a tag, for a variable of a board.

    Raises:
        QueryError: the schema has no such thing.
    """
    known = _measurement(measurement)
    _tags(known, (tag,))
    conditions = " AND ".join(each.text(known) for each in where)
    text = f'SHOW TAG VALUES FROM {_quoted_name(measurement)} WITH KEY = "{tag}"'
    return f"{text} WHERE {conditions}" if conditions else text


def _measurement(name: str) -> Measurement:
    found = MEASUREMENTS.get(name)
    if found is None:
        raise QueryError(f"there is no measurement {name!r}; there are {_listed(MEASUREMENTS)}")
    return found


def _tags(known: Measurement, tags: tuple[str, ...]) -> tuple[str, ...]:
    for tag in tags:
        if tag not in known.tags:
            raise QueryError(f"{known.name} has no tag {tag!r}, and only tags are grouped by: {_listed(known.tags)}")
    return tags


def _select(
    columns: list[str], known: Measurement, where: tuple[Where, ...], *clauses: str, span: Span = Span.SHOWN
) -> str:
    conditions = " AND ".join([*(each.text(known) for each in where), span.value])
    words = ["SELECT", ", ".join(columns), "FROM", _quoted_name(known.name), "WHERE", conditions, *clauses]
    return " ".join(word for word in words if word)


def _group(known: Measurement, by: tuple[str, ...], *before: str) -> str:
    groups = [*before, *(_quoted_name(tag) for tag in _tags(known, by))]
    return f"GROUP BY {', '.join(groups)}" if groups else ""


def _newest(limit: int) -> str:
    if not 0 < limit <= MOST_ROWS:
        raise QueryError(f"limit must be 1 to {MOST_ROWS}, not {limit}")
    return f"ORDER BY time DESC LIMIT {limit}"


def _check_alias(alias: str, by: tuple[str, ...]) -> None:
    for tag in re.findall(r"\$tag_([a-z_]+)", alias):
        if tag not in by:
            raise QueryError(f"the alias {alias!r} names the tag {tag!r}, which is not grouped by")
    if not alias:
        raise QueryError("a series without an alias would be called by its column: say what it is")


def _column(name: str) -> str:
    if not _word(name):
        raise QueryError(f"{name!r} is no name of a column")
    return name


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted_name(name: str) -> str:
    return f'"{name}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
