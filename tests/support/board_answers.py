"""What a board shows: its queries asked as Grafana asks them, its answers changed as Grafana changes them.

Source: Grafana documentation, "InfluxDB query editor" (aliases, macros, regular expressions of variables) and
"Transform data". Only what our boards use; anything else raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.support.servers import Influx, ServerError

Json = dict[str, Any]
MS_PER_S: Final = 1000
DAY_MS: Final = 86_400_000
SPANS_MS: Final = {"s": MS_PER_S, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
POINTS: Final = 1000
"""Grafana asks for as many points of a curve as the panel has pixels, about."""
_macro: Final = re.compile(r"\$\{?__(from|to|interval_ms|interval)\}?|\$timeFilter")
_variable: Final = re.compile(r"\$\{?([a-z][a-z_]*)\}?")
_shown: Final = re.compile(r"/(.*)/$")


@dataclass(slots=True)
class Column:
    """One column of an answer; `labels`: of which series it is."""

    name: str
    values: list[Any]
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Frame:
    """One table, or one curve: columns of one length."""

    columns: list[Column]

    def column(self, name: str) -> list[Any]:
        """The values of a column; raises KeyError."""
        for each in self.columns:
            if each.name == name:
                return each.values
        raise KeyError(f"no column {name!r}; there are {[each.name for each in self.columns]}")

    def rows(self) -> list[Json]:
        """Row by row."""
        names = [each.name for each in self.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*(each.values for each in self.columns), strict=True)]

    def of(self, rows: list[int]) -> Frame:
        """These rows of it."""
        return Frame([Column(each.name, [each.values[row] for row in rows], each.labels) for each in self.columns])


@dataclass(frozen=True, slots=True)
class Asking:
    """How a board is looked at.

    Attributes:
        from_ms, to_ms: the time that is shown.
        chosen: what people chose in a variable; all of it, if it is not there.
    """

    influx: Influx
    database: str
    from_ms: int
    to_ms: int
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def variables(self, board: Json) -> dict[str, list[str]]:
        """What each variable of a board offers."""
        found: dict[str, list[str]] = {}
        for each in board["templating"]["list"]:
            if each["type"] != "query":
                continue
            rows = self.ask(self._chosen(each["query"]))
            values = sorted({row["value"] for row in rows})
            if pattern := _shown.match(each["regex"]):
                values = [part[1] for value in values if (part := re.search(pattern[1], value))]
            found[each["name"]] = values
        return found

    def opened(self, board: Json) -> Asking:
        """The same, where variables of this board of which all is chosen stand for all that is listed."""
        offered = self.variables(board)
        listed = {
            each["name"]: tuple(offered[each["name"]])
            for each in board["templating"]["list"]
            if each["type"] == "query" and "allValue" not in each and each["name"] not in self.chosen
        }
        return replace(self, chosen={**self.chosen, **listed})

    def ask(self, query: str) -> list[Json]:
        """The rows of an answer; raises ServerError with the query."""
        return self.influx.query(self.database, query)

    def filled(self, panel: Json, query: str) -> str:
        """A query of a panel with everything in its place."""
        from_ms, to_ms = self.span(panel)
        interval_ms = max((to_ms - from_ms) // POINTS, _ms(panel.get("interval", "10s")), MS_PER_S)

        def macro(match: re.Match[str]) -> str:
            known = {
                "$timeFilter": f"time >= {from_ms}ms and time <= {to_ms}ms",
                "from": str(from_ms),
                "to": str(to_ms),
                "interval": f"{interval_ms}ms",
                "interval_ms": str(interval_ms),
            }
            return known[match[1] or match[0]]

        return self._chosen(_macro.sub(macro, query))

    def span(self, panel: Json) -> tuple[int, int]:
        """The time that a panel shows."""
        from_ms = self.to_ms - _ms(panel["timeFrom"]) if "timeFrom" in panel else self.from_ms
        shift_ms = _ms(panel.get("timeShift", "0s"))
        return from_ms - shift_ms, self.to_ms - shift_ms

    def frames(self, panel: Json) -> list[Frame]:
        """What a panel draws."""
        frames = [frame for target in panel["targets"] for frame in self.answers(panel, target)]
        for each in panel.get("transformations", []):
            frames = TRANSFORMATIONS[each["id"]](frames, each["options"])
        return frames

    def answers(self, panel: Json, target: Json) -> Iterator[Frame]:
        """What one query of a panel gives: a frame for each series, or one table."""
        answer = self.influx.get(
            "/query", db=self.database, q=self.filled(panel, target["query"]), epoch="ms", chunked="false"
        )
        made: list[Json] = []
        for result in json.loads(answer)["results"]:
            if "error" in result:
                raise ServerError(f"{panel['title']}: {target['query']}: {result['error']}")
            made += result.get("series", [])
        if target["resultFormat"] == "time_series":
            yield from (_series(each, target) for each in made)
        elif made:
            yield _table(made)

    def _chosen(self, query: str) -> str:
        def value(match: re.Match[str]) -> str:
            values = self.chosen.get(match[1])
            if values is None:
                return ".*"
            escaped = [re.escape(each).replace("/", r"\/") for each in values]
            return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

        return _variable.sub(value, query)


def shown(panel: Json, frames: list[Frame]) -> dict[str, Any]:
    """The number of each series, as a stat, a gauge or a bar gauge reduces it, by its name."""
    options = panel["options"]["reduceOptions"]
    (calc,) = options["calcs"]
    pattern = _shown.match(options["fields"])
    reduced: dict[str, Any] = {}
    for frame in frames:
        for each in frame.columns:
            fits = re.search(pattern[1], each.name) if pattern else _is_number(each)
            if fits and each.name != "Time":
                reduced[each.name] = reckoned(calc, each.values)
    return reduced


def reckoned(calc: str, values: list[Any]) -> Any:
    """One value of many."""
    known = [value for value in values if value is not None]
    if calc == "count":
        return len(values)
    if not known:
        return None
    if calc == "lastNotNull":
        return known[-1]
    return {"sum": sum(known), "mean": sum(known) / len(known), "max": max(known), "min": min(known)}[calc]


def _is_number(column: Column) -> bool:
    return all(value is None or isinstance(value, int | float) for value in column.values)


def _ms(text: str) -> int:
    return int(text[:-1]) * SPANS_MS[text[-1]]


def _series(answer: Json, target: Json) -> Frame:
    tags = answer.get("tags", {})
    name = re.sub(r"\$tag_([a-z_]+)", lambda match: tags.get(match[1], ""), target["alias"])
    times, values = zip(*answer["values"], strict=True)
    return Frame([Column("Time", list(times)), Column(name, list(values), tags)])


def _table(made: list[Json]) -> Frame:
    """All series under one another; tags that were grouped by are columns before the others."""
    tags = list(made[0].get("tags", {}))
    names = [made[0]["columns"][0].replace("time", "Time"), *tags, *made[0]["columns"][1:]]
    rows = [
        [row[0], *(each.get("tags", {}).get(tag) for tag in tags), *row[1:]] for each in made for row in each["values"]
    ]
    return Frame([Column(name, list(values)) for name, values in zip(names, zip(*rows, strict=True), strict=True)])


# --- transformations: what Grafana does to answers ---


def _only(frames: list[Frame], options: Json) -> list[Frame]:
    (test,) = options["filters"]
    wanted, is_kept = test["config"]["options"]["value"], options["type"] == "include"
    made = []
    for frame in frames:
        values = frame.column(test["fieldName"])
        made.append(frame.of([row for row, value in enumerate(values) if (value == wanted) is is_kept]))
    return made


def _grouped(frames: list[Frame], options: Json) -> list[Frame]:
    made = []
    for frame in frames:
        (key,) = [name for name, each in options["fields"].items() if each["operation"] == "groupby"]
        first: dict[Any, int] = {}
        for row, value in enumerate(frame.column(key)):
            first.setdefault(value, row)
        kept = frame.of(list(first.values()))
        others = [name for name in options["fields"] if name != key]
        made.append(
            Frame([Column(key, kept.column(key)), *(Column(f"{name} (first)", kept.column(name)) for name in others)])
        )
    return made


def _unpacked(frames: list[Frame], options: Json) -> list[Frame]:
    made = []
    for frame in frames:
        texts = [json.loads(text) if text else {} for text in frame.column(options["source"])]
        further = [Column(each["alias"], [text.get(each["path"]) for text in texts]) for each in options["jsonPaths"]]
        made.append(Frame([*frame.columns, *further]))
    return made


def _joined(frames: list[Frame], options: Json) -> list[Frame]:
    key = options["byField"]
    keys = sorted({value for frame in frames for value in frame.column(key)})
    columns = [Column(key, list(keys))]
    for frame in frames:
        row_of = {value: row for row, value in enumerate(frame.column(key))}
        columns += [
            Column(each.name, [each.values[row_of[value]] if value in row_of else None for value in keys])
            for each in frame.columns
            if each.name != key
        ]
    return [Frame(columns)] if frames else []


def _divided(frames: list[Frame], options: Json) -> list[Frame]:
    left, right = options["binary"]["left"], options["binary"]["right"]
    for frame in frames:
        names = {each.name for each in frame.columns}
        if {left, right} <= names:
            pairs = zip(frame.column(left), frame.column(right), strict=True)
            values = [upper / lower if upper is not None and lower else None for upper, lower in pairs]
            frame.columns.append(Column(options["alias"], values))
    return frames


def _sorted(frames: list[Frame], options: Json) -> list[Frame]:
    (order,) = options["sort"]
    made = []
    for frame in frames:
        values = frame.column(order["field"])
        made.append(frame.of(sorted(range(len(values)), key=lambda row: values[row], reverse=order["desc"])))
    return made


def _limited(frames: list[Frame], options: Json) -> list[Frame]:
    return [frame.of(list(range(min(options["limitField"], len(frame.columns[0].values))))) for frame in frames]


def _reduced(frames: list[Frame], options: Json) -> list[Frame]:
    """`seriesToRows` with the reducer `sum`: a row for each curve, its sum in the column `Total`."""
    (calc,) = options["reducers"]
    curves = [each for frame in frames for each in frame.columns if each.name != "Time"]
    columns = [Column("Field", [each.name for each in curves])]
    columns.append(Column({"sum": "Total"}[calc], [reckoned(calc, each.values) for each in curves]))
    return [Frame(columns)] if frames else []


def _filtered(frames: list[Frame], options: Json) -> list[Frame]:
    names = options["include"]["names"]
    return [Frame([each for each in frame.columns if each.name in names]) for frame in frames]


def _organised(frames: list[Frame], options: Json) -> list[Frame]:
    index = options["indexByName"]
    return [Frame(sorted(frame.columns, key=lambda each: index[each.name])) for frame in frames]


TRANSFORMATIONS: Final[dict[str, Callable[[list[Frame], Json], list[Frame]]]] = {
    "calculateField": _divided,
    "extractFields": _unpacked,
    "filterByValue": _only,
    "filterFieldsByName": _filtered,
    "groupBy": _grouped,
    "joinByField": _joined,
    "limit": _limited,
    "organize": _organised,
    "reduce": _reduced,
    "sortBy": _sorted,
}
