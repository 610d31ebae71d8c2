"""Puts the parts into one file that a person can read before it is sent, and that holds no secret."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from gateway.backup.archive import ArchiveWriter
from gateway.config.load import site_files
from gateway.config.toml_file import parse, read
from gateway.logs import clean
from gateway.support_bundle.masking import Masker, learn_files
from gateway.support_bundle.parts import Asked, Part, parts
from readers.errors import ConfigError

PART_BYTES_MOST: Final = 4 << 20
WITHIN_S: Final = 600.0
TOLD_MOST: Final = 300
MANIFEST: Final = "MANIFEST.txt"
STORES: Final = ("etc/credstore", "etc/credstore.encrypted", "run/credstore")


class SupportError(Exception):
    """No bundle was made; the message says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was made: the file, and a line for each part."""

    path: Path
    lines: list[str]


def default_name(now_s: float) -> str:
    """Of a bundle that nobody named."""
    return f"tagwharf-support-{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}.tar.gz"


def knowing(asked: Asked, credentials: Iterable[Path] = ()) -> Masker:
    """A masker that knows every secret of this machine that can be read."""
    masker = Masker()
    handed_over = os.environ.get("CREDENTIALS_DIRECTORY")
    directories = [*(asked.system / store for store in STORES), *credentials]
    learn_files(masker, [*directories, *([Path(handed_over)] if handed_over else [])])
    for file in site_files(asked.site_file):
        try:
            masker.learn_table(parse(file, read(file, "")))
        except ConfigError:
            continue  # `check.txt` says so
    return masker


def make_bundle(asked: Asked, to: Path, *, credentials: Sequence[Path] = ()) -> Bundle:
    """Make it.

    Raises:
        SupportError: it cannot be written.
    """
    target = to / default_name(time.time()) if to.is_dir() else to
    if target.exists() or not target.parent.is_dir():
        raise SupportError(f"{target}: is there already, or its directory is not; name another file with --to")
    masker = knowing(asked, credentials)
    lines: list[str] = []
    try:
        with ArchiveWriter(target.absolute(), until_s=time.monotonic() + WITHIN_S) as writer:
            for part in parts(asked, masker):
                content = _content(part, masker)
                writer.add(part.name, io.BytesIO(content), len(content), 0o600, time.time())
                lines.append(f"{part.name:<18} {len(content):>9} bytes  {part.what}")
            writer.finish(MANIFEST, masker.text(_manifest(lines)).encode())
    except OSError as error:
        raise SupportError(f"{target}: cannot be written: {error.strerror or error}") from error
    return Bundle(target, lines)


def _content(part: Part, masker: Masker) -> bytes:
    """The part as it may leave the site; one that cannot be made says why."""
    try:
        text = part.make()
    except Exception as error:  # noqa: BLE001  # a bundle is made where things are broken: all other parts still count
        text = f"could not be made: {type(error).__name__}: {clean(str(error), TOLD_MOST)}\n"
    text = text if len(text) <= PART_BYTES_MOST else f"... the end of {len(text)} characters\n{text[-PART_BYTES_MOST:]}"
    masked = masker.text(text)
    if masker.leaks(masked):  # a mask beside a mask made one anew
        masked = f"left out: {len(text)} characters from which a secret could not be taken\n"
    return masked.encode(errors="replace")


def _manifest(lines: list[str]) -> str:
    return "\n".join(
        [
            f"Support bundle of Tagwharf {version('tagwharf')}, made {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}.",
            "",
            "Read it before you send it: tar xzf FILE, all of it is text.",
            "Left out: credentials, private keys, what is in journals and lists, comments of the site file.",
            "Masked where found: passwords, tokens, numbers of cards.",
            "It does tell names of devices and places, addresses in your network, and how busy the site is.",
            "",
            *lines,
            "",
        ]
    )
