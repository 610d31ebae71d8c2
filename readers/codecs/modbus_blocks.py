"""The fewest requests for what is wanted of a Modbus device, and smaller ones where it refuses those.

Where runs of addresses are wanted, each one value, one request reads unused addresses along, up to `gap` of them in a
row. Where the device refuses that, it is split: first at the gaps, then in halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from readers.codecs.modbus import MOST_BITS, MOST_REGISTERS, Function


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A run of addresses of one table, 0-based as on the wire."""

    function: Function
    address: int
    count: int = 1

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.count

    def __str__(self) -> str:
        last = "" if self.count == 1 else f" to {self.end - 1}"
        return f"{self.function.name.lower().removeprefix('read_').replace('_', ' ')} {self.address}{last}"


@dataclass(frozen=True, slots=True)
class Block:
    """One request, and the wanted runs that it reads."""

    span: Span
    parts: tuple[Span, ...]

    @property
    def has_gaps(self) -> bool:
        """It reads addresses along that nobody wants."""
        return any(after.address > before.end for before, after in pairwise(self.parts))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device can answer at once.

    Attributes:
        most: registers in one request. gap: unused addresses in a row that may be read along.
        forbidden: addresses that must not even be read along.
    """

    most: int = MOST_REGISTERS
    gap: int = 0
    forbidden: tuple[range, ...] = ()


def merge(wanted: Iterable[Span], limits: Limits) -> list[Block]:
    """The fewest blocks for these runs, in the order of their addresses."""
    blocks: list[Block] = []
    for span in sorted(set(wanted)):
        last = blocks[-1] if blocks else None
        if last is not None and _joins(last.span, span, limits):
            end = max(last.span.end, span.end)
            joined = Span(span.function, last.span.address, end - last.span.address)
            blocks[-1] = Block(joined, (*last.parts, span))
        else:
            blocks.append(Block(span, (span,)))
    return blocks


def split(block: Block) -> list[Block]:
    """Smaller blocks for the same runs: without gaps where it has some, else its halves; none for a single run."""
    if len(block.parts) == 1:
        return []
    if block.has_gaps:
        return merge(block.parts, Limits(most=block.span.count))
    middle = len(block.parts) // 2
    return [_around(block.parts[:middle]), _around(block.parts[middle:])]


def _around(parts: Sequence[Span]) -> Block:
    end = max(part.end for part in parts)
    return Block(Span(parts[0].function, parts[0].address, end - parts[0].address), tuple(parts))


def _joins(last: Span, span: Span, limits: Limits) -> bool:
    if last.function is not span.function:
        return False
    is_bits = span.function in (Function.READ_COILS, Function.READ_DISCRETE_INPUTS)
    most = MOST_BITS if is_bits else min(limits.most, MOST_REGISTERS)
    if span.address - last.end > limits.gap or max(last.end, span.end) - last.address > most:
        return False
    return not any(forbidden.start < span.address and last.end < forbidden.stop for forbidden in limits.forbidden)
