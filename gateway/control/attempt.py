"""One order through a live driver: look, attempt once, read back, and the verdict. Nothing is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.contract.commands import State
from gateway.health import Health
from gateway.logs import clean, get_log
from readers.control import Attempt, Controllable, ControlPoint, Fate, Order, Shown
from readers.errors import ReaderError

LOOK_WITHIN_S: Final = 10.0
ATTEMPT_WITHIN_S: Final = 30.0
READ_BACK_WITHIN_S: Final = 15.0
"""How long a device that does not answer after an attempt is asked for its state, at the least."""
READ_BACK_EVERY_S: Final = 0.25
DETAIL_MOST: Final = 300


class NoStateError(Exception):
    """The state of a point cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an order that was let go."""

    state: State
    code: str
    detail: str
    shown: Shown | None = None


@dataclass(slots=True)
class Hand:
    """Reaches one point through whichever driver serves it now.

    Attributes:
        live: the running driver, None while its link is down.
    """

    point: ControlPoint
    live: Callable[[], Controllable | None]
    health: Health
    within_s: float = field(default=LOOK_WITHIN_S)

    async def look(self) -> Shown:
        """The state of the point, from the device.

        Raises:
            NoStateError: the device does not tell it.
        """
        driver = self.live()
        if driver is None:
            raise NoStateError("the link to the device is down")
        try:
            async with asyncio.timeout(self.within_s):
                return await driver.observe(self.point.source, self.point.name)
        except TimeoutError:
            raise NoStateError(f"the device did not tell its state within {self.within_s:g} s") from None
        except ReaderError as error:
            raise NoStateError(clean(str(error), DETAIL_MOST)) from error
        except Exception as error:  # a bug in one driver must not stop the others
            self._tell_bug(error)
            raise NoStateError("its driver failed, see the log") from error

    async def attempt(self, order: Order) -> Attempt:
        """Let the order go, once. Whatever goes wrong, the answer is a fate."""
        driver = self.live()
        if driver is None:
            return Attempt(Fate.NOT_SENT, "the link to the device is down")
        try:
            async with asyncio.timeout(ATTEMPT_WITHIN_S):
                return await driver.attempt(order)
        except TimeoutError:
            return Attempt(Fate.UNKNOWN, f"no answer within {ATTEMPT_WITHIN_S:g} s")
        except Exception as error:  # noqa: BLE001  # a bug in one driver must not stop the others; what was sent is not known
            self._tell_bug(error)
            return Attempt(Fate.UNKNOWN, "its driver failed, see the log")

    async def judge(self, order: Order, before: Shown, attempt: Attempt) -> Verdict:
        """Read back until the device shows the effect, or has had its time."""
        said = clean(attempt.detail, DETAIL_MOST)
        if attempt.fate is Fate.NOT_SENT:
            return Verdict("failed", "not_sent", _joined("nothing was sent", said, "it may be ordered again"))
        if attempt.fate is Fate.REFUSED:
            return Verdict("failed", "device_refused", _joined("the device refuses, and nothing was done", said))
        is_done, after, why = await self._read_back(order, before)
        answer = "the device accepted it" if attempt.fate is Fate.ACCEPTED else "it was sent and no answer came"
        if is_done is True:
            already = "it was so before the order" if self._is_done(order, before, before) is True else ""
            return Verdict("verified", "done", _joined(answer, said, "and it shows the effect", already), after)
        if is_done is False:
            text = f"but {self.point.settles_s:g} s later it does not show the effect"
            return Verdict("failed", "not_done", _joined(answer, said, text, "look at the device"), after)
        text = why or "what it shows does not tell whether it was done"
        return Verdict(
            "unknown", "no_proof", _joined(answer, said, text, "look at the device before anything else"), after
        )

    async def _read_back(self, order: Order, before: Shown) -> tuple[bool | None, Shown | None, str]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        is_done, after, why = None, None, ""
        while True:
            await asyncio.sleep(READ_BACK_EVERY_S)
            try:
                after, why = await self.look(), ""
                is_done = self._is_done(order, before, after)
            except NoStateError as error:
                is_done, why = None, f"it cannot be read back: {error}"
            waits_s = self.point.settles_s if after is not None else max(self.point.settles_s, READ_BACK_WITHIN_S)
            if is_done is True or loop.time() - began_s >= waits_s:
                return is_done, after, why

    def _is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        driver = self.live()
        try:
            return driver.is_done(order, before, after) if driver is not None else None
        except Exception as error:  # noqa: BLE001  # a bug in one driver must not stop the others
            self._tell_bug(error)
            return None

    def _tell_bug(self, error: Exception) -> None:
        self.health.trouble(get_log(point=self.point.name), "control_driver_failed", level="error", exc_info=error)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
