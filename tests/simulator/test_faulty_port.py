from __future__ import annotations

import pytest

from readers.errors import LinkError
from readers.ports.memory import pair, run
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort

WORDS = b"ABCDEFGH"


def test_received_bytes_meet_their_faults_in_virtual_time() -> None:
    async def scene() -> None:
        near, far = pair()
        port = FaultyPort(near, [Fault(Kind.DELAY, at_byte=2, seconds=5.0), Fault(Kind.CUT, at_byte=6)])
        await far.send(WORDS)
        assert await port.receive(1.0) == b"AB"
        assert await port.receive(1.0) == b""
        assert port.monotonic_s() == pytest.approx(1.0)
        assert await port.receive(10.0) == b"C"
        assert port.monotonic_s() == pytest.approx(5.0)
        assert await port.receive(1.0) == b"DEF"
        with pytest.raises(LinkError, match=r"memory \(faulty\): the link ended \(cut\)"):
            await port.receive(1.0)
        with pytest.raises(LinkError):
            await far.send(b"x")
        assert [fault.kind for fault in port.struck] == [Kind.DELAY, Kind.CUT]

    run(scene())


def test_sent_bytes_meet_theirs() -> None:
    async def scene() -> None:
        near, far = pair()
        port = FaultyPort(near, [Fault(Kind.DROP, Towards.DEVICE, at_byte=1, length=6)])
        await port.send(WORDS)
        assert await far.receive(1.0) == b"AH"

    run(scene())


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.CUT])
def test_an_ending_by_time_comes_while_nothing_is_said(kind: Kind) -> None:
    async def scene() -> None:
        near, _ = pair()
        port = FaultyPort(near, [Fault(kind, after_s=2.0)])
        assert await port.receive(1.0) == b""
        with pytest.raises(LinkError):
            await port.receive(10.0)
        assert port.monotonic_s() == pytest.approx(2.0)

    run(scene())


def test_a_blackhole_swallows_both_directions_and_stays_open() -> None:
    async def scene() -> None:
        near, far = pair()
        port = FaultyPort(near, [Fault(Kind.BLACKHOLE, after_s=1.0)])
        await port.send(b"1")
        assert await far.receive(0.1) == b"1"
        await port.pause(1.5)
        await port.send(b"2")
        await far.send(WORDS)
        assert await port.receive(60.0) == b""
        assert await far.receive(1.0) == b""
        assert port.monotonic_s() > 60
        await port.close()

    run(scene())


def test_without_faults_it_is_the_port_itself() -> None:
    async def scene() -> None:
        near, far = pair()
        port = FaultyPort(near, [])
        await far.send(WORDS)
        assert await port.receive(1.0) == WORDS
        assert port.now_us() == near.now_us()

    run(scene())
