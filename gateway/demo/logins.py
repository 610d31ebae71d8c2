"""The users of the demonstration's console: one of each role, with a password of this run."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Final

from gateway.console.access.passwords import make_hash
from gateway.console.access.roles import Role
from gateway.demo.operator import PERSON

PASSWORD_BYTES: Final = 9
CREDENTIAL: Final = "console-{role}"


def hand_out(credentials: Path, people: Collection[str]) -> tuple[str, str]:
    """Make a password, keep its hash as the credential of each user, and return it with their tables for the site file.

    Who orders at all does so in the name of the demonstration's operator, if he is one of the `people` of the site.
    """
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    tables = []
    for role in Role:
        name = CREDENTIAL.format(role=role.value)
        (credentials / name).write_text(make_hash(password))
        lines = [f'name = "{role.value}"', f'role = "{role.value}"', f'password_credential = "{name}"']
        if role is not Role.VIEWER and PERSON in people:
            lines.append(f'person = "{PERSON}"')
        tables.append("\n".join(["[[console.user]]", *lines]))
    return password, "\n\n".join(tables)
