"""The frames of Q/GDW 376.1 in a stream; `readers.gdw376_messages` draws them and says what they mean.

    68 LL LL 68 C RR TT M F S DDDD.. XX.. S 16

Source and seen on: see there. Ports and codecs may not import each other, and both need these frames.
"""

from __future__ import annotations

from readers.codecs.framing import Scanner
from readers.gdw376_messages import START, Frame, parse


class Decoder(Scanner[Frame]):
    """Finds frames of both directions.

    Reject reasons: noise_bytes, start, length, delimiter, checksum, address, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), parse)
