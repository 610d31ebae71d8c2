"""The audit of control: what was ordered, by whom and why, what became of it, and whether the chain is sound.

GET  /api/audit/records?by&device&point&action&id&order&state&from_us&to_us&before&limit     newest first
GET  /api/audit/export?...                          the same selection, oldest first, as lines with their whole text
POST /api/audit/verify {receipt}                    goes through the whole chain
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gateway.console.access.roles import Role, require
from gateway.console.ordering.trail import LATEST_US, Asked, TooSlowError, exported, sheet
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.past import whole_number
from gateway.control.audit import AuditError, Head, head_of, verify

SHOWN: Final = 50
SHOWN_MOST: Final = 500
TEXT_MOST: Final = 64
FAULTS_MOST: Final = 50
EXPORTS_MOST: Final = 2
TEXTS: Final = ("by", "device", "point", "action", "id", "order", "state")


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to compare the chain with, besides its noted end: a receipt that somebody kept."""

    receipt: Annotated[str, msgspec.Meta(max_length=100)] = ""


class _Audit:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        self._site, self._console = console.site, console
        self._is_verifying = False
        self._exports = 0

    def about(self, request: Request) -> Response:
        """What can be chosen."""
        require(request, Role.OPERATOR)
        control = self._site.control
        return as_json(
            {
                "gateway": self._site.site.gateway,
                "is_enabled": control.enabled,
                "people": [person.name for person in control.person],
                "points": [[rule.device, rule.point] for rule in control.point],
            }
        )

    async def records(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        query = request.query_params
        try:
            asked = _asked(query)
            before = whole_number(query, "before", LATEST_US, LATEST_US)
            limit = whole_number(query, "limit", SHOWN, SHOWN_MOST)
        except ValueError as error:
            return refusal(str(error))
        try:
            return as_json(await asyncio.to_thread(sheet, self._console.audit, asked, before=before, limit=limit))
        except AuditError as error:
            return refusal(str(error), 409, code="no_audit")
        except TooSlowError as error:
            return refusal(str(error), 503)

    async def export(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            asked = _asked(request.query_params)
        except ValueError as error:
            return refusal(str(error))
        if self._exports >= EXPORTS_MOST:
            return refusal("too much is being exported; try again in a moment", 503)
        pieces = exported(self._console.audit, asked, time.time_ns() // 1_000)
        try:
            first = await asyncio.to_thread(next, pieces, b"")
        except AuditError as error:
            return refusal(str(error), 409, code="no_audit")
        except TooSlowError as error:
            return refusal(str(error), 503)
        name = time.strftime("control-audit-%Y%m%d-%H%M%S.jsonl", time.gmtime())
        return StreamingResponse(
            self._counted(chain([first], pieces)),
            media_type="application/x-ndjson",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def verify(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        try:
            asked = msgspec.json.decode(await request.body(), type=Verify)
            receipts = [head_of(asked.receipt)] if asked.receipt.strip() else []
        except (ValueError, RecursionError) as error:
            return refusal(str(error))
        if self._is_verifying:
            return refusal("it is being verified already; wait for that to end", 503)
        self._is_verifying = True
        try:
            return as_json(await asyncio.to_thread(self._verified, receipts))
        except AuditError as error:
            return refusal(str(error), 409, code="no_audit")
        finally:
            self._is_verifying = False

    def _verified(self, receipts: list[Head]) -> dict[str, Any]:
        began_s = time.monotonic()
        found = verify(self._console.audit, receipts)
        return {
            "records": found.records,
            "head": f"{found.head.sequence}:{found.head.hash}",
            "faults": found.faults[:FAULTS_MOST],
            "faults_count": len(found.faults),
            "took_s": time.monotonic() - began_s,
        }

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        self._exports += 1
        try:
            yield from pieces
        finally:
            self._exports -= 1


def _asked(query: Mapping[str, str]) -> Asked:
    """The filters; raises ValueError."""
    texts = {name: query.get(name, "").strip() for name in TEXTS}
    for name, text in texts.items():
        if len(text) > TEXT_MOST:
            raise ValueError(f"{name}: has {len(text)} characters; {TEXT_MOST} at most")
    from_us = whole_number(query, "from_us", 1, LATEST_US)
    to_us = whole_number(query, "to_us", LATEST_US, LATEST_US)
    return Asked(**texts, from_us=from_us, to_us=to_us)


def _routes(console: Console) -> Sequence[BaseRoute]:
    audit = _Audit(console)
    return [
        Route("/about", audit.about),
        Route("/records", audit.records),
        Route("/export", audit.export),
        Route("/verify", audit.verify, methods=["POST"]),
    ]


PAGE: Final = Page("audit", order=110, routes=_routes, least=Role.OPERATOR)
