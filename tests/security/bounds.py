"""What one input may cost: measured on this thread alone, generously, so that a busy machine changes nothing."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Final, TypeVar

MOST_S: Final = 0.1
"""The goal is 10 ms for each input in a codec; a test bounds what cannot be noise."""
MOST_S_PER_BYTE: Final = 10e-6
"""What looking at a byte costs in Python, several times: never the square of the size."""
MOST_EXTRA_BYTES: Final = 64 << 10
PER_BYTE: Final = 24
"""Bytes of Python objects that one byte of an input may become, beside that: a list of short strings, a JSON tree."""
ATTEMPTS: Final = 3
T = TypeVar("T")


def bounded(work: Callable[[], T], size_bytes: int, *, extra_bytes: int = 0) -> T:
    """The result of `work`, which must be quick and small. It is done several times: the quickest counts."""
    most_s = MOST_S + MOST_S_PER_BYTE * size_bytes
    best_s = float("inf")
    for _ in range(ATTEMPTS):
        begun_s = time.thread_time()
        work()
        best_s = min(best_s, time.thread_time() - begun_s)
        if best_s < most_s:
            break
    assert best_s < most_s, f"{best_s:.3f} s for {size_bytes} bytes"
    tracemalloc.start()
    try:
        result = work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    most_bytes = MOST_EXTRA_BYTES + extra_bytes + PER_BYTE * size_bytes
    assert peak <= most_bytes, f"{peak} bytes for {size_bytes} bytes"
    return result
