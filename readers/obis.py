"""OBIS codes: the international names of meter values, `A-B:C.D.E*F`.

Source: IEC 62056-61:2006, section 5; DLMS UA Blue Book Ed. 12.2, chapter 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from readers.errors import ConfigError

_FORM: Final = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*(\d{1,3}))?")
_LARGEST: Final = 255
NO_BILLING_PERIOD: Final = 255


@dataclass(frozen=True, slots=True)
class ObisCode:
    """One OBIS code; groups A to F, each 0 to 255. F is 255 where no billing period is meant."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = NO_BILLING_PERIOD

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1-0:1.8.0` or `1-0:1.8.0*1`.

        Raises:
            ConfigError: the text has another form, or a group is above 255.
        """
        match = _FORM.fullmatch(text)
        groups = [int(group) for group in match.groups() if group is not None] if match else []
        if not groups or max(groups) > _LARGEST:
            raise ConfigError(f"OBIS code {text!r}: must look like 1-0:1.8.0 or 1-0:1.8.0*1, each group 0 to 255")
        return cls(*groups)

    def __str__(self) -> str:
        period = "" if self.f == NO_BILLING_PERIOD else f"*{self.f}"
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}{period}"
