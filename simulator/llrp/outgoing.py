"""What a reader has to say: reports and events in order, in a bounded buffer, until a client takes them.

Source: LLRP 1.0.1 sections 12.2.6.4 (holding), 13.2.6.1 (order), 13.2.6.5 and 13.2.6.6 (warning, overflow).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from simulator.llrp.codec import HEADER
from simulator.llrp.identities import Identity, Overflow
from simulator.llrp.reports import RO_ACCESS_REPORT

SEND_BYTES: Final = 128 * 1024  # one write holds about this much: few system calls, and little is lost with a link


class Outgoing:
    """The buffer of one reader.

    Attributes:
        keeping: whether anybody is there, or will be, to take what comes in.
        reads_sent: air reads that were handed to a link. dropped: air reads lost here, by reason.
        on_warning, on_overflow: called once when the fill rises past the identity's mark, and when it first overflows.
    """

    def __init__(self, identity: Identity, on_warning: Callable[[int], None], on_overflow: Callable[[], None]) -> None:
        self._identity = identity
        self._on_warning = on_warning
        self._on_overflow = on_overflow
        self._queue: deque[tuple[int, bytes, int]] = deque()
        self._warn_at = max(1, identity.buffer_messages * identity.warn_percent // 100)
        self._warned = False
        self._overflowed = False
        self.keeping = False
        self.reads_queued = 0
        self.reads_sent = 0
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._queue)

    def put_report(self, records: bytes, reads: int) -> None:
        """A report of so many air reads."""
        self._put(RO_ACCESS_REPORT, records, reads)

    def put_event(self, message_type: int, body: bytes) -> None:
        """Any other message that must keep its place among the reports."""
        self._put(message_type, body, 0)

    def _put(self, message_type: int, body: bytes, reads: int) -> None:
        if not self.keeping:
            self.dropped["no_client"] += reads
            return
        if len(self._queue) >= self._identity.buffer_messages:
            if not self._overflowed:
                self._overflowed = True
                self._on_overflow()
            if self._identity.overflow is Overflow.NEWEST:
                self.dropped["overflow"] += reads
                return
            lost = self._queue.popleft()[2]
            self.reads_queued -= lost
            self.dropped["overflow"] += lost
        self._queue.append((message_type, body, reads))
        self.reads_queued += reads
        if not self._warned and len(self._queue) >= self._warn_at:
            self._warned = True
            self._on_warning(100 * len(self._queue) // self._identity.buffer_messages)

    def take(self, most: int, first_id: int, version: int) -> tuple[bytes, int]:
        """At most `most` messages, ready to send, numbered from `first_id`: (bytes, how many messages)."""
        queue, pack, size = self._queue, HEADER.pack, 0
        high = version << 10
        parts: list[bytes] = []
        message_id = first_id
        while queue and size < SEND_BYTES and message_id - first_id < most:
            message_type, body, reads = queue.popleft()
            length = HEADER.size + len(body)
            parts += (pack(high | message_type, length, message_id & 0xFFFFFFFF), body)
            message_id += 1
            size += length
            self.reads_sent += reads
            self.reads_queued -= reads
        if not queue:
            self._warned = self._overflowed = False
        return b"".join(parts), message_id - first_id

    def drop_all(self, reason: str) -> None:
        """Forget everything, counted."""
        self.dropped[reason] += self.reads_queued
        self._queue.clear()
        self.reads_queued = 0
        self._warned = self._overflowed = False
