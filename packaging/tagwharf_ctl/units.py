"""The services of Tagwharf, as systemd tells of them.

A service is well when it has been started anew, systemd holds it active (it has told READY=1), and its watchdog has
been fed some times since by one process. The daemons feed it by the progress of their pipelines, so a hang shows too.
Source: systemctl(1), org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tagwharf_ctl.programs import run

RESTARTS_MOST: Final = 3  # a service that has died so often since the switch will not come up
POLL_S = 0.25
NOT_WATCHED: Final = ("tagwharf-ctl", "tagwharf-backup")  # what starts this program, and what ends by itself
_STEADY_S: Final = 3.0  # what counts as a tick where an operator has switched the watchdog off
_COMMAND_LIMIT_S: Final = 180.0
_ASKED: Final = (
    *("Id", "ActiveState", "SubState", "Result", "ExecMainStatus", "MainPID", "NRestarts", "InvocationID"),
    *("WatchdogUSec", "WatchdogTimestampMonotonic"),
)


@dataclass(frozen=True, slots=True)
class State:
    """What systemd says of one service; `fed_us` is when its watchdog was last fed, on the monotonic clock."""

    active: str = "unknown"
    sub: str = ""
    result: str = "success"
    pid: int = 0
    restarts: int = 0
    invocation: str = ""
    watched: bool = False
    fed_us: int = 0
    exit_status: int = 0


@dataclass(slots=True)
class _Seen:
    """What was seen of a service since it was told to start anew."""

    before: State
    last: State = State()
    ticks: int = 0
    ticked_at_s: float = 0.0

    def look(self, state: State, now_s: float) -> None:
        fresh = state.invocation != self.before.invocation and state.active == "active"
        if not fresh or state.pid != self.last.pid or self.last.active != "active":
            self.ticks, self.ticked_at_s = 0, now_s
        elif state.fed_us > self.last.fed_us or (not state.watched and now_s - self.ticked_at_s >= _STEADY_S):
            self.ticks, self.ticked_at_s = self.ticks + 1, now_s
        self.last = state

    def hopeless(self) -> str:
        state = self.last
        if state.invocation == self.before.invocation:
            return ""  # the order to start anew has not been carried out yet
        if state.active == "failed":
            return f"it ended with status {state.exit_status} and stays down"
        if state.result == "watchdog":
            return "it stood still, and its watchdog ended it"
        if state.restarts >= RESTARTS_MOST:
            return f"it died {state.restarts} times, the last time with status {state.exit_status}"
        return ""


class Units:
    """All services of Tagwharf on this machine."""

    def __init__(
        self,
        *,
        systemctl: str = "systemctl",
        enabled: Path = Path("/etc/systemd/system"),
        booted: Path = Path("/run/systemd/system"),
    ) -> None:
        """`enabled`: where `systemctl enable` makes its links; `booted`: is there when systemd runs the machine."""
        self._systemctl = systemctl
        self._enabled = enabled
        self.booted = booted.is_dir()

    def enabled(self) -> list[str]:
        """The services that start with the machine, instances of the template too."""
        return sorted({path.name for path in self._enabled.glob("*.wants/tagwharf-*.service")})

    def all(self) -> list[str]:
        """The services that are enabled, or that somebody has started."""
        if not self.booted:
            return []
        told = run([self._systemctl, "list-units", "--all", "--plain", "--no-legend", "tagwharf-*.service"])
        rows = [line.split() for line in told.text.splitlines()]
        started = {row[0] for row in rows if len(row) > 2 and row[2] in {"active", "activating", "reloading"}}  # noqa: PLR2004  # UNIT LOAD ACTIVE
        return sorted(name for name in started | set(self.enabled()) if not name.startswith(NOT_WATCHED))

    def states(self, names: Iterable[str]) -> dict[str, State]:
        """What systemd says of each."""
        names = list(names)
        if not names or not self.booted:
            return {}
        blocks = run([self._systemctl, "show", f"--property={','.join(_ASKED)}", *names]).text.strip().split("\n\n")
        found = {}
        for block in blocks:
            told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            found[told.get("Id", "")] = _state(told)
        return {name: found.get(name, State()) for name in names}

    def restart(self, names: Iterable[str]) -> None:
        """Read the unit files anew and have these started anew, without waiting for them."""
        names = list(names)
        if not names or not self.booted:
            return
        run([self._systemctl, "daemon-reload"], _COMMAND_LIMIT_S)
        run([self._systemctl, "reset-failed", *names], _COMMAND_LIMIT_S)
        run([self._systemctl, "restart", "--no-block", *names], _COMMAND_LIMIT_S)

    def restart_and_watch(
        self, names: Iterable[str], *, ticks: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> dict[str, str]:
        """Start these anew and watch them; returns what is wrong with each that is not well, as soon as one is lost."""
        seen = {name: _Seen(state) for name, state in self.states(names).items()}
        self.restart(seen)
        until_s = clock() + within_s
        while seen:
            for name, state in self.states(seen).items():
                seen[name].look(state, clock())
            lost = {name: why for name, each in seen.items() if (why := each.hopeless())}
            if lost:
                return lost
            waiting = {name: each for name, each in seen.items() if each.ticks < ticks}
            if not waiting:
                return {}
            if clock() >= until_s:
                return {name: _late(each, ticks, within_s) for name, each in waiting.items()}
            time.sleep(POLL_S)
        return {}


def version_of_process(pid: int, root: Path) -> str | None:
    """The version that a process runs: the path of its interpreter tells."""
    if pid <= 0:
        return None
    try:
        program = Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]))
        return program.relative_to(root / "versions").parts[0]
    except (OSError, ValueError, IndexError):
        return None


def _late(seen: _Seen, ticks: int, within_s: float) -> str:
    state = seen.last
    return (
        f"it is {state.active} ({state.sub}) with {seen.ticks} of {ticks} healthy watchdog ticks after {within_s:g} s"
    )


def _state(told: dict[str, str]) -> State:
    def number(key: str) -> int:
        return int(told[key]) if told.get(key, "").isdecimal() else 0

    return State(
        active=told.get("ActiveState", "unknown"),
        sub=told.get("SubState", ""),
        result=told.get("Result", "success"),
        pid=number("MainPID"),
        restarts=number("NRestarts"),
        invocation=told.get("InvocationID", ""),
        watched=told.get("WatchdogUSec", "0") not in {"0", "infinity", ""},
        fed_us=number("WatchdogTimestampMonotonic"),
        exit_status=number("ExecMainStatus"),
    )
