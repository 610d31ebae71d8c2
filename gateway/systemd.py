"""What a service says to systemd: ready, alive, stopping, and one line of status. Nothing happens outside systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final

from gateway.logs import clean, get_log

US_PER_S: Final = 1_000_000
FEEDS_PER_LIMIT: Final = 3  # so that one late turn of the loop does not kill the service
STATUS_MOST: Final = 200


def notify(*lines: str) -> bool:
    """Send lines such as `READY=1`; False when no systemd listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # a name in the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
            sender.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        get_log().warning("systemd_notify_failed", error=error)
        return False
    return True


def ready(status: str = "") -> None:
    """The service serves."""
    notify("READY=1", _status(status))


def status(text: str) -> None:
    """The line that `systemctl status` shows."""
    notify(_status(text))


def stopping(text: str = "stopping") -> None:
    """The service ends by its own will."""
    notify("STOPPING=1", _status(text))


def watchdog_limit_s() -> float | None:
    """Silence after which systemd kills this process; None when it does not watch."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID")
    if not limit_us.isdecimal() or int(limit_us) == 0 or (pid is not None and pid != str(os.getpid())):
        return None
    return int(limit_us) / US_PER_S


async def feed_watchdog(stalled: Callable[[], Sequence[str]]) -> None:
    """Tell systemd that we live, for as long as `stalled` names no part of the pipeline; returns when unwatched.

    A part that hangs starves the watchdog, and systemd starts the service anew.
    """
    limit_s = watchdog_limit_s()
    if limit_s is None:
        return
    starving = False
    while True:
        stuck = stalled()
        if not stuck:
            notify("WATCHDOG=1")
        elif not starving:
            get_log().error("watchdog_starved", stalled=", ".join(stuck), limit_s=limit_s)
        starving = bool(stuck)
        await asyncio.sleep(limit_s / FEEDS_PER_LIMIT)


def _status(text: str) -> str:
    return f"STATUS={clean(text, STATUS_MOST)}"
