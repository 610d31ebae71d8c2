"""The driver against the simulated readers, which have a codec of their own: each side checks the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from readers.errors import DeviceRefusedError, FrameError, LinkError, ReaderBusyError, ReaderError
from readers.observations import Condition, DeviceInfo, Observation, Rejected, TagReads, Watching
from readers.ports.memory import pair, run
from readers.rfid.llrp import LlrpDriver, LlrpSettings
from simulator.device import Sighting
from simulator.llrp.identities import CHINA, ETSI, FCC, Identity, impinj_r420, impinj_r700, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from simulator.llrp.reports import Trigger

S = 1_000_000
STEP_US = 10_000

READERS = {
    "r420 fcc": impinj_r420(FCC),
    "r420 etsi": impinj_r420(ETSI),
    "r420 china": impinj_r420(CHINA),
    "r700": impinj_r700(),
    "fx9600": zebra_fx9600(),
    "fx9600 etsi": zebra_fx9600(ETSI),
    "plain uptime": plain(),
    "plain utc": plain(utc=True),
}


class Field:
    """A tag at each antenna every 10 ms, seven tags of different lengths in turn."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        first = -(-start_us // STEP_US)
        return [
            Sighting(
                at_us=index * STEP_US,
                antenna_port=antenna_port,
                epc=bytes([index % 7 + 1]) * (8 + 2 * (index % 4)),
                rssi_dbm=-40.0 - index % 20,
            )
            for index in range(first, -(-until_us // STEP_US))
        ]


class Client:
    """A driver on a link to a simulated reader."""

    def __init__(self, reader: SimulatedReader, **settings: object) -> None:
        self.reports: list[Observation] = []
        self.ours, self.theirs = pair()
        self._settings = LlrpSettings.model_validate(settings)
        self._serving = asyncio.create_task(reader.serve(self.theirs))
        self.talk = asyncio.create_task(LlrpDriver(self._settings).run(self.ours, self.reports.append))

    async def run_for(self, seconds: float) -> None:
        await asyncio.wait({self.talk}, timeout=seconds)
        if self.talk.done():
            self.talk.result()

    async def failure(self, within_s: float = 120.0) -> ReaderError:
        await asyncio.wait({self.talk}, timeout=within_s)
        error = self.talk.exception()
        assert isinstance(error, ReaderError)
        return error

    async def leave(self) -> None:
        self.talk.cancel()
        await asyncio.wait({self.talk})
        await self.gone()

    async def gone(self) -> None:
        """Cut the link, and wait until the reader has noticed."""
        await self.ours.close()
        await asyncio.wait({self._serving}, timeout=5.0)
        assert self._serving.done()
        self._serving.result()

    def batches(self) -> list[TagReads]:
        return [report for report in self.reports if isinstance(report, TagReads)]

    def air_reads(self) -> int:
        return sum(sum(batch.count or [1] * len(batch)) for batch in self.batches())

    def conditions(self) -> list[tuple[str, str, bool]]:
        return [(c.name, c.key, c.active) for c in self.reports if isinstance(c, Condition)]

    def watched(self) -> list[set[int]]:
        return [set(report.antenna_ports) for report in self.reports if isinstance(report, Watching)]


@pytest.mark.parametrize("identity", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"profile": "lane", "antennas": [2]},
        {"profile": "yard", "report_every_n": 7},
        {"profile": "station", "report_every_n": 1},
        {"profile": "shelf", "tx_power_dbm": 20.1, "session": 0, "tag_population": 99, "report_within_s": 0.5},
    ],
    ids=["gate", "lane", "yard", "station", "shelf"],
)
def test_every_reader_is_read_and_nothing_is_lost(identity: Identity, settings: dict[str, object]) -> None:
    async def talk() -> None:
        reader = SimulatedReader(identity, Field())
        client = Client(reader, **settings)
        await client.run_for(20.0)
        await client.leave()
        wanted = {2} if "antennas" in settings else set(range(1, identity.antennas + 1))
        assert client.watched() == [wanted, set()]
        assert client.conditions() == []
        assert not [report for report in client.reports if isinstance(report, Rejected)]
        assert client.air_reads() == reader.outgoing.reads_sent
        assert client.air_reads() > 1500
        assert {port for batch in client.batches() for port in batch.antenna_port} == wanted
        lengths = {len(epc) for batch in client.batches() for epc in batch.epc}
        assert lengths == {8, 10, 12, 14}
        info = next(report for report in client.reports if isinstance(report, DeviceInfo))
        assert (info.model, info.serial) == (str(identity.model), identity.reader_id.hex().upper())

    run(talk())


