"""The machines: their states over time, OEE by shift, why they stood, what they made and the energy it took.

GET /api/machines/known                                 the machines that are accounted for
GET /api/machines/timeline?machine&from_us&to_us        states, and when nobody watched
GET /api/machines/books?machine&from_us&to_us           sums, intervals, shifts, reasons of stops, single stops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.config.models import SiteFile
from gateway.console.metering.asked import name_of, span
from gateway.console.metering.known import KnownMachine, machines_of
from gateway.console.metering.running import RunningMachines
from gateway.console.metering.shifts import machine_books, timeline
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.part import Part
from gateway.console.past import answer
from gateway.history import DayFiles


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del events
    return {"machines": RunningMachines(machines_of(site))}


class _Machines:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._machines = {machine.name: machine for machine in machines_of(console.site)}

    def known(self, request: Request) -> Response:
        """What the site file says of machines."""
        del request
        production = self._console.site.production
        return as_json(
            {
                "machines": list(self._machines.values()),
                "timezone": production.timezone or self._console.site.energy.timezone,
                "interval_min": production.interval_min,
                "has_journal": self._console.events is not None,
            }
        )

    async def timeline(self, request: Request) -> Response:
        """States of a machine."""
        return await self._ask(request, timeline)

    async def books(self, request: Request) -> Response:
        """The books of a machine."""
        return await self._ask(
            request, lambda days, machine, from_us, to_us: machine_books(days, machine.name, from_us, to_us)
        )

    async def _ask(self, request: Request, ask: Callable[[DayFiles, KnownMachine, int, int], Any]) -> Response:
        machine = self._machines.get(request.query_params.get("machine", ""))
        if machine is None and request.query_params.get("machine"):
            return refusal("machine: the site file names no such machine", 404)

        def question(days: DayFiles) -> Any:
            name_of(request.query_params, "machine")
            assert machine is not None  # there is a name, and it was found
            return ask(days, machine, *span(request.query_params))

        return await answer(self._console, question)


def _routes(console: Console) -> Sequence[BaseRoute]:
    machines = _Machines(console)
    return [
        Route("/known", machines.known),
        Route("/timeline", machines.timeline),
        Route("/books", machines.books),
    ]


PAGE: Final = Page("machines", order=65, routes=_routes, parts=_parts)
