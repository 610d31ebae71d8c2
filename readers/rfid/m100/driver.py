"""The driver itself: identify, set, inventory, and read the memory of new tags in between."""

from __future__ import annotations

from typing import Final

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.m100_access import Query, TagAnswer
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.observations import Observation, Rejected, TagRead, TagReads
from readers.rfid.m100.banks import SLICE_S, WantedBanks
from readers.rfid.m100.conversation import BAUD, Conversation, NoAnswerError
from readers.rfid.m100.inventory import Inventory
from readers.rfid.m100.memory import TagMemoryWork
from readers.rfid.m100.settings import ANTENNA_PORT, M100Settings
from readers.rfid.m100.setup import configure
from readers.rfid.m100.station import M100Station

TID_WORDS: Final = (6, 4, 2)
"""A serialised TID of 96 or 64 bits, or the class, maker and model alone: tags have one of these."""


class M100Driver:
    """Identifies the module, sets it, and inventories until cancelled."""

    def __init__(self, settings: M100Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer in either frame form, or the module fell silent.
            DeviceRefusedError: it refuses the region, the Select or the inventory.
        """
        wanted = WantedBanks(self._settings.absent_after_s)

        def hear(observation: Observation) -> None:
            if isinstance(observation, TagReads):
                now_s = port.monotonic_s()
                for epc in observation.epc:
                    wanted.heard(epc, now_s)
            report(observation)

        talk = Conversation(self._settings, port, hear if self._settings.reads_memory else report)
        await talk.identify()
        query = await configure(talk, needs_query=self._settings.reads_memory)
        inventory = Inventory(talk)
        while True:
            await inventory.run(lambda: wanted.is_due(port.monotonic_s()))
            if wanted.is_due(port.monotonic_s()):
                await _Banks(talk, report, wanted).read(query)


class _Banks:
    """One slice of reading the memory of tags that are new."""

    def __init__(self, talk: Conversation, report: Report, wanted: WantedBanks) -> None:
        self._talk = talk
        self._report = report
        self._wanted = wanted

    async def read(self, query: Query | None) -> None:
        """Read tags until the slice is over or none is left.

        Raises:
            LinkError: the module does not answer. DeviceRefusedError: it does not take the Select again.
        """
        port = self._talk.port
        began_s = port.monotonic_s()
        work = TagMemoryWork(self._talk, query)
        await work.begin()
        while port.monotonic_s() - began_s < SLICE_S:
            epc = self._wanted.next(port.monotonic_s())
            if epc is None:
                break
            try:
                await self._read_tag(work, epc)
                self._wanted.read(epc)
            except AccessError as error:
                self._failed(epc, error.fault)
            except NoAnswerError:  # on a bad line one frame is lost; that the module lives the inventory will tell
                self._failed(epc, AccessFault.LOST)
        await work.end()
        self._wanted.end_slice(began_s, port.monotonic_s())

    def _failed(self, epc: bytes, fault: AccessFault) -> None:
        if self._wanted.failed(epc, fault, self._talk.port.monotonic_s()):
            self._report(Rejected(f"memory_{fault}"))

    async def _read_tag(self, work: TagMemoryWork, epc: bytes) -> None:
        """Read what the settings want of one tag, and report it as one more read of the tag.

        Raises:
            AccessError: it must be tried again, or nothing of it can be read. LinkError: as `TagMemoryWork`.
        """
        settings = self._talk.settings
        answer, tid, user_memory = None, None, None
        if settings.read_tid:
            answer = await self._tid(work, epc)
            tid = answer.data
        if settings.read_user_words:
            try:
                answer = await work.read(epc, Bank.USER, 0, settings.read_user_words)
                user_memory = answer.data
            except AccessError as error:
                if tid is None or error.fault is not AccessFault.OVERRUN:
                    raise
                self._report(Rejected("memory_overrun"))  # many tags have no user memory; the TID counts all the same
        assert answer is not None
        read = TagRead(epc, ANTENNA_PORT, pc_bits=answer.pc_bits, tid=tid, user_memory=user_memory)
        self._report(TagReads.of(self._talk.port.now_us(), read))

    async def _tid(self, work: TagMemoryWork, epc: bytes) -> TagAnswer:
        for words in TID_WORDS[:-1]:
            try:
                return await work.read(epc, Bank.TID, 0, words)
            except AccessError as error:
                if error.fault is not AccessFault.OVERRUN:
                    raise
        return await work.read(epc, Bank.TID, 0, TID_WORDS[-1])


DRIVER: Final = DriverSpec(
    "m100",
    Kind.RFID,
    M100Settings,
    M100Driver,
    "UHF modules of the MagicRF M100 family (YRM100, JRD-4035, R200, M5Stack Unit UHF) on a serial line",
    line=LineDefaults(baud=BAUD),
    models=("M100", "QM100", "YRM100", "JRD-4035", "JRD-100", "R200", "EL-UHF-RMT01", "M5Stack Unit UHF-RFID"),
    station=M100Station,
)
