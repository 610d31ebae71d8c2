"""The certificate of the console: TLS 1.2 and 1.3, and a new certificate without a restart.

Each new connection gets the context that is in force when its handshake begins. A new pair of files goes into a context
of its own first; when it is not right, the one before it stays in force.

Source: Mozilla Server Side TLS 5.7, "intermediate", without its DHE suites (RFC 9325, section 4.2).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Self

from gateway.config.console import Console, ConsoleTls
from gateway.health import Health
from gateway.logs import get_log
from gateway.validity import validity
from readers.errors import ConfigError

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
LOOK_EVERY_S: Final = 5.0
FILE_MOST_BYTES: Final = 1 << 20
WARN_BEFORE_S: Final = (30 * 86_400.0, 14 * 86_400.0, 7 * 86_400.0, 86_400.0, 0.0)
"""When it is said that a certificate expires: once for each that is no more than a third of its whole time."""

_Signature = tuple[tuple[int, int, int], ...]


class Certificate:
    """The pair of files, the TLS context made of it, and its watch.

    Args:
        now: the wall clock, in seconds since 1970.

    Attributes:
        context: for the server; stays the same object whatever is loaded.

    Raises:
        ConfigError: the files cannot be read, are no pair, or have a password.
    """

    def __init__(self, tls: ConsoleTls, *, health: Health | None = None, now: Callable[[], float] = time.time) -> None:
        self._tls, self._now = tls, now
        self._health = Health("console") if health is None else health
        self._log = get_log(part="certificate", file=str(tls.certificate_file))
        self._considered: _Signature | None = None
        try:
            self._considered = self._signature()
            self._begins_s, self._ends_s, self._current = self._load()
            *_, self.context = self._load()
        except (OSError, ValueError) as error:
            raise ConfigError(f"console.tls: {_why(error, tls)}") from error
        self._seen: _Signature | None = self._considered
        self._ahead = len(WARN_BEFORE_S)
        self.context.sni_callback = self._choose
        gauge = self._health.gauge("console_certificate_expires_in_seconds", "Until the certificate ends")
        gauge.set_function(lambda: self.expires_in_s)

    @classmethod
    def of(cls, settings: Console, *, health: Health | None = None) -> Self | None:
        """The certificate of a console; None where it has none.

        Raises:
            ConfigError: the files cannot be used.
        """
        return None if settings.tls is None else cls(settings.tls, health=health)

    @property
    def expires_in_s(self) -> float:
        """How long the certificate in force is valid; negative afterwards."""
        return self._ends_s - self._now()

    async def watch(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look after the files and the date until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(every_s)

    def look(self) -> None:
        """Load the files if they have changed and come to rest; warn before the certificate ends."""
        try:
            found: _Signature | None = self._signature()
        except OSError as error:
            found = None
            if self._considered is not None:
                self._refused(error)
            self._considered = None
        if found is not None and found == self._seen and found != self._considered:
            self._considered = found
            self._renew()
        self._seen = found
        self._warn()

    def _renew(self) -> None:
        try:
            begins_s, ends_s, context = self._load()
        except (OSError, ValueError) as error:
            self._refused(error)
            return
        if ends_s <= self._now() < self._ends_s:
            self._refused(ValueError(f"ended on {_day(ends_s)}"))
            return
        self._begins_s, self._ends_s, self._current = begins_s, ends_s, context
        self._ahead = len(WARN_BEFORE_S)
        self._log.info("certificate_loaded", expires_in_s=round(self.expires_in_s))

    def _refused(self, error: Exception) -> None:
        why, day = _why(error, self._tls), _day(self._ends_s)
        self._health.trouble(self._log, "certificate_refused", level="error", error=why, kept_until=day)

    def _warn(self) -> None:
        left_s = self.expires_in_s
        third_s = (self._ends_s - self._begins_s) / 3
        ahead = sum(left_s > limit_s or limit_s > third_s for limit_s in WARN_BEFORE_S)
        if ahead < self._ahead:
            day = _day(self._ends_s)
            self._health.trouble(self._log, "certificate_expiring", expires_in_s=round(left_s), expires_on=day)
        self._ahead = ahead

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._current

    def _load(self) -> tuple[float, float, ssl.SSLContext]:
        """When the certificate in the files begins and ends, and a context with it."""
        with self._tls.certificate_file.open("rb") as file:
            text = file.read(FILE_MOST_BYTES).decode("ascii", "replace")
        begins, ends = validity(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        # without a function for the password OpenSSL would ask on the terminal, for ever
        context.load_cert_chain(self._tls.certificate_file, self._tls.key_file, password=lambda: "")
        return begins.timestamp(), ends.timestamp(), context

    def _signature(self) -> _Signature:
        found = [path.stat() for path in (self._tls.certificate_file, self._tls.key_file)]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def _why(error: Exception, tls: ConsoleTls) -> str:
    if isinstance(error, ssl.SSLError):
        what = error.reason or "no certificate and key that OpenSSL can read; the key must have no password"
        return f"{tls.certificate_file} and {tls.key_file}: {what}"
    if isinstance(error, OSError):
        return f"{error.filename or tls.key_file}: cannot be read: {error.strerror}"
    return f"{tls.certificate_file}: {error}"


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
