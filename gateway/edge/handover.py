"""The edge's side of the hand-over, without I/O: which row comes next, how far to send ahead, when to go back.

    rules online    send up to `received` + window; the watermark and the counts come from `Ack`
    rules offline   send everything once, for whoever listens; rows stay until rules come and acknowledge
    broker mode     send everything once; what the broker acknowledged without a gap is released

Going back: to the watermark for a new session of the rules daemon, to `resend_from` when it misses something, and to
what it has received when it has not moved for 10 s. All of it is harmless, because the receiver knows duplicates.
"""

from __future__ import annotations

import heapq
from typing import Final, NamedTuple

from gateway.config.models import Acknowledge
from gateway.contract.flow import Ack, RulesStatus

NO_PROGRESS_S: Final = 10.0
SAME_GAP_S: Final = 1.0  # the answer to one request to resend is on its way for so long


class Release(NamedTuple):
    """What the journal may forget, and who says so; see `Journal.release`."""

    sequence: int
    session: str
    judged: dict[str, int] | None


class Handover:
    """One connection's worth of sending. Times are seconds of any clock that never jumps.

    Attributes:
        next: the sequence to send next.
        announce: a Resume with `next` must go before the next row.
        rewinds: how often it went back.
    """

    def __init__(self, epoch: int, watermark: int, window: int, acknowledge: Acknowledge, now_s: float) -> None:
        self.epoch = epoch
        self.next = watermark + 1
        self.announce = True
        self.rewinds = 0
        self._window = window
        self._broker_decides = acknowledge is Acknowledge.BROKER
        self._watermark = watermark
        self._received = watermark
        self._ahead = 0
        self._session: str | None = None
        self._online = False
        self._progress_s = now_s
        self._gap: tuple[int, float] | None = None
        self._acked: list[int] = []
        self._in_flight: list[int] = []

    @property
    def rules_online(self) -> bool:
        """Whether a rules daemon listens, as far as is known."""
        return self._online

    @property
    def limit(self) -> int | None:
        """The last sequence that may be sent now; None: any."""
        if self._broker_decides or not self._online:
            return None
        return self._received + self._window

    @property
    def on_their_way_from(self) -> int:
        """Rows from here to `next` may be judged yet, so they must not be shed."""
        return self._watermark + 1 if self._online or self._broker_decides else self.next

    @property
    def on_their_way_to(self) -> int:
        """Rows up to here may have been sent before it went back, or in an earlier connection: likewise."""
        return max(self._ahead, self._received + self._window) if self._online else 0

    def heard_rules(self, status: RulesStatus, now_s: float) -> None:
        """`rules/status` came."""
        appeared = status.online and not self._online
        self._online = status.online
        if status.online:
            self._adopt(status.session, now_s)
        if appeared:
            self._go_back(self._received + 1, now_s)

    def heard_ack(self, ack: Ack, now_s: float) -> Release | None:
        """`ack/{gateway}` came; returns what may be released."""
        if self._broker_decides or ack.epoch != self.epoch:
            return None  # another epoch is of a journal that is no more; the rules daemon will learn of this one
        release = Release(ack.sequence, ack.session, dict(ack.judged))
        self._watermark = max(self._watermark, ack.sequence)
        # A retained Ack may be older than the rules daemon that runs: then its session is not the one announced.
        if self._session is not None and ack.session != self._session and self._online:
            return release
        new = self._session != ack.session
        self._adopt(ack.session, now_s)
        received = max(ack.received, self._watermark)
        if received > self._received:
            self._progress_s = now_s
            self._gap = None
        self._received = received
        if self.next <= received:
            # It has more than we have sent in this connection: an earlier one brought it.
            self.next, self.announce = received + 1, True
        if ack.resend_from is not None:
            self._resend(max(ack.resend_from, self._watermark + 1), now_s)
        elif new:
            self._go_back(received + 1, now_s)
        return release

    def sent(self, sequence: int, now_s: float) -> None:
        """A row was handed to the connection."""
        if self.next == self._received + 1:
            self._progress_s = now_s  # nothing was outstanding: the wait begins now
        self.next = sequence + 1
        if self._online:
            self._ahead = max(self._ahead, sequence)
        if self._broker_decides:
            heapq.heappush(self._in_flight, sequence)

    def acknowledged(self, sequence: int) -> Release | None:
        """The broker has acknowledged a row; returns what may be released, in broker mode."""
        if not self._broker_decides:
            return None
        heapq.heappush(self._acked, sequence)
        last = None
        while self._acked and self._in_flight and self._acked[0] == self._in_flight[0]:
            last = heapq.heappop(self._acked)
            heapq.heappop(self._in_flight)
        if last is None or last <= self._watermark:
            return None
        self._watermark = last
        return Release(last, "broker", None)

    def check_progress(self, now_s: float) -> None:
        """Go back when rows are outstanding and the rules daemon has not moved for 10 s."""
        if self._broker_decides or not self._online:
            return
        if self.next > self._received + 1 and now_s - self._progress_s >= NO_PROGRESS_S:
            self._go_back(self._received + 1, now_s)

    def _adopt(self, session: str, now_s: float) -> None:
        if session == self._session:
            return
        known = self._session is not None
        self._session = session
        if known:
            # What the daemon before had received but not made durable is forgotten.
            self._received = self._watermark
            self._go_back(self._watermark + 1, now_s)

    def _resend(self, wanted: int, now_s: float) -> None:
        if self._gap is not None and self._gap[0] == wanted and now_s - self._gap[1] < SAME_GAP_S:
            return
        self._gap = (wanted, now_s)
        self._go_back(wanted, now_s)

    def _go_back(self, sequence: int, now_s: float) -> None:
        self._progress_s = now_s
        self.announce = True
        if sequence < self.next:
            self.next = sequence
            self.rewinds += 1
