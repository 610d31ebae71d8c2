"""A warping machine: winds yarn onto beams, breaks yarn, waits for the next beam, trips. Seeded, with its own truth.

Time moves only by `advance`, which every other call makes too; it may be given any instants in order, and the course is
the same for all of them. Lengths are exact: metres a minute times microseconds, divided only to be shown.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from readers.machine_states import MachineMode, MachineState

US_PER_S: Final = 1_000_000
US_PER_MIN: Final = 60_000_000
SPOILT_M: Final = 2
"""Metres that a yarn break spoils."""
IDLE_W: Final = 900
W_PER_M_PER_MIN: Final = 24


class StopReason(StrEnum):
    """Why it does not wind; empty while it does."""

    NONE = ""
    YARN_BREAK = "yarn_break"
    BEAM_FULL = "beam_full"
    DRIVE_FAULT = "drive_fault"
    OPERATOR = "operator"
    REMOTE = "remote"


class Spell(NamedTuple):
    """From when on it was in a state, and why."""

    from_us: int
    state: MachineState
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Habits:
    """What kind of machine it is. Means are of exponential times; an `after` of 0 never happens."""

    speed_m_per_min: int = 600
    beam_m: int = 3_000
    break_after_s: float = 400.0
    mend_s: tuple[float, float] = (20.0, 180.0)
    doff_s: tuple[float, float] = (120.0, 600.0)
    fault_after_s: float = 14_400.0
    repair_s: tuple[float, float] = (300.0, 1_800.0)


@dataclass(slots=True)
class WarpingMachine:
    """One machine. It stands at the beginning, idle, and starts by itself after `first_s`, unless it is stopped.

    Attributes:
        truth: the spells up to now, oldest first.
        remote_enabled: the key switch at the machine; `start` is refused without it.
    """

    seed: int
    began_us: int
    habits: Habits = field(default_factory=Habits)
    first_s: float = 10.0
    remote_enabled: bool = False
    mode: MachineMode = MachineMode.AUTOMATIC
    speed_set_m_per_min: int = field(init=False)
    beams: int = field(default=0, init=False)
    truth: list[Spell] = field(init=False)
    _random: random.Random = field(init=False, compare=False)
    _now_us: int = field(init=False)
    _next_us: int | None = field(init=False)
    _next: tuple[MachineState, StopReason] = field(init=False)
    _wound: int = field(default=0, init=False)  # metres times US_PER_MIN, since the counters were reset
    _beam: int = field(default=0, init=False)  # likewise, on the beam that is on
    _breaks: int = field(default=0, init=False)
    _energy: int = field(default=0, init=False)  # watts times microseconds

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._now_us = self.began_us
        self.speed_set_m_per_min = self.habits.speed_m_per_min
        self.truth = [Spell(self.began_us, MachineState.IDLE, StopReason.NONE)]
        self._plan(self.first_s, MachineState.EXECUTE, StopReason.NONE)

    @property
    def state(self) -> MachineState:
        """What it does now."""
        return self.truth[-1].state

    @property
    def reason(self) -> StopReason:
        """Why it stands."""
        return self.truth[-1].reason

    @property
    def speed_m_per_min(self) -> int:
        """How fast it winds now."""
        return self.speed_set_m_per_min if self.state is MachineState.EXECUTE else 0

    @property
    def total_m(self) -> int:
        """Metres wound since the counters were reset."""
        return self._wound // US_PER_MIN

    @property
    def bad_m(self) -> int:
        """Metres spoilt of those."""
        return min(self.total_m, self._breaks * SPOILT_M)

    @property
    def good_m(self) -> int:
        """The others."""
        return self.total_m - self.bad_m

    @property
    def power_w(self) -> int:
        """What it draws now."""
        return IDLE_W + W_PER_M_PER_MIN * self.speed_m_per_min

    @property
    def energy_wh(self) -> int:
        """What it drew since the beginning."""
        return self._energy // (3600 * US_PER_S)

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`."""
        while self._next_us is not None and self._next_us <= now_us:
            self._pass(self._next_us)
            self._turn(*self._next)
        self._pass(max(now_us, self._now_us))

    def stop(self, now_us: int, reason: StopReason = StopReason.REMOTE) -> None:
        """Somebody stops it; it stays so until it is started. A fault stays a fault."""
        self.advance(now_us)
        if self.state is not MachineState.ABORTED:
            self._enter(MachineState.STOPPED, reason)
            self._next_us = None

    def reset(self, now_us: int) -> None:
        """Acknowledge a fault, and leave it stopped."""
        self.advance(now_us)
        if self.state is MachineState.ABORTED:
            self._enter(MachineState.STOPPED, StopReason.OPERATOR)
            self._next_us = None

    def start(self, now_us: int, *, is_remote: bool = True) -> bool:
        """Start it; whether it does."""
        self.advance(now_us)
        if is_remote and not self.remote_enabled:
            return False
        if self.state in (MachineState.EXECUTE, MachineState.ABORTED):
            return self.state is MachineState.EXECUTE
        self._turn(MachineState.EXECUTE, StopReason.NONE)
        return True

    def set_speed(self, now_us: int, speed_m_per_min: int) -> None:
        """Wind so fast from now on."""
        self.advance(now_us)
        self.speed_set_m_per_min = speed_m_per_min
        if self.state is MachineState.EXECUTE:
            self._go_on()

    def reset_counters(self, now_us: int) -> None:
        """Count from 0 again."""
        self.advance(now_us)
        self._wound, self._breaks = 0, 0

    def time_in_us(self, from_us: int, to_us: int) -> dict[MachineState, int]:
        """How long it was in each state in a time that has passed."""
        found: dict[MachineState, int] = {}
        ends = [*(spell.from_us for spell in self.truth[1:]), self._now_us]
        for spell, end_us in zip(self.truth, ends, strict=True):
            lasted_us = min(end_us, to_us) - max(spell.from_us, from_us)
            if lasted_us > 0:
                found[spell.state] = found.get(spell.state, 0) + lasted_us
        return found

    def _pass(self, to_us: int) -> None:
        passed_us = to_us - self._now_us
        self._wound += self.speed_m_per_min * passed_us
        self._beam += self.speed_m_per_min * passed_us
        self._energy += self.power_w * passed_us
        self._now_us = to_us

    def _enter(self, state: MachineState, reason: StopReason) -> None:
        if (state, reason) != self.truth[-1][1:]:
            self.truth.append(Spell(self._now_us, state, reason))

    def _turn(self, state: MachineState, reason: StopReason) -> None:
        """Enter a state, and decide when the next one comes."""
        self._enter(state, reason)
        habits = self.habits
        if state is MachineState.EXECUTE:
            self._go_on()
        elif reason is StopReason.YARN_BREAK:
            self._breaks += 1
            self._plan(self._random.uniform(*habits.mend_s), MachineState.EXECUTE, StopReason.NONE)
        elif reason is StopReason.BEAM_FULL:
            self.beams += 1
            self._beam = 0
            self._plan(self._random.uniform(*habits.doff_s), MachineState.EXECUTE, StopReason.NONE)
        elif reason is StopReason.DRIVE_FAULT:
            self._plan(self._random.uniform(*habits.repair_s), MachineState.STOPPED, StopReason.OPERATOR)
        else:
            self._plan(self.first_s, MachineState.EXECUTE, StopReason.NONE)

    def _go_on(self) -> None:
        """It winds: what will stop it?"""
        left = max(0, self.habits.beam_m * US_PER_MIN - self._beam)
        full_s = left / max(1, self.speed_set_m_per_min) / US_PER_S
        plans = [(full_s, MachineState.IDLE, StopReason.BEAM_FULL)]
        for mean_s, state, reason in (
            (self.habits.break_after_s, MachineState.HELD, StopReason.YARN_BREAK),
            (self.habits.fault_after_s, MachineState.ABORTED, StopReason.DRIVE_FAULT),
        ):
            if mean_s:
                plans.append((self._random.expovariate(1 / mean_s), state, reason))
        self._plan(*min(plans))

    def _plan(self, after_s: float, state: MachineState, reason: StopReason) -> None:
        self._next_us = self._now_us + max(1, round(after_s * US_PER_S))
        self._next = (state, reason)
