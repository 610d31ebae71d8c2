"""Questions and answers in JSON, of Grafana and of InfluxDB: TLS verified, nothing followed to another address.

What an answer means is for who asked; here is what is the same everywhere: nobody answers, somebody else answers, or
the token is not right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from gateway.config.models import Tls
from gateway.config.sinks import on_this_machine
from gateway.https import https_context
from readers.errors import ConfigError

MOST_ANSWER_BYTES: Final = 16 << 20  # many times the largest board
MOST_SHOWN: Final = 300
WITHIN_S: Final = 20.0
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_REDIRECTS: Final = range(300, 400)
_CHUNK_BYTES: Final = 64 << 10


class ServerError(Exception):
    """A server did not do what was asked."""


class UnreachableError(ServerError):
    """No answer came, or none of the server that is meant."""


class NotAllowedError(ServerError):
    """The token is not known (401), or may not do this (403)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is None where it is empty or no JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """2xx."""
        return self.status // 100 == 2  # noqa: PLR2004  # a class of statuses

    @property
    def message(self) -> str:
        """What the server says of it, one line, for people."""
        said = ""
        if isinstance(self.body, dict):
            said = str(self.body.get("message") or self.body.get("error") or "")
        return " ".join("".join(each if each.isprintable() else " " for each in said).split())[:MOST_SHOWN]


class JsonServer:
    """`async with JsonServer(...) as server:`; every request has the same authorization."""

    def __init__(
        self, what: str, url: str, authorization: str | None, *, ca_file: Path | None = None, insecure: bool = False
    ) -> None:
        """`what`: its name in messages. `insecure`: a token may go over http:// to another machine.

        Raises:
            ConfigError: a token would be read on the way, or the file of the authority is none.
        """
        self.what = what
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"{self.what}: {url!r} is no URL; it begins with http:// or https://")
        is_open = self.url.startswith("http://") and not on_this_machine(self.url)
        if authorization is not None and is_open and not insecure:
            raise ConfigError(
                f"{self.what}: {self.url}: anybody on the way can read the token; use https://, or --insecure"
            )
        self._headers = {"Accept": "application/json"}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._tls = https_context(Tls(ca_file=ca_file)) if self.url.startswith("https://") else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=True if self._tls is None else self._tls, limit=1),
            timeout=aiohttp.ClientTimeout(total=WITHIN_S),
            headers=self._headers,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask once.

        Raises:
            UnreachableError: no answer within 20 s, a broken one, a redirect, or a web page.
            NotAllowedError: 401 or 403.
        """
        assert self._session is not None
        try:
            async with self._session.request(
                method,
                f"{self.url}{path}",
                json=body,
                params=query,
                headers=headers,
                allow_redirects=False,
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    content += chunk
                    if len(content) > MOST_ANSWER_BYTES:
                        raise UnreachableError(f"{self._where(path)}: the answer is longer than 16 MiB")
                reply = Reply(response.status, _json(bytes(content)), response.headers)
        except (aiohttp.ClientError, OSError) as error:
            reason = f"no answer within {WITHIN_S:g} s" if isinstance(error, TimeoutError) else str(error)
            raise UnreachableError(f"{self._where(path)}: {reason}") from error
        return self._judged(reply, path, bytes(content))

    def refused(self, reply: Reply, path: str, advice: str) -> ServerError:
        """What to raise for an answer that is not the one that was wanted."""
        said = f" {reply.message}" if reply.message else ""
        return ServerError(f"{self._where(path)} answered {reply.status}{said}; {advice}")

    def _judged(self, reply: Reply, path: str, content: bytes) -> Reply:
        said = f" {reply.message}" if reply.message else ""
        if reply.status == _UNAUTHORIZED:
            raise NotAllowedError(f"{self._where(path)} answered 401{said}; it does not know the token, or wants one")
        if reply.status == _FORBIDDEN:
            raise NotAllowedError(f"{self._where(path)} answered 403{said}; the token is known and may not do this")
        if reply.status in _REDIRECTS:
            target = reply.headers.get("Location", "")[:MOST_SHOWN]
            raise UnreachableError(
                f"{self._where(path)} answered {reply.status} to {target!r}; name that address itself"
            )
        if content.lstrip()[:1] == b"<":
            raise UnreachableError(
                f"{self._where(path)} answered {reply.status} with a web page; check the address and any proxy between"
            )
        return reply

    def _where(self, path: str) -> str:
        return f"{self.what}: {self.url}{path}"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
