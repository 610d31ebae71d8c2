"""A thing that carries tags or cards, and what the engine asks the registry of them."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

KNOWN: Final = "known"
UNKNOWN: Final = "unknown"
AMBIGUOUS: Final = "ambiguous"
RESULTS: Final = (KNOWN, UNKNOWN, AMBIGUOUS)


class Thing(NamedTuple):
    """What people call it, and what it is: a truck, a container, a seal, a pallet, a tool, a person.

    Attributes:
        tid: of a tag that was looked up by its EPC, the TID that the list has beside it, in upper-case hex.
    """

    name: str
    kind: str = ""
    class_name: str = ""
    tid: str = ""


class Answer(NamedTuple):
    """Whose card it is. `thing` is None unless exactly one enrolled card fits: a thing is never guessed."""

    result: str
    thing: Thing | None = None


class Things(Protocol):
    """The things of one site, as of one version of their list."""

    @property
    def version(self) -> str:
        """Tells one list from another; empty when there is none."""

    def tag(self, epc: str, tid: str | None = None) -> Thing | None:
        """The thing that carries this tag, by its EPC or else by its TID, both in upper-case hex."""

    def card(self, text: str) -> Answer:
        """Whose card it is that a message names so.

        Raises:
            ValueError: it names no card. ConfigError: by its number, and the key to hash that is missing.
        """

    def close(self) -> None:
        """Let go of it; nothing can be looked up any more."""


def answer(found: list[Thing]) -> Answer:
    """The answer when these things' cards fit."""
    if len(found) == 1:
        return Answer(KNOWN, found[0])
    return Answer(AMBIGUOUS if found else UNKNOWN)
