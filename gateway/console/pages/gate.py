"""The gate: lanes now, transactions, hours of the day.

GET /api/gate/menu                                          lanes, kinds of transactions
GET /api/gate/events?kind&lane&verdict&text&from_us&to_us&before&limit      newest first
GET /api/gate/export.csv?...                                the same as a file
GET /api/gate/hours?kind&lane&from_us&to_us                 how many in each hour, by verdict
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gateway.config.models import SiteFile
from gateway.console.gates.lanes import lanes_of
from gateway.console.gates.lanes_now import LanesNow
from gateway.console.gates.listing import EXPORT_MOST, Menu, Questions, csv_of, each_page, hours_of, page_of
from gateway.console.page import Console, Page, as_json
from gateway.console.parts.part import Part
from gateway.console.past import answer
from gateway.history import DayFiles

EXPORT_WITHIN_S: Final = 30.0


def _routes(console: Console) -> Sequence[BaseRoute]:
    desk = _Desk(console)
    return [
        Route("/menu", desk.menu),
        Route("/events", desk.events),
        Route("/export.csv", desk.export),
        Route("/hours", desk.hours),
    ]


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    return {"gate": LanesNow(lanes_of(site), events)}


PAGE: Final = Page("gate", order=20, routes=_routes, parts=_parts)


class _Desk:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._questions = Questions(console.site)

    async def menu(self, request: Request) -> Response:
        del request
        return as_json(Menu(self._questions.lanes, self._questions.kinds, self._console.events is not None))

    async def events(self, request: Request) -> Response:
        return await answer(self._console, lambda days: page_of(days, self._questions.asked(request.query_params)))

    async def hours(self, request: Request) -> Response:
        return await answer(self._console, lambda days: hours_of(days, self._questions.asked(request.query_params)))

    async def export(self, request: Request) -> Response:
        first = await self.events(request)  # what cannot be answered is refused before a file begins
        if first.status_code != HTTPStatus.OK or self._console.events is None:
            return first
        pages = each_page(
            DayFiles(self._console.events, EXPORT_WITHIN_S), self._questions.asked(request.query_params), EXPORT_MOST
        )
        headers = {"Content-Disposition": 'attachment; filename="gate.csv"'}
        return StreamingResponse(csv_of(pages, EXPORT_MOST), media_type="text/csv; charset=utf-8", headers=headers)
