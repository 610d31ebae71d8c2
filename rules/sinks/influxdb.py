"""InfluxDB 2.x, 3 and 1.x, and VictoriaMetrics: joined lines, and a policy of our own for every answer.

    204                    stored
    400, 422               bisect down to the lines that are refused: quarantine; the rest is stored
    413                    halve
    429, 5xx, no answer    keep everything, come back after Retry-After
    any other              keep everything, stop, and alarm: a person must act

The code alone is never believed: InfluxDB 2 stores nothing on 400 and the good lines on 422, InfluxDB 1 and 3 store the
good lines on 400. Sending a line again changes nothing on InfluxDB (series and time are its key), so every line that
is not proven bad alone is sent until a 204 covers it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.config.models import InfluxApi, InfluxSink
from gateway.credentials import credential
from gateway.https import ClientContext, Shown, https_context
from gateway.renewal import Notice, Renewal, warn
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError
from rules.sinks.cardinality import SeriesGuard, check_schema
from rules.sinks.influx_http import Answer, NoAnswerError, NotProvenError, V1Writer, V2Writer, Writer
from rules.sinks.influx_points import Encoder
from rules.sinks.line_protocol import REFUSED_MARK, read_refused

STORED: Final = 204
LINES_REFUSED: Final = (400, 422)
TOO_LARGE: Final = 413
RETRY: Final = (408, 425, 429)
SERVER_ERRORS: Final = range(500, 600)
EVENTS: Final = "events"
READS: Final = "reads"


class InfluxDbSink:
    """One store; implements `rules.outputs.Sink`.

    Attributes:
        guard: counts the series, for the metrics.
    """

    def __init__(
        self,
        settings: InfluxSink,
        *,
        site: str,
        secret: str | None,
        notice: Notice | None = None,
        shown: Shown | None = None,
    ) -> None:
        """`secret`: the token (v2) or password (v1); `shown` is given the store's certificate.

        Raises:
            SchemaError: a measurement would make a series of each thing. ConfigError: a certificate file cannot be
                read.
        """
        check_schema()
        self.name = settings.name
        self._settings = settings
        self._notice: Notice = notice or warn
        self.guard = SeriesGuard(settings.series_budget, self._series_notice)
        self._encoder = Encoder(site=site, guard=self.guard, store_reads=settings.store_reads)
        make: Callable[..., Writer] = V1Writer if settings.api is InfluxApi.V1 else V2Writer
        tls: Renewal[ClientContext] | None = None
        if settings.url.startswith("https:"):
            tls = Renewal(partial(https_context, settings.tls, shown), settings.tls, notice=self._notice)
        self._writer = make(settings, secret, tls)
        # Lines refused in an attempt that then met trouble: without them the next attempt gets further, so that a store
        # that limits requests cannot keep us bisecting the same parcels for ever. Bounded by the parcels of one write.
        self._proven_bad: dict[bytes, str] = {}

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """Lines of these outputs, in parcels of at most `batch_lines`; a parcel's cause is the earliest of its own."""
        kinds: dict[str, list[str]] = {EVENTS: [], READS: []}
        caused: dict[str, int] = {}
        for output in outputs:
            for kind, made in zip(kinds, self._encoder.lines(output), strict=True):
                if made:
                    kinds[kind] += made
                    caused[kind] = min(caused.get(kind, output.caused_at_us), output.caused_at_us)
        most = self._settings.batch_lines
        return [
            Parcel(
                kind, "\n".join(lines[start : start + most]).encode(), len(lines[start : start + most]), caused[kind]
            )
            for kind, lines in kinds.items()
            for start in range(0, len(lines), most)
        ]

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        """Write the parcels; returns the points that the store, or the encoder, refused.

        Raises:
            SinkTroubleError: not all are stored.
        """
        refusals: list[Refusal] = []
        for body in self._requests(parcels, refusals):
            await self._store(body, refusals)
        self._proven_bad.clear()
        return refusals

    async def close(self) -> None:
        """Close connections."""
        await self._writer.close()

    def _requests(self, parcels: Sequence[Parcel], refusals: list[Refusal]) -> Iterator[bytes]:
        """Join parcels to bodies of at most `batch_lines`; points that the encoder refused go to `refusals`."""
        most = self._settings.batch_lines
        waiting: list[bytes] = []
        lines_waiting = 0
        for parcel in parcels:
            pieces = [(parcel.body, parcel.points)]
            marked = parcel.body.startswith(REFUSED_MARK) or b"\n" + REFUSED_MARK in parcel.body
            if marked or parcel.points > most or self._proven_bad:
                good = []
                for line in parcel.body.split(b"\n"):
                    if line.startswith(REFUSED_MARK):
                        reason, described = read_refused(line)
                        refusals.append(Refusal(described, reason))
                    elif line in self._proven_bad:
                        refusals.append(Refusal(line, self._proven_bad[line]))
                    else:
                        good.append(line)
                pieces = [(b"\n".join(good[i : i + most]), len(good[i : i + most])) for i in range(0, len(good), most)]
            for body, lines_here in pieces:
                if waiting and lines_waiting + lines_here > most:
                    yield b"\n".join(waiting)
                    waiting, lines_waiting = [], 0
                waiting.append(body)
                lines_waiting += lines_here
        if waiting:
            yield b"\n".join(waiting)

    async def _store(self, body: bytes, refusals: list[Refusal]) -> None:
        try:
            answer = await self._writer.post(body)
        except NoAnswerError as error:
            raise SinkTroubleError(f"{self._where}: {error}; it is tried again") from error
        except NotProvenError as error:
            raise SinkTroubleError(f"{self._where}: {error}", stopped=True) from error
        if answer.status == STORED:
            return
        if answer.html:
            raise self._stop(answer, "something other than the store answers here: check url and any proxy between")
        if answer.status in LINES_REFUSED or answer.status == TOO_LARGE:
            lines = body.split(b"\n")
            if len(lines) == 1:
                refusals.append(Refusal(body, f"{answer.status} {answer.message}".strip()))
                self._proven_bad[body] = refusals[-1].reason
                return
            middle = len(lines) // 2
            await self._store(b"\n".join(lines[:middle]), refusals)
            await self._store(b"\n".join(lines[middle:]), refusals)
            return
        if answer.status in RETRY or answer.status in SERVER_ERRORS:
            raise SinkTroubleError(
                f"{self._where} answered {answer.status} {answer.message}; it is tried again",
                retry_after_s=answer.retry_after_s,
            )
        raise self._stop(answer, self._advice(answer.status))

    def _stop(self, answer: Answer, advice: str) -> SinkTroubleError:
        return SinkTroubleError(f"{self._where} answered {answer.status} {answer.message}; {advice}", stopped=True)

    def _advice(self, status: int) -> str:
        settings = self._settings
        if status in (401, 403):
            return f"put a valid token or password into the credential influx-{self.name}"
        if status == 404:  # noqa: PLR2004  # a status code is its own name
            what = "database" if settings.api is InfluxApi.V1 else "bucket"
            return (
                f"create the {what} {settings.bucket!r}, or correct url, api ({settings.api}), org and bucket of sink "
                f"{self.name!r}"
            )
        return f"204 is expected: check url and api ({settings.api}) of sink {self.name!r}"

    @property
    def _where(self) -> str:
        return f"sink {self.name!r}: {self._settings.url}"

    def _series_notice(self, event: str, series: int, budget: int) -> None:
        self._notice(event, sink=self.name, series=series, budget=budget)


def open_sink(
    settings: InfluxSink, *, site: str, notice: Notice | None = None, shown: Shown | None = None
) -> InfluxDbSink:
    """The sink of the site file, with its secret from the systemd credential `influx-{name}`.

    Raises:
        ConfigError: the credential is missing and the store is not plain HTTP on this machine; a certificate file
            cannot be read.
        SchemaError: a measurement would make a series of each thing.
    """
    name = f"influx-{settings.name}"
    needed = not on_this_machine(settings.url) or settings.user is not None
    secret = credential(name) if needed or _handed_over(name) else None
    return InfluxDbSink(settings, site=site, secret=secret, notice=notice, shown=shown)


def on_this_machine(url: str) -> bool:
    """Whether a URL is plain HTTP to loopback, where no token is asked for."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "http":
            return False
        return parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a name, or no URL at all
        return False


def _handed_over(name: str) -> bool:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(directory) and (Path(directory or "") / name).exists()
