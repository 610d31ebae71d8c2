"""Rounds of inventory: asked for, counted, supervised.

The module inventories by itself for a number of rounds and then stops without a word, so rounds are counted and asked
for again. An empty round is reported as error 15, which is how silence of the tags differs from silence of the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from readers.codecs.m100 import MULTI_POLL_RESERVED, Command, ErrorCode, Frame, FrameType
from readers.errors import DeviceRefusedError
from readers.observations import Rejected, Watching
from readers.rfid.m100.conversation import Conversation, RefusedError
from readers.rfid.m100.settings import ANTENNA_PORT

ROUND_WITHIN_S: Final = 1.0  # several times the longest round
SILENT_ROUNDS: Final = 3  # starts of the inventory without any sign of a round


def never() -> bool:
    """Let the inventory run until its rounds are used up."""
    return False


class Inventory:
    """Runs rounds, and knows whether they are really run."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._watching = False
        self._silent_starts = 0

    async def run(self, is_enough: Callable[[], bool] = never, within_s: float | None = None) -> None:
        """Ask for rounds once, and listen until they are used up, or enough, or the time is over; then stop them.

        Raises:
            LinkError: the module fell silent. DeviceRefusedError: it cannot inventory.
        """
        port, rounds = self._talk.port, self._talk.settings.rounds
        await self._talk.start(Command.MULTI_POLL, bytes([MULTI_POLL_RESERVED]) + rounds.to_bytes(2, "big"))
        signs = 0
        is_silent = False
        last_sign_s = port.monotonic_s()
        until_s = None if within_s is None else last_sign_s + within_s
        while signs < rounds and not is_enough():
            now_s = port.monotonic_s()
            if until_s is not None and now_s >= until_s:
                break
            wait_s = ROUND_WITHIN_S if until_s is None else min(ROUND_WITHIN_S, until_s - now_s)
            new = sum([self._round_sign(frame) for frame in await self._talk.listen(wait_s)])
            now_s = port.monotonic_s()
            if new:
                signs += new
                last_sign_s = now_s
                self._runs()
            elif now_s - last_sign_s >= ROUND_WITHIN_S:
                is_silent = True
                break
        if is_silent and not signs:
            self._is_silent()
        try:  # also the proof of life of a module that reports no empty rounds
            await self._talk.ask(Command.STOP)
        except RefusedError as refusal:
            self._talk.report(Rejected(f"error_{refusal.code:02x}"))

    def _round_sign(self, frame: Frame) -> int:
        """1 when a frame shows that a round took place: a tag, or the report of an empty round."""
        if frame.type is FrameType.NOTICE:
            return 1
        if frame.type is not FrameType.RESPONSE or frame.command != Command.ERROR:
            return 0
        code = frame.parameters[:1]
        if code == bytes([ErrorCode.NO_TAG]):
            return 1
        if code == bytes([ErrorCode.NO_FREE_CHANNEL]):
            self._talk.begins("no_free_channel", "the band is busy: the hop to another channel timed out")
            return 0
        if code == bytes([ErrorCode.UNKNOWN_COMMAND]):
            raise DeviceRefusedError(
                f"{self._talk.port.description}: the module does not know the command 'multiple poll' (27); "
                "another driver may fit it"
            )
        self._talk.report(Rejected(f"error_{code.hex() or 'none'}"))
        return 0

    def _runs(self) -> None:
        self._silent_starts = 0
        self._talk.ends("rounds_unconfirmed", "no_free_channel")
        if not self._watching:
            self._watching = True
            self._talk.report(Watching(frozenset({ANTENNA_PORT})))

    def _is_silent(self) -> None:
        """The module lives, but nothing shows that it reads."""
        self._silent_starts += 1
        if self._silent_starts < SILENT_ROUNDS:
            return
        self._talk.begins("rounds_unconfirmed", "the module answers, but reports neither tags nor empty rounds")
        if self._watching:
            self._watching = False
            self._talk.report(Watching())
