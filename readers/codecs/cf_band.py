"""The frequencies of CF readers: 8 of the bytes of their parameters.

    R MMMM KKKK SSSS N
    │ │    │    │    └ number of the last frequency, which counts from 0
    │ │    │    └───── step in kHz, 2 bytes
    │ └────┴────────── first frequency: whole MHz, 2 bytes, and kHz beyond them, 2 bytes
    └───────────────── region

Source: UHF Prime Reader User manual V1.3, table of frequency bands. Its regions 4 (952.2 to 953.6 MHz) and 5 (919.5 to
922.5 MHz) are left out: no step is given for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from readers.errors import FrameError

BAND_BYTES: Final = 8
_KHZ_PER_MHZ: Final = 1_000


class Region(StrEnum):
    """The bands that the manual gives in full."""

    US = "us"
    KR = "kr"
    EU = "eu"
    EU_HIGH = "eu_high"
    CN_840 = "cn_840"
    CN_920 = "cn_920"


@dataclass(frozen=True, slots=True)
class Band:
    """Frequencies from `first_khz` on; `last` is the number of the last, from 0."""

    code: int
    first_khz: int
    step_khz: int
    last: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read one.

        Raises:
            FrameError: `length`.
        """
        if len(data) != BAND_BYTES:
            raise FrameError("length", f"{len(data)} bytes of band; {BAND_BYTES} are due", data)
        first_khz = int.from_bytes(data[1:3], "big") * _KHZ_PER_MHZ + int.from_bytes(data[3:5], "big")
        return cls(data[0], first_khz, int.from_bytes(data[5:7], "big"), data[7])

    def data(self) -> bytes:
        """As the parameters hold it."""
        mhz, khz = divmod(self.first_khz, _KHZ_PER_MHZ)
        numbers = b"".join(number.to_bytes(2, "big") for number in (mhz, khz, self.step_khz))
        return bytes([self.code]) + numbers + bytes([self.last])

    def __str__(self) -> str:
        region = next((name for name, band in BANDS.items() if band == self), None)
        if region is not None:
            return str(region)
        last_khz = self.first_khz + self.last * self.step_khz
        return f"{self.first_khz} to {last_khz} kHz in steps of {self.step_khz} kHz (region code {self.code:02X})"


BANDS: Final[Mapping[Region, Band]] = {
    Region.US: Band(0x01, 902_750, 500, 49),
    Region.KR: Band(0x02, 917_100, 200, 31),
    Region.EU: Band(0x03, 865_100, 200, 14),
    Region.EU_HIGH: Band(0x06, 865_700, 600, 3),
    Region.CN_840: Band(0x07, 840_125, 250, 19),
    Region.CN_920: Band(0x08, 920_125, 250, 19),
}
