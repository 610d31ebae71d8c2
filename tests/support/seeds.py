"""The seed of a test with chance in it: printed, so that a failure can be repeated with TAGWHARF_SEED."""

from __future__ import annotations

import os
import random
from typing import Final

VARIABLE: Final = "TAGWHARF_SEED"


def chosen_seed() -> int:
    """The seed of the environment, or one of its own."""
    given = os.environ.get(VARIABLE)
    seed = int(given) if given else random.SystemRandom().getrandbits(32)
    print(f"{VARIABLE}={seed}")  # noqa: T201  # pytest shows it when the test fails
    return seed