@pytest.mark.parametrize(
    ("identity", "clock_offset_us"),
    [(identity, 0) for identity in READERS.values()]
    + [
        (identity, offset)
        for identity in (impinj_r420(), zebra_fx9600(), plain(utc=True))
        for offset in (-3_600 * S, 86_400 * S)
    ],
)
def test_times_are_right_whatever_the_readers_clock_says(identity: Identity, clock_offset_us: int) -> None:
    async def talk() -> None:
        reader = SimulatedReader(identity, Field(), clock_offset_us=clock_offset_us)
        client = Client(reader)
        await client.run_for(10.0)
        await client.leave()
        batch = client.batches()[-1]
        assert batch.last_seen_us is not None
        corrected = [(time or 0) + batch.clock_offset_us for time in batch.last_seen_us]
        # Sightings lie on a grid of 10 ms of the world's time: the rest is the error of the clocks.
        assert max(min(time % STEP_US, STEP_US - time % STEP_US) for time in corrected) <= 2_500
        assert 0 <= batch.received_at_us - max(corrected) <= 300_000

    run(talk())


def test_a_second_client_is_told_and_the_first_hears_of_it() -> None:
    async def talk() -> None:
        reader = SimulatedReader(impinj_r420(), Field())
        first = Client(reader)
        await first.run_for(5.0)
        second = Client(reader)
        error = await second.failure()
        assert isinstance(error, ReaderBusyError)
        await first.run_for(5.0)
        assert first.conditions() == [("second_client", "", True)]
        await first.leave()
        third = Client(reader)
        await third.run_for(5.0)
        assert third.watched() == [{1, 2, 3, 4}]
        await third.leave()

    run(talk())


@pytest.mark.parametrize("identity", [impinj_r420(), zebra_fx9600(), plain()], ids=["r420", "fx9600", "plain"])
def test_what_is_read_while_the_link_is_cut_is_heard_afterwards(identity: Identity) -> None:
    async def talk() -> None:
        reader = SimulatedReader(identity, Field())
        first = Client(reader, report_every_n=20)
        await first.run_for(10.0)
        await first.gone()
        assert isinstance(await first.failure(), LinkError)
        cut_at_us, sent_before = first.ours.now_us(), reader.outgoing.reads_sent
        await asyncio.sleep(60.0)

        second = Client(reader, report_every_n=20)
        await second.run_for(10.0)
        back_at_us = second.ours.now_us() - 10 * S
        assert second.conditions() == []
        assert second.air_reads() == reader.outgoing.reads_sent - sent_before
        times = [(time or 0) + batch.clock_offset_us for batch in second.batches() for time in batch.last_seen_us or ()]
        during = [time for time in times if cut_at_us < time < back_at_us]
        assert len({time // S for time in during}) >= 59
        assert max(abs(batch.clock_offset_us - second.batches()[-1].clock_offset_us) for batch in second.batches()) < (
            back_at_us if not identity.has_utc_clock else 10_000
        )
        await second.leave()

    run(talk())


def test_an_antenna_is_unplugged_and_plugged_in() -> None:
    async def talk() -> None:
        reader = SimulatedReader(impinj_r420(), Field())
        client = Client(reader)
        await client.run_for(5.0)
        reader.set_antenna(3, connected=False)
        await client.run_for(5.0)
        assert client.watched()[-1] == {1, 2, 4}
        reader.set_antenna(3, connected=True)
        await client.run_for(5.0)
        assert client.watched() == [{1, 2, 3, 4}, {1, 2, 4}, {1, 2, 3, 4}]
        assert client.conditions() == [("antenna_disconnected", "3", True), ("antenna_disconnected", "3", False)]
        await client.leave()

    run(talk())


def test_trouble_and_goodbye_of_the_reader() -> None:
    async def talk() -> None:
        reader = SimulatedReader(zebra_fx9600(), Field())
        client = Client(reader)
        await client.run_for(5.0)
        reader.raise_exception("radio too hot")
        await client.run_for(1.0)
        assert client.conditions() == [("reader_exception", "", True)]
        reader.close_client()
        assert "ConnectionCloseEvent" in str(await client.failure())

    run(talk())


@pytest.mark.parametrize("identity", READERS.values(), ids=READERS.keys())
def test_a_reader_that_hangs_is_given_up(identity: Identity) -> None:
    async def talk() -> None:
        reader = SimulatedReader(identity, Field())
        client = Client(reader, keepalive_s=2)
        await client.run_for(5.0)
        reader.hung = True
        started_s = client.ours.monotonic_s()
        assert "silent for 5 s" in str(await client.failure())
        assert 3.0 <= client.ours.monotonic_s() - started_s <= 5.5

    run(talk())


def test_an_impinj_reader_lets_go_of_a_client_that_died() -> None:
    async def talk() -> None:
        reader = SimulatedReader(impinj_r420(), Field())
        first = Client(reader, keepalive_s=2)
        await first.run_for(5.0)
        for end in (first.ours, first.theirs):  # the network is cut, and nobody is told
            end._mangle = lambda _: []
        assert isinstance(await Client(reader).failure(), ReaderBusyError)
        await asyncio.sleep(10.0)
        assert reader.connections["given_up"] == 1
        second = Client(reader)
        await second.run_for(5.0)
        assert second.watched() == [{1, 2, 3, 4}]
        await second.leave()
        assert "silent" in str(await first.failure())

    run(talk())


def test_a_reader_that_reboots_is_set_up_anew() -> None:
    async def talk() -> None:
        reader = SimulatedReader(zebra_fx9600(), Field())
        first = Client(reader)
        await first.run_for(5.0)
        await reader.reboot()
        assert isinstance(await first.failure(), LinkError)
        second = Client(reader)
        await second.run_for(5.0)
        assert second.watched() == [set(range(1, 9))]
        assert second.air_reads() > 100
        await second.leave()

    run(talk())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tx_power_dbm": 31}, "allows 10 to 30"),
        ({"antennas": [5]}, "4 antenna ports"),
        ({"mode_identifier": 77}, "modes are 0, 1, 2, 3, 4, 1000"),
    ],
)
def test_what_the_reader_cannot_do_is_refused_by_name(settings: dict[str, object], words: str) -> None:
    async def talk() -> None:
        error = await Client(SimulatedReader(impinj_r420(), Field()), **settings).failure()
        assert isinstance(error, DeviceRefusedError)
        assert words in str(error)

    run(talk())


