"""One write request and its answer: `/api/v2/write` by influxdb-client, `/write` of InfluxDB 1.x by aiohttp.

What an answer means is `rules.sinks.influxdb`'s business. Here is only: an answer came, or none did.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from gateway.config.models import InfluxSink
from gateway.https import ClientContext, advice
from gateway.renewal import Renewal

LONGEST_RETRY_AFTER_S: Final = 3600.0
MOST_MESSAGE: Final = 500
_GZIP_LEVEL: Final = 1  # line protocol repeats itself: level 1 is nearly as small as 9 and three times as quick

_MS_PER_S: Final = 1000


class NoAnswerError(Exception):
    """The store could not be reached, broke the connection, or took too long. Whether it stored is unknown."""


class NotProvenError(Exception):
    """The store or we did not prove who we are, or there is no TLS; says what to do. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a store said. `retry_after_s`: not before, if it said so; `html`: something else answered in its place."""

    status: int
    message: str = ""
    retry_after_s: float | None = None
    html: bool = False


class Writer(Protocol):
    """Sends lines."""

    async def post(self, lines: bytes) -> Answer:
        """Send lines with nanosecond times.

        Raises:
            NoAnswerError: no answer came. NotProvenError: there is no TLS connection.
        """

    async def close(self) -> None:
        """Close connections."""


class V2Writer:
    """`/api/v2/write`: InfluxDB 2.x and 3, VictoriaMetrics."""

    def __init__(self, settings: InfluxSink, token: str | None, tls: Renewal[ClientContext] | None = None) -> None:
        self._settings = settings
        self._token = token
        self._tls = tls
        self._client: InfluxDBClientAsync | None = None

    async def post(self, lines: bytes) -> Answer:
        """Send lines; raises NoAnswerError, NotProvenError."""
        if self._tls is not None and self._tls.refresh():
            await self.close()  # the next connection shows the new certificate
        if self._client is None:  # the library wants a running loop
            self._client = InfluxDBClientAsync(
                self._settings.url,
                token=self._token or "",
                org=self._settings.org,
                timeout=int(self._settings.timeout_s * _MS_PER_S),
                enable_gzip=self._settings.gzip,
                allow_redirects=False,  # a redirected POST becomes a GET, whose 200 would mean nothing
                ssl_context=None if self._tls is None else self._tls.context,
            )
        try:
            # Bytes go out as they are; the precision is nanoseconds unless another is asked for.
            stored = await self._client.write_api().write(self._settings.bucket, self._settings.org, lines)
        except ApiException as error:
            body = error.body if isinstance(error.body, bytes) else b""
            return _answer(int(error.status or 0), error.headers or {}, body)
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error
        return Answer(204 if stored else 200)

    async def close(self) -> None:
        """Close connections; the next `post` opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()  # type: ignore[no-untyped-call]  # the library has no annotation there


class V1Writer:
    """`/write` of InfluxDB 1.x."""

    def __init__(self, settings: InfluxSink, password: str | None, tls: Renewal[ClientContext] | None = None) -> None:
        self._settings = settings
        self._password = password
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def post(self, lines: bytes) -> Answer:
        """Send lines; raises NoAnswerError, NotProvenError."""
        settings = self._settings
        if self._tls is not None and self._tls.refresh():
            await self.close()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=True if self._tls is None else self._tls.context),
                timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            )
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if settings.user:
            credentials = f"{settings.user}:{self._password or ''}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
        elif self._password:  # the /write that InfluxDB 2 and 3 keep for old clients; 1.8 takes `user:password` so
            headers["Authorization"] = f"Token {self._password}"
        if settings.gzip:
            lines = gzip.compress(lines, _GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        try:
            async with self._session.post(
                settings.url.rstrip("/") + "/write",
                params={"db": settings.bucket, "precision": "n"},
                data=lines,
                headers=headers,
                allow_redirects=False,
            ) as response:
                return _answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error

    async def close(self) -> None:
        """Close connections; the next `post` opens them again."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, seconds or an HTTP date (RFC 9110, 10.2.3); None if it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    kind = headers.get("Content-Type", "").lower()
    start = body[:MOST_MESSAGE].decode("utf-8", "replace").strip()
    return Answer(
        status,
        start,
        retry_after_s(headers.get("Retry-After"), datetime.now(UTC)),
        html="text/html" in kind or start[:1] == "<",
    )


def _no_answer(error: BaseException) -> NoAnswerError | NotProvenError:
    todo = advice(error)
    return NoAnswerError(_describe(error)) if todo is None else NotProvenError(f"{_describe(error)}; {todo}")


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"[:MOST_MESSAGE]
