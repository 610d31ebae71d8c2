"""Parts that several boards show: alarms that stand, what was told last, what Grafana does to an answer."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.looks import Color, Column, Json, State, Steps, Unit, column_of_time, evidence, rising
from gateway.boards.making.panels import WIDTH, Panel, stat, table
from gateway.boards.making.queries import Query, Where, chosen, is_, most, percentile, rows, series

RAISED: Final = "raised"
SEVERITIES: Final = (
    State("critical", "critical", Color.BAD),
    State("warning", "warning", Color.WARN),
    State("info", "info", Color.NOTICE),
)
FEW_ARE_BAD: Final = rising(1, 5)
LOOKS_BACK: Final = "30d"
_CHANGES: Final = 1000


def standing_alarms(*where: Where, width: int = WIDTH, height: int = 9) -> Panel:
    """The alarms that stand, the newest first; a narrow table leaves room for what they say."""
    further = (
        Column("rule (first)", "Rule", width=210),
        Column("acknowledged_by (first)", "Acknowledged by", width=140),
    )
    return table(
        "Alarms that stand",
        "Every alarm that was raised and not cleared, of the last 30 days and the last 1,000 changes. Acknowledge them "
        "in the console.",
        rows("alarm", (*_TOLD, "acknowledged_by"), chosen("site"), *where, limit=_CHANGES),
        columns=(
            column_of_time("Time (first)"),
            Column("severity (first)", "Severity", width=110, states=SEVERITIES),
            Column("message (first)", "What"),
            Column("subject (first)", "About", width=170),
            *(further if width == WIDTH else ()),
        ),
        transformations=(
            newest_of("id", "Time", *(name for name in _TOLD if name != "id"), "acknowledged_by"),
            only("state (first)", value=RAISED),
        ),
        width=width,
        height=height,
        nothing="None",
        time_from=LOOKS_BACK,
    )


def number_of_alarms(
    *where: Where, title: str = "Alarms standing", width: int = 4, height: int = 4, steps: Steps = FEW_ARE_BAD
) -> Panel:
    """How many stand."""
    return stat(
        title,
        "Alarms that were raised and not cleared, of the last 30 days and the last 1,000 changes.",
        Unit.COUNT,
        rows("alarm", ("id", "state"), chosen("site"), *where, limit=_CHANGES),
        steps=steps,
        calc="count",
        of="id",
        transformations=(newest_of("id", "state"), only("state (first)", value=RAISED)),
        nothing="0",
        width=width,
        height=height,
        time_from=LOOKS_BACK,
    )


def last_events(
    title: str,
    description: str,
    kinds: tuple[str, ...],
    *where: Where,
    told: tuple[Column, ...] = (),
    shown: tuple[Column, ...] = (),
    limit: int = 50,
    width: int = WIDTH,
    height: int = 9,
) -> Panel:
    """The newest events of some types; `shown` are columns of the store, `told` further fields of these events."""
    columns = ("event", "zone", "rule", "subject", "name", "from_zone", "read_point", "direction", "device")
    wanted = {column.name for column in shown}
    asked = tuple(name for name in columns if name in wanted)
    return table(
        title,
        description,
        rows(
            "event", (*asked, *(("fields",) if told else ()), "id"), is_("event", *kinds), chosen("site"), *where,
            limit=limit,
        ),
        columns=(column_of_time(), *shown, *told, evidence()),
        transformations=(unpacked(*(column.name for column in told)),) if told else (),
        width=width,
        height=height,
        nothing="None",
    )  # fmt: skip


def unpacked(*names: str) -> Json:
    """Further fields of events, out of the JSON text that holds them."""
    paths = [{"path": name, "alias": name} for name in names]
    return {
        "id": "extractFields",
        "options": {"source": "fields", "format": "json", "jsonPaths": paths, "replace": False, "keepTime": False},
    }


def newest_of(key: str, *columns: str) -> Json:
    """One row for each value of a column: the first, where the newest stand first."""
    fields: Json = {name: {"aggregations": ["first"], "operation": "aggregate"} for name in columns}
    return {"id": "groupBy", "options": {"fields": {key: {"aggregations": [], "operation": "groupby"}, **fields}}}


def only(column: str, *, value: str | bool, is_not: bool = False) -> Json:
    """Rows that have this value, or those that do not; `true` as a text is another value."""
    matching = {"id": "equal", "options": {"value": value}}
    way = "exclude" if is_not else "include"
    kept = {"filters": [{"fieldName": column, "config": matching}], "match": "all", "type": way}
    return {"id": "filterByValue", "options": kept}


def joined(column: str) -> Json:
    """The answers of all queries of a panel, side by side."""
    return {"id": "joinByField", "options": {"byField": column, "mode": "outer"}}


def divided(upper: str, lower: str, name: str) -> Json:
    """A further column: one by another."""
    return {
        "id": "calculateField",
        "options": {
            "mode": "binary",
            "binary": {"left": upper, "operator": "/", "right": lower},
            "alias": name,
            "replaceFields": False,
        },
    }


def largest_first(column: str, most_rows: int) -> tuple[Json, ...]:
    """The rows with the largest values, and no more of them than that."""
    order = {"fields": {}, "sort": [{"field": column, "desc": True}]}
    return {"id": "sortBy", "options": order}, {"id": "limit", "options": {"limitField": most_rows}}


def sum_of_all() -> Json:
    """The sum of each curve, as the column `Total`."""
    return {"id": "reduce", "options": {"mode": "seriesToRows", "reducers": ["sum"], "includeTimeField": False}}


def figure(kind: str, name: str, *where: Where) -> tuple[Where, ...]:
    """The number `name` that events of this type carry."""
    return is_("event", kind), is_("figure", name), chosen("site"), *where


def happened(*kinds: str) -> tuple[Where, ...]:
    """Events of these types."""
    return is_("event", *kinds), chosen("site")


def three_of(kind: str, name: str, *where: Where, every: str = "1h") -> tuple[Query, ...]:
    """How long it took half of them, nine of ten, and the longest of all."""
    asked = figure(kind, name, *where)
    return (
        series("figure", percentile("value", 50), *asked, alias="half of them within", every=every),
        series("figure", percentile("value", 90), *asked, alias="nine of ten within", every=every),
        series("figure", most("value"), *asked, alias="the longest", every=every),
    )


_TOLD: Final = ("severity", "state", "rule", "subject", "message", "id")
