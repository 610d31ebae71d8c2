"""One connection to a reader: everything that ends with it."""

from __future__ import annotations

import asyncio

from readers.driver import Port
from simulator.llrp.codec import VERSION_1_0_1

_MS_PER_S = 1_000


class Link:
    """What a reader remembers of the client that holds it.

    Attributes:
        version: of LLRP, as negotiated. extensions: whether IMPINJ_ENABLE_EXTENSIONS came.
        released: whether events and reports may go out; polled: how many buffered messages may go out although not.
        control: encoded messages that go before all others. closing: nothing is taken any more, the end is near.
        unanswered: KEEPALIVEs without an acknowledgement. next_keepalive_s: by the port's clock; None for never.
    """

    def __init__(self, port: Port, *, released: bool) -> None:
        self.port = port
        self.version = VERSION_1_0_1
        self.extensions = False
        self.released = released
        self.polled = 0
        self.control: list[bytes] = []
        self.closing = False
        self.unanswered = 0
        self.next_keepalive_s: float | None = None
        self.wake = asyncio.Event()

    def say(self, message: bytes) -> None:
        """Put an encoded message before everything that waits."""
        self.control.append(message)
        self.wake.set()

    def set_keepalive(self, period_ms: int) -> None:
        """Start the period anew; 0 ends it."""
        self.next_keepalive_s = self.port.monotonic_s() + period_ms / _MS_PER_S if period_ms else None
        self.unanswered = 0

    def keepalive_due(self, period_ms: int) -> bool:
        """Whether the period is over; if so, the next one begins."""
        now_s = self.port.monotonic_s()
        if self.next_keepalive_s is None or now_s < self.next_keepalive_s:
            return False
        self.next_keepalive_s = now_s + period_ms / _MS_PER_S
        return True
