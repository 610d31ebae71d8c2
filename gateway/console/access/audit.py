"""What is told of logins, refusals and logouts: one line and one counter each.

A name that nobody has is not repeated: people type their password there. Lines about refusals are bounded in number,
for an attacker could fill the disk with them; what was left out is told with the next line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

from gateway.console.access.limits import Buckets
from gateway.health import Health
from gateway.logs import clean, get_log

PATH_MOST: Final = 128
LINES_BURST: Final = 20
LINE_EVERY_S: Final = 1.0
UNKNOWN: Final = "(unknown)"


class Audit:
    """Tells of what happens at the door. `now` is a monotonic clock, in seconds."""

    def __init__(self, health: Health, now: Callable[[], float]) -> None:
        self._log = get_log(part="access")
        self._lines = Buckets(LINES_BURST, LINE_EVERY_S, now, slots=1)
        self._left_out = 0
        self._logins = health.counter("console_logins_total", "Attempts to log in, by result", ("result",))
        self._logouts = health.counter("console_logouts_total", "Logouts")
        self._refusals = health.counter("console_refusals_total", "Requests refused, by reason", ("reason",))

    def logged_in(self, request: HTTPConnection, user: str, role: str) -> None:
        """Somebody has logged in."""
        self._logins.labels("accepted").inc()
        self._log.info("login_accepted", user=user, role=role, address=address_of(request))

    def login_refused(self, request: HTTPConnection, user: str | None, result: str) -> None:
        """Somebody has not: `password`, `limit`, `busy`. `user` is None when there is none of that name."""
        self._logins.labels(result).inc()
        self._line("login_refused", user=user or UNKNOWN, result=result, address=address_of(request))

    def logged_out(self, request: HTTPConnection, user: str) -> None:
        """Somebody has logged out."""
        self._logouts.inc()
        self._log.info("logout_done", user=user, address=address_of(request))

    def refused(self, request: HTTPConnection, reason: str) -> None:
        """A request was refused: `login`, `role`, `origin`, `csrf`."""
        self._refusals.labels(reason).inc()
        account = request.scope.get("state", {}).get("account")
        path = clean(request.scope["path"], PATH_MOST)
        user = getattr(account, "name", "")
        self._line("request_refused", reason=reason, path=path, user=user, address=address_of(request))

    def _line(self, event: str, **fields: object) -> None:
        if self._lines.wait_s("") > 0:
            self._left_out += 1
            return
        self._lines.change("", -1)
        if self._left_out:
            fields["lines_left_out"] = self._left_out
            self._left_out = 0
        self._log.warning(event, **fields)


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from, as the connection says; headers are not believed."""
    return "" if request.client is None else request.client.host
