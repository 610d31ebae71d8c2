"""One event with its evidence.

GET /api/event/ID        the event, its decision or receipt, its lane, orders, neighbours, what lies around
GET /api/event/ID/raw    the raw reads, cards and signals that it rests on, from the edge journal
GET /api/event/ID/why    the rules' own account of it, for operators
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.config.models import JournalSink
from gateway.console.access.roles import Role, require
from gateway.console.explaining import ExplainingError
from gateway.console.gates.around import Neighbours, lane_of, neighbours_of, siblings_of
from gateway.console.gates.evidence import Raw, raw_of
from gateway.console.gates.lanes import Lane, lanes_of
from gateway.console.gates.orders import Orders, orders_of
from gateway.console.page import Console, Page, as_json, refusal
from gateway.contract.events import Event
from gateway.history import DayFiles, FoundEvent, QuestionTimeoutError, Related, event, related

RAW_AT_ONCE: Final = 2
MARGIN_S: Final = 10.0
RELATED_MOST: Final = 300
_ID: Final = re.compile(r"[0-9a-f]{20}")


class Told(msgspec.Struct, frozen=True):
    """The page of an event.

    Attributes:
        around: what lies around it, without its siblings; None when that took too long.
        slow: what was left out because the journal did not answer in time.
    """

    event: Event
    lane: Lane | None
    siblings: list[Event]
    orders: Orders
    neighbours: Neighbours
    around: Related | None
    slow: list[str]
    damaged: list[str]


def _routes(console: Console) -> Sequence[BaseRoute]:
    desk = _Desk(console)
    return [
        Route("/{id}", desk.told),
        Route("/{id}/raw", desk.raw),
        Route("/{id}/why", desk.why),
    ]


PAGE: Final = Page("event", order=None, routes=_routes)


class _Desk:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._lanes = lanes_of(console.site)
        self._days = None if console.events is None else DayFiles(console.events)
        self._raw_turn = asyncio.Semaphore(RAW_AT_ONCE)

    async def told(self, request: Request) -> Response:
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        return as_json(await asyncio.to_thread(self._told, found))

    async def raw(self, request: Request) -> Response:
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        async with self._raw_turn:
            return as_json(await asyncio.to_thread(self._raw, found))

    async def why(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            return as_json(await self._console.explaining.trace(request.path_params["id"]))
        except ExplainingError as error:
            return refusal(str(error), error.status)

    async def _found(self, request: Request) -> tuple[DayFiles, FoundEvent, Event] | Response:
        asked = request.path_params["id"]
        if self._days is None:
            return refusal("this site keeps no event journal", 404, reason="no_journal")
        if not _ID.fullmatch(asked):
            return refusal("an event is asked for by its id of 20 hex digits", 404, reason="no_id")
        try:
            found = await asyncio.to_thread(event, self._days, asked)
        except QuestionTimeoutError as error:
            return refusal(str(error), 503)
        if found.event is None:
            kept = [sink.keep_days for sink in self._console.site.sink if isinstance(sink, JournalSink)]
            more = {"keep_days": kept[0] if kept else None, "damaged": found.damaged}
            return refusal("the event journal has no event of this id", 404, reason="unknown", **more)
        return self._days, found, found.event

    def _told(self, found: tuple[DayFiles, FoundEvent, Event]) -> Told:
        days, answer, what = found
        lane = lane_of(what, self._lanes)
        slow: list[str] = []
        around: Related | None = None
        try:
            around = related(
                days,
                what,
                margin_s=MARGIN_S,
                devices=() if lane is None else lane.devices,
                read_points=() if lane is None else lane.read_points,
                limit=RELATED_MOST,
            )
        except QuestionTimeoutError:
            slow.append("around")
        siblings = siblings_of(what, [] if around is None else around.events)
        try:
            neighbours = neighbours_of(days, what, time.time_ns() // 1_000)
        except QuestionTimeoutError:
            neighbours = Neighbours(None, None)
            slow.append("neighbours")
        return Told(
            event=what,
            lane=lane,
            siblings=siblings,
            orders=orders_of(self._console.site, self._console.audit, [what, *siblings]),
            neighbours=neighbours,
            around=around,
            slow=slow,
            damaged=list(dict.fromkeys([*answer.damaged, *([] if around is None else around.damaged)])),
        )

    def _raw(self, found: tuple[DayFiles, FoundEvent, Event]) -> Raw:
        _, _, what = found
        return raw_of(self._console.state, self._console.site.site.gateway, what, lane_of(what, self._lanes))
