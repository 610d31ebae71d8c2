"""TLS of an HTTP client by a `Tls` table of the site file; readers have the same need, so the code is theirs."""

from __future__ import annotations

import ssl

from gateway.config.models import Tls
from readers.ports.http import client_context
from readers.ports.tcp import TlsSettings


def https_context(settings: Tls | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; authority and name are verified, or the pinned certificate is compared, before data go out.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    return client_context(TlsSettings(**dict(settings or Tls())))
