"""Panels: what one of them shows, and how, as data; `Panel.json` says it as Grafana has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.boards.making.looks import PLAIN, Column, Json, Say, State, Steps, Unit, mappings, thresholds
from gateway.boards.making.queries import Query

STORE: Final[Json] = {"type": "influxdb", "uid": "${store}"}
SAME: Final = "${__url_time_range}&${site:queryparam}&${store:queryparam}"
"""Another board is opened with the same time, sites and store."""
WIDTH: Final = 24
"""Columns of a board."""

OLDEST_FIRST: Final[Json] = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "Time", "desc": False}]}}
"""Stores give the newest first where a limit cuts off the oldest; lines of time are drawn from the oldest on."""

_token: Final = re.compile(r"\$[a-z_]+|[^a-zA-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        width, height: in columns and rows of the board.
        fewest, most: ends of the scale.
        columns: of a table, in their order; others are hidden.
        states: words that stand for values.
        transformations: what Grafana does to the answer before it is drawn.
        nothing: what is shown when nothing was found; the words of Grafana, if empty.
        step: the least time between two points of a curve; that of the points in the store, or more.
        leads_to: the board that tells more of it.
        time_from: it looks back so far, whatever time is chosen; time_shift: it looks at what was so long before.
    """

    kind: str
    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    width: int
    height: int
    steps: Steps = PLAIN
    decimals: int | None = None
    fewest: float | None = None
    most: float | None = None
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    states: tuple[State, ...] = ()
    transformations: tuple[Json, ...] = ()
    nothing: str = ""
    time_from: str = ""
    time_shift: str = ""
    step: str = ""
    leads_to: str = ""

    def json(self, say: Say, number: int, place: Json, uid_of: Callable[[str], str]) -> Json:
        """As Grafana has it; `uid_of` gives the address of a board by its name."""
        made: Json = {
            "id": number,
            "type": self.kind,
            "title": say(self.title),
            "description": say(self.description),
            "gridPos": place,
            "datasource": STORE,
            "targets": [_target(query, chr(ord("A") + index), say) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(say), "overrides": self._overrides(say)},
            "options": self.options,
        }
        transformations = [*self.transformations, *self._order()]
        if transformations:
            made["transformations"] = transformations
        named = {"timeFrom": self.time_from, "timeShift": self.time_shift, "interval": self.step}
        made |= {name: value for name, value in named.items() if value}
        if self.leads_to:
            url = f"/d/{uid_of(self.leads_to)}?{SAME}"
            made["links"] = [{"title": say("More of it"), "url": url, "targetBlank": False}]
        return made

    def _defaults(self, say: Say) -> Json:
        made: Json = {
            "unit": self.unit.value,
            "color": {"mode": "thresholds" if self.kind != "timeseries" else "palette-classic"},
            "thresholds": thresholds(self.steps),
            "mappings": mappings(self.states, say),
            "custom": self.custom,
        }
        named = {
            "decimals": self.decimals,
            "min": self.fewest,
            "max": self.most,
            "noValue": _said(self.nothing, say) or None,
        }
        return made | {name: value for name, value in named.items() if value is not None}

    def _overrides(self, say: Say) -> list[Json]:
        return [column.override(say) for column in self.columns]

    def _order(self) -> list[Json]:
        """Only the columns that are wanted, in their order."""
        if not self.columns:
            return []
        names = [column.name for column in self.columns]
        keep = {"include": {"names": names}}
        order = {"indexByName": {name: index for index, name in enumerate(names)}}
        return [
            {"id": "filterFieldsByName", "options": keep},
            {"id": "organize", "options": {"excludeByName": {}, "renameByName": {}, **order}},
        ]


def stat(
    title: str,
    description: str,
    unit: Unit,
    *queries: Query,
    steps: Steps,
    width: int = 4,
    height: int = 4,
    calc: str = "lastNotNull",
    decimals: int | None = None,
    nothing: str = "",
    states: tuple[State, ...] = (),
    transformations: tuple[Json, ...] = (),
    of: str = "",
    time_from: str = "",
    leads_to: str = "",
) -> Panel:
    """A number to be read from far away; one for each series. `of` names its field, if it is one of several."""
    options: Json = {
        "reduceOptions": {"calcs": [calc], "fields": f"/^{of}$/" if of else "", "values": False},
        "colorMode": "value" if steps == PLAIN else "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
    }
    return Panel(
        kind="stat", title=title, description=description, unit=unit, queries=queries, width=width, height=height,
        steps=steps, decimals=decimals, nothing=nothing, states=states, transformations=transformations,
        options=options, time_from=time_from, leads_to=leads_to,
    )  # fmt: skip


