"""Webhooks: each document is posted to a web server of others, one after the other, until it says that it has it.

    2xx                             it has it
    400, 413, 422                   it will never take this document: quarantine, and the next one
    408, 409, 425, 429, 5xx, none   keep everything, come back after Retry-After (but see `give_up_after_s`)
    any other                       keep everything, stop, and alarm: a person must act

A wrong key (401), a moved address (3xx, 404) or a receiver that is gone (410) is no fault of a document, so none is
lost by it. Whoever gets a document twice knows it again by the header `webhook-id`, the same at every attempt.

Source: Standard Webhooks 1.0.0 for the headers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from gateway.config import ConfigError
from gateway.config.models import WebhookSink as Settings
from gateway.credentials import credential
from gateway.https import ClientContext, Shown, advice, https_context
from gateway.renewal import Notice, Renewal, warn
from rules.exporters import Exporter
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError
from rules.sinks.influx_http import retry_after_s
from rules.sinks.letters import LETTERS_AT_ONCE, Clerk, Letter, letters_of
from rules.sinks.signature import keys_of, signatures

STORED: Final = range(200, 300)
REFUSED: Final = (400, 413, 422)
TOO_LARGE: Final = 413
RETRY: Final = (408, 409, 425, 429)
OF_THE_DOCUMENT: Final = (409, 500)
"""Of the answers after which a document is sent again, those that the document itself may be the cause of."""
SERVER_ERRORS: Final = range(500, 600)
MOST_ANSWER_BYTES: Final = 4 << 10
BODY_WITHIN_S: Final = 2.0
"""The status says everything; the text of an answer is for people and worth no longer wait."""
MOST_SHOWN: Final = 300
USER_AGENT: Final = "tagwharf"

_ADVICE: Final = {
    401: "the receiver does not know us: give both sides the same key, webhook-{name}, and look at its clock and ours",
    403: "the receiver does not let us: give both sides the same key, webhook-{name}, and look at its permissions",
    404: "nothing is there: correct the url of sink {name!r}",
    405: "it takes no POST: correct the url of sink {name!r}",
    410: "the receiver wants nothing any more: remove sink {name!r}, or correct its url",
}
_OTHERWISE: Final = "2xx is expected: correct the url of sink {name!r}; redirects are not followed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said."""

    status: int
    text: str = ""
    retry_after_s: float | None = None
    html: bool = False


