"""One Modbus device on its line: runs of registers read in few requests, and what it does not answer learnt.

A device may refuse a merged request because a register in between does not exist, or be silent on it. Then it is asked
in smaller ones, down to single values; what it refuses even so is told, and left alone for an hour. What was learnt
outlives the link.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from readers.bus import NoReplyError, ReplyDelay
from readers.codecs.modbus import Frame, Function, Refusal, bits_of, read_request, registers_of
from readers.codecs.modbus_blocks import Block, Limits, Span, merge, split
from readers.modbus_line import TRIES, Line
from readers.observations import Condition, Severity, Watching

STRIKES: Final = (
    2  # times that a device that answers otherwise is silent on one request before it is asked smaller ones
)
RETRY_REFUSED_S: Final = 3600.0  # a bad hour must not cost a register for ever
_BITS: Final = (Function.READ_COILS, Function.READ_DISCRETE_INPUTS)
_TOO_MUCH: Final = frozenset({Refusal.ILLEGAL_FUNCTION, Refusal.ILLEGAL_ADDRESS, Refusal.ILLEGAL_VALUE})
"""Exceptions by which devices say that they do not have all of what was asked."""
_NOBODY: Final = frozenset({Refusal.GATEWAY_PATH, Refusal.GATEWAY_TARGET})
"""Exceptions of the gateway before the device: it is the device that is silent."""

Found = dict[Span, list[int]]


@dataclass(slots=True)
class Learnt:
    """What is known of a device across links.

    Attributes:
        refused: requests that it does not answer as a whole.
        retry_s: when a single value that it refused is asked for again.
    """

    refused: set[Span] = field(default_factory=set)
    retry_s: dict[Span, float] = field(default_factory=dict)


class Device:
    """One device while a link lasts.

    Args:
        kind: `meter`, `machine`: its condition is `KIND_silent`.
        named: what a run of registers holds, for messages.

    Attributes:
        watched: None until it answers or fails to.
    """

    def __init__(
        self,
        name: str | None,
        unit: int,
        line: Line,
        *,
        kind: str,
        limits: Limits,
        learnt: Learnt,
        delay: ReplyDelay,
        named: Callable[[Span], str],
    ) -> None:
        self.name = name
        self.unit = unit
        self.line = line
        self.watched: bool | None = None
        self._kind = kind
        self._limits = limits
        self._learnt = learnt
        self._delay = delay
        self._named = named
        self._proven: Span | None = None
        self._strikes: dict[Span, int] = {}
        self._in_trouble: set[str] = set()
        self._told: set[Span] = set()

    async def read(self, wanted: Iterable[Span], found: Found) -> bool:
        """Read these runs into `found`; what the device does not have is missing there. False: nothing was asked.

        Raises:
            NoReplyError: the device is silent; `found` holds what came before. LinkError: the line is gone.
        """
        blocks = merge(wanted, self._limits)
        asked = False
        while blocks:
            block = blocks.pop(0)
            if block.span in self._learnt.refused:
                smaller = split(block)
                if smaller:
                    blocks[:0] = smaller
                    continue
                if self.line.port.monotonic_s() < self._learnt.retry_s.get(block.span, 0.0):
                    self._tell_lack(block.span, "has not answered this before")
                    continue
            asked = True
            blocks[:0] = await self._read_block(block, found)
        return asked

    async def read_alone(self, span: Span) -> list[int] | None:
        """One run, apart from all else; None when the device refuses it, or is silent on this alone.

        Raises:
            NoReplyError: the device is silent. LinkError: the line is gone.
        """
        try:
            answer = await self._ask(span)
        except NoReplyError:
            if not self.watched or self._proven in (None, span):
                raise
            await self.prove()
            return None
        if answer.refusal is not None:
            return None
        self._proven = self._proven or span
        return _values(answer, span)

    async def prove(self) -> bool:
        """Ask once what it has answered before; only whether it answers matters.

        Raises:
            NoReplyError: it does not answer, or has never answered. LinkError: the line is gone.
        """
        assert self._proven is not None
        await self._ask(self._proven, tries=1)
        return True

    def silent(self, detail: str) -> None:
        """It does not answer."""
        self._strikes.clear()
        self._in_trouble.clear()
        if self.watched is not False:
            self.watched = False
            self.line.report(Watching(source=self.name, active=False))
            self.condition(f"{self._kind}_silent", "", detail, severity=Severity.FAULT)

    def answers(self) -> None:
        """It has answered."""
        if self.watched:
            return
        if self.watched is False:
            self.condition(f"{self._kind}_silent", active=False, severity=Severity.FAULT)
        self.watched = True
        self.line.report(Watching(source=self.name))

    def condition(
        self, name: str, key: str = "", detail: str = "", *, active: bool = True, severity: Severity = Severity.WARNING
    ) -> None:
        """Report a condition of this device."""
        self.line.report(Condition(name, active, severity, key, detail, self.name))

    async def order(self, request: Frame, until_us: int) -> Frame:
        """Send a request that changes something, once.

        Raises:
            NoReplyError: no answer came. NotSentError: it certainly did not leave. LinkError: the line is gone.
        """
        answer = await self.line.ask(request, tries=1, delay=self._delay, until_us=until_us, source=self.name)
        self.answers()
        return answer

    async def write(self, request: Frame) -> Frame:
        """Send a request of our own, as the setting of a watchdog, once.

        Raises:
            NoReplyError: no answer came. LinkError: the line is gone.
        """
        answer = await self.line.ask(request, tries=1, delay=self._delay, source=self.name)
        self.answers()
        return answer

    async def _ask(self, span: Span, tries: int | None = None) -> Frame:
        if tries is None:
            tries = 1 if self.watched is False else TRIES
        request = read_request(self.unit, span.function, span.address, span.count)
        answer = await self.line.ask(request, tries=tries, delay=self._delay, source=self.name)
        if answer.refusal in _NOBODY:
            raise NoReplyError(
                f"{self.line.port.description}: the gateway answers for unit {self.unit} that it does not hear it "
                f"({refusal_name(answer.refusal)}); check its address, the wiring, and speed and parity of its line"
            )
        self.answers()
        return answer

    async def _read_block(self, block: Block, found: Found) -> list[Block]:
        """Read a block; the smaller blocks to be asked instead, where the device does not answer it."""
        span = block.span
        try:
            answer = await self._ask(span)
        except NoReplyError:
            if not self.watched or self._proven in (None, span):
                raise
            await self.prove()  # it may be silent on one request alone
            self._strikes[span] = self._strikes.get(span, 0) + 1
            return [] if self._strikes[span] < STRIKES else self._lacks(block, "does not answer when asked for it")
        if answer.refusal is None:
            self._has(block)
            registers = _values(answer, span)
            for part in block.parts:
                at = part.address - span.address
                found[part] = registers[at : at + part.count]
            return []
        name = refusal_name(answer.refusal)
        if answer.refusal in _TOO_MUCH or (answer.refusal == Refusal.DEVICE_FAILURE and len(block.parts) > 1):
            return self._lacks(block, f"answers {name}")
        key = str(span)
        if key not in self._in_trouble:
            self._in_trouble.add(key)
            self.condition("read_refused", key, f"unit {self.unit} answers {name} to {span}")
        return []

    def _lacks(self, block: Block, why: str) -> list[Block]:
        span = block.span
        self._learnt.refused.add(span)
        self._strikes.pop(span, None)
        smaller = split(block)
        if not smaller:
            self._learnt.retry_s[span] = self.line.port.monotonic_s() + RETRY_REFUSED_S
            self._tell_lack(span, why)
        return smaller

    def _tell_lack(self, span: Span, why: str) -> None:
        if span not in self._told:
            self._told.add(span)
            detail = f"unit {self.unit} {why}: {span}; it is asked again every hour"
            self.condition("register_unsupported", self._named(span), detail, severity=Severity.INFO)

    def _has(self, block: Block) -> None:
        span = block.span
        self._proven = span if self._proven is None or span.count < self._proven.count else self._proven
        self._strikes.pop(span, None)
        key = str(span)
        if key in self._in_trouble:
            self._in_trouble.remove(key)
            self.condition("read_refused", key, active=False)
        if span in self._learnt.refused:
            self._learnt.refused.discard(span)
            self._learnt.retry_s.pop(span, None)
            if span in self._told:
                self._told.discard(span)
                self.condition("register_unsupported", self._named(span), active=False, severity=Severity.INFO)


def refusal_name(refusal: int | None) -> str:
    """An exception code in words."""
    known = refusal in Refusal.__members__.values()
    return Refusal(refusal or 0).name.lower() if known else f"exception {refusal}"


def _values(answer: Frame, span: Span) -> list[int]:
    """The registers, or bits as 0 and 1, of an answer whose length was compared on the line."""
    if span.function in _BITS:
        return [int(bit) for bit in bits_of(answer, span.count)]
    return registers_of(answer, span.count)
