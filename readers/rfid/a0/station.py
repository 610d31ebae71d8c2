"""An R2000 reader as a station: work on the memory of single tags. It is the first reader of the line's settings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Final

from readers.access import EPC_FIRST_WORD, WORD_BYTES, AccessError, AccessFault, Bank
from readers.codecs.a0 import WRONG_PARAMETER, Command, Result, TagReport, result_name
from readers.codecs.a0_access import MATCH_NOTHING, MOST_MATCH_BYTES, AccessAnswer, ReadRequest, WriteRequest, match
from readers.driver import Port
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Observation, TagRead, TagReads
from readers.rfid.a0.line import Line, NoAnswerError, RefusedError
from readers.rfid.a0.reader import Reader
from readers.rfid.a0.rounds import Rounds
from readers.rfid.a0.settings import A0Settings, Inventory
from readers.rfid.a0.told import Told

MOST_WORDS: Final = 32  # more is refused by some firmware
ACCESS_WITHIN_S: Final = 3.0  # the module inventories first, and tries again by itself
IDLE_S: Final = 0.3

_FAULTS: Final[Mapping[int, AccessFault]] = {
    Result.NO_TAG: AccessFault.NO_TAG,
    Result.ACCESS_OR_PASSWORD_ERROR: AccessFault.WRONG_PASSWORD,
    Result.WORD_COUNT_TOO_LONG: AccessFault.OVERRUN,
    Result.MEMORY_BANK_OUT_OF_RANGE: AccessFault.OVERRUN,
    Result.OUTPUT_POWER_TOO_LOW: AccessFault.LOW_POWER,
}
_NOTHING_WAS_DONE: Final = frozenset({*_FAULTS, *WRONG_PARAMETER, Result.ANTENNA_MISSING, Result.COMMAND_FAIL})


class A0Station:
    """Implements `readers.access.Station`. Tags are inventoried in real time (89), whatever the settings say."""

    def __init__(self, settings: A0Settings, port: Port) -> None:
        plain = settings.model_copy(
            update={
                "inventory": Inventory.REAL_TIME,
                "repeat": 1,
                "phase_steps_per_turn": None,
                "units": settings.units[:1],
            }
        )
        told = Told(self._hear)
        self._port = port
        self._reader = Reader(plain.units[0], plain, told)
        self._reader.join(Line(port, self._hear, self._take))
        self._tags: dict[bytes, TagRead] = {}

    async def open(self) -> None:
        """Identify and set the reader.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it refuses the band.
        """
        await self._reader.identify()
        await self._reader.configure()

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it cannot inventory.
        """
        self._tags = {}
        rounds = Rounds(self._reader)
        until_s = self._port.monotonic_s() + within_s
        while True:
            was_busy = await rounds.turn()
            left_s = until_s - self._port.monotonic_s()
            if left_s <= 0:
                return list(self._tags.values())
            if not was_busy:
                await self._port.pause(min(left_s, IDLE_S))

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """Read `words` words from `word` on, of the tag with exactly this EPC.

        Raises:
            AccessError: it could not be read. LinkError: the reader does not answer.
        """
        found = b""
        while len(found) < words * WORD_BYTES:
            at = len(found) // WORD_BYTES
            size = min(words - at, MOST_WORDS)
            request = ReadRequest(bank, word + at, size, password).data()
            answer = await self._access(epc, Command.READ, request)
            if len(answer.words) != size * WORD_BYTES or answer.epc != epc:
                raise AccessError(
                    AccessFault.OTHER,
                    f"{size} words of tag {epc.hex().upper()} were asked; {len(answer.words)} bytes came of tag "
                    f"{answer.epc.hex().upper()}: try again",
                )
            found += answer.words
        return found

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write whole words from `word` on, at most 32, to the tag with exactly this EPC.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
            LinkError: the reader does not answer before anything is written.
        """
        if not data or len(data) % WORD_BYTES or len(data) > MOST_WORDS * WORD_BYTES:
            raise AccessError(
                AccessFault.UNSUPPORTED,
                f"{len(data)} bytes cannot be written at once: 1 to {MOST_WORDS} whole words can",
            )
        answer = await self._access(epc, Command.WRITE, WriteRequest(bank, word, data, password).data())
        changed = _patched(epc, word, data) if bank is Bank.EPC else epc
        if answer.result != Result.SUCCESS:
            assert answer.result is not None
            raise _error(epc, Command.WRITE, answer.result)
        if answer.epc not in (epc, changed):
            raise AccessError(
                AccessFault.LOST,
                f"tag {epc.hex().upper()} was to be written, tag {answer.epc.hex().upper()} answers: read both back",
            )

    async def close(self) -> None:
        """Let the reader work on any tag again; harmless when the link is gone."""
        with contextlib.suppress(LinkError, RefusedError):  # a reader that is not there needs nothing
            await self._reader.ask(Command.SET_MATCH, MATCH_NOTHING)

    async def _access(self, epc: bytes, command: Command, request: bytes) -> AccessAnswer:
        """One operation on the tag with this EPC, where it was heard."""
        if not 0 < len(epc) <= MOST_MATCH_BYTES:
            raise AccessError(
                AccessFault.UNSUPPORTED,
                f"an EPC of {len(epc)} bytes: the reader finds tags by an EPC of 1 to {MOST_MATCH_BYTES}",
            )
        await self._prepare(epc)
        reader = self._reader
        try:
            answer = await self._one_answer(epc, command, request)
        finally:
            with contextlib.suppress(LinkError, RefusedError):  # the outcome is known, and close() tries again
                await reader.ask(Command.SET_MATCH, MATCH_NOTHING, tries=1)
        if answer.tags > 1:
            raise AccessError(
                AccessFault.LOST if command == Command.WRITE else AccessFault.SEVERAL_TAGS,
                f"{answer.tags} tags with EPC {epc.hex().upper()} answer: leave one before the antenna",
            )
        return answer

    async def _prepare(self, epc: bytes) -> None:
        """Nothing is done to a tag yet."""
        known = self._tags.get(epc)
        unit = self._reader.unit
        antenna = unit.antennas[0] if known is None else known.antenna_port - unit.first_port + 1
        try:
            await self._reader.select(antenna)
            await self._reader.ask(Command.SET_MATCH, match(epc))
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{self._port.description}: the reader at address {self._reader.address} cannot work on single tags: "
                f"{refusal}"
            ) from refusal

    async def _one_answer(self, epc: bytes, command: Command, request: bytes) -> AccessAnswer:
        """Send the request once, and take the first answer.

        Raises:
            AccessError: it is no success.
        """
        is_write = command == Command.WRITE
        try:
            frame = await self._reader.ask(command, request, tries=1, within_s=ACCESS_WITHIN_S)
        except RefusedError as refusal:
            raise _error(epc, command, refusal.code) from refusal
        except NoAnswerError as silence:
            fault = AccessFault.LOST if is_write else AccessFault.OTHER
            raise AccessError(fault, f"tag {epc.hex().upper()}: {silence}") from silence
        try:
            answer = AccessAnswer.parse(frame.data, is_read=not is_write)
        except FrameError as error:
            fault = AccessFault.LOST if is_write else AccessFault.OTHER
            raise AccessError(fault, f"tag {epc.hex().upper()}: the answer cannot be read: {error}") from error
        if answer.tags > 1:
            await self._reader.line.quiet()  # the other tags' answers
        return answer

    def _take(self, _address: int, tag: TagReport) -> TagRead | None:
        return self._reader.take(tag)

    def _hear(self, observation: Observation) -> None:
        if isinstance(observation, TagReads):
            for read in observation.rows():
                known = self._tags.get(read.epc)
                if known is None or (read.rssi_dbm or 0.0) > (known.rssi_dbm or 0.0):
                    self._tags[read.epc] = read


def _error(epc: bytes, command: Command, code: int) -> AccessError:
    """What a result code says of the tag."""
    fault = _FAULTS.get(code, AccessFault.OTHER)
    if code in WRONG_PARAMETER and fault is AccessFault.OTHER:
        fault = AccessFault.UNSUPPORTED
    if command == Command.WRITE and code not in _NOTHING_WAS_DONE:
        fault = AccessFault.LOST
    doing = "writing" if command == Command.WRITE else "reading"
    return AccessError(fault, f"tag {epc.hex().upper()}: {doing} it ended with {result_name(code)} ({code:02X})")


def _patched(epc: bytes, word: int, data: bytes) -> bytes:
    """The EPC after words of its bank were written; its length may change with the PC word, which is not looked at."""
    at = (word - EPC_FIRST_WORD) * WORD_BYTES
    return epc[: max(at, 0)] + data[max(-at, 0) :] + epc[max(at, 0) + len(data[max(-at, 0) :]) :]
