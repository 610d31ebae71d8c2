"""What an archive says of itself: its last member, so that an archive that was cut off has none.

MANIFEST.json              this
root/etc/tagwharf/...      every file under the absolute path that it had
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

import msgspec

from gateway.edge.segment import VERSION as JOURNAL_VERSION
from gateway.event_journal import VERSION as EVENTS_VERSION

FORMAT: Final = 1
NAME: Final = "MANIFEST.json"
ROOT: Final = "root"
PATH_MOST: Final = 1_000  # characters
VERSIONS: Final = {"journal": JOURNAL_VERSION, "rules": 1, "events": EVENTS_VERSION}
"""Schema of each kind of database that this program writes; the number stands in `user_version`."""


class ManifestError(Exception):
    """A manifest or a name in an archive is not what this program can take; the message says what to do."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        path: absolute, where it was.
        kind: `config`, `journal`, `rules`, `events`, `audit` or `state`.
        schema: of a database that has one; 0 otherwise.
        owner, group: by name; empty where the machine knew none.
    """

    path: str
    kind: str
    size_bytes: int
    sha256: str
    mode: int
    owner: str = ""
    group: str = ""
    schema: int = 0


class LeftOut(msgspec.Struct, frozen=True):
    """A file that is not in the archive, and why."""

    path: str
    why: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        site_file: absolute path of the site file.
        state_roots: directories that hold state and nothing else: a restore replaces each as a whole.
        one_moment: no commit of the rules daemon lay between the copies of its memory and of the event journal.
        credentials: secrets that the site needs and no archive holds.
    """

    format: int
    product: str
    site: str
    gateway: str
    made_at_us: int
    host: str
    site_file: str
    state_roots: list[str]
    one_moment: bool
    members: list[Member]
    left_out: list[LeftOut]
    credentials: list[str]


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """JSON that a person can read."""
    return msgspec.json.format(_encoder.encode(manifest)) + b"\n"


def decode_manifest(payload: bytes) -> Manifest:
    """Read and check a manifest.

    Raises:
        ManifestError: it is none, or a newer program made the archive or a database in it.
    """
    try:
        head = msgspec.json.decode(payload)
        if isinstance(head, dict) and isinstance(head.get("format"), int) and head["format"] > FORMAT:
            raise ManifestError(
                f"the archive has format {head['format']}, this program reads up to {FORMAT}; install the version that "
                f"made it ({head.get('product', 'unknown')}) or a newer one"
            )
        manifest = _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ManifestError(f"{NAME} is no manifest of a backup: {error}") from error
    for path in (manifest.site_file, *manifest.state_roots, *(member.path for member in manifest.members)):
        checked_path(path)
    for member in manifest.members:
        most = VERSIONS.get(member.kind, 0)
        if member.schema > most:
            raise ManifestError(
                f"{member.path} has schema {member.schema}, this program knows up to {most}; install version "
                f"{manifest.product}, which made the archive, or a newer one, then restore"
            )
    return manifest


def archive_name(path: str) -> str:
    """The name of a member."""
    return f"{ROOT}{path}"


def checked_path(path: str) -> str:
    """An absolute path of plain names.

    Raises:
        ManifestError: it could lead anywhere else than it says.
    """
    parts = PurePosixPath(path).parts
    if (
        len(path) > PATH_MOST
        or not path.isprintable()
        or not parts
        or parts[0] != "/"
        or len(parts) == 1
        or ".." in parts
        or str(PurePosixPath(*parts)) != path
    ):
        raise ManifestError(f"the archive names {path[:PATH_MOST]!r}, which is no plain absolute path; do not use it")
    return path
