"""Live reads: what the antennas hear now, what a tag says, and the reads to take away."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.parts.read_filter import KEYS, NONE, DeviceRead, read_filter, scheme_of
from gateway.console.parts.reads import read_row
from gateway.console.past import answer
from gateway.contract.batches import TagRead
from gateway.history import DayFiles, event_page
from gateway.tag_facts import tag_facts

WAY_SHOWN: Final = 20
LOOKED_AT: Final = 5_000
"""The newest reads whose schemes, devices and read points are offered to choose from."""
CHOICES_MOST: Final = 200
EPC_MOST: Final = 124 * 2
"""Hex digits: a PC word announces 31 words at most, and an extended one no more than twice that."""

COLUMNS: Final = ("seen_at_us", "device", *(name for name in TagRead.__struct_fields__ if name != "seen_at_us"))
_FORMULA: Final = frozenset("=+-@\t\r\n")
"""What a spreadsheet takes for the beginning of a formula."""

_encoder: Final = msgspec.json.Encoder()


class _Reads:
    """The answers of this page."""

    def __init__(self, console: Console) -> None:
        self._console, self._reads = console, console.live.reads

    def check(self, request: Request) -> Response:
        """Whether a filter is one: 400 says why it is none."""
        try:
            read_filter(_asked(request))
        except ValueError as error:
            return refusal(str(error))
        return as_json({})

    async def choices(self, request: Request) -> Response:
        """What the newest reads have, to choose from."""
        del request
        found, _ = self._reads.newest.after(max(0, self._reads.heard - LOOKED_AT))
        return as_json(await asyncio.to_thread(_choices, found))

    async def export(self, request: Request) -> Response:
        """`format`: csv or jsonl; and a filter: all kept reads that match, oldest first."""
        form = request.query_params.get("format", "csv")
        if form not in _FORMS:
            return refusal(f"format: {form[:20]!r} is none; there are {', '.join(_FORMS)}")
        try:
            select = read_filter(_asked(request))
        except ValueError as error:
            return refusal(str(error))
        media_type, written = _FORMS[form]
        kept = list(self._reads.newest)  # here, where nobody adds to it meanwhile
        found = await asyncio.to_thread(lambda: written(filter(select, kept)))
        name = f"reads-{self._console.site.site.name}.{form}"
        return Response(found, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def tag(self, request: Request) -> Response:
        """`epc`, `pc_bits`: what a tag says, and what happened to it last."""
        epc, pc = request.query_params.get("epc", ""), request.query_params.get("pc_bits", "")
        if not 1 <= len(epc) <= EPC_MOST:
            return refusal(f"epc: must have 1 to {EPC_MOST} characters")
        if pc and not (pc.isascii() and pc.isdigit() and len(pc) <= len("65535")):
            return refusal(f"pc_bits: {pc[:20]!r} must be a number")
        facts = tag_facts(epc, int(pc) if pc else None)
        said = None if facts is None else facts._asdict()
        if self._console.events is None:
            return as_json({"said": said, "events": None, "damaged": []})

        def question(days: DayFiles) -> dict[str, Any]:
            found = event_page(days, subject=epc, limit=WAY_SHOWN)
            return {"said": said, "events": found.events, "damaged": found.damaged}

        return await answer(self._console, question)


def _asked(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name in KEYS}


def _choices(found: list[DeviceRead]) -> dict[str, list[Any]]:
    kinds: dict[str, set[Any]] = {"scheme": set(), "device": set(), "read_point": set(), "antenna_port": set()}
    for item in found:
        kinds["device"].add(item.device)
        kinds["read_point"].add(item.read.read_point)
        kinds["antenna_port"].add(item.read.antenna_port)
        kinds["scheme"].add(scheme_of(item.read.epc, item.read.pc_bits))
    kinds["scheme"].add(NONE)
    return {name: sorted(values)[:CHOICES_MOST] for name, values in kinds.items()}


def _as_csv(found: Iterable[DeviceRead]) -> bytes:
    """RFC 4180, with a byte order mark, without which spreadsheets guess the encoding."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for item in found:
        row = read_row(item)
        writer.writerow([harmless(row.get(column)) for column in COLUMNS])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")


def harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: texts that begin like one get an apostrophe before."""
    if isinstance(value, str) and value.lstrip(" ")[:1] in _FORMULA:
        return f"'{value}"
    return value


def _as_json_lines(found: Iterable[DeviceRead]) -> bytes:
    return _encoder.encode_lines([read_row(item) for item in found])


_FORMS: Final[dict[str, tuple[str, Callable[[Iterable[DeviceRead]], bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", _as_csv),
    "jsonl": ("application/x-ndjson", _as_json_lines),
}


def _routes(console: Console) -> Sequence[BaseRoute]:
    reads = _Reads(console)
    return [
        Route("/check", reads.check),
        Route("/choices", reads.choices),
        Route("/export", reads.export),
        Route("/tag", reads.tag),
    ]


PAGE: Final = Page("reads", order=40, routes=_routes)
