"""An LLRP reader as a station: an inventory of the moment, reading and writing one tag by an AccessSpec.

Every operation is a ROSpec of its own that runs for a while and is deleted afterwards; an operation on a tag is an
AccessSpec beside it that is executed once, on a tag with exactly that EPC. Between operations the radio is off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from readers.access import WORD_BYTES, AccessError, AccessFault, Bank
from readers.driver import Port
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import TagRead, TagReads
from readers.rfid.llrp import access, answers, control, handshake, intent, rospecs, vendors
from readers.rfid.llrp.connection import Connection
from readers.rfid.llrp.reports import ReportDecoder
from readers.rfid.llrp.settings import LlrpSettings

ROSPEC_ID: Final = 0x7A03  # another than an inventory's: leftovers can be told apart
OPERATION_S: Final = 2.0  # how long a tag is looked for: many rounds of an inventory
KEEPALIVE_S: Final = 60.0  # nobody answers between operations: a reader that gives up after three waits for minutes
SETTLE_S: Final = 0.25  # after the radio is off, for reports that are on their way
BACKLOG_S: Final = 30.0  # the longest that a reader may send what it had kept for another client
MARGIN_S: Final = 3.0  # beyond a ROSpec's own duration, for a reader that is slow
CLOSE_WITHIN_S: Final = 5.0
_OPSPECS: Final = 256  # each operation has another number: a result that comes late belongs to nothing
_ENDED: Final = ("End_of_ROSpec", "Preemption_of_ROSpec")
# What a station does not do, whatever the settings say; in session 0 a tag answers again at once.
_PLAIN: Final = {
    "session": 0,
    "trigger": None,
    "filter": (),
    "search_mode": None,
    "low_duty_cycle": None,
    "read_user_words": 0,
}


class LlrpStation:
    """One reader, opened for work on single tags; see `readers.access.Station`.

    Attributes:
        foreign_reads: tag reads that were thrown away because they belong to no operation: what the reader had kept.
    """

    def __init__(self, settings: LlrpSettings, port: Port) -> None:
        self._settings = settings.model_copy(update=_PLAIN)
        self._port = port
        self._connection = Connection(port, lambda _: None, self._heard, self._event)
        self._opened: answers.Event | None = None
        self._plan: intent.Plan | None = None
        self._decoder = ReportDecoder()
        self._operations = 0
        self._gathering = self._started = self._ended = self._executed = False
        self._reads: list[TagRead] = []
        self._results: list[access.TagResult] = []
        self.foreign_reads = 0

    async def open(self) -> None:
        """Connect, learn what the reader can do, and remove what an earlier program of ours left there.

        Raises:
            DeviceRefusedError: another program's ROSpec or AccessSpec is active on the reader, or it cannot do what the
                settings ask.
            LinkError, ReaderBusyError, FrameError: as a driver.
        """
        connection = self._connection
        await handshake.first_message(self._port, connection)
        handshake.accepted(self._port, connection.first_type, self._opened)
        await handshake.negotiate(self._port, connection, self._settings.protocol_version)
        can = answers.capabilities(await connection.demand(control.get_capabilities()))
        if self._settings.block_write and not can.can_block_write:
            raise DeviceRefusedError("block_write = true: the reader cannot write blocks; leave it out")
        if vendors.extensions(can.manufacturer).enable:
            await connection.demand(control.enable_impinj_extensions())
        plan = intent.plan(self._settings, can, connection.version)
        self._plan = replace(plan, report_trigger=intent.BY_COUNT, report_n=0, reads=None)
        await self._remove((rospecs.ROSPEC_ID, ROSPEC_ID), access.OURS)
        await self._see_that_it_is_free()
        await connection.demand(control.set_configuration(KEEPALIVE_S, warn_buffer=False, hold=False))
        await connection.enable_events_and_reports()
        await self._settle(BACKLOG_S)

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI."""
        await self._run(within_s, None, lambda: False)
        found: dict[bytes, TagRead] = {}
        for read in self._reads:
            found[read.epc] = _joined(found[read.epc], read) if read.epc in found else read
        return list(found.values())

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """Read words of the tag with exactly this EPC.

        Raises:
            AccessError: it could not be read.
        """
        what = f"reading {words} words from {word} on in bank {bank.name} of tag {epc.hex().upper()}"
        if words < 1:
            raise AccessError(AccessFault.UNSUPPORTED, f"{what}: at least one word can be read")
        result = await self._once(what, epc, access.read(self._next_opspec(), bank, word, words, password))
        if result is None:
            raise AccessError(AccessFault.NO_TAG, f"{what}: no such tag answered within {OPERATION_S:g} s")
        if result.code != access.SUCCESS:
            fault, why = access.READ_FAULTS.get(result.code, (AccessFault.OTHER, f"result {result.code}"))
            raise AccessError(fault, f"{what}: {why}")
        if result.data is None or len(result.data) != words * WORD_BYTES:
            raise AccessError(AccessFault.OTHER, f"{what}: {len(result.data or b'')} bytes came; read fewer words")
        return result.data

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write words to the tag with exactly this EPC; one attempt.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
        """
        words, rest = divmod(len(data), WORD_BYTES)
        what = f"writing {words} words from {word} on in bank {bank.name} of tag {epc.hex().upper()}"
        if rest or not words:
            raise AccessError(AccessFault.UNSUPPORTED, f"{what}: {len(data)} bytes; whole words of 2 bytes are written")
        block = self._settings.block_write
        operation = access.write(self._next_opspec(), bank, word, data, password, block=block)
        self._started = False
        try:
            result = await self._once(what, epc, operation)
        except (LinkError, FrameError) as error:
            if not self._started:
                raise
            raise AccessError(
                AccessFault.LOST, f"{what}: the reader was lost meanwhile; read it back: {error}"
            ) from error
        if result is None:
            raise self._not_seen(what, epc)
        if result.code == access.SUCCESS and result.words_written == words:
            return
        fault, why = access.WRITE_FAULTS.get(result.code, (AccessFault.LOST, f"result {result.code}"))
        if result.code == access.SUCCESS or result.words_written:
            fault, why = AccessFault.LOST, f"{result.words_written} words were written; read it back"
        raise AccessError(fault, f"{what}: {why}")

    async def close(self) -> None:
        """Remove what is ours, and say goodbye; harmless when the link is gone."""
        # Whatever goes wrong with a goodbye, nothing follows from that: the next one who connects cleans up again.
        with contextlib.suppress(TimeoutError, LinkError, FrameError, DeviceRefusedError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._remove((ROSPEC_ID,), access.OURS)
                await self._connection.request(control.close_connection())

    # --- one operation ------------------------------------------------------------------------------------------

    def _next_opspec(self) -> int:
        self._operations += 1
        return access.STATION_OPSPEC + self._operations % _OPSPECS

    async def _once(self, what: str, epc: bytes, operation: dict[str, Any]) -> access.OpResult | None:
        """Do one operation on one tag; None when no result came."""
        if len(epc) % WORD_BYTES or len(epc) > access.LONGEST_EPC_WORDS * WORD_BYTES:
            raise AccessError(AccessFault.NO_TAG, f"{what}: no tag has an EPC of {len(epc)} bytes")
        opspec_id = access.STATION_OPSPEC + self._operations % _OPSPECS

        def result() -> access.OpResult | None:
            done = (each for tag in self._results for each in tag.results if each.opspec_id == opspec_id)
            return next(done, None)

        try:
            await self._run(OPERATION_S, access.once(epc, operation, ROSPEC_ID), lambda: result() is not None)
        except (LinkError, FrameError):
            if (found := result()) is None:
                raise
            return found  # what was done is known, whatever became of the link afterwards
        return result()

    async def _run(self, within_s: float, spec: dict[str, Any] | None, done: Callable[[], bool]) -> None:
        """Let the radio run for a while, or until it is done, with an AccessSpec or without; gather what comes."""
        connection, plan = self._connection, self._plan
        assert plan is not None, "open() comes first"
        self._reads.clear()
        self._results.clear()
        self._ended = False
        rospec = rospecs.encode(plan, ROSPEC_ID, rospecs.for_a_while(within_s))
        try:
            await connection.demand(control.add_rospec(rospec))
            if spec is not None:
                await connection.demand(control.add_accessspec(spec))
                await connection.demand(control.enable_accessspec(access.STATION_ID))
            await connection.demand(control.enable_rospec(ROSPEC_ID))
            self._gathering = self._started = True
            await connection.demand(control.start_rospec(ROSPEC_ID))
            await self._until(lambda: self._ended or done(), within_s + MARGIN_S)
        except DeviceRefusedError:
            self._gathering = False
            await self._remove((ROSPEC_ID,), (access.STATION_ID,))
            raise
        # First the radio goes off, and its last reports come.
        await self._remove((ROSPEC_ID,), ())
        if not done():
            await self._settle(MARGIN_S)
        self._gathering = False
        if spec is not None:
            self._executed = done() or not await self._still_there()
            await self._remove((), (access.STATION_ID,))

    async def _still_there(self) -> bool:
        """Whether the AccessSpec was not executed: a reader deletes it when that was done as often as it may be."""
        held = access.held(await self._connection.demand(control.get_accessspecs()))
        return any(each.id == access.STATION_ID for each in held)

    def _not_seen(self, what: str, epc: bytes) -> AccessError:
        if self._executed or any(tag.epc == epc for tag in self._results):
            why = f"no result came within {OPERATION_S:g} s, though the tag was there; read it back"
            return AccessError(AccessFault.LOST, f"{what}: {why}")
        return AccessError(AccessFault.NO_TAG, f"{what}: no such tag answered within {OPERATION_S:g} s")

    async def _until(self, done: Callable[[], bool], within_s: float) -> None:
        deadline_s = self._port.monotonic_s() + within_s
        while not done() and (left_s := deadline_s - self._port.monotonic_s()) > 0:
            await self._connection.pump(left_s, "working on a tag")

    async def _settle(self, within_s: float) -> None:
        """Take what is on its way, until nothing more comes."""
        deadline_s = self._port.monotonic_s() + within_s
        quiet_at_s = self._port.monotonic_s() + SETTLE_S
        while (now_s := self._port.monotonic_s()) < min(quiet_at_s, deadline_s):
            if await self._connection.pump(quiet_at_s - now_s, "waiting for the last reports"):
                quiet_at_s = self._port.monotonic_s() + SETTLE_S

    async def _remove(self, rospec_ids: Iterable[int], accessspec_ids: Iterable[int]) -> None:
        """Delete ROSpecs and AccessSpecs; a reader refuses to delete what is not there."""
        for request in (
            *(control.delete_accessspec(spec_id) for spec_id in accessspec_ids),
            *(control.delete_rospec(rospec_id) for rospec_id in rospec_ids),
        ):
            with contextlib.suppress(DeviceRefusedError):
                await self._connection.demand(request)

    async def _see_that_it_is_free(self) -> None:
        held = rospecs.held(await self._connection.demand(control.get_rospecs()))
        running = [each.id for each in held if each.state == rospecs.ACTIVE]
        specs = access.held(await self._connection.demand(control.get_accessspecs()))
        working = [each.id for each in specs if each.is_active]
        if running or working:
            raise DeviceRefusedError(
                f"{self._port.description}: another program works on this reader (active ROSpecs {running}, "
                f"AccessSpecs {working}): stop it, or restart the reader"
            )

    # --- what the reader says -----------------------------------------------------------------------------------

    def _heard(self, payloads: list[bytes], received_at_us: int) -> None:
        batches = [each for each in self._decoder.decode(payloads, received_at_us) if isinstance(each, TagReads)]
        if not self._gathering:
            self.foreign_reads += sum(map(len, batches))
            return
        for batch in batches:
            self._reads += batch.rows()
        for payload in payloads:
            self._results += access.tag_results(payload)

    def _event(self, event: answers.Event, _received_at_us: int) -> LinkError | None:
        if self._opened is None:
            self._opened = event
        if event.closes:
            return LinkError(f"{self._port.description}: the reader closes the connection (ConnectionCloseEvent)")
        if event.rospec is not None and event.rospec[1] == ROSPEC_ID and event.rospec[0] in _ENDED:
            self._ended = True
        return None


def _joined(one: TagRead, other: TagRead) -> TagRead:
    """Two reads of one tag as one row: the stronger one, with the times and the number of both."""
    strong, weak = sorted((one, other), key=lambda read: read.rssi_dbm or -1000.0, reverse=True)
    firsts = [time for time in (one.first_seen_us, other.first_seen_us) if time is not None]
    lasts = [time for time in (one.last_seen_us, other.last_seen_us) if time is not None]
    return replace(
        strong,
        count=one.count + other.count,
        first_seen_us=min(firsts, default=None),
        last_seen_us=max(lasts, default=None),
        tid=strong.tid or weak.tid,
    )
