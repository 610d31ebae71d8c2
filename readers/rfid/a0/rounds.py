"""Rounds of inventory on one reader: asked for one after the other, watched over, and their ends understood.

A reader inventories for one command's worth of rounds and stops. The end of a round is a frame, so that silence is
either a lost frame or a lost reader: a sign of life tells which.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from readers.codecs.a0 import (
    ANTENNAS_OF_A_GROUP,
    EMPTY_ROUND,
    WRONG_PARAMETER,
    Failure,
    Frame,
    Result,
    RoundEnd,
    inventory_answer,
    result_name,
)
from readers.errors import DeviceRefusedError
from readers.observations import Severity
from readers.rfid.a0.line import NoAnswerError, RefusedError
from readers.rfid.a0.reader import Reader
from readers.rfid.a0.settings import COMMANDS, REPEAT_SHORTEST, Inventory

SILENCE_S: Final = 2.0  # beyond what the passes take: modules are known to be slow before many tags
# The same when something on the line was garbled meanwhile, for that was the end of the round: so many times as long as
# the longest of the last rounds, and a moment.
SUSPECT_ROUNDS: Final = 2
SUSPECT_S: Final = 0.05
LAST_ROUNDS: Final = 16
PASS_S: Final = 0.25  # one pass on one antenna, at most
ROUND_MOST_S: Final = 120.0
SHORTEST_ROUND_S: Final = 0.005
FAILED_PAUSE_S: Final = 0.1
MISSING_RETRY_S: Final = 1.0
FAILED_ROUNDS: Final = 3
MOST_READS: Final = 100_000  # no round has more: a total beyond it is none
NO_ANTENNA: Final = 0xFF
_SHORT_SLOTS: Final = 4
_RESERVED_BYTES: Final = 5
_FURTHER_BYTES: Final = 3  # optimise, ongoing, target quantity: all off


@dataclass
class _Outcome:
    """How a round went: `end`, or `code`, or neither when no end came; not `selected`, it was not begun."""

    end: RoundEnd | None = None
    code: int | None = None
    selected: bool = True
    missing: set[int] = field(default_factory=set)
    reads: int = 0

    @property
    def is_good(self) -> bool:
        """The round was carried out."""
        return self.end is not None or self.code in EMPTY_ROUND


class Rounds:
    """Inventories with one reader.

    Attributes:
        proven: antennas, 1-based, that are really read.
    """

    def __init__(self, reader: Reader) -> None:
        self.proven: set[int] = set()
        self._reader = reader
        self._settings = reader.settings
        self._command = COMMANDS[reader.settings.inventory]
        self._missing_until_s: dict[int, float] = {}
        self._turned_b: set[int] = set()
        self._lasted_s: deque[float] = deque(maxlen=LAST_ROUNDS)
        self._failed = 0
        self._unfinished = 0
        self._refused = 0
        self._is_out_of_step = False

    async def turn(self) -> bool:
        """One round on every antenna that is due; False when none is.

        Raises:
            NoAnswerError: the reader fell silent. DeviceRefusedError: it does not inventory as the settings ask.
        """
        port = self._reader.line.port
        now_s = port.monotonic_s()
        due = [a for a in self._reader.unit.antennas if self._missing_until_s.get(a, now_s) <= now_s]
        for antennas in self._plan(due):
            began_s = port.monotonic_s()
            outcome = await self._round(antennas)
            self._settle(antennas, outcome)
            if self._is_out_of_step:
                self._is_out_of_step = False
                await self._reader.line.quiet()
            rest_s = SHORTEST_ROUND_S if outcome.is_good else FAILED_PAUSE_S
            if (left_s := began_s + rest_s - port.monotonic_s()) > 0:
                await port.pause(left_s)
        return bool(due)

    def stop(self) -> None:
        """The reader is gone: nothing is known of it any more."""
        self.proven.clear()
        self._missing_until_s.clear()
        self._failed = self._unfinished = self._refused = 0
        for antenna in self._reader.unit.antennas:
            self._reader.told.end("antenna_disconnected", self._key(antenna))
        for name in ("rounds_failing", "rounds_unconfirmed"):
            self._reader.told.end(name, self._reader.key("inventory"))

    def _plan(self, due: Sequence[int]) -> list[list[int]]:
        """Which antennas have rounds together."""
        if self._settings.inventory is not Inventory.FAST_SWITCH:
            return [[antenna] for antenna in due]
        ordered = sorted(due)
        return [list(group) for _, group in groupby(ordered, lambda antenna: (antenna - 1) // ANTENNAS_OF_A_GROUP)]

    def _parameters(self, antennas: Sequence[int]) -> bytes:
        """The data of the inventory command."""
        settings = self._settings
        if settings.inventory is Inventory.REAL_TIME:
            return bytes([settings.repeat])
        flags = bytes([settings.session, self._target(antennas)]) if settings.is_long else b""
        if settings.inventory is Inventory.SESSION:
            selected_and_phase = b"\x00\x01" if settings.wants_phase else b""
            return flags + selected_and_phase + bytes([settings.repeat])
        slots = ANTENNAS_OF_A_GROUP if settings.is_long or settings.reader_ports > _SHORT_SLOTS else _SHORT_SLOTS
        pairs = b"".join(bytes([(antenna - 1) % ANTENNAS_OF_A_GROUP, settings.stay]) for antenna in antennas)
        pairs += bytes([NO_ANTENNA, 0]) * (slots - len(antennas))
        more = bytes(_RESERVED_BYTES) + flags + bytes(_FURTHER_BYTES) + bytes([settings.wants_phase])
        return pairs + bytes([settings.interval_ms]) + (more if settings.is_long else b"") + bytes([settings.repeat])

    def _target(self, antennas: Sequence[int]) -> int:
        if self._settings.target != "alternating":
            return int(self._settings.target == "b")
        is_b = antennas[0] in self._turned_b
        self._turned_b.symmetric_difference_update(antennas)
        return int(is_b)

    def _passes_s(self, antennas: Sequence[int]) -> float:
        """How long a round may take when no tag is heard."""
        settings = self._settings
        if settings.inventory is Inventory.REAL_TIME and settings.repeat == REPEAT_SHORTEST:
            return PASS_S
        passes = settings.repeat
        if settings.inventory is Inventory.FAST_SWITCH:
            passes *= settings.stay * len(antennas)
        return passes * PASS_S + settings.repeat * len(antennas) * settings.interval_ms / 1000

    async def _round(self, antennas: Sequence[int]) -> _Outcome:
        reader, line = self._reader, self._reader.line
        reader.seen.clear()
        outcome = _Outcome()
        try:
            await reader.select(antennas[0], is_group_only=self._settings.inventory is Inventory.FAST_SWITCH)
        except RefusedError as refusal:
            outcome.code, outcome.selected = refusal.code, False
            return outcome
        before = reader.reads
        await line.send(Frame(reader.address, self._command, self._parameters(antennas)))
        began_s = sign_s = line.port.monotonic_s()
        rejected, passes_s = line.rejected, self._passes_s(antennas)
        while not outcome.end and outcome.code is None:
            now_s = line.port.monotonic_s()
            silence_s = passes_s + SILENCE_S
            if line.rejected != rejected and self._lasted_s:
                silence_s = min(silence_s, SUSPECT_ROUNDS * max(self._lasted_s) + SUSPECT_S)
            left_s = sign_s + silence_s - now_s
            if left_s <= 0 or now_s - began_s > ROUND_MOST_S + passes_s:
                break
            heard = reader.reads
            own = [frame for frame in await line.listen(left_s) if frame.address == reader.address]
            for frame in own:
                self._understand(frame, outcome)
            if own or reader.reads != heard:
                sign_s = line.port.monotonic_s()
        if outcome.end is None and outcome.code is None:
            if not await reader.is_alive(lambda frame: self._understand(frame, outcome)):
                raise NoAnswerError(
                    f"{line.port.description}: the reader at address {reader.address} did not end its round of "
                    "inventory and gave no sign of life since; check power and wiring"
                )
        elif outcome.end is not None:
            self._lasted_s.append(line.port.monotonic_s() - began_s)
        outcome.reads = reader.reads - before
        return outcome

    def _understand(self, frame: Frame, outcome: _Outcome) -> None:
        """Take note of an end or an error."""
        if frame.command != self._command:
            return
        answer = inventory_answer(frame)  # the line has kept what is none, and tags
        if isinstance(answer, RoundEnd):
            outcome.end = answer
            return
        assert isinstance(answer, Failure)
        if answer.antenna is None:
            outcome.code = answer.code
        elif answer.code == Result.ANTENNA_MISSING:
            outcome.missing.add(self._reader.antenna_of(answer.antenna))
        else:
            self._reader.line.reject(result_name(answer.code), sample=frame.data)

    def _settle(self, antennas: Sequence[int], outcome: _Outcome) -> None:
        """Draw the consequences of a round."""
        if outcome.code == Result.ANTENNA_MISSING:
            outcome.missing.update(antennas)
        for antenna in antennas:
            if antenna in outcome.missing:
                self._antenna_missing(antenna)
            elif outcome.is_good or antenna in self._reader.seen:
                self._antenna_read(antenna)
        if outcome.is_good:
            self._good(antennas, outcome)
        elif outcome.code is None:
            self._no_end(antennas, outcome)
        elif outcome.code != Result.ANTENNA_MISSING:
            self._failure(antennas, outcome.code, is_lasting=outcome.code in WRONG_PARAMETER or not outcome.selected)

    def _good(self, antennas: Sequence[int], outcome: _Outcome) -> None:
        reader = self._reader
        self._failed = self._unfinished = self._refused = 0
        for name in ("rounds_failing", "rounds_unconfirmed"):
            reader.told.end(name, reader.key("inventory"))
        end = outcome.end
        if end is None:
            return
        if end.antenna is not None and reader.antenna_of(end.antenna) != antennas[0]:
            # it has restarted and works with its first antenna again, or this is the end of an earlier round
            reader.line.reject("antenna")
            self.proven.discard(antennas[0])
            reader.forget()
            self._is_out_of_step = True
        elif outcome.reads < end.total_reads <= MOST_READS:
            lost = end.total_reads - outcome.reads
            reader.line.reject("reads_missing", lost, reads_lost=lost)

    def _no_end(self, antennas: Sequence[int], outcome: _Outcome) -> None:
        """The reader lives, but the end of the round did not come."""
        reader = self._reader
        reader.line.reject("round_unfinished")
        if self._settings.reader_ports > ANTENNAS_OF_A_GROUP:
            reader.forget()  # it may have restarted, and no frame bears the group; the antenna shows
        self._unfinished = 0 if outcome.reads else self._unfinished + 1
        if self._unfinished >= FAILED_ROUNDS:
            self.proven.difference_update(antennas)
            detail = "the reader answers, but its rounds of inventory neither end nor bring tags"
            reader.told.begin("rounds_unconfirmed", reader.key("inventory"), detail)

    def _failure(self, antennas: Sequence[int], code: int, *, is_lasting: bool) -> None:
        """The reader answered with an error; a lasting one is of its making, not of the moment's."""
        reader, name = self._reader, result_name(code)
        reader.line.reject(name)
        reader.forget()
        self._refused = self._refused + 1 if is_lasting else 0
        if self._refused >= FAILED_ROUNDS:
            where = f"{reader.line.port.description}: settings.inventory = {self._settings.inventory}"
            raise DeviceRefusedError(
                f"{where}: the reader at address {reader.address} refuses it on antenna {antennas[0]} with {name} "
                f"({code:02X}); see whether it has reader_ports = {self._settings.reader_ports}, and choose an "
                "inventory that its firmware knows"
            )
        self._failed += 1
        if self._failed >= FAILED_ROUNDS:
            self.proven.difference_update(antennas)
            detail = f"{self._failed} rounds in a row ended with {name} ({code:02X})"
            reader.told.begin("rounds_failing", reader.key("inventory"), detail, Severity.FAULT)

    def _antenna_missing(self, antenna: int) -> None:
        self.proven.discard(antenna)
        self._missing_until_s[antenna] = self._reader.line.port.monotonic_s() + MISSING_RETRY_S
        detail = f"antenna {antenna} of address {self._reader.address} does not answer: see its cable"
        self._reader.told.begin("antenna_disconnected", self._key(antenna), detail, Severity.FAULT)

    def _antenna_read(self, antenna: int) -> None:
        self.proven.add(antenna)
        self._missing_until_s.pop(antenna, None)
        self._reader.told.end("antenna_disconnected", self._key(antenna))

    def _key(self, antenna: int) -> str:
        return str(self._reader.unit.port_of(antenna))
