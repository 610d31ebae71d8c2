"""The devices: how each stands, what it says of itself, how its day was, and walk tests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import history
from gateway.commissioning.walktest import as_markdown
from gateway.config.load import driver_settings
from gateway.config.models import Reader, SiteFile
from gateway.console.access.roles import Role, require
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.part import Part
from gateway.console.parts.walks import TooManyWalksError, Walks, is_walked, points_of
from gateway.console.past import answer, whole_number
from gateway.console.settings_told import settings_told
from gateway.console.spans import DeviceDay, device_day
from gateway.history.days import DayFiles
from readers import registry

PART: Final = "devices-walk"
GATEWAY: Final = "gateway"
US_PER_H: Final = 3_600_000_000
HOURS: Final = 24
HOURS_MOST: Final = 24 * 7
STATES_MOST: Final = 50_000
POINTS_MOST: Final = 700
ANTENNAS_MOST: Final = 32
"""Curves in one chart; more cannot be told apart."""


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del events
    return {PART: Walks(site)}


class WalkOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A walk to begin. `mask`: the EPCs that are meant, as on the page of live reads; empty for all."""

    device: str
    mask: str = ""


class WalkName(msgspec.Struct, forbid_unknown_fields=True):
    """A walk to end."""

    walk: str


class _Devices:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        walks = console.live.parts[PART]
        assert isinstance(walks, Walks)
        self._console, self._walks = console, walks
        self._readers = {reader.name: reader for reader in console.site.reader}
        self._lines = {source: reader for reader in console.site.reader for source in driver_settings(reader).sources()}

    def known(self, request: Request) -> Response:
        """What the site file knows of each device, by its name."""
        del request
        gateway = self._console.site.site.gateway
        found: dict[str, dict[str, Any]] = {
            gateway: {"kind": GATEWAY, "driver": "", "line": None, "points": [], "walk": False}
        }
        for reader in self._readers.values():
            found[reader.name] = _known(reader)
        for source, line in self._lines.items():
            kind = registry.driver(line.driver).kind.value
            found[source] = {"kind": kind, "driver": line.driver, "line": line.name, "points": [source], "walk": False}
        return as_json({"devices": found, "has_journal": self._console.events is not None})

    async def about(self, request: Request) -> Response:
        """`device`: what is asked of it, beside what it says is in force."""
        name = request.query_params.get("device", "")
        reader = self._readers.get(name) or self._lines.get(name)
        if reader is None:
            return refusal(f"device: {name[:60]!r} is not in the site file", 404)
        row = self._console.live.devices.whole().get(name, {})
        settings = driver_settings(reader)
        spec = registry.driver(reader.driver)
        source = None if name in self._readers else name
        told = settings_told(settings, source, row.get("in_force", {}), row.get("conditions", []))
        return as_json(
            {
                "name": name,
                "kind": spec.kind.value,
                "driver": reader.driver,
                "summary": spec.summary,
                "port": reader.port,
                "serial_line": None if reader.line is None else reader.line.model_dump(mode="json", exclude_none=True),
                "line": None if source is None else reader.name,
                "behind": list(settings.sources()) if source is None else [],
                "antennas": _antennas(reader) if source is None else [],
                "walk": source is None and is_walked(reader),
                "settings": told,
            }
        )

    async def states(self, request: Request) -> Response:
        """`device`, `hours`: its states as spans, oldest first, and how long it was what."""

        def question(days: DayFiles) -> DeviceDay:
            from_us, to_us = _span(request)
            # A day more, for what it was when the time began.
            before_us = from_us - HOURS * US_PER_H
            found = history.device_states(days, _device(request), before_us, to_us, STATES_MOST)
            return device_day(found, from_us, to_us)

        return await answer(self._console, question)

    async def rates(self, request: Request) -> Response:
        """`device`, `hours`: tag reads a second of each antenna."""
        every_s = self._console.site.rules.read_rate_every_s
        reader = self._readers.get(request.query_params.get("device", ""))
        names = {} if reader is None else {str(port): point for port, point in points_of(reader).items()}

        def question(days: DayFiles) -> dict[str, Any]:
            (from_us, to_us), device = _span(request), _device(request)
            known = history.known_series(days, from_us, to_us, kind="read_rate", device=device)
            keys = [each.key for each in known.series if each.key.name == "reads" and each.key.antenna_port]
            keys.sort(key=lambda key: (len(key.antenna_port), key.antenna_port))
            drawn = keys[:ANTENNAS_MOST]
            none = history.Curves(from_us, to_us, US_PER_H, [], [])
            found = history.curves(days, drawn, from_us, to_us, POINTS_MOST) if drawn else none
            antennas = [
                {
                    "antenna_port": curve.key.antenna_port,
                    "read_point": names.get(curve.key.antenna_port, f"{device}-{curve.key.antenna_port}"),
                    "step": curve.step,
                    "mean": [reads / every_s for reads in curve.mean],
                }
                for curve in found.curves
            ]
            more = max(0, len(keys) - ANTENNAS_MOST)
            damaged = sorted({*known.damaged, *found.damaged})
            return {
                "from_us": found.from_us,
                "to_us": to_us,
                "step_us": found.step_us,
                "antennas": antennas,
                "more": more,
                "damaged": damaged,
            }

        return await answer(self._console, question)

    async def walk(self, request: Request) -> Response:
        """Begin a walk: it only listens."""
        require(request, Role.VIEWER)
        try:
            order = msgspec.json.decode(await request.body(), type=WalkOrder)
            begun = self._walks.begin(order.device, order.mask)
        except LookupError as error:
            return refusal(str(error.args[0]), 404)
        except TooManyWalksError as error:
            return refusal(str(error), 503)
        except (ValueError, RecursionError) as error:
            return refusal(str(error))
        return as_json({"walk": begun.id})

    async def stop(self, request: Request) -> Response:
        """End a walk; the answer is its report."""
        require(request, Role.VIEWER)
        try:
            name = msgspec.json.decode(await request.body(), type=WalkName).walk
            self._walks.stop(name)
            return as_json(self._walks.report(name)[1])
        except LookupError as error:
            return refusal(str(error.args[0]), 404)
        except (ValueError, RecursionError) as error:
            return refusal(str(error))

    async def report(self, request: Request) -> Response:
        """`walk`, `format`: json or md; the report to keep."""
        form = request.query_params.get("format", "json")
        if form not in ("json", "md"):
            return refusal(f"format: {form[:20]!r} is none; there are json, md")
        try:
            walk, report = self._walks.report(request.query_params.get("walk", ""))
        except LookupError as error:
            return refusal(str(error.args[0]), 404)
        began = time.gmtime(walk.tally.began_us // 1_000_000)
        if form == "json":
            content, media_type = msgspec.json.format(msgspec.json.encode(report)), "application/json"
        else:
            content = as_markdown(report, time.strftime("%Y-%m-%d %H:%M:%S UTC", began)).encode("utf-8", "replace")
            media_type = "text/markdown; charset=utf-8"
        name = f"walk-{walk.device}-{time.strftime('%Y%m%d-%H%M%S', began)}.{form}"
        return Response(
            content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )


def _known(reader: Reader) -> dict[str, Any]:
    sources = driver_settings(reader).sources()
    return {
        "kind": registry.driver(reader.driver).kind.value,
        "driver": reader.driver,
        "line": None,
        "points": [] if sources else list(points_of(reader).values()),
        "behind": len(sources),
        "walk": is_walked(reader),
    }


def _antennas(reader: Reader) -> list[dict[str, Any]]:
    return [{"antenna_port": port, "read_point": point} for port, point in points_of(reader).items()]


def _span(request: Request) -> tuple[int, int]:
    """The hours that are asked for, up to now."""
    hours = whole_number(request.query_params, "hours", HOURS, HOURS_MOST)
    now_us = time.time_ns() // 1_000
    return now_us - hours * US_PER_H, now_us


def _device(request: Request) -> str:
    if not (device := request.query_params.get("device", "")):
        raise ValueError("device: say which")
    return device


def _routes(console: Console) -> Sequence[BaseRoute]:
    devices = _Devices(console)
    return [
        Route("/known", devices.known),
        Route("/about", devices.about),
        Route("/states", devices.states),
        Route("/rates", devices.rates),
        Route("/walk", devices.walk, methods=["POST"]),
        Route("/stop", devices.stop, methods=["POST"]),
        Route("/report", devices.report),
    ]


PAGE: Final = Page("devices", order=50, routes=_routes, parts=_parts)
