"""A board: sections of panels, the variables that people choose by, and links to the other boards and the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.boards.making.looks import Json, Say
from gateway.boards.making.panels import STORE, WIDTH, Panel
from gateway.boards.making.queries import Where, chosen, tag_values

SCHEMA: Final = 39  # of Grafana 11; later ones raise it themselves
TAG: Final = "tagwharf"
CONSOLE: Final = "http://127.0.0.1:8680"
ALL: Final = "$__all"


@dataclass(frozen=True, slots=True)
class Variable:
    """What people choose by: the values of a tag of a measurement, of the sites that are chosen.

    Attributes:
        name: as queries have it; tag: the same, if empty.
        where: further conditions; pattern: only values that are like this regular expression.
        is_all_listed: all are those that are listed, and not any other value that the tag has.
    """

    name: str
    label: str
    measurement: str
    tag: str = ""
    where: tuple[Where, ...] = ()
    pattern: str = ""
    is_all_listed: bool = False

    def json(self, say: Say) -> Json:
        """As Grafana has it."""
        sites = () if self.name == "site" else (chosen("site"),)
        query = tag_values(self.measurement, self.tag or self.name, *sites, *self.where)
        return {
            "type": "query",
            "name": self.name,
            "label": say(self.label),
            "datasource": STORE,
            "query": query,
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "regex": f"/{self.pattern}/" if self.pattern else "",
            "multi": True,
            "includeAll": True,
            **({} if self.is_all_listed else {"allValue": ".*"}),
            "current": {"selected": True, "text": ["All"], "value": [ALL]},
            "options": [],
            "hide": 0,
            "skipUrlSync": False,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under one heading, in the order in which they are read: also that on a phone."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One board.

    Attributes:
        name: `[a-z-]+`; the file and the uid are called by it.
        site_from: the measurement whose sites there are to choose.
        shown: the time that is shown at first, until now.
    """

    name: str
    title: str
    description: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    site_from: str = "event"
    shown: str = "6h"

    def uid(self, language: str) -> str:
        """Its fixed address in Grafana."""
        return uid(self.name, language)

    def json(self, say: Say, language: str) -> Json:
        """As Grafana has it."""
        site = Variable("site", "Site", self.site_from)
        return {
            "uid": self.uid(language),
            "title": say(self.title),
            "description": say(self.description),
            "tags": [TAG, language],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "fiscalYearStartMonth": 0,
            "weekStart": "",
            "timezone": "browser",
            "refresh": "10s",
            "time": {"from": f"now-{self.shown}", "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "15m"]},
            "annotations": {"list": []},
            "templating": {"list": [_store(say), *(each.json(say) for each in (site, *self.variables)), _console(say)]},
            "links": _links(say, language),
            "panels": self._panels(say, language),
        }

    def _panels(self, say: Say, language: str) -> list[Json]:
        """From left to right, then on; all of one line are as high as the highest of them."""
        made: list[Json] = []
        y = 0
        for section in self.sections:
            made.append(_heading(say(section.title), len(made) + 1, y))
            y += 1
            for line in _lines(section.panels):
                x, height = 0, max(panel.height for panel in line)
                for panel in line:
                    place: Json = {"x": x, "y": y, "w": panel.width, "h": height}
                    made.append(panel.json(say, len(made) + 1, place, lambda name: uid(name, language)))
                    x += panel.width
                y += height
        return made


def uid(name: str, language: str) -> str:
    """The address of a board in Grafana, by its name."""
    return f"{TAG}-{language}-{name}"


def _lines(panels: tuple[Panel, ...]) -> list[list[Panel]]:
    lines: list[list[Panel]] = []
    for panel in panels:
        if not 0 < panel.width <= WIDTH:
            raise ValueError(f"panel {panel.title!r} is {panel.width} wide; a board has {WIDTH} columns")
        if not lines or sum(each.width for each in lines[-1]) + panel.width > WIDTH:
            lines.append([])
        lines[-1].append(panel)
    return lines


def _heading(title: str, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _store(say: Say) -> Json:
    return {
        "type": "datasource",
        "name": "store",
        "label": say("Store"),
        "query": "influxdb",
        "current": {"selected": True, "text": "Tagwharf", "value": TAG},
        "regex": "",
        "refresh": 1,
        "multi": False,
        "includeAll": False,
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    }


def _console(say: Say) -> Json:
    return {
        "type": "textbox",
        "name": "console",
        "label": say("Console"),
        "query": CONSOLE,
        "current": {"selected": True, "text": CONSOLE, "value": CONSOLE},
        "options": [{"selected": True, "text": CONSOLE, "value": CONSOLE}],
        "hide": 0,
        "skipUrlSync": False,
    }


def _links(say: Say, language: str) -> list[Json]:
    same: Json = {"icon": "external link", "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": ""}
    return [
        {"type": "dashboards", "title": say("Boards"), "tags": [TAG, language], "asDropdown": True, "url": "", **same},
        {
            **same,
            "type": "link",
            "title": say("Console"),
            "tags": [],
            "asDropdown": False,
            "url": "${console}",
            "includeVars": False,
            "keepTime": False,
        },
    ]
