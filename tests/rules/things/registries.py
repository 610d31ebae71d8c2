"""Registries for tests, made of a few things."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from rules.things.file import Row
from rules.things.registry import Registry
from rules.things.thing import Thing

KEY = b"a key of the site, for tests"
IDENTITIES = Identities(IdentityStyle.KEYED, KEY)


def registry(
    tags: Mapping[str, Thing] | None = None,
    *,
    tids: Mapping[str, Thing] | None = None,
    cards: Mapping[str, Thing] | None = None,
    version: str = "",
) -> Registry:
    """The things that carry these EPCs, with the TIDs beside them, TIDs and cards, named as a list names them."""
    rows: list[Row] = []
    for epcs, found in ((True, tags), (False, tids)):
        for text, thing in (found or {}).items():
            memory = bytes.fromhex(text)
            epc, tid = (memory, bytes.fromhex(thing.tid) or None) if epcs else (None, memory)
            rows.append(Row(len(rows) + 2, *thing[:3], epc, tid, "", ()))
    for text, thing in (cards or {}).items():
        rows.append(Row(len(rows) + 2, *thing[:3], None, None, *IDENTITIES.enrol(text)))
    return Registry.of(rows, IDENTITIES, version)


NOTHING = registry()
