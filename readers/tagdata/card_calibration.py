"""Finds the settings of card readers from the same cards presented on each of them.

A number alone does not say in which order its bytes are, and of all readers turned round together nobody could tell: a
card whose UID is known, or one reader whose settings are known, settles it. So does a card of 7 or 10 bytes, mostly,
because such UIDs begin with a maker's number and few makers exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from readers.errors import FrameError
from readers.tagdata.card_formats import WIEGAND, Base, Bits, ByteOrder, CardFormat
from readers.tagdata.cards import PART_BYTES, UID_BYTES, CardIdentity, Part, Technology, partial_of

MAKERS: Final = frozenset({0x02, 0x04, 0x05, 0x07, 0x16, 0x1D, 0x39})
"""First bytes of longer UIDs that are met: ST, NXP, Infineon, TI, EM, Shanghai Fudan, Silicon Craft (ISO/IEC 7816-6,
the last two from memory)."""

_Cards = tuple[CardIdentity, ...]

Samples = Mapping[str, Sequence[str | Bits]]
"""By reader: what it delivered of the first card, the second, and so on; the same cards in the same order on all."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Settings under which all readers tell of the same cards.

    Attributes:
        cards: the cards; partial identities where no reader passes on whole UIDs.
        formats: by reader all settings that fit, the likeliest first.
    """

    cards: tuple[CardIdentity, ...]
    formats: Mapping[str, tuple[CardFormat, ...]]

    @property
    def undecided(self) -> tuple[str, ...]:
        """Readers that more than one setting fits: present a card with a longer UID."""
        return tuple(reader for reader, formats in self.formats.items() if len(formats) > 1)


def calibrate(
    samples: Samples, technology: Technology, known: Sequence[CardIdentity] | None = None
) -> tuple[Calibration, ...]:
    """All ways to understand the samples; one when they settle it, none when they contradict each other.

    Two mirrored ways mean that the byte order is not settled: give `known`. The likelier comes first.

    Args:
        samples: what was delivered.
        technology: what the cards speak.
        known: the whole identities of the cards, where they are known.

    Raises:
        ValueError: the readers did not read the same number of cards, or none.
    """
    counts = {len(texts) for texts in samples.values()}
    if len(counts) != 1 or counts == {0} or (known is not None and {len(known)} != counts):
        raise ValueError("samples: every reader, and known, must have the same cards in the same order, at least one")
    read = {reader: dict(_readings(texts, technology)) for reader, texts in samples.items()}
    if known is not None:
        return _explaining([tuple(known)], read)
    seen = dict.fromkeys(cards for formats in read.values() for cards in formats.values())
    whole = [cards for cards in seen if cards[0].part is Part.WHOLE]
    return _explaining(whole, read) or _explaining(seen, read)


def _formats(technology: Technology) -> Iterator[CardFormat]:
    sizes: tuple[int | None, ...] = UID_BYTES.get(technology, (3, 4, 5, 7, 8))
    for width, order, wiegand, base in product(Part, ByteOrder, (None, *WIEGAND), Base):
        is_facility = base is Base.FACILITY_NUMBER
        if is_facility and (wiegand is not None or (width is Part.WHOLE and technology is not Technology.WIEGAND)):
            continue  # with its facility a number is a part of a UID, unless it is no UID at all
        # only a decimal number does not say its own size
        is_open = width is Part.WHOLE and wiegand is None and base is not Base.HEX
        for size in ((3, 4) if is_facility else sizes) if is_open else (None,):
            yield CardFormat(
                technology=technology,
                base=base,
                byte_order=order,
                width=width,
                uid_bytes=size,
                wiegand=wiegand,
                random_uids="allowed",
                pupi="allowed",
            )


def _readings(texts: Sequence[str | Bits], technology: Technology) -> Iterator[tuple[CardFormat, _Cards]]:
    """Every format that understands all the texts of one reader, with the cards as it sees them."""
    for wanted in _formats(technology):
        is_text = all(isinstance(text, str) for text in texts)
        if not is_text and (wanted.base is not Base.HEX or wanted.wiegand is not None):
            continue  # bits say both themselves
        try:
            yield _plain(wanted), tuple(wanted.identity(text) for text in texts)
        except FrameError:
            continue


def _plain(wanted: CardFormat) -> CardFormat:
    """The format as it would stand in a site file: random UIDs refused."""
    return wanted.model_copy(update={"random_uids": "refused", "pupi": "refused"})


def _explaining(
    candidates: Iterable[_Cards], read: Mapping[str, Mapping[CardFormat, _Cards]]
) -> tuple[Calibration, ...]:
    """The candidates that every reader can have told of."""
    found = []
    for cards in candidates:
        fits = {reader: _fitting(formats, cards) for reader, formats in read.items()}
        if all(fits.values()):
            found.append(Calibration(cards, fits))
    return tuple(sorted(found, key=_unlikeliness))


def _fitting(formats: Mapping[CardFormat, _Cards], cards: _Cards) -> tuple[CardFormat, ...]:
    """The formats under which one reader tells of these cards, the simplest first."""
    fits = [
        wanted
        for wanted, seen in formats.items()
        if all(_is_of(told, card) for told, card in zip(seen, cards, strict=True))
    ]
    return tuple(
        sorted(fits, key=lambda wanted: (wanted.width is not Part.WHOLE, wanted.byte_order is not ByteOrder.AIR))
    )


def _is_of(told: CardIdentity, card: CardIdentity) -> bool:
    if card.part is not Part.WHOLE or told.part is Part.WHOLE:
        return told == card
    return partial_of(card, told.part) == told


def _unlikeliness(calibration: Calibration) -> int:
    """A longer UID begins with its maker; else as many readers as possible write in air order."""
    strange = sum(
        card.part is Part.WHOLE and len(card.uid) > PART_BYTES[Part.FIRST_32] and card.uid[0] not in MAKERS
        for card in calibration.cards
        if card.technology is Technology.NFC_A
    )
    turned = sum(formats[0].byte_order is not ByteOrder.AIR for formats in calibration.formats.values())
    return strange * 1000 + turned
