"""The bands of Hopeland readers, by the number that messages 02 03 and 02 04 hold.

Source: the maker's own library for Python (com.rfid, ERF_Range) for all of them; 0 to 4 also in
samthesuperhero/clourfid. Numbers from 9 on came later: older firmware refuses them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Region(StrEnum):
    """The bands that the library names."""

    CN_920 = "cn_920"
    CN_840 = "cn_840"
    CN_840_920 = "cn_840_920"
    US = "us"
    EU = "eu"
    JP = "jp"
    TW = "tw"
    ID = "id"
    RU = "ru"
    CN_GB = "cn_gb"
    KR = "kr"
    BR = "br"
    MY = "my"
    LK = "lk"
    US_LOW = "us_low"
    US_HIGH = "us_high"
    EU_HIGH = "eu_high"
    AU = "au"
    VN = "vn"
    IL = "il"
    ZA = "za"


REGION_CODES: Final = {region: code for code, region in enumerate(Region)}
REGIONS: Final = {code: region for region, code in REGION_CODES.items()}
