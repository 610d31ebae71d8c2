"""The processes of the demonstration: started, watched, stopped; what they say goes to a file each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STOP_WITHIN_S: Final = 15.0
TOKEN_VARIABLE: Final = "INFLUX_TOKEN"  # noqa: S105  # the name of a variable; the daemons have its value as a credential
TAIL_LINES: Final = 15


class ChildDiedError(Exception):
    """A process of the demonstration ended by itself."""


@dataclass(slots=True)
class Child:
    """One process, a Python module of the product."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls, name: str, directory: Path, *arguments: str, environment: dict[str, str] | None = None
    ) -> Child:
        """Run `python -m ARGUMENTS`, its output going to `NAME.log` in the directory."""
        log = directory / f"{name}.log"
        inherited = {each: value for each, value in os.environ.items() if each != TOKEN_VARIABLE}
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, **(environment or {})},
            )
        return cls(name, log, process)

    async def stop(self) -> int:
        """Ask it to end, insist after 15 s, and return its exit status."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
                self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    def require_alive(self) -> None:
        """Check that it runs.

        Raises:
            ChildDiedError: it has ended; the message holds the end of its log.
        """
        if self.process.returncode is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            raise ChildDiedError(
                f"{self.name} ended by itself with status {self.process.returncode}; the end of {self.log}:\n"
                + "\n".join(lines)
            )
