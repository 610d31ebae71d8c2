"""HTTP servers, through aiohttp: questions and answers as `readers.http_messages`.

Nothing is followed to another address, and no proxy of the environment is used. One question is on its way at a time.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Final, Self

import aiohttp

from readers.credentials import credential
from readers.errors import ConfigError, FrameError, LinkError
from readers.http_messages import MOST_BODY_BYTES, Answer, encode, paths
from readers.ports.base import HoldingPort
from readers.ports.mqtt_client import Login
from readers.ports.tls import ClientContext, TlsSettings, tls_context
from readers.ports.tls_faults import advised

SCHEMES: Final = {"http": 80, "https": 443}
"""Without and with TLS, each with its usual port number."""
CONNECT_WITHIN_S: Final = 5.0
ANSWER_WITHIN_S: Final = 10.0
_CHUNK_BYTES: Final = 64 << 10


class HttpPort(HoldingPort):
    """One server, and a folder of it. Made by `open_http`, inside a running loop."""

    def __init__(self, url: str, tls: TlsSettings | None, login: Login | None) -> None:
        """Raises ConfigError when the password or a certificate file cannot be read."""
        super().__init__(url.rstrip("/"))
        context: ssl.SSLContext | bool = True
        name = None
        if url.startswith("https:"):
            settings = tls or TlsSettings()
            context, name = client_context(settings), settings.server_name
        headers = {} if login is None else {"Authorization": _basic(login)}
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S)
        self._server_name = name
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=1), timeout=timeout, headers=headers
        )

    async def send(self, data: bytes) -> None:
        """Ask; the answers are received.

        Raises:
            LinkError: the server cannot be reached, does not answer within 10 s, or answers more than 4 MiB.
            FrameError: these are no questions.
        """
        for path in paths(data):
            if self._closed:
                raise self._over()
            try:
                answer = await self._get(path)
            except (aiohttp.ClientError, OSError, TimeoutError, FrameError) as error:
                reason = f"no answer within {ANSWER_WITHIN_S:g} s" if isinstance(error, TimeoutError) else str(error)
                todo = advised(error) or "; check address, network and server"
                raise LinkError(f"{self.description}{path}: {reason}{todo}") from error
            self._take(encode(answer))

    async def close(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._end("the port is closed")
        await self._session.close()

    @classmethod
    async def open(cls, url: str, tls: TlsSettings | None = None, login: Login | None = None) -> Self:
        """Be ready to ask: HTTP has no link before there is a question.

        Raises:
            ConfigError: the password or a certificate file cannot be read.
        """
        await asyncio.sleep(0)
        return cls(url, tls, login)

    async def _get(self, path: str) -> Answer:
        url = self.description + path
        async with self._session.get(url, allow_redirects=False, server_hostname=self._server_name) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > MOST_BODY_BYTES:
                    raise FrameError("length", f"the answer is longer than {MOST_BODY_BYTES >> 20} MiB")
            return Answer(response.status, bytes(body))


def _basic(login: Login) -> str:
    if ":" in login.user:
        raise ConfigError(f"login.user = {login.user!r}: HTTP allows no colon in the name of a user")
    secret = credential(login.password_credential)
    return f"Basic {base64.b64encode(f'{login.user}:{secret}'.encode()).decode()}"


def client_context(settings: TlsSettings) -> ClientContext:
    """TLS that compares a pinned certificate within the handshake, before a password is sent.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    context = tls_context(settings)
    context.pin = settings.fingerprint_sha256
    return context


async def open_http(url: str, tls: TlsSettings | None = None, login: Login | None = None) -> HttpPort:
    """Be ready to ask the server at `http://HOST:PORT/FOLDER`; see `HttpPort.open`."""
    return await HttpPort.open(url, tls, login)
