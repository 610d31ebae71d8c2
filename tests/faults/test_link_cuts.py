"""A recorded session that ends after any of its bytes: exactly the reads that had come whole, and each as it was sent.

In virtual time, with the drivers alone; TAGWHARF_LONG tries every byte. What becomes of the reads behind the drivers is
asked in `test_reader_links.py`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from readers.driver import Port
from readers.errors import FrameError, LinkError
from readers.observations import Observation, TagReads
from readers.ports.base import PassingPort
from readers.ports.memory import pair, run
from readers.registry import driver
from simulator.faults import Fault, Kind
from simulator.faulty_port import FaultyPort
from simulator.llrp.identities import impinj_r420
from simulator.llrp.reader import SimulatedReader
from simulator.rfid import m100
from tests.support.field import CountingRadio
from tests.support.seeds import chosen_seed

LONG: Final = bool(os.environ.get("TAGWHARF_LONG"))
OFFSETS: Final = 400
SESSION_BYTES: Final = 8_000
ENDS_WITHIN_S: Final = 120.0
EPC_BYTES: Final = 12


class Tap(PassingPort):
    """Keeps what the driver was given."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.given = bytearray()

    async def receive(self, within_s: float) -> bytes:
        """See `Port`."""
        data = await super().receive(within_s)
        self.given += data
        return data


def whole_llrp(stream: bytes) -> bytes:
    """The messages that are whole, by the length in the header of each."""
    at = 0
    while len(stream) - at >= 6 and (end := at + int.from_bytes(stream[at + 2 : at + 6])) <= len(stream):
        at = end
    return stream[:at]


def whole_m100(stream: bytes) -> bytes:
    """The frames that are whole: BB, type, command, length of two bytes, so many, a sum, 7E."""
    at = 0
    while len(stream) - at >= 5 and (end := at + 7 + int.from_bytes(stream[at + 3 : at + 5])) <= len(stream):
        assert (stream[at], stream[end - 1]) == (0xBB, 0x7E)
        at = end
    return stream[:at]


@dataclass(frozen=True)
class Session:
    """How to have one."""

    driver: str
    settings: Mapping[str, Any]
    serve: Callable[[Port, CountingRadio], Awaitable[None]]
    whole: Callable[[bytes], bytes]


SESSIONS: Final = [
    Session(
        "llrp",
        {"report_every_n": 3, "antennas": [1]},
        lambda port, radio: SimulatedReader(impinj_r420(), radio).serve(port),
        whole_llrp,
    ),
    Session("m100", {}, m100.serve, whole_m100),
]


def counting() -> CountingRadio:
    radio = CountingRadio(200.0)
    radio.begin(0, 1 << 60)
    return radio


async def until_cut(session: Session, fault: Fault) -> tuple[list[bytes], bytes, BaseException | None]:
    """The EPCs that were reported, the bytes that the driver was given, and how it ended."""
    ours, theirs = pair()
    radio = counting()
    serving = asyncio.ensure_future(session.serve(theirs, radio))
    spec = driver(session.driver)
    heard: list[Observation] = []
    tap = Tap(FaultyPort(ours, [fault]))
    talking = asyncio.create_task(spec.make(spec.settings.model_validate(session.settings)).run(tap, heard.append))
    await asyncio.wait({talking}, timeout=ENDS_WITHIN_S)
    assert talking.done(), f"{fault} was not noticed"
    await ours.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    epcs = [epc for report in heard if isinstance(report, TagReads) for epc in report.epc]
    return epcs, bytes(tap.given), talking.exception()


def sent(stream: bytes, prefix: bytes) -> list[bytes]:
    """The EPCs in these bytes, found by how they begin."""
    found, at = [], stream.find(prefix)
    while at >= 0:
        found.append(stream[at : at + EPC_BYTES])
        at = stream.find(prefix, at + EPC_BYTES)
    return found


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.driver)
def test_a_session_that_ends_after_any_byte_gives_the_reads_that_were_whole(session: Session) -> None:
    rng = random.Random(chosen_seed())
    offsets = range(1, SESSION_BYTES) if LONG else sorted(rng.sample(range(1, SESSION_BYTES), OFFSETS))
    prefix = counting().prefix
    partial = reading = 0
    for at_byte in offsets:
        kind = rng.choice((Kind.RESET, Kind.CUT, Kind.BLACKHOLE))
        epcs, given, error = run(until_cut(session, Fault(kind, at_byte=at_byte)))
        assert isinstance(error, LinkError | FrameError), (at_byte, error)
        whole = session.whole(given)
        partial += len(whole) < len(given)
        assert epcs == sent(whole, prefix), (at_byte, kind)
        numbers = [int.from_bytes(epc[len(prefix) :]) for epc in epcs]
        assert numbers == [numbers[0] + place for place in range(len(numbers))], (at_byte, kind)
        reading += bool(numbers)
    assert partial > len(offsets) / 2
    assert reading > len(offsets) / 4
