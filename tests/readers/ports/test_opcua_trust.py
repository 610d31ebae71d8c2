from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from readers.errors import ConfigError, LinkError
from readers.ports.opcua_trust import fingerprint, first_of, identity_of, require_trusted
from readers.ports.tcp import TlsSettings
from tests.support.opcua_certificates import Made, application

URI = "urn:server"
WHERE = "opc.tcp://plc:4840"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = application(folder, "ca", None)
    return {
        "authority": authority,
        "signed": application(folder, "signed", URI, authority),
        "alone": application(folder, "alone", URI),
        "old": application(folder, "old", URI, days=(-30, -1)),
        "der": application(folder, "der", "urn:us", is_der=True),
        "nameless": application(folder, "nameless", None),
    }


def judge(server: Made, tls: TlsSettings, uri: str = URI, now: datetime | None = None) -> None:
    require_trusted(server.der, uri, tls, WHERE, now or datetime.now(UTC))


def test_a_certificate_in_the_file_or_signed_by_one_in_it_is_right(made: dict[str, Made]) -> None:
    judge(made["alone"], TlsSettings(ca_file=made["alone"].certificate_file))
    judge(made["signed"], TlsSettings(ca_file=made["authority"].certificate_file))


def test_a_pinned_certificate_is_right_whatever_it_says(made: dict[str, Made]) -> None:
    judge(made["old"], TlsSettings(fingerprint_sha256=made["old"].fingerprint), uri="urn:other")


def test_another_than_the_pinned_one_is_refused(made: dict[str, Made]) -> None:
    with pytest.raises(LinkError, match=r"but .* is pinned"):
        judge(made["alone"], TlsSettings(fingerprint_sha256=made["old"].fingerprint))


def test_a_stranger_is_refused_with_the_fingerprint_to_look_at(made: dict[str, Made]) -> None:
    with pytest.raises(LinkError, match=made["alone"].fingerprint):
        judge(made["alone"], TlsSettings(ca_file=made["authority"].certificate_file))


def test_one_that_claims_the_same_issuer_is_refused(made: dict[str, Made], tmp_path: Path) -> None:
    forged = application(tmp_path, "forged", URI, application(tmp_path, "ca", None))
    with pytest.raises(LinkError, match="neither in"):
        judge(forged, TlsSettings(ca_file=made["authority"].certificate_file))


def test_one_that_is_over_or_not_yet_in_force_is_refused(made: dict[str, Made]) -> None:
    with pytest.raises(LinkError, match="is in force from"):
        judge(made["old"], TlsSettings(ca_file=made["old"].certificate_file))
    early = datetime.now(UTC) - timedelta(days=9)
    with pytest.raises(LinkError, match="check the clock"):
        judge(made["alone"], TlsSettings(ca_file=made["alone"].certificate_file), now=early)


def test_one_of_another_application_is_refused(made: dict[str, Made]) -> None:
    with pytest.raises(LinkError, match="is of urn:server, but the server says that it is urn:other"):
        judge(made["alone"], TlsSettings(ca_file=made["alone"].certificate_file), uri="urn:other")


def test_without_anything_to_know_it_by_the_fingerprint_is_told(made: dict[str, Made]) -> None:
    with pytest.raises(ConfigError, match=made["alone"].fingerprint):
        judge(made["alone"], TlsSettings())


def test_what_is_no_certificate_is_refused(made: dict[str, Made]) -> None:
    with pytest.raises(LinkError, match="no certificate that can be read"):
        require_trusted(b"0", URI, TlsSettings(ca_file=made["alone"].certificate_file), WHERE, datetime.now(UTC))


@pytest.mark.parametrize("name", ["alone", "der"])
def test_our_own_certificate_and_key(made: dict[str, Made], name: str) -> None:
    ours = made[name]
    found = identity_of(TlsSettings(certificate_file=ours.certificate_file, key_file=ours.key_file))
    assert found.certificate == ours.der
    assert found.uri == ("urn:us" if name == "der" else URI)


def test_files_that_are_missing_wrong_or_do_not_belong_together(made: dict[str, Made], tmp_path: Path) -> None:
    alone, other, nameless = made["alone"], made["der"], made["nameless"]
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN NOTHING-----\n")
    for certificate_file, key_file, why in (
        (None, None, "needs our own certificate"),
        (alone.certificate_file, other.key_file, "is not the key of"),
        (tmp_path / "absent.pem", alone.key_file, "cannot read .*absent.pem"),
        (junk, alone.key_file, "is no certificate"),
        (alone.certificate_file, junk, "is no private key"),
        (nameless.certificate_file, nameless.key_file, "names no application"),
    ):
        with pytest.raises(ConfigError, match=why):
            identity_of(TlsSettings(certificate_file=certificate_file, key_file=key_file))


def test_the_first_of_a_chain(made: dict[str, Made]) -> None:
    alone = made["alone"]
    assert first_of(alone.der + made["der"].der) == alone.der
    assert fingerprint(first_of(alone.der)) == alone.fingerprint
    assert first_of(None) == first_of(b"") == b""
    assert first_of(b"\x30\x02ab" + b"more") == b"\x30\x02ab"
