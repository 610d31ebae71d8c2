import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.config.console import Console, ConsoleTls
from gateway.console.access.tls import Certificate
from gateway.health import Health
from readers.errors import ConfigError
from tests.gateway.console.access.served import Clock, Visitor, accounts_of, tls_of, with_door
from tests.support.certificates import authority

LOOPBACK = "IP:127.0.0.1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("tls"), first=LOOPBACK, second=LOOPBACK)


@pytest.fixture
def files(tmp_path: Path, made: Path) -> ConsoleTls:
    install(made, "first", tls_of(tmp_path, "console"))
    return tls_of(tmp_path, "console")


def install(made: Path, name: str, files: ConsoleTls, *, key: str | None = None) -> None:
    """As a program that renews certificates does it: new files take the place of the old ones."""
    for kind, source, target in (("pem", name, files.certificate_file), ("key", key or name, files.key_file)):
        new = target.with_suffix(".new")
        shutil.copy(made / f"{source}.{kind}", new)
        new.replace(target)


def trust(made: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(made / "ca.pem"))


def presented(port: int, context: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as tls,
    ):
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def fingerprint(made: Path, name: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((made / f"{name}.pem").read_text())).hexdigest()


def with_tls(made: Path, certificate: Certificate, files: ConsoleTls, body: Callable[[Visitor], None]) -> None:
    accounts = accounts_of(Clock(), tls=files)

    def encrypted(visitor: Visitor) -> None:
        visitor.tls = trust(made)
        body(visitor)

    with_door(accounts, encrypted, certificate)


def test_under_tls_cookies_and_headers_are_for_tls_alone(made: Path, files: ConsoleTls) -> None:
    def body(visitor: Visitor) -> None:
        answer = visitor.ask("GET", "/api/me")
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-tagwharf=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
        visitor.come()
        assert visitor.log_in().status == 200
        plain: dict[str, str | None] = {"Origin": visitor.origin.replace("https", "http")}
        assert visitor.ask("POST", "/api/order", {}, plain).body["code"] == "origin"
        assert visitor.ask("POST", "/api/order", {}).body["by"] == "olga"

    with_tls(made, Certificate(files), files, body)


def test_only_tls_1_2_and_1_3_are_spoken_with_forward_secrecy(made: Path, files: ConsoleTls) -> None:
    def connect(port: int, setting: Callable[[ssl.SSLContext], Any]) -> tuple[str | None, str]:
        context = trust(made)
        setting(context)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as line,
            context.wrap_socket(line, server_hostname="127.0.0.1") as tls,
        ):
            cipher = tls.cipher()
            assert cipher is not None
            return tls.version(), cipher[0]

    def body(visitor: Visitor) -> None:
        def until_1_2(context: ssl.SSLContext) -> None:
            context.maximum_version = ssl.TLSVersion.TLSv1_2

        def weak(context: ssl.SSLContext) -> None:
            until_1_2(context)
            context.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA")

        assert connect(visitor.port, lambda _: None)[0] == "TLSv1.3"
        version, cipher = connect(visitor.port, until_1_2)
        assert version == "TLSv1.2"
        assert cipher.startswith("ECDHE-ECDSA-")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(visitor.port, weak)
        for old in ("-tls1", "-tls1_1"):
            command = [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{visitor.port}",
                old,
                "-cipher",
                "ALL:@SECLEVEL=0",
            ]
            done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=20)
            assert done.returncode != 0

    with_tls(made, Certificate(files), files, body)


def test_a_renewed_certificate_is_taken_without_a_restart(made: Path, files: ConsoleTls) -> None:
    certificate = Certificate(files)

    def body(visitor: Visitor) -> None:
        context = trust(made)
        assert presented(visitor.port, context) == fingerprint(made, "first")
        standing = visitor.connection()
        standing.request("GET", "/", headers=visitor.headers("GET", {}))
        assert standing.getresponse().read() == b"shell"
        install(made, "second", files)
        certificate.look()
        assert presented(visitor.port, context) == fingerprint(made, "first")  # it may not be written to its end
        with capture_logs() as lines:
            certificate.look()
        assert [line["event"] for line in lines] == ["certificate_loaded"]
        assert presented(visitor.port, context) == fingerprint(made, "second")
        no_name = trust(made)
        no_name.check_hostname = False
        with socket.create_connection(("127.0.0.1", visitor.port)) as line, no_name.wrap_socket(line) as tls:
            der = tls.getpeercert(binary_form=True) or b""
        assert hashlib.sha256(der).hexdigest() == fingerprint(made, "second")
        standing.request("GET", "/", headers=visitor.headers("GET", {}))
        assert standing.getresponse().read() == b"shell"
        standing.close()

    with_tls(made, certificate, files, body)


def broken_pair(made: Path, files: ConsoleTls) -> None:
    install(made, "second", files, key="first")


def no_pem(made: Path, files: ConsoleTls) -> None:
    del made
    files.certificate_file.write_text("no certificate")


def half_a_key(made: Path, files: ConsoleTls) -> None:
    files.key_file.write_bytes((made / "first.key").read_bytes()[:100])


