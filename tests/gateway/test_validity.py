import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.validity import validities, validity, validity_of

FIRST = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)


def certificate(first: datetime, last: datetime, common_name: str = "quay") -> str:
    """By another implementation: pyca/cryptography."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "last",
    [
        FIRST + timedelta(days=90),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),  # the last UTCTime
        datetime(2050, 1, 1, tzinfo=UTC),  # the first GeneralizedTime
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_times_are_those_that_another_implementation_wrote(last: datetime) -> None:
    assert validity(certificate(FIRST, last)) == (FIRST, last)


def test_years_of_the_last_century() -> None:
    first = datetime(1999, 1, 1, tzinfo=UTC)
    assert validity(certificate(first, FIRST)) == (first, FIRST)


def test_a_long_name_has_a_long_length() -> None:
    assert validity(certificate(FIRST, FIRST + timedelta(1), "q" * 64))[0] == FIRST


def test_the_first_of_several_counts_and_text_before_it_does_not() -> None:
    chain = certificate(FIRST, FIRST + timedelta(1)) + certificate(FIRST, FIRST + timedelta(9))
    assert validity(f"subject=CN = quay\n{chain}")[1] == FIRST + timedelta(1)


def test_openssl_is_understood_too(tmp_path: Path) -> None:
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=quay")
    subprocess.run(
        ["openssl", *request, "-keyout", "key", "-out", "pem"], cwd=tmp_path, check=True, capture_output=True
    )
    shown = subprocess.run(
        ["openssl", "x509", "-in", "pem", "-noout", "-enddate"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    last = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown.strip().removeprefix("notAfter=")), UTC)
    assert validity((tmp_path / "pem").read_text())[1] == last


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIAwgA==\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_certificate(text: str) -> None:
    with pytest.raises(ValueError, match=r"certificate|base64|padding|PEM"):
        validity(text)


@given(st.data())
def test_a_broken_certificate_is_refused_and_nothing_else(data: st.DataObject) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(SOUND))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    try:
        first, last = validity(ssl.DER_cert_to_PEM_cert(bytes(der[:cut])))
    except ValueError:
        return
    assert first.tzinfo is UTC
    assert last.tzinfo is UTC


SOUND = certificate(FIRST, FIRST + timedelta(days=90))


def test_all_certificates_of_a_file_are_found() -> None:
    last = [FIRST + timedelta(days=number) for number in (1, 20, 300)]
    text = "\n".join(f"# one\n{certificate(FIRST, each)}" for each in last)
    assert validities(text) == [(FIRST, each) for each in last]
    assert validity(text) == (FIRST, last[0])
    assert validity_of(ssl.PEM_cert_to_DER_cert(certificate(FIRST, last[1]))) == (FIRST, last[1])
    with pytest.raises(ValueError, match="no certificate"):
        validities("none")
    with pytest.raises(ValueError, match="certificate"):
        validities(text + "-----BEGIN CERTIFICATE-----\ncut off")
