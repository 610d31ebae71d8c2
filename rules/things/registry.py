"""Who is who: tags and cards to the things that carry them, looked up in microseconds."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from gateway.identity import ANY_TECHNOLOGY, Identities
from rules.things.file import Row, build, open_file
from rules.things.thing import Answer, Thing, answer

TAGS_KEPT: Final = 20_000  # more than are ever before the readers of one site at once; some 8 MB
_TAG: Final = (
    (
        "SELECT t.name, t.kind, t.class, coalesce(hex(i.tid), '') FROM epcs e JOIN things t ON t.id = e.thing "
        "LEFT JOIN tids i ON i.thing = t.id WHERE e.epc = ?"
    ),
    "SELECT t.name, t.kind, t.class FROM tids i JOIN things t ON t.id = i.thing WHERE i.tid = ?",
)
_CARD: Final = (
    "SELECT t.name, t.kind, t.class FROM cards c JOIN things t ON t.id = c.thing "
    "WHERE c.digest = ?1 AND (t.technology = ?2 OR ?3 IN (t.technology, ?2)) LIMIT 2"
)


class Registry:
    """The things of one site, as of one version of their list. For one thread at a time.

    Attributes:
        version: the beginning of the BLAKE2b hash of the file it was made from; empty when there is none.
        things, cards: how many it holds.
    """

    def __init__(
        self, db: sqlite3.Connection, version: str, identities: Identities, *, things: int = 0, cards: int = 0
    ) -> None:
        self.version = version
        self.things = things
        self.cards = cards
        self._db = db
        self._identities = identities
        self._tags = _Tags(db)

    @classmethod
    def of(cls, rows: Iterable[Row], identities: Identities, version: str = "") -> Self:
        """A registry of these rows.

        Raises:
            RegistryError: two of them name the same tag or card.
        """
        with tempfile.TemporaryDirectory(prefix="tagwharf-things-") as directory:
            path = Path(directory) / "things.db"
            counts = build(path, rows, {"identities": identities.check})
            db, _ = open_file(path)
        return cls(db, version, identities, things=counts["things"], cards=counts["cards"])

    def tag(self, epc: str, tid: str | None = None) -> Thing | None:
        """The thing that carries this tag, by its EPC or else by its TID, both in upper-case hex."""
        return self._tags[epc, tid] if self.things else None

    def card(self, text: str) -> Answer:
        """Whose card it is that a message names so.

        Raises:
            ValueError: it names no card. ConfigError: by its number, and the key to hash that is missing.
        """
        card = self._identities.read(text)
        rows = self._db.execute(_CARD, (card.digest, card.technology, ANY_TECHNOLOGY))
        return answer([Thing(*row) for row in rows])

    def close(self) -> None:
        """Close the file; nothing can be looked up any more."""
        self._db.close()


class _Tags(dict[tuple[str, str | None], Thing | None]):
    """What was looked up before: a tag is asked for many times."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self._db = db

    def __missing__(self, key: tuple[str, str | None]) -> Thing | None:
        if len(self) >= TAGS_KEPT:
            self.clear()
        for query, text in zip(_TAG, key, strict=True):
            row = self._db.execute(query, (_bytes(text),)).fetchone() if text else None
            if row is not None:
                break
        thing = self[key] = None if row is None else Thing(*row)
        return thing


def _bytes(text: str) -> bytes:
    """The bytes of hex digits; nothing, which no list names, where a message holds something else."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
