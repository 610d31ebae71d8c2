"""TLS of an HTTP client by a `Tls` table of the site file; readers have the same need, so the code is theirs."""

from __future__ import annotations

from gateway.config.models import Tls
from readers.ports.http import client_context
from readers.ports.tls import ClientContext, Shown, TlsSettings
from readers.ports.tls_faults import advice

__all__ = ["ClientContext", "Shown", "advice", "https_context"]


def https_context(settings: Tls | None, shown: Shown | None = None) -> ClientContext:
    """TLS 1.2 or newer; authority and name are verified, or the pinned certificate is compared, before data go out.

    `shown` is given the server's certificate.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    context = client_context(TlsSettings(**dict(settings or Tls()), shown=shown))
    context.server_name = settings.server_name if settings is not None else None
    return context
