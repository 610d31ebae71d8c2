"""Randomness by place instead of by turn: the same question always has the same answer.

A device may ask the world in any slices of time and in any order; a stream of random numbers would then differ. So each
draw is a hash of the seed and of what it is for.

Source: the mixing function is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
"""

from __future__ import annotations

from typing import Final

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_SPAN: Final = 1 << 64
_SIXTEEN: Final = 0xFFFF
_UNIFORM_SUM_MEAN: Final = 2 * _SIXTEEN
_UNIFORM_SUM_DEVIATION: Final = 37_837.0  # of four uniform 16-bit numbers: 65536 * sqrt(4 / 12)


def bits(*parts: int) -> int:
    """64 random bits that belong to `parts`."""
    state = 0
    for part in parts:
        state = (state ^ (part & _MASK)) + _GOLDEN & _MASK
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def uniform(*parts: int) -> float:
    """A number from 0 up to 1."""
    return bits(*parts) / _SPAN


def normal(*parts: int) -> float:
    """A number of mean 0 and deviation 1, within 3.5 (a sum of four uniform ones: no tail beyond that)."""
    value = bits(*parts)
    total = (value & _SIXTEEN) + (value >> 16 & _SIXTEEN) + (value >> 32 & _SIXTEEN) + (value >> 48)
    return (total - _UNIFORM_SUM_MEAN) / _UNIFORM_SUM_DEVIATION
