from __future__ import annotations

import asyncio
import random
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.driver import Port
from readers.errors import ConfigError
from simulator.faults import Course, Fault, FaultProxy, Kind, Plan, Step, Towards, script, seeded
from simulator.server import LOOPBACK, DeviceServer

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def course(*faults: Fault) -> Course:
    return Course(faults, Towards.CLIENT, random.Random(1))


def through(made: Course, chunks: list[bytes]) -> tuple[bytes, Kind | None]:
    """All bytes that pass, and the ending met."""
    passed = b""
    for chunk in chunks:
        for step in made.feed(chunk):
            passed += step.data
            if step.ending:
                return passed, step.ending
    return passed, None


EXPECTED = {
    "cut in the middle": (Fault(Kind.CUT, at_byte=5), b"ABCDE", Kind.CUT),
    "cut at once": (Fault(Kind.CUT, at_byte=0), b"", Kind.CUT),
    "reset at the end": (Fault(Kind.RESET, at_byte=26), ALPHABET, Kind.RESET),
    "beyond the end": (Fault(Kind.RESET, at_byte=27), ALPHABET, None),
    "blackhole": (Fault(Kind.BLACKHOLE, at_byte=20), ALPHABET[:20], Kind.BLACKHOLE),
    "drop": (Fault(Kind.DROP, at_byte=3, length=20), b"ABCXYZ", None),
    "duplicate": (Fault(Kind.DUPLICATE, at_byte=1, length=2), b"ABCBC" + ALPHABET[3:], None),
    "of the other side": (Fault(Kind.CUT, Towards.DEVICE, at_byte=5), ALPHABET, None),
}


@pytest.mark.parametrize(("fault", "passed", "ending"), EXPECTED.values(), ids=EXPECTED.keys())
def test_a_fault_strikes_at_its_byte(fault: Fault, passed: bytes, ending: Kind | None) -> None:
    made = course(fault)
    assert through(made, [ALPHABET]) == (passed, ending)
    assert made.struck == ([fault] if (passed, ending) != (ALPHABET, None) else [])


@given(st.integers(0, 30), st.integers(1, 26))
def test_an_ending_strikes_at_the_same_byte_in_every_slicing(at_byte: int, size: int) -> None:
    chunks = [ALPHABET[at : at + size] for at in range(0, 26, size)]
    assert through(course(Fault(Kind.CUT, at_byte=at_byte)), chunks)[0] == ALPHABET[:at_byte]


def test_corruption_flips_one_bit_of_each_byte() -> None:
    passed, _ = through(course(Fault(Kind.CORRUPT, at_byte=2, length=3)), [ALPHABET])
    differences = [(a ^ b).bit_count() for a, b in zip(passed, ALPHABET, strict=True)]
    assert differences == [0, 0, 1, 1, 1, *[0] * 21]


def test_waits_are_where_they_belong() -> None:
    assert course(Fault(Kind.DRIP, at_byte=1, seconds=0.5)).feed(b"ABC") == [
        Step(b"A"),
        Step(b"B", 0.5),
        Step(b"C", 0.5),
    ]
    assert course(Fault(Kind.DELAY, at_byte=1, length=1, seconds=3.0)).feed(b"ABC") == [
        Step(b"A"),
        Step(wait_s=3.0),
        Step(b"B"),
        Step(b"C"),
    ]
    steps = course(Fault(Kind.JITTER, at_byte=0, length=1, seconds=2.0)).feed(b"ABC")
    assert all(0 < step.wait_s < 2 for step in steps)


def test_several_faults_strike_in_order() -> None:
    made = course(Fault(Kind.CUT, at_byte=9), Fault(Kind.DROP, at_byte=2, length=2), Fault(Kind.DUPLICATE, at_byte=4))
    assert through(made, [ALPHABET]) == (b"ABEEFGHI", Kind.CUT)
    assert [fault.kind for fault in made.struck] == [Kind.DROP, Kind.DUPLICATE, Kind.CUT]


def test_a_fault_needs_one_moment() -> None:
    with pytest.raises(ValueError, match="cut: give either at_byte or after_s"):
        Fault(Kind.CUT)
    with pytest.raises(ValueError, match="drip: needs at_byte; after_s is for blackhole, cut, reset"):
        Fault(Kind.DRIP, after_s=1.0)


def test_a_seed_gives_the_same_faults_again_and_others_per_connection() -> None:
    plans = [[seeded(5)(number) for number in range(20)] for _ in range(2)]
    assert plans[0] == plans[1]
    assert len({tuple(each) for each in plans[0]}) > 10
    assert all(each.kind is Kind.RESET for number in range(20) for each in seeded(5, kinds=[Kind.RESET])(number))


