"""The bands of R2000 reader modules: what commands 78 and 79 hold, and which frequency an index of a tag frame means.

    R F L           a band of the table: region, index of its first and of its last frequency
    04 S N KKK      a band of the user's own: step in 10 kHz, number of frequencies, first frequency in kHz

In a band of the table an index counts the table's frequencies: 0 to 6 are 865.0 to 868.0 MHz, 7 to 59 are 902.0 to
928.0 MHz, in steps of 0.5 MHz. In a band of the user's own it counts the steps from the first frequency.

Source: UHF RFID Reader Serial Interface Protocol V3.7, tables of regions and frequencies; two public implementations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.errors import FrameError

STEP_UNIT_KHZ: Final = 10
TABLE_KHZ: Final = (*range(865_000, 868_001, 500), *range(902_000, 928_001, 500))
LOWEST_KHZ: Final = 840_000
HIGHEST_KHZ: Final = 960_000
_TABLE_BYTES: Final = 3
_CUSTOM_BYTES: Final = 6


class RegionCode(IntEnum):
    """First byte of a band."""

    FCC = 1
    ETSI = 2
    CHN = 3
    CUSTOM = 4


@dataclass(frozen=True, slots=True)
class TableBand:
    """Frequencies of the table, by their indices."""

    region: int
    first_index: int
    last_index: int

    def data(self) -> bytes:
        """As commands 78 and 79 hold it."""
        return bytes([self.region, self.first_index, self.last_index])

    def khz(self, index: int) -> int | None:
        """The frequency of an index; None when it is not of this band."""
        return TABLE_KHZ[index] if self.first_index <= index <= self.last_index else None

    def __str__(self) -> str:
        return f"{TABLE_KHZ[self.first_index]} to {TABLE_KHZ[self.last_index]} kHz (region code {self.region:02X})"


@dataclass(frozen=True, slots=True)
class CustomBand:
    """`count` frequencies from `start_khz` on; `step_khz` in tens."""

    start_khz: int
    step_khz: int
    count: int

    def data(self) -> bytes:
        """As commands 78 and 79 hold it."""
        head = bytes([RegionCode.CUSTOM, self.step_khz // STEP_UNIT_KHZ, self.count])
        return head + self.start_khz.to_bytes(3, "big")

    def khz(self, index: int) -> int | None:
        """The frequency of an index; None when it is not of this band."""
        return self.start_khz + index * self.step_khz if 0 <= index < self.count else None

    def __str__(self) -> str:
        return f"{self.count} frequencies from {self.start_khz} kHz in steps of {self.step_khz} kHz"


Band = TableBand | CustomBand

WHOLE: Final = {
    RegionCode.FCC: TableBand(RegionCode.FCC, 7, 59),
    RegionCode.ETSI: TableBand(RegionCode.ETSI, 0, 6),
    RegionCode.CHN: TableBand(RegionCode.CHN, 43, 53),
}
"""Each region from its first to its last frequency."""


def parse_band(data: bytes) -> Band:
    """Read the data of command 78, or of an answer to 79.

    Raises:
        FrameError: `length` or `range` when they are none.
    """
    if len(data) == _CUSTOM_BYTES and data[0] == RegionCode.CUSTOM:
        band = CustomBand(int.from_bytes(data[3:], "big"), data[1] * STEP_UNIT_KHZ, data[2])
        if not band.count or not LOWEST_KHZ <= band.start_khz <= HIGHEST_KHZ:
            raise FrameError("range", f"{band}; {LOWEST_KHZ} to {HIGHEST_KHZ} kHz are possible", data)
        return band
    if len(data) != _TABLE_BYTES or data[0] not in WHOLE:
        raise FrameError("length", "a band has 3 bytes and region 1 to 3, or 6 bytes and region 4", data)
    table = TableBand(data[0], data[1], data[2])
    if not table.first_index <= table.last_index < len(TABLE_KHZ):
        raise FrameError("range", f"frequencies {data[1]} to {data[2]}; the table has 0 to {len(TABLE_KHZ) - 1}", data)
    return table
