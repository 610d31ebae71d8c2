"""Running other programs: one place, with time limits, without a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final, NamedTuple

LIMIT_S: Final = 60.0
NOT_THERE: Final = 127  # as shells tell it
TOO_LONG: Final = 124  # as timeout(1) tells it


class Told(NamedTuple):
    """How a program ended, and all that it wrote."""

    status: int
    text: str


def run(command: Sequence[str], limit_s: float = LIMIT_S) -> Told:
    """Run a program to its end; one that is absent or takes too long has a status too."""
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands with names that were checked; no shell
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
        )
    except FileNotFoundError as error:
        return Told(NOT_THERE, str(error))
    except PermissionError as error:
        return Told(NOT_THERE - 1, str(error))
    except subprocess.TimeoutExpired:
        return Told(TOO_LONG, f"{command[0]} did not end within {limit_s:g} s")
    return Told(done.returncode, done.stdout)
