"""Joins what is typed on a reader's keypad with the card that it goes with."""

from __future__ import annotations

from typing import Final

from readers.tagdata.cards import CardIdentity

MOST_KEYS: Final = 16
ENTER: Final = "#"
CLEAR: Final = "*"
_SPELLED: Final = {0x0D: ENTER, 0x7F: CLEAR, 0x23: ENTER, 0x2A: CLEAR}
"""OSDP sends DEL for * and CR for #; readers that send the signs themselves exist (from memory)."""

Told = list[tuple[CardIdentity, str | None]]


class Keypad:
    """The keypad of one reader. Keys never appear in messages.

    Args:
        within_s: how long a card waits for its keys, and keys for their card.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._typed = ""
        self._is_entered = False
        self._typed_s = 0.0
        self._card: CardIdentity | None = None
        self._card_s = 0.0

    def keys(self, data: bytes, at_s: float) -> Told:
        """Keys were pressed; a waiting card, when they complete it."""
        if at_s - self._typed_s > self._within_s or self._is_entered:
            self._typed, self._is_entered = "", False
        self._typed_s = at_s
        for code in data:
            key = _SPELLED.get(code, chr(code) if chr(code) in "0123456789ABCD" else "")
            if key == CLEAR:
                self._typed, self._is_entered = "", False
            elif key == ENTER:
                self._is_entered = bool(self._typed)
            elif not self._is_entered:
                self._typed = (self._typed + key)[:MOST_KEYS]
        return self.flush() if self._card is not None and self._is_entered else []

    def card(self, card: CardIdentity, at_s: float) -> Told:
        """A card was presented; what can be told now."""
        told = self.flush() if self._card is not None else []
        if at_s - self._typed_s > self._within_s:
            self._typed, self._is_entered = "", False
        self._card, self._card_s = card, at_s
        return told + (self.flush() if self._is_entered else [])

    def due(self, now_s: float) -> Told:
        """A card whose time for keys is over."""
        return self.flush() if self._card is not None and now_s - self._card_s >= self._within_s else []

    def flush(self) -> Told:
        """The card that waits, if any, with the keys that were entered for it; keys without # do not count."""
        card, keys = self._card, self._typed if self._is_entered else None
        self._card = None
        if card is None:
            return []
        self._typed, self._is_entered = "", False
        return [(card, keys)]