# -- the proxy ---------------------------------------------------------------------------------------------------------


async def speaker(port: Port) -> None:
    """Sends the alphabet, then echoes."""
    await port.send(ALPHABET)
    while True:
        data = await port.receive(10.0)
        if data:
            await port.send(data)


async def heard(proxy: FaultProxy, seconds: float = 0.5) -> tuple[bytes, str]:
    """What one client hears through the proxy, and how it ends: eof, reset or open."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    except ConnectionResetError:
        return b"", "reset"
    data, end = b"", "open"
    try:
        async with asyncio.timeout(seconds):
            while more := await reader.read(1000):
                data += more
            end = "eof"
    except TimeoutError:
        pass
    except ConnectionResetError:
        end = "reset"
    writer.transport.abort()
    return data, end


def meet(plan: Plan, *, connections: int = 1, seconds: float = 0.5) -> tuple[list[tuple[bytes, str]], FaultProxy]:
    async def scene() -> tuple[list[tuple[bytes, str]], FaultProxy]:
        async with DeviceServer(speaker) as server, FaultProxy(server.port, plan) as proxy:
            found = [await heard(proxy, seconds) for _ in range(connections)]
        assert server.failures == []
        return found, proxy

    return asyncio.run(scene())


def test_a_sound_link_passes_everything() -> None:
    found, proxy = meet(script())
    assert found == [(ALPHABET, "open")]
    assert (proxy.connections, proxy.struck) == (1, [])


@pytest.mark.parametrize(("kind", "end"), [(Kind.RESET, "reset"), (Kind.CUT, "eof"), (Kind.BLACKHOLE, "open")])
def test_an_ending_is_what_the_client_feels_and_the_next_connection_is_sound(kind: Kind, end: str) -> None:
    fault = Fault(kind, at_byte=7)
    found, proxy = meet(script([fault]), connections=2)
    data, felt = found[0]
    assert felt == end
    assert ALPHABET[:7].startswith(data)
    assert kind is Kind.RESET or data == ALPHABET[:7], "a reset may overtake what was sent"
    assert found[1] == (ALPHABET, "open")
    assert proxy.struck == [(0, fault)]


@pytest.mark.parametrize(("kind", "end"), [(Kind.RESET, "reset"), (Kind.CUT, "eof")])
def test_an_ending_may_come_by_time(kind: Kind, end: str) -> None:
    started = time.monotonic()
    found, _ = meet(script([Fault(kind, after_s=0.2)]), seconds=5)
    assert found[0][1] == end
    assert 0.2 <= time.monotonic() - started < 4


def test_dripping_takes_its_time() -> None:
    started = time.monotonic()
    found, _ = meet(script([Fault(Kind.DRIP, at_byte=0, seconds=0.02), Fault(Kind.CUT, at_byte=20)]), seconds=5)
    assert found == [(ALPHABET[:20], "eof")]
    assert time.monotonic() - started >= 0.4


def test_faults_towards_the_device_are_met_too() -> None:
    async def scene() -> None:
        plan = script([Fault(Kind.DROP, Towards.DEVICE, at_byte=1, length=2)])
        async with DeviceServer(speaker) as server, FaultProxy(server.port, plan) as proxy:
            reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
            assert await reader.readexactly(26) == ALPHABET
            writer.write(b"1234")
            assert await reader.readexactly(2) == b"14"
            writer.close()

    asyncio.run(scene())


def test_all_links_can_be_struck_at_once_and_new_ones_refused() -> None:
    async def scene() -> None:
        async with DeviceServer(speaker) as server, FaultProxy(server.port) as proxy:
            waiting = [asyncio.create_task(heard(proxy, 5)) for _ in range(3)]
            while server.connections < 3:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            proxy.strike(Kind.CUT)
            assert await asyncio.gather(*waiting) == [(ALPHABET, "eof")] * 3
            proxy.refusing = True
            assert (await heard(proxy, 5))[1] == "reset"
            proxy.refusing = False
            assert await heard(proxy) == (ALPHABET, "open")

    asyncio.run(scene())


def test_a_device_that_is_down_resets_the_client() -> None:
    async def scene() -> None:
        with socket.create_server((LOOPBACK, 0)) as free:
            port = free.getsockname()[1]
        async with FaultProxy(port) as proxy:
            assert (await heard(proxy, 5))[1] == "reset"

    asyncio.run(scene())


def test_nothing_but_loopback_is_reachable() -> None:
    with pytest.raises(ConfigError, match=r"fault proxy to 192\.0\.2\.1: only a loopback address is allowed"):
        FaultProxy(80, device_host="192.0.2.1")
