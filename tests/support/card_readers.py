"""A card reader and a machine that do what the test says, installed beside the real drivers."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import structlog

from gateway.logs import configure
from readers import registry
from readers.driver import DriverSettings, DriverSpec, Kind, Port, Report
from readers.observations import CardRead, CardReads
from readers.tagdata.cards import CardIdentity

Act = Callable[[Report], Coroutine[Any, Any, None]]

CANARY: Final = "nfca:04CA7A12F0AD9B"
"""A card whose number must never be seen where cards are named by a hash."""
CANARY_FORMS: Final = (
    b"04CA7A12F0AD9B",
    b"04ca7a12f0ad9b",
    bytes.fromhex("04CA7A12F0AD9B"),
    b"04 CA 7A 12 F0 AD 9B",
    b"12F0AD9B",
    b"12f0ad9b",
    b"F0AD9B",
    b"f0ad9b",
    bytes.fromhex("F0AD9B"),
    b"0015773083",
    b"15773083",
    b"240,44443",
    b"\\x04\\xcaz\\x12",
)
"""How it may be written: whole, in parts, spaced, decimal."""
PIN: Final = "83619274"


def card_reads(*texts: str, at_us: int = 1_000, antenna_port: int = 1, keys: str | None = None) -> CardReads:
    """Cards presented together."""
    return CardReads(at_us, [CardRead(CardIdentity.from_text(text), antenna_port, keys) for text in texts])


def leaks(content: bytes) -> list[bytes]:
    """The forms of the canary, or what was typed with it, that stand in `content`."""
    return [form for form in (*CANARY_FORMS, PIN.encode()) if form in content]


@contextmanager
def logged(process: str) -> Iterator[io.StringIO]:
    """What this process logs, as it would under systemd."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    said = io.StringIO()
    configure(process, stream=said)
    try:
        yield said
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        root.handlers = handlers
        root.setLevel(level)


class Scripted:
    """A driver that does what the test says."""

    def __init__(self, act: Act) -> None:
        self._act = act

    async def run(self, port: Port, report: Report) -> None:
        assert port.description
        await self._act(report)


def spec(act: Act, kind: Kind = Kind.CARD, name: str = "scripted") -> DriverSpec[DriverSettings]:
    """The driver."""
    return DriverSpec(name, kind, DriverSettings, lambda _: Scripted(act), "for tests", tcp_port=1)


def install(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """Put `scripted_card` and `scripted_machine` among the drivers, for this test."""
    added = {
        "scripted_card": spec(act, Kind.CARD, "scripted_card"),
        "scripted_machine": spec(act, Kind.MACHINE, "scripted_machine"),
    }
    known = {**registry.drivers(), **added}
    monkeypatch.setattr(registry, "drivers", lambda: known)
