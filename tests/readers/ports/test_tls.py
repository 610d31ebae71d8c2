from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.errors import ConfigError
from readers.ports.tls import TlsSettings, certificate_fault, tls_context
from tests.support.pki import HERE, Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.issue("device", HERE)
    made.issue("named", "device.test")
    return made


def der(file: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(file.read_text())


@contextlib.contextmanager
def serving(authority: Authority, name: str) -> Iterator[int]:
    """A server of another implementation of the event loop: blocking, in threads."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.directory / f"{name}.pem", authority.directory / f"{name}.key")
    with socket.create_server((HERE, 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(1)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize("is_blocking", [False, True])
def test_the_certificate_is_handed_on_once_it_is_verified(authority: Authority, is_blocking: bool) -> None:  # noqa: FBT001  # of a parametrization
    seen: list[bytes] = []
    context = tls_context(TlsSettings(ca_file=authority.file, shown=seen.append))
    connect(authority, context, "device", is_blocking=is_blocking)
    assert seen == [der(authority.directory / "device.pem")]
    context.shown = None
    connect(authority, context, "device", is_blocking=is_blocking)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(authority, tls_context(TlsSettings(shown=seen.append)), "device", is_blocking=is_blocking)
    assert len(seen) == 1


@pytest.mark.parametrize("is_blocking", [False, True])
def test_another_name_is_expected_where_it_is_set(authority: Authority, is_blocking: bool) -> None:  # noqa: FBT001  # of a parametrization
    context = tls_context(TlsSettings(ca_file=authority.file))
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        connect(authority, context, "named", is_blocking=is_blocking)
    context.server_name = "device.test"
    connect(authority, context, "named", is_blocking=is_blocking)


@pytest.mark.parametrize("is_blocking", [False, True])
def test_a_pin_is_compared_within_the_handshake(authority: Authority, is_blocking: bool) -> None:  # noqa: FBT001  # of a parametrization
    right = hashlib.sha256(der(authority.directory / "device.pem")).hexdigest()
    context = tls_context(TlsSettings(fingerprint_sha256=right))
    context.pin = right
    connect(authority, context, "device", is_blocking=is_blocking)
    with pytest.raises(ssl.SSLCertVerificationError, match="is pinned"):
        connect(authority, context, "named", is_blocking=is_blocking)


def connect(authority: Authority, context: ssl.SSLContext, name: str, *, is_blocking: bool) -> None:
    async def main(port: int) -> None:
        try:
            _, writer = await asyncio.open_connection(HERE, port, ssl=context, server_hostname=HERE)
            writer.write(b"x")
            await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):  # the server is gone first
                await writer.wait_closed()
        finally:
            await asyncio.sleep(0.05)  # asyncio closes the socket of a failed handshake in a later turn

    with serving(authority, name) as port:
        if not is_blocking:
            asyncio.run(main(port))
            return
        with (
            socket.create_connection((HERE, port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=HERE) as secured,
        ):
            secured.sendall(b"x")


def test_nothing_below_tls_1_2_and_nothing_unverified(authority: Authority) -> None:
    context = tls_context(TlsSettings(ca_file=authority.file))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_files_that_cannot_be_used_say_why(authority: Authority, tmp_path: Path) -> None:
    folder = authority.directory
    with pytest.raises(ConfigError, match="not that of the certificate; put both files"):
        tls_context(TlsSettings(certificate_file=folder / "device.pem", key_file=folder / "named.key"))
    with pytest.raises(ConfigError, match=r"gone\.pem"):
        tls_context(TlsSettings(ca_file=tmp_path / "gone.pem"))
    (tmp_path / "none.pem").write_text("none")
    with pytest.raises(ConfigError, match="they must be PEM, the key without a password"):
        tls_context(TlsSettings(certificate_file=tmp_path / "none.pem", key_file=tmp_path / "none.pem"))


def test_a_key_with_a_password_is_refused_without_asking_for_it(authority: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # of this test only

    key = serialization.load_pem_private_key((authority.directory / "device.key").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    with pytest.raises(ConfigError, match="without a password"):
        tls_context(TlsSettings(certificate_file=authority.directory / "device.pem", key_file=tmp_path / "locked.key"))


def test_the_fault_of_a_certificate_names_both_fingerprints() -> None:
    right = hashlib.sha256(b"x").hexdigest()
    assert certificate_fault(b"x", ":".join(right[i : i + 2] for i in range(0, 64, 2)).upper()) is None
    assert right in str(certificate_fault(b"x", "00" * 32))
