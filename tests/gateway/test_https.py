from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.config import ConfigError
from gateway.config.models import Tls
from gateway.https import https_context
from tests.support.certificates import authority


def test_without_a_word_the_authorities_of_the_system_and_the_name_are_asked() -> None:
    context = https_context(None)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_files_of_the_table_are_read(tmp_path: Path) -> None:
    made = authority(tmp_path, us="DNS:us")
    tls = Tls(ca_file=made / "ca.pem", certificate_file=made / "us.pem", key_file=made / "us.key")
    context = https_context(tls)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def test_a_pin_goes_before_authority_and_name() -> None:
    pinned = https_context(Tls(fingerprint_sha256="ab" * 32))
    assert (pinned.pin, https_context(Tls()).pin) == ("ab" * 32, None)


def test_a_file_that_is_no_certificate_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        https_context(Tls(ca_file=tmp_path / "ca.pem"))
