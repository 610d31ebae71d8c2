"""Reading and writing the memory of one tag: choose it by its EPC, ask, and see that it was the right one.

Work on single tags is done in session S0, target A: there no tag is left in a state in which the inventory misses it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from readers.access import EPC_FIRST_WORD, WORD_BYTES, AccessError, AccessFault, Bank
from readers.codecs.m100 import DONE, Command, Frame
from readers.codecs.m100_access import (
    MOST_ACCESS_WORDS,
    MOST_MASK_BITS,
    Access,
    Query,
    Select,
    SelectMode,
    TagAnswer,
    fault_of,
)
from readers.errors import FrameError
from readers.rfid.m100.conversation import Conversation, NoAnswerError, RefusedError
from readers.rfid.m100.setup import select_for_inventory, set_query

READ_WITHIN_S: Final = 1.0
READ_TRIES: Final = 2
WRITE_WITHIN_S: Final = 3.0  # a tag takes up to 20 ms a word (Gen2), 32 words go into a command
PC_WORD: Final = 1
_BITS: Final = 8
_WORD_BITS: Final = 16

_MEANING: Final = {
    AccessFault.NO_TAG: "no tag with this EPC answered; hold it nearer to the antenna",
    AccessFault.WRONG_PASSWORD: "the tag did not accept the password",
    AccessFault.LOCKED: "this memory is locked",
    AccessFault.OVERRUN: "the tag has no such memory",
    AccessFault.LOW_POWER: "the tag has too little power for it; hold it nearer to the antenna",
    AccessFault.UNSUPPORTED: "the module does not know the command",
    AccessFault.LOST: "the tag fell silent on the way; hold it still and nearer to the antenna",
}


class TagMemoryWork:
    """Work on the memory of tags between `begin` and `end`; no inventory runs meanwhile.

    Args:
        query: in force, None when it is not known.
    """

    def __init__(self, talk: Conversation, query: Query | None) -> None:
        self._talk = talk
        self._query = query
        self._is_query_changed = False
        self._chosen: bytes | None = None

    async def begin(self) -> None:
        """Take the Query to session S0, target A, all tags.

        Raises:
            LinkError: the module does not answer.
        """
        if self._query is None:
            return
        plain = replace(self._query, session=0, target=0, sel=0)
        if plain != self._query:
            self._is_query_changed = True
            try:
                await set_query(self._talk, plain)
            except RefusedError:
                self._is_query_changed = False  # then it stays in its session, where fewer tags answer

    async def end(self) -> None:
        """Put Query and Select back as the inventory needs them.

        Raises:
            LinkError: the module does not answer. DeviceRefusedError: it does not take the Select again.
        """
        if self._is_query_changed and self._query is not None:
            try:
                await set_query(self._talk, self._query)
            except RefusedError as refusal:
                detail = f"the Query could not be put back: error {refusal.code:02X}"
                self._talk.begins("setting_differs", detail, "query")
            self._is_query_changed = False
        await select_for_inventory(self._talk, self._query)

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> TagAnswer:
        """Read at most `MOST_ACCESS_WORDS` words of the tag with exactly this EPC.

        Raises:
            AccessError: they could not be read. LinkError: the module does not answer.
        """
        what = f"reading {words} words of bank {bank.name} from word {word} of tag {epc.hex().upper()}"
        if epc != self._chosen:
            await self._choose(epc, what)
        parameters = Access(bank, word, words, password).parameters()
        try:
            answer = await self._talk.ask(Command.READ, parameters, tries=READ_TRIES, within_s=READ_WITHIN_S)
        except RefusedError as refusal:
            raise self._failed(what, refusal) from refusal
        found = self._parsed(answer, what)
        if found.epc != epc:
            raise self._another(what, found)
        if len(found.data) != words * WORD_BYTES:
            raise self._error(AccessFault.OTHER, what, f"{len(found.data)} bytes came")
        return found

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write at most `MOST_ACCESS_WORDS` words to the tag with exactly this EPC, once; it is looked at first.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
            LinkError: the module does not answer before anything is written.
        """
        words = len(data) // WORD_BYTES
        what = f"writing {words} words of bank {bank.name} from word {word} of tag {epc.hex().upper()}"
        if not data or len(data) % WORD_BYTES or words > MOST_ACCESS_WORDS:
            limit = f"{len(data)} bytes given; 1 to {MOST_ACCESS_WORDS} whole words can be written at once"
            raise self._error(AccessFault.UNSUPPORTED, what, limit)
        await self.read(epc, Bank.EPC, PC_WORD, 1)  # a mask also fits longer EPCs: see who answers to it
        parameters = Access(bank, word, words, password, data).parameters()
        try:
            answer = await self._talk.ask(Command.WRITE, parameters, tries=1, within_s=WRITE_WITHIN_S)
        except RefusedError as refusal:
            raise self._failed(what, refusal) from refusal
        except NoAnswerError as error:
            raise self._error(AccessFault.LOST, what, "the module did not answer; read it back") from error
        found = self._parsed(answer, what)
        if found.data != DONE:
            raise self._error(AccessFault.LOST, what, f"the module answered {found.data.hex().upper()}; read it back")
        if found.epc != epc and bank is not Bank.EPC:
            raise self._error(AccessFault.LOST, what, f"tag {found.epc.hex().upper()} answered; read both back")

    async def _choose(self, epc: bytes, what: str) -> None:
        bits = len(epc) * _BITS
        if not 0 < bits <= MOST_MASK_BITS:
            limit = f"an EPC of {len(epc)} bytes; the module can choose tags by 1 to {MOST_MASK_BITS // _BITS}"
            raise self._error(AccessFault.UNSUPPORTED, what, limit)
        self._chosen = None
        select = Select(Bank.EPC, EPC_FIRST_WORD * _WORD_BITS, epc, bits)
        try:
            await self._talk.ask(Command.SET_SELECT, select.parameters())
            await self._talk.ask(Command.SELECT_MODE, bytes([SelectMode.BEFORE_ACCESS]))
        except RefusedError as refusal:
            detail = f"the module cannot choose a tag: error {refusal.code:02X} to Select"
            raise self._error(AccessFault.UNSUPPORTED, what, detail) from refusal
        self._chosen = epc

    def _parsed(self, answer: Frame, what: str) -> TagAnswer:
        try:
            return TagAnswer.parse(answer.parameters)
        except FrameError as error:
            raise self._error(AccessFault.LOST, what, f"the answer cannot be understood ({error})") from error

    def _another(self, what: str, found: TagAnswer) -> AccessError:
        detail = f"tag {found.epc.hex().upper()} answers to the same mask; take it away"
        return self._error(AccessFault.SEVERAL_TAGS, what, detail)

    def _failed(self, what: str, refusal: RefusedError) -> AccessError:
        fault = fault_of(refusal.parameters)
        meaning = _MEANING.get(fault, "the module gives no reason that is known")
        return self._error(fault, what, f"{meaning} (error {refusal.code:02X})")

    def _error(self, fault: AccessFault, what: str, detail: str) -> AccessError:
        self._chosen = None  # the next one begins with what the module may have forgotten
        return AccessError(fault, f"{self._talk.port.description}: {what}: {detail}")
