"""One presentation of a card out of the many times that a reader tells of it while it lies there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MOST_KEPT: Final = 1_024  # more cards than ever lie before one reader


class Presentations:
    """Knows which cards are here now.

    Args:
        absent_after_s: a card that was not heard for so long has gone; heard again it is presented anew.
    """

    def __init__(self, absent_after_s: float) -> None:
        self._absent_after_s = absent_after_s
        self._heard_s: OrderedDict[Hashable, float] = OrderedDict()

    def is_new(self, card: Hashable, at_s: float) -> bool:
        """Take note that the card was heard at `at_s` of a clock that never jumps; True when it has just come."""
        heard_s = self._heard_s.pop(card, None)
        self._heard_s[card] = at_s
        if len(self._heard_s) > MOST_KEPT:
            self._heard_s.popitem(last=False)
        return heard_s is None or at_s - heard_s > self._absent_after_s

    def gone(self, card: Hashable) -> None:
        """The reader says that the card was taken away."""
        self._heard_s.pop(card, None)
