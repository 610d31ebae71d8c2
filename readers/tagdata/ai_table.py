"""How the value of each GS1 Application Identifier is laid down in the bits of a tag.

Codes: `D18` 18 digits of four bits each; `N6` a number of six digits in as few bits as it needs; `V4/12` a length of
four bits, then a number of at most 12 digits; `T5/20` an encoding of three bits, a length of five, then at most 20
characters; `L5/30` digits, ended, or followed by such a text, at most 30 characters together. The rest are named after
what they hold. A value of two parts has two codes with a plus between them.

Source: GS1 TDS 2.3, section 15.3, tables K (length of an AI) and F (formats).
"""

from __future__ import annotations

import itertools
import re
from typing import Final

_FORMATS: Final = """
D18 00 8006 8017 8018 8026
D14 01 02
D13 41[0-7]
D13+T5/17 253
D13+V4/12 255
D14+T5/16 8003
D2 7241
L5/30 7023 8004 8010
T5/20 10 21 22 243 254 420 4318 702[0-2] 71[0-6] 7240 8002 8012
T5/28 235
T5/30 240 241 250 251 400 401 403 4308 4319 7002 723[0-9] 90
T6/35 4300 4301 4310 4311 4320
T7/70 430[2-6] 431[2-6] 7257 8110 8112 8200
T2/3 427 7008
T2/2 7010
T3/4 7040 7041
T4/10 7009 7255
T4/12 7005
T5/24 8007
T5/25 7242 8013 8020
T6/40 7253 7254 7259
T6/50 8009
T7/90 7256 8030 9[1-9]
N1 7252
N2 20
N3 422 424 426
N4 394[0-3] 8111
N6 31[0-6][0-5] 32[0-9][0-5] 33[0-7][0-5] 34[0-9][0-5] 35[0-7][0-5] 36[0-9][0-5] 395[0-3] 8005
N8 7250
N12 7251
N13 7001
N14 8001
N17 402
N20 4309
N3+T4/9 421
N3+T5/27 703[0-9]
N3+V4/15 391[0-9] 393[0-9]
N6+minus 433[0-3]
V3/4 7004
V3/6 242
V4/8 30 37
V4/10 8019
V4/12 8011
V4/15 390[0-9] 392[0-9] 423 425
date 11 12 13 15 16 17 4326 7006
date_and_minute 4324 4325 7003
dates 7007
date_and_time 7011 8008
country 4307 4317
flag 4321 4322 4323
sequence 7258
"""


def _spelled(pattern: str) -> list[str]:
    """Every AI that a pattern with ranges stands for."""
    choices = [
        [str(digit) for digit in range(int(low), int(high) + 1)] if low else [plain]
        for low, high, plain in re.findall(r"\[(\d)-(\d)\]|(\d)", pattern)
    ]
    return ["".join(digits) for digits in itertools.product(*choices)]


def _table() -> dict[str, tuple[str, ...]]:
    table = {}
    for line in _FORMATS.split("\n"):
        code, _, patterns = line.partition(" ")
        for pattern in patterns.split():
            for ai in _spelled(pattern):
                table[ai] = tuple(code.split("+"))
    return table


FORMATS: Final[dict[str, tuple[str, ...]]] = _table()
"""The codes of an AI's value."""

LENGTHS: Final[dict[str, int]] = {ai[:2]: len(ai) for ai in FORMATS}
"""How many digits an AI has that begins with these two."""
