"""Traffic: how long trucks wait before the gate and stay in the terminal, and how many pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AlarmSettings, Input, Outcome, PairRule, RateRule, Rule, Severity, Window
from rules.packs.port.gate import TRANSACTION
from rules.packs.port.settings import PortSettings

TURN: Final = "truck-turn"
QUEUE: Final = "truck-queue"
QUEUE_LONG: Final = "truck-queue-long"
MOVES: Final = "gate-moves"
_HOUR_S: Final = 3600.0


def rules(name: str, settings: PortSettings) -> list[Rule]:
    """The rules of all trucks."""
    return list(_rules(name, settings))


def _rules(name: str, settings: PortSettings) -> Iterator[Rule]:
    yield PairRule(
        shape="pair",
        name=f"{name}-turn",
        emit=TURN,
        figures=["turn_s"],
        key="truck",
        dwell_as="turn_s",
        entry=Input(on=TRANSACTION, when='e.direction == "in"'),
        exit=Input(on=TRANSACTION, when='e.direction == "out"'),
    )
    yield RateRule(
        shape="rate", name=f"{name}-moves", emit=MOVES, figures=["value"], on=TRANSACTION,
        when="e.missing_count == 0", window=Window.TUMBLING, within_s=_HOUR_S, above=0,
    )  # fmt: skip
    points = [point for lane in settings.lane for point in lane.read_points]
    if settings.queue is None or not points:
        return
    longest_s = settings.queue.longest_s
    message = "A truck waits too long before the gate"
    yield PairRule(
        shape="pair",
        name=f"{name}-queue",
        emit=QUEUE,
        figures=["queue_s"],
        dwell_as="queue_s",
        entry=Input(on="arrived", when=f'e.kind == "{settings.truck_kind}" && e.zone == "{settings.queue.zone}"'),
        exit=Input(on="read", when=f'e.kind == "{settings.truck_kind}" && e.read_point in [{_listed(points)}]'),
        longest_s=longest_s,
        overstay=None
        if longest_s is None
        else Outcome(emit=QUEUE_LONG, alarm=AlarmSettings(severity=Severity.WARNING, message=message)),
        forget_after_s=86_400,
    )


def _listed(texts: list[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)
