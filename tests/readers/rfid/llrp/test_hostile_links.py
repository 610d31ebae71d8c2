"""The driver behind links that break, garble, drip or fall silent: on real TCP, and in virtual time at more places."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import pytest

from readers.errors import FrameError, LinkError, ReaderBusyError, ReaderError
from readers.observations import Observation, TagReads, Watching
from readers.ports.memory import pair, run
from readers.ports.tcp import open_tcp
from readers.rfid.llrp import LlrpDriver, LlrpSettings
from simulator.device import Sighting
from simulator.faults import Fault, FaultProxy, Kind, Towards, script
from simulator.faulty_port import FaultyPort
from simulator.llrp.identities import Identity, impinj_r420, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from simulator.server import LOOPBACK, DeviceServer

STEP_US = 2_000
EPCS = [bytes([number]) * (8 + 2 * (number % 4)) for number in range(1, 8)]
IDENTITIES = {"impinj": impinj_r420(), "zebra": zebra_fx9600(), "plain": plain()}
each_identity = pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES.keys())


class Field:
    """A read every 2 ms of one of seven tags, so that a few hundred bytes of reports are never far."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        numbers = range(-(-start_us // STEP_US), -(-until_us // STEP_US))
        return [Sighting(n * STEP_US, antenna_port, EPCS[n % len(EPCS)], -50.0) for n in numbers]


class Heard(list[Observation]):
    """What one connection reported."""

    def watching(self) -> bool:
        return any(isinstance(report, Watching) and report.antenna_ports for report in self)

    def epcs(self) -> set[bytes]:
        return {epc for report in self if isinstance(report, TagReads) for epc in report.epc}

    def reads_after_watching(self) -> bool:
        kinds = [type(report) for report in self]
        return Watching in kinds and TagReads in kinds[kinds.index(Watching) :]