def no_key(made: Path, files: ConsoleTls) -> None:
    del made
    files.key_file.unlink()


def key_with_password(made: Path, files: ConsoleTls) -> None:
    arguments = ("pkcs8", "-topk8", "-in", str(made / "first.key"), "-passout", "pass:secret", "-out")
    subprocess.run(["openssl", *arguments, str(files.key_file)], check=True, capture_output=True)


BREAK = [broken_pair, no_pem, half_a_key, no_key, key_with_password]


@pytest.mark.parametrize("spoil", BREAK)
def test_a_broken_new_pair_leaves_the_old_one_and_is_told_once(
    made: Path, files: ConsoleTls, spoil: Callable[[Path, ConsoleTls], None]
) -> None:
    health = Health("console")
    certificate = Certificate(files, health=health)

    def body(visitor: Visitor) -> None:
        spoil(made, files)
        with capture_logs() as lines:
            for _ in range(4):
                certificate.look()
        (line,) = lines
        assert (line["event"], line["log_level"]) == ("certificate_refused", "error")
        assert str(files.certificate_file.parent) in line["error"]
        assert presented(visitor.port, trust(made)) == fingerprint(made, "first")
        install(made, "second", files)
        certificate.look()
        certificate.look()
        assert presented(visitor.port, trust(made)) == fingerprint(made, "second")

    with_tls(made, certificate, files, body)
    labels = {"event": "certificate_refused", "level": "error"}
    assert health.registry.get_sample_value("tagwharf_troubles_total", labels) == 1


@pytest.mark.parametrize("spoil", BREAK)
def test_a_broken_pair_at_the_start_is_a_fault(
    made: Path, files: ConsoleTls, spoil: Callable[[Path, ConsoleTls], None]
) -> None:
    spoil(made, files)
    with pytest.raises(ConfigError, match=r"^console\.tls: /"):
        Certificate(files)


def test_a_key_that_others_own_is_told_by_its_name(files: ConsoleTls, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        monkeypatch.setattr("ssl.SSLContext.load_cert_chain", _not_allowed)
    else:
        files.key_file.chmod(0)
    with pytest.raises(ConfigError, match=r"console\.key: cannot be read: Permission denied"):
        Certificate(files)


def _not_allowed(*_: object, **__: object) -> None:
    """What OpenSSL says to somebody who is not root; root may read everything."""
    raise PermissionError(13, "Permission denied")


def test_an_expired_pair_does_not_replace_a_valid_one(made: Path, files: ConsoleTls, tmp_path: Path) -> None:
    now = time.time()
    certificate = Certificate(files, now=lambda: now)
    left_s = certificate.expires_in_s
    assert 0 < left_s <= 2 * 86_400
    request = ("req", "-x509", "-key", str(made / "first.key"), "-days", "1", "-subj", "/CN=old", "-out", "old.pem")
    subprocess.run(["openssl", *request], cwd=tmp_path, check=True, capture_output=True)
    now += 1.5 * 86_400
    shutil.copy(tmp_path / "old.pem", files.certificate_file)
    with capture_logs() as lines:
        certificate.look()
        certificate.look()
    assert "ended on" in next(line["error"] for line in lines if line["event"] == "certificate_refused")
    assert certificate.expires_in_s == pytest.approx(left_s - 1.5 * 86_400)


@pytest.mark.parametrize(("days", "told"), [(400, [30, 14, 7, 1, 0]), (30, [7, 1, 0]), (2, [0])])
def test_the_end_of_a_certificate_is_told_in_time_and_once(
    made: Path, files: ConsoleTls, days: int, told: list[int]
) -> None:
    key, pem = str(files.key_file), str(files.certificate_file)
    request = ("req", "-x509", "-key", key, "-days", str(days), "-subj", "/CN=long", "-out", pem)
    subprocess.run(["openssl", *request], cwd=made, check=True, capture_output=True)
    now = time.time()
    health = Health("console")
    certificate = Certificate(files, health=health, now=lambda: now)
    with capture_logs() as lines:
        for _ in range((days + 2) * 4):
            certificate.look()
            now += 86_400 / 4
    assert {(line["event"], line["log_level"]) for line in lines} == {("certificate_expiring", "warning")}
    assert [round(line["expires_in_s"] / 86_400) for line in lines] == told
    left_s = health.registry.get_sample_value("tagwharf_console_certificate_expires_in_seconds")
    assert left_s == certificate.expires_in_s
    assert left_s is not None
    assert left_s < 0


def test_the_watch_goes_on_until_it_is_cancelled(made: Path, files: ConsoleTls) -> None:
    async def scenario() -> None:
        certificate = Certificate(files)
        before = certificate._current
        watching = asyncio.create_task(certificate.watch(0.01))
        await asyncio.sleep(0.05)
        install(made, "second", files)
        async with asyncio.timeout(10):
            while certificate._current is before:
                await asyncio.sleep(0.01)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    asyncio.run(scenario())


def test_without_tls_there_is_no_certificate(files: ConsoleTls) -> None:
    assert Certificate.of(Console()) is None
    assert Certificate.of(Console(tls=files)) is not None
