"""The contract of a page: what its module in `gateway.console.pages` gives as `PAGE`.

The same name stands for its folder in `static/pages` (`page.js`, `en.json`, `zh.json`), its address `/NAME`, and the
addresses of its data, `/api/NAME/...`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.config.models import SiteFile
from gateway.console.access.accounts import Accounts
from gateway.console.access.roles import Role
from gateway.console.explaining import Explaining
from gateway.console.live import Live
from gateway.console.parts.part import Part
from gateway.control.audit import audit_directory


@dataclass(frozen=True, slots=True)
class Console:
    """What pages stand on.

    Attributes:
        config: the site file.
        events: the directory of the event journal; None where the site has none.
        state: the state directory of the site; the edge journal is in it, or beside it.
    """

    site: SiteFile
    config: Path
    live: Live
    accounts: Accounts
    explaining: Explaining
    state: Path
    events: Path | None

    @property
    def audit(self) -> Path:
        """The directory of the audit of orders; it may come to be at any time."""
        return audit_directory(self.state, self.site.site.gateway)


def _no_routes(console: Console) -> Sequence[BaseRoute]:
    del console
    return ()


def _no_parts(site: SiteFile, events: Path | None) -> Mapping[str, Part]:
    del site, events
    return {}


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        name: `[a-z-]`; see above.
        order: its place in the menu, from the left; None keeps it out of the menu.
        routes: its data; paths begin with `/`, and are found below `/api/NAME`.
        parts: what it lets pages follow, by names of its own; called with the directory of the event journal.
        least: who may see it.
    """

    name: str
    order: int | None
    routes: Callable[[Console], Sequence[BaseRoute]] = _no_routes
    parts: Callable[[SiteFile, Path | None], Mapping[str, Part]] = _no_parts
    least: Role = Role.VIEWER


def as_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(body), status, dict(headers or {}), media_type="application/json")


def refusal(text: str, status: int = 400, **more: Any) -> Response:
    """A refusal that says why: `{"error": text}`."""
    return as_json({"error": text, **more}, status)
