"""A CF reader as a station: work on the memory of single tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.cf import Command, Frame, Status, start_parameters
from readers.codecs.cf_access import (
    MOST_EPC_BYTES,
    MOST_READ_WORDS,
    MOST_WRITE_WORDS,
    Answer,
    Work,
    fault_of,
    mask_parameters,
)
from readers.driver import Port
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.memory_work import MemoryStation, epc_after
from readers.observations import TagRead
from readers.rfid.cf.configuration import Configuration
from readers.rfid.cf.line import Line, NoAnswerError
from readers.rfid.cf.settings import CfSettings, Mode

READ_WITHIN_S: Final = 1.5
READ_TRIES: Final = 2
WRITE_WITHIN_S: Final = 3.0  # a tag takes up to 20 ms a word (Gen2), and the reader tries again by itself
MORE_WITHIN_S: Final = 0.1  # another tag that was meant, too
ROUND_WITHIN_S: Final = 0.5  # a reader that is silent for longer has ended its inventory


class CfStation(MemoryStation):
    """Implements `readers.access.Station`. Tags are inventoried in session S0, whatever the settings say.

    The reader keeps the mask that says which tag is meant, for inventories too: it is taken back after each work.
    """

    most_read_words = MOST_READ_WORDS
    most_write_words = MOST_WRITE_WORDS
    most_epc_bytes = MOST_EPC_BYTES

    def __init__(self, settings: CfSettings, port: Port) -> None:
        super().__init__()
        self._port = port
        self._line = Line(port, self._heard, settings.address)
        plain = settings.model_copy(update={"mode": Mode.ANSWER, "session": 0, "rounds": 0})
        self._configuration = Configuration(plain, self._line, self._heard)
        self._own_session: int | None = None

    async def open(self) -> None:
        """Identify the reader and set what the settings say, in answer mode; a mask of a former client is taken back.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it reports by itself and cannot be changed, or does not
                take the region.
        """
        await self._configuration.identify()
        before = await self._configuration.read_parameters()
        await self._configuration.configure()
        self._own_session = None if before is None else before.session
        await self._mask(b"")

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it cannot inventory.
        """
        self._begin_inventory()
        until_s = self._port.monotonic_s() + within_s
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            await self._line.send(Command.START, start_parameters(0))
            while left_s > 0 and (frames := await self._line.listen(min(ROUND_WITHIN_S, left_s))):
                self._expect_no_refusal(frames)
                left_s = until_s - self._port.monotonic_s()
        await self._line.ask(Command.STOP)
        return list(self._heard.tags.values())

    async def close(self) -> None:
        """Stop the inventory, and take mask and session back; harmless when the link is gone."""
        try:
            await self._line.ask(Command.STOP, tries=1)
            await self._mask(b"")
            now = self._configuration.parameters
            if now is not None and self._own_session not in (None, now.session):
                own = now.changed(session=self._own_session)
                await self._line.ask(Command.SET_PARAMETERS, own.raw)
        except (LinkError, DeviceRefusedError):
            pass  # a reader that is not there needs nothing

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """See `readers.memory_work.TagAccess`."""
        asked = Work(bank, word, words, password)
        answers = await self._at(tag, Command.READ, asked, tries=READ_TRIES, within_s=READ_WITHIN_S)
        found = self._of_one_tag(tag, "reading", answers, {tag.epc}, AccessFault.SEVERAL_TAGS)
        return found.words

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See `readers.memory_work.TagAccess`."""
        asked = Work(bank, word, len(data) // 2, password, data)
        after = epc_after(tag.epc, word, data) if bank is Bank.EPC else tag.epc
        try:
            answers = await self._at(tag, Command.WRITE, asked, tries=1, within_s=WRITE_WITHIN_S)
        except NoAnswerError as silence:
            raise AccessError(AccessFault.LOST, f"tag {tag.epc.hex().upper()}: {silence}; read it back") from silence
        self._of_one_tag(tag, "writing", answers, {tag.epc, after or tag.epc}, AccessFault.LOST)

    async def _at(self, tag: TagRead, command: Command, asked: Work, *, tries: int, within_s: float) -> list[Frame]:
        """The answers to work on this tag; the mask is there for no longer."""
        await self._mask(tag.epc)
        try:
            return await self._line.ask_all(
                command, asked.parameters(), tries=tries, within_s=within_s, more_within_s=MORE_WITHIN_S
            )
        finally:
            await self._mask(b"")

    async def _mask(self, epc: bytes) -> None:
        answer = await self._line.ask(Command.SELECT, mask_parameters(epc))
        if answer.status != Status.DONE:
            raise DeviceRefusedError(
                f"{self._port.description}: the reader takes no mask (command 0007, status {answer.status:02X}), so "
                "that no single tag can be worked on; another reader of this family may"
            )

    def _of_one_tag(
        self, tag: TagRead, doing: str, answers: list[Frame], expected: set[bytes], several: AccessFault
    ) -> Answer:
        """What exactly this tag answered.

        Raises:
            AccessError: it failed, or another one answered, too.
        """
        who = f"{self._port.description}: tag {tag.epc.hex().upper()}: {doing}"
        try:
            found = [Answer.parse(frame.data) for frame in answers if frame.status == Status.DONE]
        except FrameError as error:
            raise AccessError(AccessFault.LOST, f"{who}: {error}") from error
        if not found:
            status = next((frame.status for frame in answers if frame.status != Status.ROUND_END), Status.ROUND_END)
            raise AccessError(fault_of(status), f"{who} ended with status {status:02X}")
        others = {each.epc for each in found} - expected
        if others or any(each.words != found[0].words for each in found):
            named = ", ".join(sorted(each.hex().upper() or "(empty EPC)" for each in others)) or "another with its EPC"
            raise AccessError(several, f"{who}: {named} answered too; take it away, and read both back")
        if found[0].tag_status:
            raise AccessError(
                fault_of(Status.DONE, found[0].tag_status), f"{who} ended with tag status {found[0].tag_status:02X}"
            )
        return found[0]

    def _expect_no_refusal(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if frame.command == Command.START and frame.status in (Status.PARAMETER, Status.FAILED):
                raise DeviceRefusedError(
                    f"{self._port.description}: the reader refuses the inventory with status {frame.status:02X}"
                )