async def connect_until_free(number: int, heard: Heard, settings: LlrpSettings, within_s: float) -> asyncio.Task[None]:
    """A connection on which the driver reads; while the reader still holds its dead one, try again as a supervisor."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while True:
        talk = asyncio.create_task(one_connection(number, heard, settings))
        while not talk.done() and not heard.reads_after_watching() and loop.time() < deadline_s:
            await asyncio.sleep(0.01)
        if not talk.done():
            assert heard.reads_after_watching(), "the reader is connected and not read"
            return talk
        error = talk.exception()
        assert isinstance(error, ReaderBusyError), error
        assert loop.time() < deadline_s, error
        await asyncio.sleep(0.05)


async def one_connection(number: int, heard: Heard, settings: LlrpSettings) -> None:
    port = await open_tcp(LOOPBACK, number)
    try:
        await LlrpDriver(settings).run(port, heard.append)
    finally:
        await port.close()


async def end(talk: asyncio.Task[None]) -> None:
    talk.cancel()
    with suppress(asyncio.CancelledError):
        await talk


# --- on real TCP -----------------------------------------------------------------------------------------------------


@each_identity
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.CUT])
def test_a_link_that_ends_in_the_middle_of_a_frame_leaves_nothing_behind(identity: Identity, kind: Kind) -> None:
    rng = random.Random(f"{identity.name}/{kind}")
    offsets = sorted(rng.sample(range(1, 12_000), 8))

    async def scene() -> None:
        reader = SimulatedReader(identity, Field())
        plan = script(*([Fault(kind, at_byte=offset)] for offset in offsets))
        settings = LlrpSettings(report_every_n=3)
        async with DeviceServer(reader.serve) as server, FaultProxy(server.port, plan) as proxy:
            while proxy.connections < len(offsets):
                heard = Heard()
                with pytest.raises(LinkError):
                    await asyncio.wait_for(one_connection(proxy.port, heard, settings), 10.0)
                assert heard.epcs() <= set(EPCS)  # no byte of an old connection was glued to this one
                while reader.connected:
                    await asyncio.sleep(0.005)
            assert [fault.kind for _, fault in proxy.struck] == [kind] * len(offsets)
            sound = Heard()
            await end(await connect_until_free(proxy.port, sound, settings, 5.0))
            assert sound.epcs() <= set(EPCS)
        assert server.failures == []

    asyncio.run(scene())


def test_corrupt_bytes_end_in_a_named_fault_and_the_next_connection_is_sound() -> None:
    rng = random.Random(7)
    faults = [
        [Fault(Kind.CORRUPT, rng.choice(list(Towards)), at_byte=rng.randrange(4_000), length=rng.randint(1, 8))]
        for _ in range(12)
    ]

    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), Field())
        settings = LlrpSettings(report_every_n=3, keepalive_s=0.5)
        async with DeviceServer(reader.serve) as server, FaultProxy(server.port, script(*faults)) as proxy:
            while proxy.connections < len(faults):
                talk = asyncio.create_task(one_connection(proxy.port, Heard(), settings))
                await asyncio.wait({talk}, timeout=0.4)
                if talk.done():
                    assert isinstance(talk.exception(), ReaderError)
                else:
                    await end(talk)
                while reader.connected:
                    await asyncio.sleep(0.005)
            await end(await connect_until_free(proxy.port, Heard(), settings, 5.0))
        assert server.failures == []

    asyncio.run(scene())


@each_identity
def test_a_half_open_link_is_given_up_within_two_keepalives_and_a_second(identity: Identity) -> None:
    async def scene() -> None:
        reader = SimulatedReader(identity, Field())
        settings = LlrpSettings(keepalive_s=0.5)
        async with DeviceServer(reader.serve) as server, FaultProxy(server.port) as proxy:
            loop = asyncio.get_running_loop()
            talk = await connect_until_free(proxy.port, Heard(), settings, 5.0)
            proxy.strike(Kind.BLACKHOLE)
            struck_s = loop.time()
            with pytest.raises(LinkError, match="silent for"):
                await talk
            assert loop.time() - struck_s <= 2 * 0.5 + 1.0
            # No FIN and no RST reached the reader. Those that count unanswered keepalives let go of their dead client.
            if identity.missed_acks is None and not identity.is_impinj:
                with pytest.raises(ReaderBusyError):
                    await one_connection(proxy.port, Heard(), settings)
                proxy.strike(Kind.RESET)
            await end(await connect_until_free(proxy.port, Heard(), settings, 10.0))

    asyncio.run(scene())


# --- in virtual time -------------------------------------------------------------------------------------------------


class Behind:
    """A driver behind a faulty link to a simulated reader."""

    def __init__(self, reader: SimulatedReader, faults: Sequence[Fault], seed: int = 0, **settings: object) -> None:
        ours, theirs = pair()
        self.heard = Heard()
        self.link = FaultyPort(ours, faults, seed)
        self._ours = ours
        self._serving = asyncio.create_task(reader.serve(theirs))
        driver = LlrpDriver(LlrpSettings.model_validate(settings))
        self.talk = asyncio.create_task(driver.run(self.link, self.heard.append))

    async def result(self, within_s: float) -> BaseException | None:
        """What the driver raised in that time, and the link closed as a supervisor does."""
        await asyncio.wait({self.talk}, timeout=within_s)
        error = self.talk.exception() if self.talk.done() else None
        if not self.talk.done():
            await end(self.talk)
        await self._ours.close()
        await asyncio.wait({self._serving}, timeout=5.0)
        self._serving.result()
        return error


@each_identity
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.BLACKHOLE])
def test_an_ending_at_any_place_is_a_link_error_and_the_reader_is_read_again(identity: Identity, kind: Kind) -> None:
    async def scene() -> None:
        reader = SimulatedReader(identity, Field())
        for at_byte in range(1, 6_000, 397):
            behind = Behind(reader, [Fault(kind, at_byte=at_byte)], keepalive_s=2)
            error = await behind.result(60.0)
            assert isinstance(error, LinkError | FrameError)
            assert isinstance(error, LinkError) or error.reason == "deadline"
            assert behind.heard.epcs() <= set(EPCS)
        sound = Behind(reader, [])
        assert await sound.result(5.0) is None
        assert sound.heard.reads_after_watching()

    run(scene())


@pytest.mark.parametrize("seed", range(16))
def test_any_mixture_of_faults_ends_in_a_reader_error_or_goes_on(seed: int) -> None:
    rng = random.Random(seed)
    faults = [
        Fault(
            rng.choice([Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE, Kind.DELAY, Kind.JITTER]),
            rng.choice(list(Towards)),
            at_byte=rng.randrange(8_000),
            length=rng.randint(1, 64),
            seconds=rng.choice([0.01, 0.5, 4.0]),
        )
        for _ in range(3)
    ]

    async def scene() -> None:
        reader = SimulatedReader(rng.choice(list(IDENTITIES.values())), Field())
        error = await Behind(reader, faults, seed, report_every_n=rng.choice([1, 20])).result(60.0)
        assert error is None or isinstance(error, ReaderError)
        sound = Behind(reader, [])
        assert await sound.result(5.0) is None
        assert sound.heard.reads_after_watching()

    run(scene())


@pytest.mark.parametrize("at_byte", [0, 20, 700, 4_000])
def test_a_link_that_drips_has_a_deadline_for_each_message(at_byte: int) -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Field())
        behind = Behind(reader, [Fault(Kind.DRIP, at_byte=at_byte, seconds=0.25)])
        error = await behind.result(60.0)
        assert isinstance(error, LinkError | FrameError)
        assert "within" in str(error) or "is not whole 5 s after its start" in str(error)

    run(scene())
