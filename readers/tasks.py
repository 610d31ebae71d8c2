"""Ends tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any, Final

ASKED_AGAIN_AFTER_S: Final = 15.0
"""Longer than any clean-up takes, which a second cancellation would interrupt."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they are over; how they ended is not told.

    They are asked again when they go on: before Python 3.12 `asyncio.wait_for`, which libraries below us use, forgets
    a cancellation that comes in the same turn of the loop as the result it waits for (CPython issue 86296), and a task
    that does its work for ever would then be awaited for ever.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASKED_AGAIN_AFTER_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told of it later
