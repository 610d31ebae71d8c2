"""The two editions of the protocol behind one face: identifiers are those of 2007, whichever the meter speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from readers.codecs import dlt645_1997, dlt645_registers
from readers.codecs.dlt645 import Frame, Function, identifier_bytes
from readers.observations import Reading


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a read.

    Attributes:
        request: what is sent.
        begins: how the data of the reply begin.
        ends: how they end, after what was asked for.
    """

    request: Frame
    begins: bytes = b""
    ends: bytes = b""


class Dialect(Protocol):
    """How a meter is asked."""

    def question(self, address: str, identifier: int, more: bytes = b"", part: int = 0) -> Question | None:
        """Ask for an identifier of 2007, from part 0 on; None: this edition has no such thing.

        `more` is what the request carries after the identifier.
        """

    def decode(self, identifier: int, data: bytes, meter_utc_offset_min: int) -> list[Reading]:
        """The readings in a reply, after its identifier.

        Raises:
            FrameError: they are none.
        """


class Edition2007:
    """DL/T 645-2007."""

    def question(self, address: str, identifier: int, more: bytes = b"", part: int = 0) -> Question | None:
        """See `Dialect`."""
        name = identifier_bytes(identifier)
        if not part:
            return Question(Frame(address, Function.READ, name + more), name)
        number = bytes([part])
        return Question(Frame(address, Function.READ_MORE, name + number), name, number)

    def decode(self, identifier: int, data: bytes, meter_utc_offset_min: int) -> list[Reading]:
        """See `Dialect`."""
        return dlt645_registers.decode(identifier, data, meter_utc_offset_min)


class Edition1997:
    """DL/T 645-1997. Parts of a reply carry no numbers, so that one lost part loses the whole."""

    def question(self, address: str, identifier: int, more: bytes = b"", part: int = 0) -> Question | None:
        """See `Dialect`."""
        known = dlt645_1997.identifier_1997(identifier)
        if known is None or more:
            return None
        name = dlt645_1997.identifier_bytes(known)
        function = dlt645_1997.Function1997.READ_MORE if part else dlt645_1997.Function1997.READ
        return Question(Frame(address, function, name), name)

    def decode(self, identifier: int, data: bytes, meter_utc_offset_min: int) -> list[Reading]:  # noqa: ARG002 - no times
        """See `Dialect`."""
        known = dlt645_1997.identifier_1997(identifier)
        assert known is not None  # it was asked for
        return dlt645_1997.decode(known, data)


EDITION_2007 = Edition2007()
EDITION_1997 = Edition1997()
