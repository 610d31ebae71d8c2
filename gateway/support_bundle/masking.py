"""Takes secrets and personal numbers out of text that leaves the site.

Three nets, one behind the other: secrets that are known (credentials, what stands under a telling key), as they are and
as others write them (hex, Base64, in a URL, in JSON); what looks like one (`password=...`, PEM, `Bearer ...`); and
numbers of cards.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from readers.tagdata.cards import Technology

MASK: Final = "[masked]"
LEAST_CHARACTERS: Final = 4  # a shorter secret is none, and to mask it would eat every word
FILE_BYTES_MOST: Final = 64 << 10
FILES_MOST: Final = 1_000
_TELLING: Final = re.compile(
    r"passw|passphrase|secret|token|pin$|pin_code|authori[sz]ation|cookie|private|api_?key|(^|_)key($|_(?!file|credential))"
    r"|scbk|psk|card_?(number|uid)|^uid$",
    re.IGNORECASE,
)
_NAMING: Final = re.compile(r"_(credential|file)$")
_NOT_SECRET: Final = frozenset({"key"})  # the column that a look-up table is asked by
_PEM: Final = re.compile(r"-----BEGIN [^-\n]{1,60}-----.*?(-----END [^-\n]{1,60}-----|\Z)", re.DOTALL)
# It begins with a word, not with what may stand before it: a long text of no interest must take time in proportion.
_ASSIGNED: Final = re.compile(
    r"(?i)((?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|psk"
    r"|(?<![a-z])pin|authorization|cookie)(?:[\"']?\s{0,8}(?:=>|[=:])|\s{1,8}is\b)\s{0,8}"
    r"(?:(?:basic|bearer|token|digest)\s{1,8})?)"
    r"(\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|[^\s,;}\])]+)"
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}")
_IN_URL: Final = re.compile(r"(://)[^/\s@\"']+@")
_QUERY: Final = re.compile(r"(?i)([?&](?:p|q?token|password|key|u)=)[^&\s\"']+")
_CARD: Final = re.compile(
    rf"\b({'|'.join(sorted(each.value for each in Technology))})((?:~[a-z0-9]+)?:)"
    r"(?:[0-9]{1,3},[0-9]{5}|[0-9]{4,}|[0-9A-Fa-f]{2}(?:[: ,.-]?[0-9A-Fa-f]{2}(?![g-zG-Z]))+[0-9A-Fa-f]?)+"
)


class Masker:
    """Knows secrets, and takes them out of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Know one more: as a whole, and each of its lines."""
        for text in {secret, *secret.splitlines()}:
            bare = text.strip()
            if len(bare) >= LEAST_CHARACTERS and not bare.startswith("-----"):
                self._known.update(_spellings(bare))

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in sorted(self._known, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, MASK)
        text = _PEM.sub(MASK, text)
        text = _IN_URL.sub(rf"\1{MASK}@", text)
        text = _QUERY.sub(rf"\1{MASK}", text)
        text = _ASSIGNED.sub(rf"\1{MASK}", text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        return _CARD.sub(rf"\1\2{MASK}", text)

    def table(self, value: Any, key: str = "") -> Any:
        """A tree of tables with the values of telling keys masked, and every text as `text` gives it."""
        if isinstance(value, Mapping):
            return {str(name): self.table(each, str(name)) for name, each in value.items()}
        if isinstance(value, list):
            return [self.table(each, key) for each in value]
        if is_telling(key) and not isinstance(value, bool):
            return MASK
        return self.text(value) if isinstance(value, str) else value

    def learn_table(self, value: Any, key: str = "") -> None:
        """Know what stands under the telling keys of a tree: the same may stand in a log."""
        if isinstance(value, Mapping):
            for name, each in value.items():
                self.learn_table(each, str(name))
        elif isinstance(value, list):
            for each in value:
                self.learn_table(each, key)
        elif isinstance(value, str) and is_telling(key):
            self.learn(value)

    def leaks(self, text: str) -> bool:
        """Whether a known secret is in it."""
        return any(secret in text for secret in self._known)


def is_telling(key: str) -> bool:
    """Whether a value under this key may be a secret or a card's number."""
    return key not in _NOT_SECRET and _NAMING.search(key) is None and _TELLING.search(key) is not None


def learn_files(masker: Masker, directories: Iterable[Path]) -> int:
    """Know every credential in these directories, as far as it can be read; returns how many files were read."""
    count = 0
    for directory in directories:
        try:
            found = sorted(path for path in directory.iterdir() if path.is_file())
        except OSError:
            continue  # not there, or not ours to read: what we cannot read cannot get into the bundle either
        for path in found[:FILES_MOST]:
            try:
                with path.open("rb") as file:
                    content = file.read(FILE_BYTES_MOST)
            except OSError:
                continue
            count += 1
            masker.learn(content.decode(errors="replace"))
            masker.learn(content.hex())
    return count


def _spellings(secret: str) -> set[str]:
    raw = secret.encode(errors="surrogateescape")
    found = {secret, raw.hex(), raw.hex().upper(), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    found |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    return {each for each in found if len(each) >= LEAST_CHARACTERS}
