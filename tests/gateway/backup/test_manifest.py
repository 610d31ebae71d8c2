import msgspec
import pytest

from gateway.backup.manifest import (
    FORMAT,
    VERSIONS,
    Manifest,
    ManifestError,
    Member,
    archive_name,
    checked_path,
    decode_manifest,
    encode_manifest,
)
from gateway.edge import segment
from gateway.event_journal import VERSION as EVENTS_VERSION
from rules.daemon.database_file import VERSION as RULES_VERSION

MEMBER = Member(path="/var/lib/x/rules.db", kind="rules", size_bytes=3, sha256="00", mode=0o640, schema=1)
MANIFEST = Manifest(
    format=FORMAT,
    product="1.2.3",
    site="hamburg",
    gateway="edge-1",
    made_at_us=1_700_000_000_000_000,
    host="pc",
    site_file="/etc/x/site.toml",
    state_roots=["/var/lib/x"],
    one_moment=True,
    members=[MEMBER],
    left_out=[],
    credentials=["mqtt-password"],
)


def test_what_is_written_is_read() -> None:
    assert decode_manifest(encode_manifest(MANIFEST)) == MANIFEST
    assert archive_name("/etc/x") == "root/etc/x"


def test_the_schemas_are_those_that_are_written() -> None:
    assert VERSIONS == {"journal": segment.VERSION, "rules": RULES_VERSION, "events": EVENTS_VERSION}


def test_a_newer_archive_or_database_is_refused_with_what_to_do() -> None:
    newer = encode_manifest(msgspec.structs.replace(MANIFEST, format=FORMAT + 1))
    with pytest.raises(ManifestError, match=r"format 2.*install the version that made it \(1.2.3\)"):
        decode_manifest(newer)
    member = msgspec.structs.replace(MEMBER, schema=VERSIONS["rules"] + 1)
    with pytest.raises(ManifestError, match=r"has schema 2, this program knows up to 1; install version 1\.2\.3"):
        decode_manifest(encode_manifest(msgspec.structs.replace(MANIFEST, members=[member])))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "etc/x",
        "../x",
        "/etc/../x",
        "/etc//x",
        "//etc/x",
        "/etc/./x",
        "/etc/x/",
        "/etc/a\nb",
        "/etc/\0",
        "/" + 1_001 * "a",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ManifestError, match="no plain absolute path"):
        checked_path(path)
    for changed in (
        msgspec.structs.replace(MANIFEST, site_file=path),
        msgspec.structs.replace(MANIFEST, state_roots=[path]),
        msgspec.structs.replace(MANIFEST, members=[msgspec.structs.replace(MEMBER, path=path)]),
    ):
        with pytest.raises(ManifestError):
            decode_manifest(encode_manifest(changed))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": "x"}'])
def test_what_is_no_manifest_is_refused(payload: bytes) -> None:
    with pytest.raises(ManifestError, match="no manifest"):
        decode_manifest(payload)
