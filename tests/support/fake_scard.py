"""A PC/SC daemon in memory, with the part of pyscard's C module that the port calls. The real one: tests/system."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Final

SUCCESS: Final = 0
TIMEOUT: Final = 0x8010000A
NO_SERVICE: Final = 0x8010001D
NO_READERS: Final = 0x8010002E
REMOVED: Final = 0x80100069
UNKNOWN_READER: Final = 0x80100009
MESSAGES: Final = {
    NO_SERVICE: "Service not available.",
    REMOVED: "Card was removed.",
    UNKNOWN_READER: "Unknown reader specified.",
}
EMPTY, PRESENT, CHANGED, UNAVAILABLE, UNKNOWN, IN_USE = 0x10, 0x20, 0x02, 0x08, 0x04, 0x100


@dataclass
class Daemon:
    """What the daemon knows; a test changes it while the port waits."""

    readers: list[str] = field(default_factory=lambda: ["ACS ACR122U PICC Interface 00 00"])
    is_running: bool = True
    is_gone: bool = False
    atr: bytes | None = None
    answer: Callable[[bytes], bytes | None] = lambda _: b"\x6d\x00"
    events: int = 0
    contexts: int = 0
    connected: int = 0
    polls: int = 0
    made: int = 0
    dies_after: int | None = None  # so many contexts were made
    is_used: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, atr: bytes | None) -> None:
        """A card is laid down or taken away."""
        with self.changed:
            self.atr, self.events = atr, self.events + 1
            self.changed.notify_all()

    def use(self) -> None:
        """Another program connects to the card: a change of state, but not of the card."""
        with self.changed:
            self.is_used = not self.is_used
            self.changed.notify_all()

    def unplug(self) -> None:
        with self.changed:
            self.is_gone = True
            self.changed.notify_all()

    def state(self) -> int:
        used = IN_USE if self.is_used else 0
        return used | (UNAVAILABLE if self.is_gone else PRESENT if self.atr else EMPTY) | self.events << 16


def module(daemon: Daemon) -> ModuleType:
    """`smartcard.scard`, talking to that daemon."""
    scard = ModuleType("smartcard.scard")

    def establish(scope: int) -> tuple[int, int]:
        assert scope == 2
        if not daemon.is_running or daemon.made == daemon.dies_after:
            return NO_SERVICE, 0
        daemon.made += 1
        daemon.contexts += 1
        return SUCCESS, daemon.contexts

    def release(context: int) -> int:
        assert context
        daemon.contexts -= 1
        return SUCCESS

    def list_readers(context: int, groups: list[str]) -> tuple[int, list[str]]:
        assert context
        assert groups == []
        return (SUCCESS, daemon.readers) if daemon.readers else (NO_READERS, [])

    def wait(
        context: int, within_ms: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        assert context
        [(reader, known)] = states
        deadline_s = time.monotonic() + min(within_ms, 20) / 1000
        daemon.polls += 1
        with daemon.changed:
            while known == daemon.state():
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not daemon.changed.wait(left_s):
                    return TIMEOUT, []
            if not daemon.is_running:
                return NO_SERVICE, []
            return SUCCESS, [(reader, daemon.state() | CHANGED, list(daemon.atr or b""))]

    def connect(context: int, reader: str, mode: int, protocols: int) -> tuple[int, int, int]:
        assert context
        assert (reader, mode, protocols) == (daemon.readers[0], 2, 3)
        if daemon.atr is None:
            return REMOVED, 0, 0
        daemon.connected += 1
        return SUCCESS, 7, 2

    def transmit(card: int, protocol: int, command: list[int]) -> tuple[int, list[int]]:
        assert (card, protocol) == (7, 2)
        answer = daemon.answer(bytes(command))
        return (SUCCESS, list(answer)) if answer is not None and daemon.atr is not None else (REMOVED, [])

    def disconnect(card: int, disposition: int) -> int:
        assert (card, disposition) == (7, 0)
        daemon.connected -= 1
        return SUCCESS

    names = {
        "SCARD_SCOPE_USER": 0x02,
        "SCARD_S_SUCCESS": SUCCESS,
        "SCARD_E_TIMEOUT": TIMEOUT,
        "SCARD_STATE_UNAWARE": 0,
        "SCARD_STATE_CHANGED": CHANGED,
        "SCARD_STATE_UNKNOWN": UNKNOWN,
        "SCARD_STATE_UNAVAILABLE": UNAVAILABLE,
        "SCARD_STATE_IGNORE": 0x01,
        "SCARD_STATE_PRESENT": PRESENT,
        "SCARD_SHARE_SHARED": 2,
        "SCARD_PROTOCOL_T0": 1,
        "SCARD_PROTOCOL_T1": 2,
        "SCARD_LEAVE_CARD": 0,
        "SCardEstablishContext": establish,
        "SCardReleaseContext": release,
        "SCardListReaders": list_readers,
        "SCardGetStatusChange": wait,
        "SCardConnect": connect,
        "SCardTransmit": transmit,
        "SCardDisconnect": disconnect,
        "SCardGetErrorMessage": lambda status: MESSAGES.get(status, hex(status)),
    }
    for name, value in names.items():
        setattr(scard, name, value)
    return scard
