"""Switching: gate, links, fresh start, watching; and back again when the services are not well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from tagwharf_ctl.gate import pass_gate, site_files
from tagwharf_ctl.units import Units, version_of_process
from tagwharf_ctl.versions import Before, RefusedError, Versions

TICKS: Final = 3
WITHIN_S: Final = 120.0


class Outcome(IntEnum):
    """What became of it; the exit status of the command."""

    DONE = 0
    SWITCHED_BACK = 1
    WRONG_USE = 2
    REFUSED = 3
    NOT_WELL = 4
    BUSY = 75


@dataclass(frozen=True, slots=True)
class Machine:
    """Where things are on this machine, and whom to tell."""

    versions: Versions
    units: Units
    say: Callable[[str], None]
    configuration: Path = Path("/etc/tagwharf")
    state: Path = Path("/var/lib")
    dpkg: str = "dpkg"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a switch is wanted; `restart`: start services anew and watch them."""

    ticks: int = TICKS
    within_s: float = WITHIN_S
    restart: bool = True


def switch(machine: Machine, to: str, wish: Wish) -> Outcome:
    """Let `to` be what runs. Call it under the lock, after `recover`.

    Raises:
        RefusedError: `to` is absent, damaged, or does not take this site; nothing was changed.
    """
    versions = machine.versions
    if not versions.is_there(to):
        known = ", ".join(versions.installed()) or "none"
        raise RefusedError(f"version {to} is not installed; installed: {known}")
    units = machine.units.all() if wish.restart else []
    pass_gate(versions, to, site_files(machine.configuration, units), state=machine.state, dpkg=machine.dpkg)
    if versions.current == to and _runs(machine, units, to):
        machine.say(f"version {to} is what runs already")
        return Outcome.DONE
    needed = _needed(machine, units)
    before = versions.begin(to)
    faults = _start(machine, units, needed, wish)
    if not faults:
        versions.finish()
        machine.say(f"version {to} runs" if units else f"version {to} is what starts from now on")
        return Outcome.DONE
    machine.say(f"version {to} is not well here:\n{_lines(faults)}")
    if before.current is None or before.current == to or not versions.is_there(before.current):
        versions.finish()
        machine.say("there is no other version to go back to; `journalctl -u 'tagwharf-*'` tells more")
        return Outcome.NOT_WELL
    return _back(machine, before, units, needed, wish)


def recover(machine: Machine, wish: Wish) -> None:
    """Take back a switch that died half-way; call it under the lock before anything else."""
    before = machine.versions.unfinished()
    if before is None:
        return
    machine.say(f"an earlier switch to version {before.to} was cut short; it is taken back")
    machine.versions.undo(before)
    units = machine.units.all() if wish.restart else []
    if before.current is not None and not _runs(machine, units, before.current):
        faults = _start(machine, units, _needed(machine, units), wish)
        if faults:
            machine.say(f"version {before.current} is not well either:\n{_lines(faults)}")
    machine.versions.finish()


def _back(machine: Machine, before: Before, units: list[str], needed: list[str], wish: Wish) -> Outcome:
    machine.versions.undo(before)
    faults = _start(machine, units, needed, wish)
    machine.versions.finish()
    if faults:
        machine.say(f"switched back to version {before.current}, which is not well either:\n{_lines(faults)}")
        return Outcome.NOT_WELL
    machine.say(f"switched back to version {before.current}, which runs as before")
    return Outcome.SWITCHED_BACK


def _start(machine: Machine, units: list[str], needed: list[str], wish: Wish) -> dict[str, str]:
    """What is wrong with those of `units` that are needed, once all were started anew."""
    others = [unit for unit in units if unit not in needed]
    machine.units.restart(others)
    return machine.units.restart_and_watch(needed, ticks=wish.ticks, within_s=wish.within_s)


def _needed(machine: Machine, units: list[str]) -> list[str]:
    """Those that ran before must run afterwards; one that was down already cannot speak against a version."""
    running = [name for name, state in machine.units.states(units).items() if state.active == "active"]
    for name in units:
        if running and name not in running:
            machine.say(f"{name} was not running before; it is started too, but nothing depends on it")
    return running or units


def _runs(machine: Machine, units: list[str], version: str) -> bool:
    states = machine.units.states(units)
    return all(version_of_process(state.pid, machine.versions.root) == version for state in states.values())


def _lines(faults: dict[str, str]) -> str:
    return "\n".join(f"    {unit}: {why}" for unit, why in sorted(faults.items()))
