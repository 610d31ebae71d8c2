"""What boards are asked for in tests: their queries, what these name, and what the packs have to tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from gateway.boards.making.board import Board
from gateway.boards.making.panels import Panel
from gateway.boards.making.queries import Query
from rules.catalogue import catalogue


@cache
def packs() -> dict[str, Any]:
    """Events, figures and alarms of every pack, as its own tests make them."""
    found = catalogue()["events"]["packs"]
    assert isinstance(found, dict)
    return found


def panels(board: Board) -> list[Panel]:
    """All panels of a board."""
    return [panel for section in board.sections for panel in section.panels]


def queries(board: Board) -> Iterator[tuple[Panel, Query]]:
    """All queries of a board."""
    for panel in panels(board):
        for query in panel.queries:
            yield panel, query


def asked(text: str, column: str) -> set[str]:
    """The values that a query asks a tag for."""
    return set(re.findall(rf'"{column}" = \'([^\']+)\'', text))


def told(panel: Panel) -> set[str]:
    """Further fields of events that a table unpacks."""
    found = set()
    for each in panel.transformations:
        options = each["options"]
        assert isinstance(options, dict)
        found |= {path["path"] for path in options.get("jsonPaths", [])}
    return found


def check_events(board: Board, *kinds: str) -> None:
    """Every event type, figure and unpacked field of a board is made by one of these packs."""
    events = {name: set(fields) for kind in kinds for name, fields in packs()[kind]["events"].items()}
    figures = {name: set(each) for kind in kinds for name, each in packs()[kind]["figures"].items()}
    seen = set()
    for panel, query in queries(board):
        if query.measurement not in {"event", "figure"}:
            continue
        names = asked(query.text, "event")
        assert names <= events.keys(), panel.title
        seen |= names
        if query.measurement == "figure":
            told_by = set().union(*(figures.get(name, set()) for name in names))
            assert asked(query.text, "figure") <= told_by, panel.title
        assert told(panel) <= set().union(*(events[name] for name in names)), panel.title
    assert seen


def uncovered_alarms(pattern: str, kind: str) -> set[str]:
    """Rules of a pack with alarms that the pattern of a board leaves out."""
    found = {each["rule"] for each in packs()[kind]["alarms"]}
    return {rule for rule in found if not re.search(pattern, f"use-{rule}")}


def idle_alternatives(pattern: str, kind: str) -> set[str]:
    """Alternatives of a pattern `-(a|b)$` that no rule of the pack has: rules that were renamed."""
    inner = pattern.removeprefix("-(").removesuffix(")$")
    parts, depth, current = [], 0, ""
    for letter in inner:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and not depth:
            parts.append(current)
            current = ""
        else:
            current += letter
    rules = {each["rule"] for each in packs()[kind]["alarms"]}
    return {part for part in (*parts, current) if not any(re.search(f"-({part})$", f"use-{rule}") for rule in rules)}
