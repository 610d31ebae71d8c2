"""The seven status words of a DL/T 645-2007 meter, 040005 01 to 07, or all of them as the block 040005FF.

Each word is 2 bytes, low byte first. Words 4, 5 and 6 are one form for the phases A, B and C.

Source: DL/T 645-2007 annex C by two public descriptions that agree: a copy of the annex and a terminal's source code;
the two bits of the relay by published frames of a meter before and after a trip. Bit 12 of word 3 (supply protected)
and bits 9 and 10 of word 7 (covers) are additions of the State Grid, each from one terminal's source code: another
meter may leave them at 0. Newer meters send more words in the block (8 and 14 were seen); what those say is not known
here. There is no number of the tariff that runs now in these words, only which of the two day tables is in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from readers.errors import FrameError
from readers.quantities import Phase

FIRST_WORD: Final = 0x04000501
BLOCK: Final = 0x040005FF
RELAY_WORD: Final = 0x04000503
WORDS: Final = 7
MOST_WORDS: Final = 16
WORD_BYTES: Final = 2

_ABSENT: Final = b"\xff\xff"
_PHASES: Final = (Phase.A, Phase.B, Phase.C)
_SUPPLY_SHIFT: Final = 1
_SUPPLY_MASK: Final = 0b11
_MAIN_SUPPLY, _AUXILIARY_SUPPLY, _BATTERY = range(3)


class General(IntFlag):
    """Word 1."""

    SWITCHED_BY_PULSE = 1 << 0
    DEMAND_BY_BLOCKS = 1 << 1
    CLOCK_BATTERY_LOW = 1 << 2
    READING_BATTERY_LOW = 1 << 3
    ACTIVE_REVERSED = 1 << 4
    REACTIVE_REVERSED = 1 << 5


class Directions(IntFlag):
    """Word 2."""

    ACTIVE_REVERSED_A = 1 << 0
    ACTIVE_REVERSED_B = 1 << 1
    ACTIVE_REVERSED_C = 1 << 2
    REACTIVE_REVERSED_A = 1 << 4
    REACTIVE_REVERSED_B = 1 << 5
    REACTIVE_REVERSED_C = 1 << 6


class Operation(IntFlag):
    """Word 3."""

    SECOND_DAY_TABLE = 1 << 0
    PROGRAMMING_ALLOWED = 1 << 3
    RELAY_OPEN = 1 << 4
    SECOND_SEASON_TABLE = 1 << 5
    RELAY_ORDERED_OPEN = 1 << 6
    PRE_TRIP_ALARM = 1 << 7
    SUPPLY_PROTECTED = 1 << 12


class PhaseFaults(IntFlag):
    """Words 4 to 6."""

    VOLTAGE_LOST = 1 << 0
    UNDERVOLTAGE = 1 << 1
    OVERVOLTAGE = 1 << 2
    CURRENT_LOST = 1 << 3
    OVERCURRENT = 1 << 4
    OVERLOAD = 1 << 5
    FLOW_REVERSED = 1 << 6
    PHASE_LOST = 1 << 7
    CURRENT_BROKEN = 1 << 8


class CommonFaults(IntFlag):
    """Word 7."""

    VOLTAGE_SEQUENCE_REVERSED = 1 << 0
    CURRENT_SEQUENCE_REVERSED = 1 << 1
    VOLTAGE_UNBALANCED = 1 << 2
    CURRENT_UNBALANCED = 1 << 3
    AUXILIARY_SUPPLY_LOST = 1 << 4
    POWER_FAILED = 1 << 5
    DEMAND_EXCEEDED = 1 << 6
    POWER_FACTOR_LOW = 1 << 7
    CURRENT_SEVERELY_UNBALANCED = 1 << 8
    COVER_OPEN = 1 << 9
    TERMINAL_COVER_OPEN = 1 << 10


@dataclass(frozen=True, slots=True)
class Status:
    """What the words that came say; None for a word that did not come, or came as FFFF.

    Attributes:
        words: as on the wire, words 1 to 7.
    """

    words: tuple[int | None, int | None, int | None, int | None, int | None, int | None, int | None]

    @property
    def general(self) -> General | None:
        """Word 1."""
        return None if self.words[0] is None else General(self.words[0])

    @property
    def directions(self) -> Directions | None:
        """Word 2."""
        return None if self.words[1] is None else Directions(self.words[1])

    @property
    def operation(self) -> Operation | None:
        """Word 3, without the two bits of `supply`."""
        word = self.words[2]
        return None if word is None else Operation(word & ~(_SUPPLY_MASK << _SUPPLY_SHIFT))

    @property
    def faults_by_phase(self) -> dict[Phase, PhaseFaults]:
        """Words 4 to 6, of the phases whose word came."""
        words = self.words[3:6]
        return {phase: PhaseFaults(word) for phase, word in zip(_PHASES, words, strict=True) if word is not None}

    @property
    def common_faults(self) -> CommonFaults | None:
        """Word 7."""
        return None if self.words[6] is None else CommonFaults(self.words[6])

    @property
    def supply(self) -> str | None:
        """What the meter itself lives on: `main`, `auxiliary`, `battery`; None when it does not say."""
        word = self.words[2]
        if word is None:
            return None
        which = word >> _SUPPLY_SHIFT & _SUPPLY_MASK
        return {_MAIN_SUPPLY: "main", _AUXILIARY_SUPPLY: "auxiliary", _BATTERY: "battery"}.get(which)

    @property
    def is_relay_closed(self) -> bool | None:
        """The relay itself, as the meter sees it."""
        return self._operates(Operation.RELAY_OPEN, inverted=True)

    @property
    def is_closing_ordered(self) -> bool | None:
        """The last command to the relay: False after a trip, True after a permit or a close."""
        return self._operates(Operation.RELAY_ORDERED_OPEN, inverted=True)

    @property
    def is_protected(self) -> bool | None:
        """Whether the meter refuses to trip (保电); False in meters that do not know the bit."""
        return self._operates(Operation.SUPPLY_PROTECTED)

    @property
    def is_pre_trip_alarm(self) -> bool | None:
        """Whether the meter warns that it will trip."""
        return self._operates(Operation.PRE_TRIP_ALARM)

    @property
    def day_table(self) -> int | None:
        """Which of the two sets of day tables of tariffs is in force: 1 or 2."""
        second = self._operates(Operation.SECOND_DAY_TABLE)
        return None if second is None else 1 + second

    @property
    def is_battery_low(self) -> bool | None:
        """Whether one of the two batteries is low."""
        general = self.general
        return None if general is None else bool(general & (General.CLOCK_BATTERY_LOW | General.READING_BATTERY_LOW))

    def _operates(self, bit: Operation, *, inverted: bool = False) -> bool | None:
        operation = self.operation
        return None if operation is None else bool(operation & bit) is not inverted


def is_status(identifier: int) -> bool:
    """Whether it names a status word or their block."""
    return identifier == BLOCK or FIRST_WORD <= identifier < FIRST_WORD + WORDS


def decode(identifier: int, data: bytes) -> Status:
    """The status words in a reply, after its identifier. A block may end early, or go on with words not known here.

    Raises:
        FrameError: `identifier` when it names no status word, `length`.
    """
    if not is_status(identifier):
        raise FrameError("identifier", f"{identifier:08X} is no status word", data)
    most = MOST_WORDS if identifier == BLOCK else 1
    count, rest = divmod(len(data), WORD_BYTES)
    if rest or not 1 <= count <= most:
        raise FrameError("length", f"{len(data)} bytes for {identifier:08X}: must be 1 to {most} times 2", data)
    words: list[int | None] = [None] * WORDS
    first = 0 if identifier == BLOCK else identifier - FIRST_WORD
    for index in range(min(count, WORDS)):
        raw = data[index * WORD_BYTES : (index + 1) * WORD_BYTES]
        words[first + index] = None if raw == _ABSENT else int.from_bytes(raw, "little")
    a, b, c, d, e, f, g = words
    return Status((a, b, c, d, e, f, g))


def encode(identifier: int, status: Status) -> bytes:
    """What a meter in that state sends for an identifier.

    Raises:
        FrameError: `identifier` when it names no status word.
    """
    if not is_status(identifier):
        raise FrameError("identifier", f"{identifier:08X} is no status word")
    words = status.words if identifier == BLOCK else (status.words[identifier - FIRST_WORD],)
    return b"".join(_ABSENT if word is None else word.to_bytes(WORD_BYTES, "little") for word in words)
