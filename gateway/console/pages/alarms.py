"""Alarms: those that stand come by the stream; orders about them, and their past.

POST /api/alarms/order {alarm, action, comment}       what became of it; {error, code} when nothing was sent
GET  /api/alarms/history?state&severity&rule&subject&from_us&to_us&before&limit     changes, newest first
GET  /api/alarms/one/ID                               every change of one, and the events about its subject
GET  /api/alarms/why/ID?at_us                         the rules' own account of it, for operators
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.console.access.roles import Role, require
from gateway.console.explaining import ExplainingError
from gateway.console.orders import OrderError, Orders
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.past import answer, whole_number
from gateway.contract.alarm_orders import Action, AlarmId, Comment
from gateway.contract.events import Alarm, Event
from gateway.history import AlarmCursor, DayFiles, QuestionTimeoutError, alarm_history, alarm_page, event_page
from gateway.history.days import MOST_US

SHOWN: Final = 50
SHOWN_MOST: Final = 500
CHANGES_MOST: Final = 500
EVENTS_MOST: Final = 30
AROUND_US: Final = 60_000_000
STATES: Final = ("", "raised", "cleared")
SEVERITIES: Final = ("", "info", "warning", "critical")
_ID: Final = re.compile(r"[0-9a-f]{20}")


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an order."""

    alarm: AlarmId
    action: Action
    comment: Comment = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm.

    Attributes:
        alarm: as it stands now; None when it does not, or when it is too quiet to be among those that are shown.
        changes: oldest first; with `more` only the newest of them.
        events: about its subject, around when it began last.
        kept_here: whether there is an event journal.
        slow: the journal did not answer in time, so something is left out.
    """

    alarm: Alarm | None
    changes: list[Alarm]
    events: list[Event]
    more: bool
    kept_here: bool
    slow: bool
    damaged: list[str]


def _routes(console: Console) -> Sequence[BaseRoute]:
    desk = _Desk(console)
    return [
        Route("/order", desk.order, methods=["POST"]),
        Route("/history", desk.history),
        Route("/one/{id}", desk.one),
        Route("/why/{id}", desk.why),
    ]


PAGE: Final = Page("alarms", order=30, routes=_routes)


class _Desk:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._orders = Orders(console)

    async def order(self, request: Request) -> Response:
        account = require(request, Role.OPERATOR)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return refusal("send application/json", 415)
        try:
            asked = msgspec.json.decode(await request.body(), type=Asked)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return refusal(f"this is no order about an alarm: {error}", code="malformed")
        try:
            return as_json(await self._orders.alarm(account, asked.action, asked.alarm, asked.comment))
        except OrderError as error:
            return refusal(str(error), error.status, code=error.code)

    async def history(self, request: Request) -> Response:
        query = request.query_params
        try:
            state = _one_of("state", query.get("state", ""), STATES)
            severity = _one_of("severity", query.get("severity", ""), SEVERITIES)
            from_us = whole_number(query, "from_us", 0, MOST_US)
            to_us = whole_number(query, "to_us", MOST_US, MOST_US)
            limit = whole_number(query, "limit", SHOWN, SHOWN_MOST)
            before = AlarmCursor.parse(query["before"]) if query.get("before") else None
        except ValueError as error:
            return refusal(str(error))
        return await answer(
            self._console,
            lambda days: alarm_page(
                days,
                state=state,
                severity=severity,
                rule=query.get("rule", "").strip(),
                subject=query.get("subject", "").strip(),
                from_us=from_us,
                to_us=to_us,
                before=before,
                limit=limit,
            ),
        )

    async def one(self, request: Request) -> Response:
        number = request.path_params["id"]
        if not _ID.fullmatch(number):
            return refusal("an alarm is asked for by its id of 20 hex digits", 404)
        row = self._console.live.alarms.get(number)
        standing = None if row is None else msgspec.convert(row, Alarm)
        told = await asyncio.to_thread(self._told, number, standing)
        if told.alarm is None and not told.changes and not told.slow:
            return refusal("nothing is known of an alarm of this id: it is older than what is kept, or never was", 404)
        return as_json(told)

    async def why(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            at_us = whole_number(request.query_params, "at_us", MOST_US, MOST_US)
            known = None if at_us == MOST_US else at_us
            return as_json(await self._console.explaining.trace(request.path_params["id"], known))
        except ValueError as error:
            return refusal(str(error))
        except ExplainingError as error:
            return refusal(str(error), error.status)

    def _told(self, number: str, standing: Alarm | None) -> Told:
        if self._console.events is None:
            return Told(alarm=standing, changes=[], events=[], more=False, kept_here=False, slow=False, damaged=[])
        days = DayFiles(self._console.events)
        changes: list[Alarm] = []
        events: list[Event] = []
        damaged: list[str] = []
        is_more = is_slow = False
        try:
            past = alarm_history(days, number, limit=CHANGES_MOST)
            changes, is_more, damaged = past.alarms, past.more, past.damaged
            last = standing or (changes[-1] if changes else None)
            if last is not None:
                from_us, to_us = max(0, last.since_us - AROUND_US), last.since_us + AROUND_US
                around = event_page(days, subject=last.subject, from_us=from_us, to_us=to_us, limit=EVENTS_MOST)
                events, damaged = around.events, list(dict.fromkeys([*damaged, *around.damaged]))
        except QuestionTimeoutError:
            is_slow = True
        return Told(
            alarm=standing,
            changes=changes,
            events=events,
            more=is_more,
            kept_here=True,
            slow=is_slow,
            damaged=damaged,
        )


def _one_of(name: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise ValueError(f"{name}: {given[:40]!r} is none of {', '.join(known[1:])}")
    return given
