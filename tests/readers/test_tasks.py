from __future__ import annotations

import asyncio

from readers.ports.memory import run
from readers.tasks import ASKED_AGAIN_AFTER_S, end


async def _for_ever() -> None:
    while True:
        await asyncio.sleep(1)


async def _deaf_once(heard: list[float]) -> None:
    """Forgets the first cancellation, as a loop around a library's wait may."""
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            heard.append(asyncio.get_running_loop().time())
            if len(heard) > 1:
                raise


async def _fails() -> None:
    raise ZeroDivisionError


def test_a_task_that_goes_on_is_asked_again() -> None:
    async def scene() -> tuple[list[float], bool]:
        heard: list[float] = []
        task = asyncio.create_task(_deaf_once(heard))
        await asyncio.sleep(0.5)
        await end(task)
        return heard, task.cancelled()

    heard, is_over = run(scene())
    assert is_over
    assert len(heard) == 2
    assert heard[1] - heard[0] >= ASKED_AGAIN_AFTER_S


def test_tasks_end_whatever_state_they_are_in() -> None:
    async def scene() -> list[bool]:
        tasks = [asyncio.create_task(each()) for each in (_for_ever, _fails, _for_ever)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await end(*tasks)
        await end(*tasks)  # those that are over already
        await end()
        return [task.done() for task in tasks]

    assert run(scene()) == [True, True, True]
