"""How the tests see each codec: one module a codec, with a constant `CASE` (or `CASES`, a tuple).

Vectors, hostile streams, fuzzing and the codec benchmark find the cases here, so that a new codec costs one module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final, Protocol

FramesOf = Callable[[Sequence[bytes]], tuple[list[dict[str, Any]], dict[str, int]]]
"""The frames in slices of a stream, as tables that hold `hex` as encoded again, and the rejects by reason.

Reads the frames to the end, payload and all; raises only FrameError.
"""


class Decoder(Protocol):
    """What every streaming decoder of `readers.codecs` can do."""

    @property
    def holds(self) -> int:
        """How many bytes of an unfinished frame are held."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Take bytes in any slicing; the frames that are whole now. Never raises."""

    def gap(self) -> Sequence[Any]:
        """The line was silent; the frames that were hidden behind a false start."""

    def take_rejects(self) -> dict[str, int]:
        """Rejects by reason since the last call."""


@dataclass(frozen=True)
class CodecCase:
    """One codec.

    Attributes:
        name: of the codec's module, and of its vectors: the file of that name, or its key `driver`.
        tables: see `FramesOf`.
        decoder: makes a fresh decoder, as a driver has it.
        sample: one good frame as a device sends it, a tag or a value for preference, drawn at random.
        most_held_bytes: what an unfinished frame may take at most.
        drivers: drivers on this codec, each with settings to be tried on hostile streams.
        repaired: a damaged frame with length and checksum put right, so that what is wrong is inside.
        tables_use_gap: the codec marks no frame ends; a pause does.
    """

    name: str
    tables: FramesOf
    decoder: Callable[[], Decoder]
    sample: Callable[[Random], bytes]
    most_held_bytes: int
    drivers: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    repaired: Callable[[bytes], bytes] | None = None
    tables_use_gap: bool = False


@cache
def cases() -> dict[str, CodecCase]:
    """All codecs by name."""
    found: Final[dict[str, CodecCase]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for case in getattr(module, "CASES", None) or (module.CASE,):
            assert case.name not in found, f"two codec cases are named {case.name}"
            found[case.name] = case
    return found