@pytest.mark.parametrize("seed", range(12))
def test_a_garbling_link_ends_in_a_named_fault_or_counted_rejects(seed: int) -> None:
    async def talk() -> None:
        rng = Random(seed)

        def garble(data: bytes) -> list[bytes]:
            mangled = bytearray(data)
            if rng.random() < 0.1:
                mangled[rng.randrange(len(mangled))] = rng.randrange(256)
            cut = rng.randrange(len(mangled) + 1)
            return [piece for piece in (bytes(mangled[:cut]), bytes(mangled[cut:])) if piece]

        reader = SimulatedReader(impinj_r420(), Field())
        client = Client(reader)
        client.theirs._mangle = garble
        await asyncio.wait({client.talk}, timeout=60.0)
        if client.talk.done():
            assert isinstance(client.talk.exception(), LinkError | FrameError | DeviceRefusedError)
        else:
            await client.leave()

    run(talk())


def test_64_readers_in_one_process() -> None:
    async def talk() -> None:
        readers = [SimulatedReader(list(READERS.values())[n % len(READERS)], Field()) for n in range(64)]
        clients = [Client(reader) for reader in readers]
        await asyncio.sleep(3.0)
        for client, reader in zip(clients, readers, strict=True):
            await client.leave()
            assert client.air_reads() == reader.outgoing.reads_sent > 100

    run(talk())


@pytest.mark.parametrize("utc", [False, True])
def test_a_reader_of_1_1_reports_by_time_without_being_asked(utc: bool) -> None:  # noqa: FBT001  # a parameter of the test
    async def talk() -> None:
        reader = SimulatedReader(plain(utc=utc), Field())
        client = Client(reader)
        await client.run_for(10.0)
        (spec,) = reader.inventory.specs.values()
        assert spec.collector.trigger is Trigger.N_MILLISECONDS_OR_END_OF_AISPEC
        assert client.ours.sent.count(b"\x08\x3c\x00\x00\x00\x0a") == 1  # GET_REPORT, for what was kept
        assert client.conditions() == []
        arrivals = [batch.received_at_us for batch in client.batches()]
        gaps_ms = {round((later - sooner) / 1000) for sooner, later in pairwise(arrivals[2:])}
        assert gaps_ms <= set(range(80, 121))  # report_within_s of the gate is 0.1
        await client.leave()
        assert client.air_reads() == reader.outgoing.reads_sent > 900

    run(talk())