class WebhookSink:
    """One receiver; implements `rules.outputs.Sink`.

    Attributes:
        points_at_once: documents that one `write` is given: so many are sent again after a crash at most.
    """

    points_at_once: Final = LETTERS_AT_ONCE

    def __init__(
        self,
        settings: Settings,
        *,
        clerk: Clerk,
        keys: Sequence[bytes],
        authorization: str | None = None,
        now_s: Callable[[], float] = time.time,
        notice: Notice = warn,
        shown: Shown | None = None,
    ) -> None:
        """`keys` sign, `authorization` is the value of that header, `shown` is given the receiver's certificate.

        Raises:
            ConfigError: a certificate file cannot be read.
        """
        self.name = settings.name
        self._settings = settings
        self._clerk = clerk
        self._keys = tuple(keys)
        self._now_s = now_s
        self._headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._tls: Renewal[ClientContext] | None = None
        if settings.url.startswith("https:"):
            self._tls = Renewal(partial(https_context, settings.tls, shown), settings.tls, notice=notice)
        self._session: aiohttp.ClientSession | None = None
        # What became of documents of a write that then met trouble: the next one goes on behind them.
        self._done: dict[str, Refusal | None] = {}
        self._failing: tuple[str, float] | None = None  # a document, and since when, by the loop's clock

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """The documents of these outputs."""
        return self._clerk.parcels(outputs)

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        """Post the documents in their order; returns those that the receiver will never take.

        Raises:
            SinkTroubleError: not all are delivered.
        """
        letters = letters_of(parcels)
        self._done = {letter.id: self._done[letter.id] for letter in letters if letter.id in self._done}
        for letter in letters:
            if letter.id not in self._done:
                self._done[letter.id] = await self._deliver(letter)
        refusals = [refusal for letter in letters if (refusal := self._done[letter.id]) is not None]
        self._done = {}
        return refusals

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _deliver(self, letter: Letter) -> Refusal | None:
        if letter.refused:
            return letter.refusal(letter.refused)
        answer = await self._post(letter)
        if answer.status in STORED:
            return None
        said = f"{answer.status} {answer.text}".strip()
        # A proxy's page says nothing of the document, but that it is too large for whatever lies between.
        if answer.status in REFUSED and (not answer.html or answer.status == TOO_LARGE):
            return letter.refusal(said)
        if answer.status in OF_THE_DOCUMENT and self._is_hopeless(letter):
            return letter.refusal(f"{said}; for {self._settings.give_up_after_s:g} s")
        if answer.status in RETRY or answer.status in SERVER_ERRORS:
            raise SinkTroubleError(
                f"{self._where} answered {said}; it is tried again", retry_after_s=answer.retry_after_s
            )
        raise SinkTroubleError(f"{self._where} answered {said}; {self._advice(answer)}", stopped=True)

    def _is_hopeless(self, letter: Letter) -> bool:
        """Whether the receiver has failed at this document, and at no other, for too long."""
        now_s = asyncio.get_running_loop().time()
        if self._failing is None or self._failing[0] != letter.id:
            self._failing = letter.id, now_s
        limit_s = self._settings.give_up_after_s
        return limit_s > 0 and now_s - self._failing[1] >= limit_s

    async def _post(self, letter: Letter) -> Answer:
        if self._tls is not None and self._tls.refresh():
            await self.close()  # the next connection shows the new certificate
        session = self._opened()
        sent_at_s = int(self._now_s())
        headers = {
            "Content-Type": letter.content_type,
            "webhook-id": letter.id,
            "webhook-timestamp": str(sent_at_s),
            "webhook-signature": signatures(self._keys, letter.id, sent_at_s, letter.body),
        }
        try:
            async with session.post(
                self._settings.url,
                data=letter.body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                text = await _text(response)
                return Answer(
                    response.status,
                    text,
                    retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC)),
                    html="text/html" in response.headers.get("Content-Type", "").lower() or text[:1] == "<",
                )
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            todo = advice(error) or "look at its certificate, and at the tls table of the sink"
            text = f"{self._where}: {_described(error)}; {todo}"
            raise SinkTroubleError(text, stopped=True) from error
        except (aiohttp.ClientError, OSError) as error:
            if (proof := advice(error)) is not None:
                raise SinkTroubleError(f"{self._where}: {_described(error)}; {proof}", stopped=True) from error
            raise SinkTroubleError(f"{self._where}: {_described(error)}; it is tried again") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # the library wants a running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=True if self._tls is None else self._tls.context, limit=1),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # an answer of few bytes must not become one of many
            )
        return self._session

    def _advice(self, answer: Answer) -> str:
        if answer.html and answer.status in REFUSED:
            return "something other than the receiver answers here: check url and any proxy between"
        return _ADVICE.get(answer.status, _OTHERWISE).format(name=self.name)

    @property
    def _where(self) -> str:
        """Without path and query, in which many receivers have a secret: this goes to logs, alarms and MQTT."""
        parts = urlsplit(self._settings.url)
        return f"sink {self.name!r}: {parts.scheme}://{parts.netloc}"


def open_webhook(
    settings: Settings,
    *,
    site: str,
    exporter: Exporter | None = None,
    notice: Notice = warn,
    shown: Shown | None = None,
) -> WebhookSink:
    """The sink of the site file, with its keys from the systemd credential `webhook-{name}`.

    Raises:
        ConfigError: a credential is missing or is none, or a certificate file cannot be read.
        ExpressionError: a condition cannot be used.
    """
    name = f"webhook-{settings.name}"
    keys = keys_of(credential(name), f"credential {name!r}")
    authorization = None
    if settings.authorization_credential is not None:
        authorization = credential(settings.authorization_credential)
        if not authorization.isascii() or not authorization.isprintable():
            raise ConfigError(
                f"credential {settings.authorization_credential!r} is no value of a header; it must hold one line of "
                "printable ASCII, as in: Bearer abc123"
            )
    clerk = Clerk(settings, site=site, exporter=exporter)
    return WebhookSink(settings, clerk=clerk, keys=keys, authorization=authorization, notice=notice, shown=shown)


async def _text(response: aiohttp.ClientResponse) -> str:
    """The beginning of what the receiver wrote, printable; what comes too slowly, or breaks, is left."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while len(found) < MOST_ANSWER_BYTES and (chunk := await response.content.read(MOST_ANSWER_BYTES)):
                found += chunk
    except (aiohttp.ClientError, OSError):
        pass  # the status stands, whatever its text is
    text = found[:MOST_SHOWN].decode("utf-8", "replace").strip()
    return "".join(each if each.isprintable() else " " for each in text)


def _described(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"[:MOST_SHOWN]
