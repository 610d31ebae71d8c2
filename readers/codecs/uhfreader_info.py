"""What a reader of the UHFReader family says of itself: model, firmware, band, power, scan time.

Data of the response to command 21, one byte each but the version:

    VV T P X N W S [A r r C]
    │  │ │ │ │ │ │  │     └ whether antennas are checked
    │  │ │ │ │ │ │  └────── antennas that are in use, one bit each
    │  │ │ │ │ │ └───────── scan time, tenths of a second
    │  │ │ │ │ └─────────── power, dBm
    │  │ │ └─┴───────────── bits 7 and 6 are the band, of X the high and of N the low half; bits 5 to 0 are the
    │  │ │                  highest and the lowest frequency point
    │  │ └───────────────── protocols: bit 1 ISO 18000-6C, bit 0 ISO 18000-6B
    │  └─────────────────── reader type
    └────────────────────── firmware version, major and minor

What stands in brackets is missing from UHFReader18.

Source: UHF RFID Reader Series User Manual V2.20, 8.4.1 and 8.4.2; reader types from the public client chafon-rfid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Self

from readers.errors import FrameError


class Region(StrEnum):
    """The bands that these readers know."""

    CN_920 = "cn_920"
    US = "us"
    KR = "kr"
    EU = "eu"
    UA = "ua"
    PE = "pe"
    CN_840 = "cn_840"
    EU_HIGH = "eu_high"
    TW = "tw"
    US_FULL = "us_full"


class Band(NamedTuple):
    """Frequency point N of a band is first_khz + N * step_khz; N runs from 0 to `last`."""

    code: int
    first_khz: int
    step_khz: int
    last: int


BANDS: Final = {
    Region.CN_920: Band(0b0001, 920_125, 250, 19),
    Region.US: Band(0b0010, 902_750, 500, 49),
    Region.KR: Band(0b0011, 917_100, 200, 31),
    Region.EU: Band(0b0100, 865_100, 200, 14),
    Region.UA: Band(0b0110, 868_000, 100, 6),
    Region.PE: Band(0b0111, 916_200, 900, 11),
    Region.CN_840: Band(0b1000, 840_125, 250, 19),
    Region.EU_HIGH: Band(0b1001, 865_700, 600, 3),
    Region.TW: Band(0b1010, 922_250, 500, 11),
    Region.US_FULL: Band(0b1100, 902_000, 500, 52),
}
"""The manual calls them Chinese band2, US, Korean, EU, Ukraine, Peru, Chinese band1, EU3, Taiwan and US band3."""

TYPES: Final = {
    0x03: "RRU9803M",
    0x08: "RRU9803M",
    0x09: "UHFReader18",
    0x0C: "UHFReader288M",
    0x0F: "UHFReader86",
    0x10: "UHFReader86",
    0x16: "RRU9883M",
    0x20: "UHFReader288MP",
    0x75: "UHFReader288M",
    0x8B: "UHFReader288ADV",
}
"""Reader types. Source: chafon-rfid, from CF-RU5102, CF-RU5106, CF-RU6402, CF-MU904, CF-MU902, CF-MU804 and CF-RU6401;
75 from another public client."""

_SHORT_BYTES: Final = 8
_LONG_BYTES: Final = 12
_POINT_BITS: Final = 0x3F


def band_bytes(code: int, lowest: int, highest: int) -> bytes:
    """Band and frequency points, as they are set and told."""
    return bytes([code >> 2 << 6 | highest, (code & 0b11) << 6 | lowest])


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """See above.

    Attributes:
        band: its code, see `Band`.
        lowest, highest: frequency points.
        power_dbm: "30 is about 1 W", as the manual says.
        antennas: one bit each; None where the model does not say.
    """

    version: tuple[int, int]
    type: int
    band: int
    lowest: int
    highest: int
    power_dbm: int
    scan_ds: int
    protocols: int = 0b10
    antennas: int | None = None
    checks_antennas: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of a response.

        Raises:
            FrameError: `length`.
        """
        if len(data) < _SHORT_BYTES:
            raise FrameError("length", f"{len(data)} bytes of information; at least {_SHORT_BYTES} are due", data)
        highest, lowest = data[4], data[5]
        is_long = len(data) >= _LONG_BYTES
        return cls(
            version=(data[0], data[1]),
            type=data[2],
            protocols=data[3],
            band=highest >> 6 << 2 | lowest >> 6,
            lowest=lowest & _POINT_BITS,
            highest=highest & _POINT_BITS,
            power_dbm=data[6],
            scan_ds=data[7],
            antennas=data[8] if is_long else None,
            checks_antennas=is_long and bool(data[11]),
        )

    def data(self) -> bytes:
        """As it is sent."""
        short = bytes([*self.version, self.type, self.protocols]) + band_bytes(self.band, self.lowest, self.highest)
        short += bytes([self.power_dbm, self.scan_ds])
        if self.antennas is None:
            return short
        return short + bytes([self.antennas, 0, 0, int(self.checks_antennas)])

    @property
    def region(self) -> Region | None:
        """The band by name; None for one that is not listed."""
        return next((region for region, band in BANDS.items() if band.code == self.band), None)

    def channel_index(self, frequency_khz: int) -> int | None:
        """Which of the frequency points in force this is, from 1; None when it is none of them."""
        region = self.region
        if region is None:
            return None
        band = BANDS[region]
        point, rest = divmod(frequency_khz - band.first_khz, band.step_khz)
        return point - self.lowest + 1 if not rest and self.lowest <= point <= self.highest else None
