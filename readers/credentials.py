"""Secrets of readers, from systemd credentials only: never from the site file, never from the environment.

A unit says `LoadCredential=mqtt-password:/etc/tagwharf/mqtt-password`; systemd then puts the file where only this
service can read it and names the directory in `CREDENTIALS_DIRECTORY`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import StringConstraints

from readers.errors import ConfigError

LEAST_LOOKED_FOR: Final = 8  # characters: a shorter one may be a word that stands somewhere by chance
LARGEST_BYTES: Final = 64 << 10  # a token or a password; anything larger is the wrong file

CredentialName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
"""A setting that names a credential, and no path: `..._credential`, after what the secret is."""


def credential(name: str) -> str:
    """The credential of that name, without the line break at its end.

    Raises:
        ConfigError: no credentials were handed over, this one is missing or empty, too large, or no UTF-8; or it
            stands in the environment, too, which others can read and children inherit.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ConfigError(
            f"credential {name!r} is needed, but systemd handed none over (CREDENTIALS_DIRECTORY is not set); "
            f"add LoadCredential={name}:/etc/tagwharf/{name} to the unit, or point CREDENTIALS_DIRECTORY at a "
            "directory that holds it"
        )
    path = Path(directory) / name
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"credential {name!r}: cannot read {path}: {error.strerror}; "
            f"add LoadCredential={name}:/etc/tagwharf/{name} to the unit"
        ) from error
    if len(raw) > LARGEST_BYTES:
        raise ConfigError(f"credential {name!r}: {path} is larger than {LARGEST_BYTES} bytes; it must hold one secret")
    try:
        secret = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"credential {name!r}: {path} is not UTF-8 text; write it again as plain text") from error
    if not secret:
        raise ConfigError(f"credential {name!r}: {path} is empty; write the secret into it")
    if len(secret) >= LEAST_LOOKED_FOR:
        for variable, value in os.environ.items():
            if value == secret:
                raise ConfigError(
                    f"credential {name!r}: stands in the environment, too, as {variable}; "
                    "take it out there, and change it"
                )
    return secret
