"""The site now: its plan, what is where, and where something is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.config.models import SiteFile
from gateway.config.plan import PICTURE_MOST_BYTES, PICTURES
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.part import Part
from gateway.console.parts.presence import THINGS_MOST, Presence, Thing
from gateway.console.past import answer, whole_number
from gateway.console.places import plan_of
from gateway.history import Cursor, DayFiles, QuestionTimeoutError, event_page, present, search

PART: Final = "site"
SHOWN: Final = 100
SHOWN_MOST: Final = 500
FOUND_MOST: Final = 50
WAY_MOST: Final = 200


def _parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del site
    if events is None:
        return {PART: Presence()}
    days = DayFiles(events)

    def ask() -> Iterator[Thing]:
        try:
            found = present(days, time.time_ns() // 1000, limit=THINGS_MOST)
        except QuestionTimeoutError as error:
            raise ValueError(str(error)) from error
        for each in found.present:
            yield Thing(each.subject, each.name, each.zone, each.since_us, each.id, each.read_point)

    presence = Presence(ask)
    presence.begin()
    return {PART: presence}


class _Site:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        presence = console.live.parts[PART]
        assert isinstance(presence, Presence)
        self._console, self._presence = console, presence
        self._plan = plan_of(console.site)
        self._zones = {place.name: place.zone for place in self._plan.places}

    def plan(self, request: Request) -> Response:
        """What to draw."""
        del request
        return as_json({"plan": self._plan, "has_journal": self._console.events is not None})

    async def picture(self, request: Request) -> Response:
        """The picture behind the plan. Only as an image: opened by itself, an SVG would be a page of ours."""
        path = self._console.site.plan.picture
        if path is None:
            return refusal("the plan of this site has no picture", 404)
        if request.headers.get("sec-fetch-dest", "image") != "image":
            return refusal("this is a picture, and no page", 403)
        try:
            content = await asyncio.to_thread(_content, path)
        except OSError as error:
            return refusal(f"plan.picture: {error.strerror}", 404)
        except ValueError as error:
            return refusal(f"plan.picture: {error}", 404)
        return Response(content, media_type=PICTURES[path.suffix.lower()], headers={"Cache-Control": "max-age=60"})

    async def at(self, request: Request) -> Response:
        """`place`, `limit`: what is there, or passed there, newest first."""
        place = request.query_params.get("place", "")
        limit = _limit(request, SHOWN, SHOWN_MOST)
        zone = self._zones.get(place, place) or place
        things = self._presence.at(zone, THINGS_MOST if zone != place else limit)
        if zone != place:
            things = [thing for thing in things if thing.read_point == place][:limit]
        passed = self._presence.passed(place)[:limit]
        count = self._presence.count(zone)
        return as_json({"count": count, "things": things, "passed": passed, "unanswered": self._presence.unanswered})

    async def find(self, request: Request) -> Response:
        """`text`: what begins so: an EPC, a name, a truck, a plate ..., and where it is now."""
        text = request.query_params.get("text", "").strip()

        def question(days: DayFiles) -> dict[str, Any]:
            found = search(days, text, time.time_ns() // 1000, limit=FOUND_MOST)
            hits = [msgspec.to_builtins(hit) | {"now": self._presence.where(hit.subject)} for hit in found.hits]
            return {"hits": hits, "more": found.more, "damaged": found.damaged}

        return await answer(self._console, question)

    async def way(self, request: Request) -> Response:
        """`subject`, `before`, `limit`: what happened to it, newest first; `next` is the `before` of the next page."""
        query = request.query_params
        limit = _limit(request, FOUND_MOST, WAY_MOST)

        def question(days: DayFiles) -> dict[str, Any]:
            if not query.get("subject"):
                raise ValueError("subject: say which")
            before = Cursor.parse(query["before"]) if query.get("before") else None
            found = event_page(days, subject=query["subject"], before=before, limit=limit)
            following = None if found.next is None else found.next.text()
            return {"events": found.events, "next": following, "damaged": found.damaged}

        return await answer(self._console, question)


def _limit(request: Request, default: int, most: int) -> int:
    try:
        return whole_number(request.query_params, "limit", default, most)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(PICTURE_MOST_BYTES + 1)
    if len(content) > PICTURE_MOST_BYTES:
        raise ValueError(f"has more than {PICTURE_MOST_BYTES} bytes")
    return content


def _routes(console: Console) -> Sequence[BaseRoute]:
    site = _Site(console)
    return [
        Route("/plan", site.plan),
        Route("/picture", site.picture),
        Route("/at", site.at),
        Route("/find", site.find),
        Route("/way", site.way),
    ]


PAGE: Final = Page("site", order=10, routes=_routes, parts=_parts)
