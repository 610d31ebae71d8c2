"""From a `[[reader]]` of the site file to an open port."""

from __future__ import annotations

from gateway.config.models import Reader
from readers import registry
from readers.driver import Port
from readers.ports.open import LineSettings, TlsSettings, open_port


async def open_link(reader: Reader) -> Port:
    """Open the link to a reader.

    Raises:
        LinkError: it cannot be opened now. ConfigError: the driver, the URL or a certificate file is wrong.
    """
    line, tls = reader.line, reader.tls
    return await open_port(
        reader.port,
        registry.driver(reader.driver),
        line=None
        if line is None
        else LineSettings(
            baud=line.baud, parity=line.parity, stop_bits=line.stop_bits, strip_echo=bool(line.strip_echo)
        ),
        tls=None if tls is None else TlsSettings(**dict(tls)),
    )
