"""`[console]` and `[[console.user]]`: where the console listens, and who may use it.

On loopback anybody on the machine may look. Beyond it the console must prove itself by TLS, know its own names, and let
in users only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config.faults import Faults
from gateway.config.phrases import nearest
from gateway.config.positions import Path as Place
from gateway.config.table import Name, Table
from readers.credentials import CredentialName

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""Names under which a loopback page is asked for; any other is a page elsewhere that rebinds its name to us."""
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError('must be an IP address of this machine, "0.0.0.0" or "::" for all of them') from None


def _host_name(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if _HOST_NAME.fullmatch(text) is None:
        raise ValueError("must be a host name in lower case or an IP address, without port and wildcard")
    return text


class Anonymous(StrEnum):
    """What somebody may do who has not logged in."""

    VIEWER = "viewer"
    NOBODY = "nobody"


class ConsoleTls(Table):
    """How the console proves itself. Both files are read again when they change."""

    certificate_file: Path = Field(description="PEM of the certificate, followed by those of its authorities.")
    key_file: Path = Field(description="PEM of its key, without a password.")


class User(Table):
    """`[[console.user]]`: somebody who may log in."""

    name: Name = Field(description="Name to log in with.")
    role: Literal["viewer", "operator", "engineer"] = Field(
        description="`viewer` looks, `operator` also handles alarms and gives orders, `engineer` also sets up."
    )
    password_credential: CredentialName = Field(
        description="Name of the systemd credential with the hash that `tagwharf console password` makes."
    )
    person: Name | None = Field(
        None,
        description="The [[control.person]] in whose name this operator or engineer orders and acknowledges; the "
        "console then holds the key of that person.",
    )

    @model_validator(mode="after")
    def _may_order(self) -> Self:
        if self.person is not None and self.role == "viewer":
            raise ValueError("person: a viewer orders nothing; remove it, or make this user an operator")
        return self


class Console(Table):
    """The web console."""

    host: Annotated[str, AfterValidator(_address)] = Field(
        "127.0.0.1",
        description="IP address to listen on. Beyond loopback it needs `tls`, `names` and a [[console.user]].",
    )
    port: int = Field(8680, ge=0, le=65535, description="Port of the console; 0 lets the system choose.")
    tls: ConsoleTls | None = Field(None, description="Certificate and key; with them, https:// only.")
    names: list[Annotated[str, AfterValidator(_host_name)]] = Field(
        default=[],
        description="Host names and addresses under which browsers ask for it, besides those of loopback; others are "
        "refused.",
    )
    anonymous: Anonymous | None = Field(
        None,
        description="What somebody may do who has not logged in: `viewer` looks at all pages, `nobody` at none. When "
        "absent, `viewer` on loopback and `nobody` beyond it, where nothing else is allowed.",
    )
    session_idle_s: float = Field(1800, ge=60, le=604_800, description="A login ends when unused for so long.")
    session_most_s: float = Field(43_200, ge=60, le=604_800, description="A login ends after so long in any case.")
    user: list[User] = Field(default=[], description="Who may log in.")

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        address = ipaddress.ip_address(self.host)
        mapped = getattr(address, "ipv4_mapped", None)
        return bool((mapped or address).is_loopback)

    @property
    def anonymous_may(self) -> Anonymous:
        """What somebody may do who has not logged in."""
        if self.anonymous is not None:
            return self.anonymous
        return Anonymous.VIEWER if self.is_on_loopback else Anonymous.NOBODY

    @property
    def allowed_hosts(self) -> list[str]:
        """What the header `Host` may hold, without its port."""
        names = dict.fromkeys([*LOOPBACK_NAMES, *self.names])
        return [form for name in names for form in ((name, f"[{name}]") if ":" in name else (name,))]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.session_idle_s > self.session_most_s:
            raise ValueError("session_idle_s: must not be longer than session_most_s")
        if self.is_on_loopback:
            return self
        if self.anonymous is Anonymous.VIEWER:
            raise ValueError('anonymous: must be "nobody" beyond loopback; let viewers log in')
        needed = {"tls": self.tls, "names": self.names, "[[console.user]]": self.user}
        if missing := [key for key, value in needed.items() if not value]:
            text = "beyond loopback the console needs tls, names and a [[console.user]]; missing:"
            raise ValueError(f'host = "{self.host}": {text} {", ".join(missing)}')
        return self


def check_console(faults: Faults, *, whole: bool) -> None:
    """Add what is wrong between the users, and between them and `[[control.person]]`.

    In a file that is `whole` a name that is not found does not exist.
    """
    users = _tables(faults, ("console", "user"))
    people = {str(person.get("name")) for _, person in _tables(faults, ("control", "person"))}
    names: set[str] = set()
    passwords: dict[str, str] = {}
    for index, user in users:
        name, secret, person = str(user.get("name")), user.get("password_credential"), user.get("person")
        if name in names:
            text = "this name is taken by another user; names must differ"
            faults.add(("console", "user", index, "name"), text)
        elif isinstance(secret, str) and secret in passwords:
            text = f"is the password of {passwords[secret]} already; each user has one that nobody else has"
            faults.add(("console", "user", index, "password_credential"), text)
        names.add(name)
        if isinstance(secret, str):
            passwords.setdefault(secret, name)
        if whole and isinstance(person, str) and person not in people:
            known = f"; known: {', '.join(sorted(people))}" if people else "; the site file has none"
            text = f"no [[control.person]] has this name{nearest(person, people)}{known}"
            faults.add(("console", "user", index, "person"), text)


def _tables(faults: Faults, path: Place) -> list[tuple[int, Mapping[str, object]]]:
    table = faults.value(path)
    return [(i, each) for i, each in enumerate(table if isinstance(table, list) else []) if isinstance(each, Mapping)]
