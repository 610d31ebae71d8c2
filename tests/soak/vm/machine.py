"""One QEMU process: started, spoken to over its serial line and its monitor, and killed as a power cut kills."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.soak.vm.image import Guest

QEMU: Final = "qemu-system-x86_64"
MEMORY_MIB: Final = 512
ACCELERATOR: Final = os.environ.get("TAGWHARF_VM_ACCELERATOR", "tcg")
_ENDED: Final = b"the writer ended"
_KERNEL_LINE: Final = "console=ttyS0 loglevel=3 panic=-1 rdinit=/init"


class MachineError(Exception):
    """The machine did not do what it was waited for; holds what its serial line said last."""


class Machine:
    """A running machine. Its sockets live in `directory`; `state`: go on from there instead of booting.

    Attributes:
        said: everything that the serial line has said.
    """

    def __init__(self, guest: Guest, directory: Path, disk_socket: Path, state: Path | None = None) -> None:
        self.said = b""
        line, monitor = directory / "line", directory / "monitor"
        for path in (line, monitor):
            path.unlink(missing_ok=True)
        self._log = directory / "qemu.log"
        command: list[str | Path] = [
            *(QEMU, "-machine", f"pc,accel={ACCELERATOR}", "-cpu", "Nehalem" if ACCELERATOR == "tcg" else "host"),
            *("-m", str(MEMORY_MIB), "-smp", "1", "-display", "none", "-nodefaults", "-no-reboot"),
            *("-kernel", guest.kernel, "-initrd", guest.initrd, "-append", _KERNEL_LINE),
            *("-chardev", f"socket,id=line,path={line},server=on,wait=off", "-serial", "chardev:line"),
            *("-qmp", f"unix:{monitor},server=on,wait=off"),
            *("-drive", f"file=nbd:unix:{disk_socket},format=raw,if=none,id=data,cache=writeback"),
            *("-device", "virtio-blk-pci,drive=data"),
        ]
        if state is not None:
            command += ["-incoming", f"exec:cat {state}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "10", *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._line = self._connect(line)
            self._monitor = self._connect(monitor)
            self._replies = self._monitor.makefile("rb")
            self._replies.readline()
            self.ask("qmp_capabilities")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()

    def ask(self, command: str, **arguments: object) -> Any:
        """Ask the monitor.

        Raises:
            MachineError: it refuses, or is gone.
        """
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while answer := self._replies.readline():
            told = json.loads(answer)
            if "error" in told:
                raise MachineError(f"{command}: {told['error']}")
            if "return" in told:
                return told["return"]
        raise MachineError(f"{command}: the machine is gone: {self._log.read_text()}")

    def save(self, state: Path, within_s: float) -> None:
        """Stop the machine and keep its state, memory and all."""
        self.ask("stop")
        self.ask("migrate", uri=f"exec:cat > {state}")
        self._until(lambda: self.ask("query-migrate").get("status") == "completed", within_s, "keep its state")

    def go(self, word: str, within_s: float) -> None:
        """Let a machine that was started from a state go on, with a first line for its serial port."""
        self._until(lambda: self.ask("query-status")["status"] != "inmigrate", within_s, "take its state")
        self.ask("cont")
        self._line.sendall(word.encode() + b"\n")

    def hear(self, until: bytes, within_s: float) -> None:
        """Listen until the serial line has said this.

        Raises:
            MachineError: it has not, in time, or never will.
        """
        self.listen_until(lambda: until in self.said, within_s)

    def listen_until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Listen until this is true.

        Raises:
            MachineError: it was not, in time.
        """
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end or _ENDED in self.said:
                raise MachineError(f"nothing happened within {within_s} s; it said {self.said[-2_000:]!r}")
            self.listen(0.02)

    def listen(self, for_s: float) -> None:
        """Take what the serial line says for so long."""
        end = time.monotonic() + for_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0:
                if selector.select(left):
                    part = self._line.recv(1 << 16)
                    if not part:
                        raise MachineError(
                            f"the machine ended by itself: {self._log.read_text()} {self.said[-2_000:]!r}"
                        )
                    self.said += part

    def cut(self) -> None:
        """Kill it; what had left its serial line is still heard."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._line.settimeout(None)
        with contextlib.suppress(ConnectionError):  # what was not sent before it died was not said
            while part := self._line.recv(1 << 16):
                self.said += part
        for end in (self._line, self._monitor):
            end.close()

    def _connect(self, path: Path) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)

        def connected() -> bool:
            if self._process.poll() is not None:
                raise MachineError(f"QEMU ended with {self._process.returncode}: {self._log.read_text()}")
            try:
                connection.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True

        self._until(connected, 60, "listen")
        return connection

    @staticmethod
    def _until(condition: Callable[[], bool], within_s: float, what: str) -> None:
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end:
                raise MachineError(f"the machine did not {what} within {within_s} s")
            time.sleep(0.02)
