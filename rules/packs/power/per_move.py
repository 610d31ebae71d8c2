"""Rules on what energy is used for: moves and energy of the same time, side by side.

energy  ├── first reading ... last reading ──┤   of a window, by the register
moves   ├─ x ──── x ───────── x ─────────────┤   of the same window
energy-per-move                               | both are known
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import (
    Close,
    Decision,
    Function,
    Input,
    Outcome,
    Part,
    RateRule,
    Rule,
    SessionRule,
    Verdict,
    Window,
)
from rules.packs.power.settings import PerMove, PowerSettings
from rules.packs.power.words import number, of_meters

KNOWN_WITHIN_S: Final = 30.0
"""Both windows end at the same moment; what is told of them is known within this time."""
KEY: Final = "gateway"


def rules(name: str, settings: PowerSettings) -> Iterator[Rule]:
    """The rules of one use."""
    for each in settings.per_move:
        yield from _of(f"{name}-{each.name}", each)


def _of(name: str, settings: PerMove) -> Iterator[Rule]:
    yield RateRule(
        shape="rate",
        name=f"{name}-energy",
        on="reading",
        when=f"{of_meters([settings.meter], 'active_energy_import')} && !has(e.tariff) && !has(e.phase)",
        key=KEY,
        window=Window.TUMBLING,
        within_s=settings.window_s,
        function=Function.CHANGE,
        of="value",
        figures=["value"],
    )
    yield RateRule(
        shape="rate",
        name=f"{name}-moves",
        on=settings.on,
        when=settings.when,
        key=KEY,
        window=Window.TUMBLING,
        within_s=settings.window_s,
        figures=["value"],
    )
    too_much = []
    if settings.most_wh is not None:
        too_much.append(
            Verdict(
                verdict="too-much",
                when=f"e.energy > e.moves * {number(settings.most_wh)}",
                reason=f"more than {settings.most_wh:g} Wh for a move",
            )
        )
    yield SessionRule(
        shape="session",
        name=f"{name}-per-move",
        key=KEY,
        open=Input(on=f"{name}-energy"),
        collect={
            "energy": Part(on=f"{name}-energy", of="value"),
            "moves": Part(on=f"{name}-moves", of="value"),
        },
        require=["energy", "moves"],
        before_s=KNOWN_WITHIN_S,
        decide=Decision(
            emit="energy-per-move", after_s=KNOWN_WITHIN_S, settle_s=0, verdicts=too_much, otherwise="as-usual"
        ),
        close=Close(quiet_s=KNOWN_WITHIN_S, within_s=2 * KNOWN_WITHIN_S),
        otherwise=Outcome(emit="energy-without-moves"),
        figures=["energy", "moves"],
    )
