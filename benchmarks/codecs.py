"""Frames that each serial codec reads a second on one core, and how many full lines that is.

The stream is of frames as a device sends them, drawn by the tests' own cases, handed over in pieces of 64 bytes as a
serial port does. Time is this process's processor time, the best of several rounds.
"""

from __future__ import annotations

import time
from random import Random
from typing import Any, Final

from readers.registry import drivers
from tests.support.codecs import CodecCase, cases

FRAMES: Final = 3_000
PIECE_BYTES: Final = 64
ROUNDS: Final = 5
BITS_A_BYTE: Final = 10
NETWORK_BAUD: Final = 115_200  # for codecs of a network: what their serial sisters have


def run() -> dict[str, Any]:
    """Frames a second, and multiples of the line's capacity, by codec."""
    figures: dict[str, Any] = {}
    least = float("inf")
    for name, case in cases().items():
        frames_per_s, bytes_per_s = _measure(case)
        lines = bytes_per_s / (_baud(case) / BITS_A_BYTE)
        figures[f"{name}_frames_per_s"] = frames_per_s
        figures[f"{name}_full_lines"] = lines
        least = min(least, lines)
    figures["least_full_lines"] = least
    figures["goal"] = "least_full_lines >= 32: every line of a large site on one core"
    return figures


def _baud(case: CodecCase) -> int:
    lines = [spec.line for name in case.drivers if (spec := drivers().get(name)) is not None]
    return max((line.baud for line in lines if line is not None), default=NETWORK_BAUD)


def _measure(case: CodecCase) -> tuple[float, float]:
    rng = Random(case.name)
    frames = [case.sample(rng) for _ in range(FRAMES)]
    stream = b"".join(frames)
    pieces = [stream[start : start + PIECE_BYTES] for start in range(0, len(stream), PIECE_BYTES)]
    best_s = float("inf")
    for _ in range(ROUNDS):
        decoder = case.decoder()
        before_s = time.process_time()
        heard = sum(len(decoder.feed(piece)) for piece in pieces)
        best_s = min(best_s, time.process_time() - before_s)
        if heard < FRAMES // 2 and not case.tables_use_gap:
            raise RuntimeError(f"{case.name}: {heard} of {FRAMES} frames were found: the sample is no stream of frames")
    return FRAMES / best_s, len(stream) / best_s
