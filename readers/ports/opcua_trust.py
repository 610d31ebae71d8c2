"""Certificates of OPC UA: ours, and whether that of a server is to be believed.

A server's certificate is right when it is the pinned one, when `ca_file` holds it, or when an authority of `ca_file`
has signed it directly. It must be in force, and it must name the application that the server says it is, as
OPC 10000-4, 6.1.3 asks; revocation lists are not read.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from readers.errors import ConfigError, LinkError
from readers.ports.tcp import TlsSettings, certificate_fault

MOST_FILE_BYTES: Final = 1 << 20
_PEM: Final = b"-----BEGIN"
_HOW: Final = "name the server's certificate with fingerprint_sha256, or its authority with ca_file, in [reader.tls]"


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own certificate and key.

    Attributes:
        certificate, key: in DER.
        uri: the application that the certificate names.
    """

    certificate: bytes
    key: bytes
    uri: str


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in hex."""
    return hashlib.sha256(certificate).hexdigest()


def first_of(chain: bytes | None) -> bytes:
    """The certificate that a chain in DER begins with; empty where there is none."""
    if not chain:
        return b""
    size, start = chain[1] if len(chain) > 1 else 0, 2
    if size & 0x80:
        count = size & 0x7F
        start += count
        size = int.from_bytes(chain[2:start], "big")
    return bytes(chain[: start + size])


def identity_of(tls: TlsSettings) -> Identity:
    """Our certificate and its key.

    Raises:
        ConfigError: a file is not named, cannot be read, or they do not belong together.
    """
    if tls.certificate_file is None or tls.key_file is None:
        raise ConfigError(
            "a secured OPC UA session needs our own certificate: name certificate_file and key_file in [reader.tls]"
        )
    x509, serialization = _module("x509"), _module("hazmat.primitives.serialization")
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    (certificate, *_) = _certificates(tls.certificate_file)
    content = _content(tls.key_file)
    try:
        load = serialization.load_pem_private_key if _PEM in content else serialization.load_der_private_key
        key = load(content, None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise ConfigError(
            f"{tls.key_file}: is no private key without a password ({error}); write it as PEM or DER"
        ) from error
    if key.public_key() != certificate.public_key():
        raise ConfigError(f"{tls.key_file} is not the key of the certificate {tls.certificate_file}")
    uris = _uris(x509, certificate)
    if not uris:
        raise ConfigError(
            f"{tls.certificate_file}: names no application; OPC UA asks for a URI in its subjectAltName: make one with "
            "-addext subjectAltName=URI:urn:HOST:tagwharf"
        )
    return Identity(
        certificate.public_bytes(encoding), key.private_bytes(encoding, form, serialization.NoEncryption()), uris[0]
    )


def require_trusted(certificate: bytes, application_uri: str, tls: TlsSettings, where: str, now: datetime) -> None:
    """Go on only with a server whose certificate is the right one.

    Raises:
        LinkError: it is not; the message holds its fingerprint. ConfigError: nothing says which one is.
    """
    if tls.fingerprint_sha256 is None and tls.ca_file is None:
        raise ConfigError(f"{where}: the server's certificate has SHA-256 {fingerprint(certificate)}; {_HOW}")
    if tls.fingerprint_sha256 is not None:
        if wrong := certificate_fault(certificate, tls.fingerprint_sha256):
            raise LinkError(f"{where}: the server's {wrong}")
        return
    x509 = _module("x509")
    try:
        found = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise LinkError(f"{where}: the server shows no certificate that can be read: {error}") from error
    assert tls.ca_file is not None
    said = f"{where}: the server's certificate with SHA-256 {fingerprint(certificate)}"
    if not any(_vouches(each, found) for each in _certificates(tls.ca_file)):
        raise LinkError(f"{said} is neither in {tls.ca_file} nor signed by one that is; {_HOW}")
    if not found.not_valid_before_utc <= now.astimezone(UTC) <= found.not_valid_after_utc:
        raise LinkError(
            f"{said} is in force from {found.not_valid_before_utc:%Y-%m-%d} to {found.not_valid_after_utc:%Y-%m-%d}; "
            "have the server make a new one, and check the clock of this host"
        )
    uris = _uris(x509, found)
    if application_uri not in uris:
        raise LinkError(f"{said} is of {', '.join(uris) or 'nobody'}, but the server says that it is {application_uri}")


def _vouches(authority: Any, certificate: Any) -> bool:
    if authority == certificate:
        return True
    exceptions = _module("exceptions")
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, exceptions.InvalidSignature):
        return False
    return True


def _uris(x509: Any, certificate: Any) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]


def _certificates(path: Path) -> list[Any]:
    """Those in a PEM file, or the one in a DER file."""
    x509, content = _module("x509"), _content(path)
    try:
        found: list[Any] = (
            x509.load_pem_x509_certificates(content) if _PEM in content else [x509.load_der_x509_certificate(content)]
        )
    except ValueError as error:
        raise ConfigError(f"{path}: is no certificate in PEM or DER: {error}") from error
    return found


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_FILE_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name it in [reader.tls]") from error


def _module(name: str) -> Any:
    """A part of the package that the OPC UA library brings along."""
    return importlib.import_module(f"cryptography.{name}")
