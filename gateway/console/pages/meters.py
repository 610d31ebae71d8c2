"""The meters: what each says now, its curves, its energy books.

GET /api/meters/known                                               meters, limits, names of tariffs
GET /api/meters/forecasts                                           the newest forecast of each meter with a limit
GET /api/meters/series?meter                                        what can be drawn, of the last days
GET /api/meters/curves?series&series...&from_us&to_us&points        many curves at once; .csv the same as a sheet
GET /api/meters/books?meter&quantity&day&days                       bars by day, or by hour of one day; .csv
GET /api/meters/intervals?meter&quantity&day                        one day by intervals; .csv
GET /api/meters/registers.csv?meter                                 what it says now
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.config.energy import zone_of
from gateway.config.models import SiteFile
from gateway.console.metering import asked
from gateway.console.metering.books import IMPORT, Books, Intervals, books, forecasts, intervals
from gateway.console.metering.known import meters_of
from gateway.console.metering.latest import LatestMeters
from gateway.console.metering.sheets import bars_sheet, curves_sheet, intervals_sheet, registers_sheet
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.part import Part
from gateway.console.past import NO_JOURNAL, answer, whole_number
from gateway.history import Curves, DayFiles, QuestionTimeoutError, curves, known_series

KNOWN_DAYS: Final = 7
US_PER_DAY: Final = 86_400_000_000
FORECAST_METERS_MOST: Final = 100


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del site, events
    return {"meters": LatestMeters()}


class _Meters:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._meters = meters_of(console.site)
        self._limits = {meter.name: meter.limit for meter in self._meters if meter.limit is not None}
        self._zone = zone_of(console.site.energy)

    def known(self, request: Request) -> Response:
        """What the site file says of meters."""
        del request
        energy = self._console.site.energy
        return as_json(
            {
                "meters": self._meters,
                "tariff_names": energy.tariff_names,
                "timezone": energy.timezone,
                "interval_min": energy.interval_min,
                "has_journal": self._console.events is not None,
            }
        )

    async def forecasts(self, request: Request) -> Response:
        """Of all meters with a limit, or of one: `meter`."""
        meter = request.query_params.get("meter")
        names = [name for name in self._limits if meter in (None, "", name)][:FORECAST_METERS_MOST]
        return await answer(self._console, lambda days: forecasts(days, names))

    async def series(self, request: Request) -> Response:
        """`meter`: its registers that have a past."""

        def question(days: DayFiles) -> Any:
            now_us = time.time_ns() // 1_000
            meter = asked.name_of(request.query_params, "meter")
            return known_series(days, now_us - KNOWN_DAYS * US_PER_DAY, now_us + 1, kind="reading", device=meter)

        return await answer(self._console, question)

    async def curves(self, request: Request) -> Response:
        """Curves; see above."""
        return await answer(self._console, lambda days: _curves(request, days))

    async def curves_csv(self, request: Request) -> Response:
        """The same as a sheet."""
        return await self._file("curves", lambda days: curves_sheet(_curves(request, days), self._zone))

    async def books(self, request: Request) -> Response:
        """Bars by day, or by hour of one day."""
        return await answer(self._console, lambda days: self._books(request, days))

    async def books_csv(self, request: Request) -> Response:
        """The same as a sheet."""

        def question(days: DayFiles) -> bytes:
            found = self._books(request, days)
            quantity = request.query_params.get("quantity") or IMPORT
            unit = next((total.unit for total in found.totals if total.quantity == quantity), "")
            return bars_sheet(found, unit, self._zone)

        return await self._file("energy", question)

    async def intervals(self, request: Request) -> Response:
        """One day by intervals."""
        return await answer(self._console, lambda days: self._intervals(request, days))

    async def intervals_csv(self, request: Request) -> Response:
        """The same as a sheet."""
        return await self._file("intervals", lambda days: intervals_sheet(self._intervals(request, days), self._zone))

    async def registers_csv(self, request: Request) -> Response:
        """What a meter says now, as a sheet."""
        meter = request.query_params.get("meter", "")
        rows = [row for row in self._console.live.readings.whole().values() if row["meter"] == meter]
        rows.sort(key=lambda row: (row["quantity"], row.get("phase") or "", row.get("tariff") or 0))
        return self._as_file("registers", await asyncio.to_thread(registers_sheet, rows, self._zone))

    def _books(self, request: Request, days: DayFiles) -> Books:
        query = request.query_params
        meter = asked.name_of(query, "meter")
        count = whole_number(query, "days", 1, asked.DAYS_MOST)
        day = asked.first_day(query)
        edges = asked.hour_edges(day, self._zone) if count == 1 else asked.day_edges(day, count, self._zone)
        return books(days, meter, query.get("quantity") or IMPORT, edges, self._limits.get(meter))

    def _intervals(self, request: Request, days: DayFiles) -> Intervals:
        query = request.query_params
        begin, end = asked.day_edges(asked.first_day(query), 1, self._zone)
        return intervals(days, asked.name_of(query, "meter"), query.get("quantity") or IMPORT, begin, end)

    async def _file(self, name: str, question: Callable[[DayFiles], bytes]) -> Response:
        if self._console.events is None:
            return refusal(NO_JOURNAL, 409)
        try:
            return self._as_file(name, await asyncio.to_thread(question, DayFiles(self._console.events)))
        except QuestionTimeoutError as error:
            return refusal(str(error), 503)
        except ValueError as error:
            return refusal(str(error))

    def _as_file(self, name: str, content: bytes) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{name}-{self._console.site.site.name}.csv"'}
        return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _curves(request: Request, days: DayFiles) -> Curves:
    query = request.query_params
    series = asked.series(query.getlist("series"))
    from_us, to_us = asked.span(query)
    points = whole_number(query, "points", asked.POINTS, asked.POINTS_MOST)
    return curves(days, series, from_us, to_us, points)


def _routes(console: Console) -> Sequence[BaseRoute]:
    meters = _Meters(console)
    return [
        Route("/known", meters.known),
        Route("/forecasts", meters.forecasts),
        Route("/series", meters.series),
        Route("/curves", meters.curves),
        Route("/curves.csv", meters.curves_csv),
        Route("/books", meters.books),
        Route("/books.csv", meters.books_csv),
        Route("/intervals", meters.intervals),
        Route("/intervals.csv", meters.intervals_csv),
        Route("/registers.csv", meters.registers_csv),
    ]


PAGE: Final = Page("meters", order=60, routes=_routes, parts=_parts)
