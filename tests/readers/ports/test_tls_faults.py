import ssl

import pytest

from readers.ports.tls_faults import advice, advised


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("certificate verify failed: certificate has expired (_ssl.c:992)", "expired: renew it there"),
        ("certificate verify failed: certificate is not yet valid", "clocks of both sides"),
        ("Hostname mismatch, certificate is not valid for 'a'.", "server_name"),
        ("IP address mismatch, certificate is not valid for '127.0.0.1'.", "server_name"),
        ("self-signed certificate in certificate chain", "ca_file"),
        ("unable to get local issuer certificate", "ca_file"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "set certificate_file"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] sslv3 alert", "revoked"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert", "renew certificate_file"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "does not know"),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version", "TLS 1.1 or older"),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol", "TLS 1.1 or older"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "no TLS"),
    ],
)
def test_each_failure_says_what_to_do(text: str, said: str) -> None:
    for wrapped in (ssl.SSLError(1, text), OSError(text)):
        found = advice(wrapped)
        assert found is not None
        assert said in found
        assert advised(wrapped) == f"; {found}"


def test_the_cause_of_an_error_is_looked_at() -> None:
    outer = RuntimeError("it failed")
    outer.__cause__ = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca")
    assert "does not know" in advised(outer)


def test_what_is_no_matter_of_tls_has_no_advice() -> None:
    assert advice(ConnectionRefusedError("refused")) is None
    assert advised(ssl.SSLError(1, "[SSL: INTERNAL_ERROR] x")) == ""
    ring = OSError("a")
    ring.__context__ = OSError("b")
    ring.__context__.__context__ = ring
    assert advice(ring) is None
