"""Whether a reader is the one that is meant: what it says of itself is compared with what was pinned.

    Identification  218    IDType u8: 0 MAC address as EUI-64, 1 EPC    ReaderID

A MAC address of 48 bits becomes an EUI-64 by FFFE or FFFF in its middle; readers of both kinds are about. This is what
the reader says: it tells a reader that was changed or confused from the right one, and is no proof; that is TLS.

Source: LLRP 1.1, section 13.2.1; IEEE, "Guidelines for Use of Extended Unique Identifier", for the two middles.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_MAC_DIGITS: Final = 12
_HALF: Final = 6
_MIDDLES: Final = ("FFFE", "FFFF")


class OtherIdentity(StrEnum):
    """What is done with a reader of another identity."""

    KEEP = "keep"  # its reads are taken, and the condition stands: most often somebody changed a broken reader
    REFUSE = "refuse"  # none of its reads is taken


def is_same(pinned: str, said: str) -> bool:
    """Whether the identity that a reader says, in hex, is the pinned one; `:` and `-` are only for the eye."""
    wanted, found = _bare(pinned), _bare(said)
    forms = {wanted}
    if len(wanted) == _MAC_DIGITS:
        forms |= {wanted[:_HALF] + middle + wanted[_HALF:] for middle in _MIDDLES}
    return found in forms


def described(pinned: str, said: str) -> str:
    """What is wrong, and what to do."""
    now = f"says that it is {_bare(said)}" if said else "does not say which it is"
    return (
        f"the reader {now}, and {_bare(pinned)} is pinned: see whether somebody changed the reader or its address; "
        "if it is the right one, set identity to what it says"
    )


def _bare(text: str) -> str:
    return text.replace(":", "").replace("-", "").upper()
