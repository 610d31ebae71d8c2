"""Who works at the command line: the key of a person of the site file."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import SiteFile

SHARED_BITS: Final = 0o077

KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        envvar="TAGWHARF_KEY_FILE",
        help="File with your key, which nobody else may read; your systemd credential when absent.",
    ),
]


def key_of_person(site: SiteFile, name: str, key_file: Path | None, option: str) -> bytes:
    """The key of a person; wrong use when the person or the file is not right. `option` is what named the person.

    Raises:
        ConfigError: it is no key, or there is no credential.
    """
    from gateway.config.phrases import nearest
    from gateway.control.people import key_of
    from gateway.credentials import credential

    people = {person.name: person for person in site.control.person}
    if name not in people:
        known = f"known: {', '.join(people)}" if people else "the site file has none"
        raise typer.BadParameter(f"no person is named {name!r}{nearest(name, people)}; {known}", param_hint=option)
    if key_file is None:
        where = people[name].key_credential
        return key_of(credential(where), f"credential {where!r}")
    try:
        mode, text = key_file.stat().st_mode, key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{key_file}: cannot be read: {error}", param_hint="--key-file") from None
    if mode & SHARED_BITS:
        raise typer.BadParameter(f"{key_file}: others may read it: chmod 600 {key_file}", param_hint="--key-file")
    return key_of(text, str(key_file))
