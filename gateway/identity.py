"""What a card is called: a keyed hash of its number, so that the number itself never leaves the host of its reader.

A card number is personal data, and some cards open doors by it alone. So messages, journals and stores name a card by
a keyed hash of its canonical identity: `nfca#` and 24 hex digits, of a partial identity `nfca~last24#` and the hash of
that part. The technology stands beside the hash, not in it: a controller that does not know what its cards speak says
`wiegand`, and means the same card. A site may choose to name cards by their numbers instead: `nfca:04A1B2C3D4E5F6`.

    hash = BLAKE2b-96(key, "whole:04A1B2C3D4E5F6"), of a part ("last24:D4E5F6")
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from gateway.config.models import Cards, IdentityStyle
from gateway.credentials import credential
from readers.driver import Kind
from readers.errors import ConfigError
from readers.tagdata.cards import PART_BYTES, CardIdentity, Part, Technology, partial_of

ANY_TECHNOLOGY: Final[str] = Technology.WIEGAND
"""Of a card whose reader does not know what it speaks: it may be a card of any technology."""
CREDENTIAL: Final = "card-key"
LEAST_KEY_BYTES: Final = 16
DIGEST_BYTES: Final = 12  # 96 bits: among 10^9 cards two share a hash with a probability below 10^-11
_FOR_CARDS: Final = b"tagwharf cards"
_FOR_CHECK: Final = b"tagwharf check"
_TECHNOLOGIES: Final = frozenset(Technology)
_HASHED: Final = re.compile(r"(?P<technology>[a-z0-9]+)(?:~(?P<part>[a-z0-9]+))?#(?P<hex>[0-9A-Fa-f]{24})")
_RANDOM_UID: Final = 0x08  # ISO/IEC 14443-3, 6.5.4: a UID of 4 bytes that begins so is made anew for each presentation
_RANDOM_UID_BYTES: Final = 4
_RUN: Final = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{2}(?:[ :,-]+[0-9a-f]{2}){2,}|(?:0x)?[0-9a-f]{6,}|[0-9]{1,3},[0-9]{5})(?![0-9a-z])"
    r"|(?:\\x[0-9a-f]{2}|[^\x20-\x7e])+",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"")


class MissingKeyError(ConfigError):
    """The key of the site was not handed over to this process."""


class CardName(NamedTuple):
    """A card as messages and lists name it, in parts. `digest` is that of the part, or of the whole number."""

    technology: str
    part: str
    digest: bytes


class Enrolled(NamedTuple):
    """A card of a list. `digests`: its own first, then those of the parts of its number."""

    technology: str
    digests: tuple[bytes, ...]


class Identities:
    """How cards are named on this site.

    Args:
        key: the secret of the keyed hash; None when this process was given none, or the style is raw. Without it hashed
            names can still be read and compared.
    """

    def __init__(self, style: IdentityStyle, key: bytes | None = None) -> None:
        self.style = style
        self._key = b"" if key is None else hashlib.blake2b(key, digest_size=32).digest()

    @property
    def can_name(self) -> bool:
        """Whether it can give a card its name."""
        return self.style is IdentityStyle.RAW or bool(self._key)

    @property
    def check(self) -> str:
        """Tells one key from another, without telling the key; `raw` where none is used, empty where it is missing."""
        if self.style is IdentityStyle.RAW:
            return "raw"
        return hashlib.blake2b(key=self._key, digest_size=8, person=_FOR_CHECK).hexdigest() if self._key else ""

    def name(self, identity: CardIdentity) -> str:
        """What messages call this card.

        Raises:
            ConfigError: the key is missing.
        """
        if self.style is IdentityStyle.RAW:
            return identity.text
        part = "" if identity.part is Part.WHOLE else f"~{identity.part}"
        return f"{identity.technology}{part}#{self._digest(identity).hex()}"

    def read(self, text: str) -> CardName:
        """The card that a message or a list names, by hash or by number.

        Raises:
            ValueError: it names none; the message does not repeat it. ConfigError: a number, and the key is missing.
        """
        if "#" in text:
            return self._hashed(text)
        identity = _identity(text)
        return CardName(identity.technology, identity.part, self._digest(identity))

    def enrol(self, text: str) -> Enrolled:
        """An enrolled card, with the digests by which any reader may name it.

        Raises:
            ValueError: as `read`, and for a number that the card makes up anew each time. ConfigError: as `read`.
        """
        if "#" in text:
            card = self._hashed(text)
            return Enrolled(card.technology, (card.digest,))
        identity = _identity(text)
        if is_random(identity):
            raise ValueError(
                "is a random number, which the card makes up anew each time (4 bytes, beginning with 08); "
                "enrol a number that is read from a file of the card"
            )
        forms = [identity]
        if identity.part is Part.WHOLE:
            forms += [form for part in PART_BYTES if (form := partial_of(identity, part)) is not None]
        return Enrolled(identity.technology, tuple(map(self._digest, forms)))

    def _hashed(self, text: str) -> CardName:
        if self.style is IdentityStyle.RAW:
            raise ValueError('is a keyed hash, and this site names cards by number ([cards] identity = "raw")')
        match = _HASHED.fullmatch(text)
        if match is None:
            raise ValueError("must be TECHNOLOGY#HASH or TECHNOLOGY~PART#HASH, with the 24 hex digits that events show")
        technology, part = _known(match["technology"], match["part"] or Part.WHOLE)
        return CardName(technology, part, bytes.fromhex(match["hex"]))

    def _digest(self, identity: CardIdentity) -> bytes:
        if not self.can_name:
            raise MissingKeyError(f"a card number cannot be hashed without the key: {_ADVICE}")
        text = f"{identity.part}:{identity.uid.hex().upper()}"
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=DIGEST_BYTES, person=_FOR_CARDS).digest()


_ADVICE: Final = (
    f"make one with `openssl rand -hex 32`, keep it as the systemd credential {CREDENTIAL!r} "
    f"(LoadCredential={CREDENTIAL}:/etc/tagwharf/{CREDENTIAL}) for the edge and the rules daemons, the same for all of "
    'the site; or name cards by their numbers with [cards] identity = "raw"'
)


def card_key() -> bytes:
    """The key of the site.

    Raises:
        MissingKeyError: there is none. ConfigError: it is too short.
    """
    try:
        key = credential(CREDENTIAL).encode()
    except ConfigError as error:
        raise MissingKeyError(f'cards.identity = "keyed": needs a key: {error}; {_ADVICE}') from error
    if len(key) < LEAST_KEY_BYTES:
        raise ConfigError(
            f'cards.identity = "keyed": the credential {CREDENTIAL!r} has {len(key)} bytes, at least {LEAST_KEY_BYTES} '
            f"are needed; {_ADVICE}"
        )
    return key


def identities_of(cards: Cards, *, is_key_needed: bool) -> Identities:
    """How cards are named, with the key if it is there.

    Raises:
        ConfigError: the key is needed and is missing, or is too short.
    """
    if cards.identity is IdentityStyle.RAW:
        return Identities(IdentityStyle.RAW)
    try:
        return Identities(IdentityStyle.KEYED, card_key())
    except MissingKeyError:
        if is_key_needed:
            raise
        return Identities(IdentityStyle.KEYED)


def is_random(identity: CardIdentity) -> bool:
    """Whether the card makes its number up anew each time: such a number names no card."""
    return (
        identity.technology is Technology.NFC_A
        and identity.part is Part.WHOLE
        and len(identity.uid) == _RANDOM_UID_BYTES
        and identity.uid[0] == _RANDOM_UID
    )


def hides_numbers(kind: Kind, identities: Identities | None) -> bool:
    """Whether texts of such a reader may hold what the site does not tell: the numbers of cards."""
    return kind is Kind.CARD and (identities is None or identities.style is not IdentityStyle.RAW)


def redacted(text: str) -> str:
    """`text` of a card reader without anything that may be a card number or the bytes of a frame."""
    return _RUN.sub("...", _QUOTED.sub("...", text))


def _identity(text: str) -> CardIdentity:
    technology, _, part = text.partition(":")[0].partition("~")
    _known(technology, part or Part.WHOLE)
    try:
        return CardIdentity.from_text(text)
    except ValueError:
        raise ValueError(
            "must be TECHNOLOGY:HEX or TECHNOLOGY~PART:HEX, such as nfca:04A1B2C3D4E5F6; a part has 3 or 4 bytes"
        ) from None


def _known(technology: str, part: str) -> tuple[str, str]:
    if technology not in _TECHNOLOGIES:
        raise ValueError(f"must begin with a technology: {', '.join(Technology)}")
    if part not in frozenset(Part):
        raise ValueError(f"has a part that is none of {', '.join(Part)}")
    return technology, part
