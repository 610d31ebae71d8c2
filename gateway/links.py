"""From a `[[reader]]` of the site file to an open port."""

from __future__ import annotations

from gateway.config.models import Reader, Tls
from readers import registry
from readers.driver import Port
from readers.ports.open import LineSettings, Login, TlsSettings, open_port
from readers.ports.tls import Shown


async def open_link(reader: Reader, shown: Shown | None = None) -> Port:
    """Open the link to a reader; `shown` is given the certificate that it shows.

    Raises:
        LinkError: it cannot be opened now. ConfigError: the driver, the URL, a certificate file or a secret is wrong.
    """
    spec = registry.driver(reader.driver)
    return await open_port(
        reader.port, spec, line=line_settings(reader), tls=tls_settings(reader, shown), login=login_of(reader)
    )


def line_settings(reader: Reader) -> LineSettings | None:
    """What the site file says about the reader's serial line."""
    line = reader.line
    if line is None:
        return None
    return LineSettings(baud=line.baud, parity=line.parity, stop_bits=line.stop_bits, strip_echo=bool(line.strip_echo))


def tls_settings(reader: Reader, shown: Shown | None = None) -> TlsSettings | None:
    """What the site file says about TLS to the reader; `shown` is given its certificate."""
    is_secured = reader.tls is not None or (
        shown is not None and reader.port.startswith(("tls://", "mqtts://", "https://"))
    )
    return TlsSettings(**dict(reader.tls or Tls()), shown=shown) if is_secured else None


def login_of(reader: Reader) -> Login | None:
    """What the site file says about the user at the reader's broker."""
    return None if reader.login is None else Login(reader.login.user, reader.login.password_credential)