def gauge(
    title: str,
    description: str,
    unit: Unit,
    *queries: Query,
    steps: Steps,
    fewest: float,
    most: float,
    width: int = 6,
    height: int = 6,
    decimals: int | None = None,
) -> Panel:
    """A number between two ends of a scale; one for each series."""
    options: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "showThresholdLabels": False,
        "showThresholdMarkers": True,
    }
    return Panel(
        kind="gauge", title=title, description=description, unit=unit, queries=queries, width=width, height=height,
        steps=steps, fewest=fewest, most=most, decimals=decimals, options=options,
    )  # fmt: skip


def bars(
    title: str,
    description: str,
    unit: Unit,
    *queries: Query,
    steps: Steps,
    width: int = 8,
    height: int = 8,
    calc: str = "lastNotNull",
    fewest: float | None = 0,
    most: float | None = None,
    decimals: int | None = None,
    nothing: str = "",
    leads_to: str = "",
) -> Panel:
    """Bars beside one another, one for each series: what is compared at one moment."""
    options: Json = {
        "reduceOptions": {"calcs": [calc], "fields": "", "values": False},
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "color",
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "maxVizHeight": 40,
    }
    return Panel(
        kind="bargauge", title=title, description=description, unit=unit, queries=queries, width=width, height=height,
        steps=steps, fewest=fewest, most=most, decimals=decimals, options=options, nothing=nothing,
        leads_to=leads_to,
    )  # fmt: skip


def curves(
    title: str,
    description: str,
    unit: Unit,
    *queries: Query,
    width: int = 12,
    height: int = 8,
    steps: Steps = PLAIN,
    draw: str = "line",
    stacked: bool = False,
    stepped: bool = False,
    fewest: float | None = None,
    most: float | None = None,
    decimals: int | None = None,
    calcs: tuple[str, ...] = (),
    time_shift: str = "",
    step: str = "",
    leads_to: str = "",
) -> Panel:
    """What was, over time; with limits, if `steps` say them.

    `draw` is `line`, `bars` or `points`; `stepped` holds a value until the next one; `calcs` stand in the legend.
    """
    custom: Json = {
        "drawStyle": draw,
        "lineInterpolation": "stepAfter" if stepped else "linear",
        "lineWidth": 0 if draw == "bars" else 2,
        "fillOpacity": {"bars": 80, "line": 12}.get(draw, 0),
        "pointSize": 6,
        "showPoints": "always" if draw == "points" else "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off" if steps == PLAIN else "line"},
    }
    options: Json = {
        "legend": {
            "calcs": list(calcs), "displayMode": "table" if calcs else "list", "placement": "bottom", "showLegend": True
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }  # fmt: skip
    return Panel(
        kind="timeseries", title=title, description=description, unit=unit, queries=queries, width=width, height=height,
        steps=steps, fewest=fewest, most=most, decimals=decimals, options=options, custom=custom, time_shift=time_shift,
        step=step, leads_to=leads_to,
    )  # fmt: skip


def table(
    title: str,
    description: str,
    *queries: Query,
    columns: tuple[Column, ...],
    width: int = WIDTH,
    height: int = 9,
    unit: Unit = Unit.TEXT,
    transformations: tuple[Json, ...] = (),
    nothing: str = "",
    time_from: str = "",
) -> Panel:
    """Rows to read one by one. Every column has a unit of its own."""
    options: Json = {"showHeader": True, "cellHeight": "sm"}
    custom: Json = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False}
    return Panel(
        kind="table", title=title, description=description, unit=unit, queries=queries, width=width, height=height,
        options=options, custom=custom, columns=columns, transformations=transformations, nothing=nothing,
        time_from=time_from,
    )  # fmt: skip


def timeline(
    title: str,
    description: str,
    *queries: Query,
    states: tuple[State, ...],
    width: int = WIDTH,
    height: int = 8,
    unit: Unit = Unit.TEXT,
    time_from: str = "",
) -> Panel:
    """Which state each thing was in, and when it changed."""
    options: Json = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom: Json = {"fillOpacity": 80, "lineWidth": 0}
    return Panel(
        kind="state-timeline", title=title, description=description, unit=unit, queries=queries, width=width,
        height=height, states=states, options=options, custom=custom, time_from=time_from,
        transformations=(OLDEST_FIRST,),
    )  # fmt: skip


def _target(query: Query, ref_id: str, say: Say) -> Json:
    made: Json = {
        "refId": ref_id,
        "datasource": STORE,
        "query": query.text,
        "rawQuery": True,
        "resultFormat": query.shape.value,
    }
    if query.alias:
        made["alias"] = _said(query.alias, say)
    return made


def _said(text: str, say: Say) -> str:
    """What has words is translated; numbers and values of tags are not."""
    return say(text) if _token.sub("", text) else text
