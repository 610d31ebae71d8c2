"""Who sent a command: the keys of the people, and the proof in each message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.config.control import Person
from gateway.contract.alarm_orders import AlarmOutcome
from gateway.contract.commands import Command, Id, Outcome, as_command, fields_of, is_signed, signed
from readers.errors import ConfigError

LEAST_CHARACTERS: Final = 32
LEAST_DIFFERENT: Final = 8
"""A key of 32 hex digits by chance has fewer different ones once in 10,000 times; a typed-in one often."""


UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError)
"""What hostile bytes make of a decoder."""


class StrangerError(Exception):
    """A message does not prove that a person of the site file sent it; `code` is the fixed word for it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class People:
    """The keys of the people of the site file.

    Args:
        secret: gives the secret of a credential's name.

    Raises:
        ConfigError: a credential is missing, is no key, or is the key of somebody else, too.
    """

    def __init__(self, people: list[Person], secret: Callable[[str], str]) -> None:
        self._keys: dict[str, bytes] = {}
        for person in people:
            key = key_of(secret(person.key_credential), person.key_credential)
            if key in self._keys.values():
                raise ConfigError(
                    f"credential {person.key_credential!r}: holds the key of another person, too; make one of its own: "
                    "openssl rand -hex 32"
                )
            self._keys[person.name] = key

    def command(self, topic: str, payload: bytes) -> Command:
        """The command in a message.

        Raises:
            StrangerError: it is none, or nobody's.
        """
        try:
            return as_command(self.proven(topic, payload))
        except UNREADABLE as error:
            raise StrangerError("malformed", f"it is no command: {error}") from error

    def proven(self, topic: str, payload: bytes) -> dict[str, Any]:
        """The fields of a message that the person whom it names has signed.

        Raises:
            StrangerError: it is nobody's. One of `UNREADABLE`: it is no message at all.
        """
        fields = fields_of(payload)
        if not is_signed(fields, self._key(fields), topic):
            raise StrangerError("signature", "the signature is not that of this person's key for this topic")
        return fields

    def payload(self, outcome: Outcome | AlarmOutcome, topic: str) -> bytes:
        """An outcome, signed for the person whom it answers; without a signature where nobody is known."""
        key = self._keys.get(outcome.by)
        return msgspec.json.encode(outcome) if key is None else signed(outcome, key, topic)

    def _key(self, fields: dict[str, Any]) -> bytes:
        by = fields.get("by")
        key = self._keys.get(by) if isinstance(by, str) else None
        if key is None:
            raise StrangerError("person", "no [[control.person]] has the name that it is sent under")
        return key


def claimed(payload: bytes) -> tuple[str, str]:
    """The id and the gateway that a message of nobody names; empty where it names none."""
    try:
        fields = fields_of(payload)
        gateway = fields.get("gateway")
        return msgspec.convert(fields.get("id"), Id), gateway if isinstance(gateway, str) else ""
    except UNREADABLE:
        return "", ""


def key_of(secret: str, where: str) -> bytes:
    """The key in a credential or key file.

    Raises:
        ConfigError: it is too short or too simple to be one.
    """
    if len(secret) < LEAST_CHARACTERS or len(set(secret)) < LEAST_DIFFERENT or any(each.isspace() for each in secret):
        raise ConfigError(
            f"{where}: is no key: it must have {LEAST_CHARACTERS} characters or more, by chance and without blanks; "
            "make one: openssl rand -hex 32"
        )
    return secret.encode()
