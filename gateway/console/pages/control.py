"""Control: what may be ordered, what it shows, and ordering it: arm, confirm, and what became of it.

GET  /api/control/points                                             what may be ordered, and by whoever asks
GET  /api/control/latest                                             how the last orders ended, from the audit
GET  /api/control/reason/ORDER                                       why somebody wants an order that waits
POST /api/control/begin {id, kind, device, point, action, value, reason}    {order}; the stream tells what follows
POST /api/control/confirm {id, order}     POST /api/control/cancel {id, order}
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.config.models import SiteFile
from gateway.console.access.roles import Account, Role, require
from gateway.console.ordering.board import Board
from gateway.console.ordering.desk import Answer, Begin, Desk
from gateway.console.ordering.listed import Listed
from gateway.console.ordering.trail import Trail
from gateway.console.orders import OrderError
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.part import Part
from gateway.control.audit import AuditError

PART: Final = "control"
Body = TypeVar("Body", Begin, Answer)


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del events
    return {PART: Board(site)}


class _Control:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        board = console.live.parts[PART]
        assert isinstance(board, Board)
        self._console = console
        self._listed = Listed(console.site)
        self._desk = Desk(console, board)
        self._trail = Trail(lambda: console.audit)

    def points(self, request: Request) -> Response:
        account = require(request, Role.OPERATOR)
        control = self._console.site.control
        return as_json(
            {
                "is_enabled": control.enabled,
                "gateway": self._console.site.site.gateway,
                "person": account.person,
                "arm_s": control.arm_s,
                "now_us": time.time_ns() // 1_000,
                "points": self._listed.whole(account),
            }
        )

    async def latest(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            return as_json({"rows": await asyncio.to_thread(self._trail.latest), "fault": ""})
        except AuditError as error:
            return as_json({"rows": {}, "fault": str(error)})

    def reason(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            return as_json({"reason": self._desk.reason(request.path_params["order"])})
        except OrderError as error:
            return refusal(str(error), error.status, code=error.code)

    async def begin(self, request: Request) -> Response:
        return await _ordered(request, Begin, self._desk.begin)

    async def confirm(self, request: Request) -> Response:
        return await _ordered(request, Answer, self._desk.confirm)

    async def cancel(self, request: Request) -> Response:
        return await _ordered(request, Answer, self._desk.cancel)


async def _ordered(request: Request, kind: type[Body], order: Callable[[Account, Body], str]) -> Response:
    account = require(request, Role.OPERATOR)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return refusal("send application/json", 415)
    try:
        asked: Any = msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return refusal(f"this is no order: {error}", code="malformed")
    try:
        return as_json({"order": order(account, asked)}, 202)
    except OrderError as error:
        return refusal(str(error), error.status, code=error.code)


def _routes(console: Console) -> Sequence[BaseRoute]:
    control = _Control(console)
    return [
        Route("/points", control.points),
        Route("/latest", control.latest),
        Route("/reason/{order}", control.reason),
        Route("/begin", control.begin, methods=["POST"]),
        Route("/confirm", control.confirm, methods=["POST"]),
        Route("/cancel", control.cancel, methods=["POST"]),
    ]


PAGE: Final = Page("control", order=70, routes=_routes, parts=_parts, least=Role.OPERATOR)
