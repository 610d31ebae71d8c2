"""The command line of `tagwharf-ctl`.

Exit status: 0 done; 1 the version was not well and was switched back; 2 wrong use; 3 refused, nothing was changed;
4 the services are not well and there was nothing better to go back to; 75 another call is at work; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tagwharf_ctl import switch as switching
from tagwharf_ctl.gate import pass_gate, site_files
from tagwharf_ctl.switch import Machine, Outcome, Wish
from tagwharf_ctl.units import Units, version_of_process
from tagwharf_ctl.versions import BusyError, RefusedError, Versions

WITHIN_MOST_S: Final = 3600.0
TICKS_MOST: Final = 100
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Run one command and return its exit status."""
    machine = machine or Machine(Versions(), Units(), _say)
    told = _parser().parse_args(arguments)
    command: Callable[[Machine, argparse.Namespace], Outcome] = told.command
    try:
        return command(machine, told)
    except BusyError as error:
        sys.stderr.write(f"tagwharf-ctl: {error}\n")
        return Outcome.BUSY
    except RefusedError as error:
        sys.stderr.write(f"tagwharf-ctl: {error}\n")
        return Outcome.REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("tagwharf-ctl: interrupted; `tagwharf-ctl recover` takes back what was begun\n")
        return INTERRUPTED
    except OSError as error:
        sys.stderr.write(f"tagwharf-ctl: {error}; call it again when that is mended, it takes up where it stopped\n")
        return Outcome.REFUSED


def list_versions(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Print all installed versions."""
    del told
    versions = machine.versions
    marks = {versions.current: "current", versions.previous: "previous"}
    for version in versions.installed():
        machine.say(f"{version:20} {marks.get(version, '')}".rstrip())
    return Outcome.DONE


def status(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Print which version is used and which one each service runs."""
    versions, units = machine.versions, machine.units
    states = units.states(units.all())
    running = {name: version_of_process(state.pid, versions.root) for name, state in states.items()}
    unfinished = versions.unfinished()
    if told.json:
        services = [{"unit": name, "state": states[name].active, "version": running[name]} for name in states]
        document = {
            "current": versions.current,
            "previous": versions.previous,
            "installed": versions.installed(),
            "unfinished": unfinished.to if unfinished else None,
            "services": services,
        }
        machine.say(json.dumps(document, indent=2))
    else:
        machine.say(f"current  {versions.current or 'none'}\nprevious {versions.previous or 'none'}")
        for name, state in states.items():
            machine.say(f"{name:34} {state.active:12} {running[name] or ''}".rstrip())
        if unfinished:
            machine.say(f"a switch to {unfinished.to} is under way, or was cut short: `tagwharf-ctl recover` tells")
    well = all(
        state.active == "active" and running[name] == versions.current
        for name, state in states.items()
        if name in units.enabled()
    )
    return Outcome.DONE if well and not unfinished else Outcome.NOT_WELL


def check(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Have a version pass its gate, and change nothing."""
    if not machine.versions.is_there(told.version):
        raise RefusedError(f"version {told.version} is not installed")
    files = site_files(machine.configuration, machine.units.all())
    pass_gate(machine.versions, told.version, files, state=machine.state, dpkg=machine.dpkg)
    machine.say(f"version {told.version} can run here")
    return Outcome.DONE


def switch(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Switch to a version."""
    with machine.versions.locked():
        switching.recover(machine, _wish(told))
        return switching.switch(machine, told.version, _wish(told))


def rollback(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Switch to the version before; once more, and it is as it was."""
    with machine.versions.locked():
        switching.recover(machine, _wish(told))
        previous = machine.versions.previous
        if previous is None:
            raise RefusedError("there is no previous version; `tagwharf-ctl list` names those that are installed")
        return switching.switch(machine, previous, _wish(told))


def recover(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Take back a switch that was cut short, if there is one."""
    with machine.versions.locked():
        if machine.versions.unfinished() is None:
            machine.say("no switch was cut short")
        switching.recover(machine, _wish(told))
    return Outcome.DONE


def forget(machine: Machine, told: argparse.Namespace) -> Outcome:
    """Before the package of a version is removed: refuse for the current one, and let nothing lead to it."""
    with machine.versions.locked():
        if machine.versions.current == told.version:
            raise RefusedError(
                f"version {told.version} is what runs; `tagwharf-ctl switch VERSION` to another one first, "
                "or remove the package tagwharf with it"
            )
        machine.versions.forget(told.version)
    return Outcome.DONE


def _wish(told: argparse.Namespace) -> Wish:
    return Wish(ticks=told.ticks, within_s=told.within, restart=not told.no_restart)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tagwharf-ctl",
        description="Which installed version of Tagwharf runs.",
        epilog="Exit status: 0 done; 1 not well, switched back; 2 wrong use; 3 refused, nothing changed; "
        "4 not well, and nothing to go back to; 75 another call is at work.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Machine, argparse.Namespace], Outcome]) -> argparse.ArgumentParser:
        each = commands.add_parser(name, help=(command.__doc__ or "").rstrip("."))
        each.set_defaults(command=command)
        return each

    add("list", list_versions)
    add("status", status).add_argument("--json", action="store_true", help="for programs")
    add("check", check).add_argument("version", metavar="VERSION")
    add("forget", forget).add_argument("version", metavar="VERSION")
    movers = [add("switch", switch), add("rollback", rollback), add("recover", recover)]
    movers[0].add_argument("version", metavar="VERSION")
    for mover in movers:
        mover.add_argument(
            "--ticks",
            type=_number(1, TICKS_MOST, int),
            default=switching.TICKS,
            metavar="N",
            help="watchdog ticks of each service before it counts as well (%(default)s)",
        )
        mover.add_argument(
            "--within",
            type=_number(1, WITHIN_MOST_S, float),
            default=switching.WITHIN_S,
            metavar="SECONDS",
            help="how long that may take (%(default)g)",
        )
        mover.add_argument("--no-restart", action="store_true", help="change what starts, and start nothing anew")
    return parser


def _number(least: float, most: float, kind: type[int | float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text}: must be {least:g} to {most:g}")
        return value

    return parse


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
