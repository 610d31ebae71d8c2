"""TLS of a client: verified always, by an authority and a name, or by one pinned certificate.

There is no setting that turns this off.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from readers.errors import ConfigError

Shown = Callable[[bytes], None]
"""Is given the certificate that the other side showed, in DER, after each handshake; in any thread."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How a device proves itself, and how this gateway does.

    Attributes:
        ca_file: PEM of the authority that signed the device's certificate; None for the system's.
        fingerprint_sha256: hex of the one right certificate, instead of an authority.
        certificate_file, key_file: PEM files of this gateway, where the device asks for them.
        server_name: the name in the device's certificate, where it is not the host name.
        shown: is given the device's certificate.
    """

    ca_file: Path | None = None
    fingerprint_sha256: str | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    shown: Shown | None = field(default=None, compare=False, repr=False)


class ClientContext(ssl.SSLContext):
    """Hands on what the other side shows, and compares a pinned certificate within the handshake.

    Attributes:
        pin: SHA-256 in hex of the one right certificate.
        server_name: expected instead of the name that the caller of `wrap_bio` or `wrap_socket` says.
    """

    pin: str | None = None
    server_name: str | None = None
    shown: Shown | None = None

    def examine(self, certificate: bytes) -> None:
        """The handshake is done, with this certificate in DER.

        Raises:
            ssl.SSLCertVerificationError: another one is pinned.
        """
        if self.pin is not None and (wrong := certificate_fault(certificate, self.pin)):
            raise ssl.SSLCertVerificationError(f"the server's {wrong}")
        if self.shown is not None:
            self.shown(certificate)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As of its base; called by event loops."""
        if self.server_name is not None:
            kwargs["server_hostname"] = self.server_name
        return super().wrap_bio(*args, **kwargs)

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """As of its base."""
        if self.server_name is not None:
            kwargs["server_hostname"] = self.server_name
        return super().wrap_socket(sock, *args, **kwargs)


class ExaminedObject(ssl.SSLObject):
    """A connection of an event loop."""

    def do_handshake(self) -> None:
        """Called by event loops."""
        super().do_handshake()
        cast("ClientContext", self.context).examine(self.getpeercert(binary_form=True) or b"")


class ExaminedSocket(ssl.SSLSocket):
    """A connection of a thread."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # as of its base
        """As of its base."""
        super().do_handshake(block)
        cast("ClientContext", self.context).examine(self.getpeercert(binary_form=True) or b"")


def certificate_fault(certificate: bytes, wanted: str) -> str | None:
    """What is wrong with a certificate in DER when the one with this SHA-256 in hex is pinned; None when nothing is."""
    found = hashlib.sha256(certificate).hexdigest()
    if found == wanted.replace(":", "").lower():
        return None
    return (
        f"certificate has SHA-256 {found}, but {wanted} is pinned; "
        "make sure that it is the right device before you change the pin"
    )


def tls_context(settings: TlsSettings) -> ClientContext:
    """TLS 1.2 or newer, verified by authority and name; with a pin its caller compares the certificate.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The library's names of the two have no place in its types.
    context.sslobject_class = ExaminedObject
    context.sslsocket_class = ExaminedSocket
    context.shown = settings.shown
    load_files(context, settings.ca_file, settings.certificate_file, settings.key_file)
    if settings.fingerprint_sha256:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the one right certificate is compared instead
    return context


def load_files(context: ssl.SSLContext, ca_file: Path | None, certificate_file: Path | None, key: Path | None) -> None:
    """Load an authority, else those of the system, and our own certificate, if any.

    Raises:
        ConfigError: a file cannot be read, is no PEM, is not the other's pair, or has a password.
    """
    try:
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        else:
            context.load_default_certs()
        if certificate_file is not None:
            # without a function for the password OpenSSL would ask on the terminal, for ever
            context.load_cert_chain(certificate_file, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(str(file) for file in (ca_file, certificate_file, key) if file)
        raise ConfigError(f"tls: cannot load {files}: {_described(error)}") from error


def _described(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate; put both files of one pair there"
    if isinstance(error, ssl.SSLError):
        return f"{error}; they must be PEM, the key without a password"
    return str(error)
