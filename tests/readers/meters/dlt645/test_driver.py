from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from random import Random

import pytest

from readers.codecs.dlt645 import Decoder, Frame, encode
from readers.codecs.dlt645_registers import BLOCKS
from readers.errors import LinkError
from readers.meters.dlt645.driver import Dlt645Driver
from readers.observations import Condition, DeviceInfo, Observation, Readings, Rejected, Watching
from readers.ports.memory import START_US, MemoryPort, run
from readers.quantities import Phase, Quality, Quantity
from simulator.meters.dlt645 import Behaviour, serve
from tests.readers.meters.dlt645.scenes import (
    A1,
    A2,
    A3,
    USUAL_READINGS,
    D,
    by_name,
    listen,
    meters,
    readings,
    settings,
)
from tests.support.talk import linked, talk, talk_for


def test_all_that_is_usual_is_read_exactly() -> None:
    heard = listen(50, settings([A1]), [A1])
    q, a, b, c = Quantity, Phase.A, Phase.B, Phase.C
    assert by_name(heard) == {
        (q.ACTIVE_ENERGY_IMPORT, None, None): D(1_234_560),
        (q.ACTIVE_ENERGY_IMPORT, None, 1): D(34_560),
        (q.ACTIVE_ENERGY_IMPORT, None, 2): D(200_000),
        (q.ACTIVE_ENERGY_IMPORT, None, 3): D(400_000),
        (q.ACTIVE_ENERGY_IMPORT, None, 4): D(600_000),
        (q.ACTIVE_ENERGY_EXPORT, None, None): D(260),
        (q.VOLTAGE, a, None): D("230.3"),
        (q.VOLTAGE, b, None): D("229.8"),
        (q.VOLTAGE, c, None): None,
        (q.CURRENT, a, None): D("12.345"),
        (q.CURRENT, b, None): D("-1.5"),
        (q.CURRENT, c, None): None,
        (q.ACTIVE_POWER, None, None): D("2155.3"),
        (q.ACTIVE_POWER, a, None): D(2500),
        (q.ACTIVE_POWER, b, None): D("-344.7"),
        (q.ACTIVE_POWER, c, None): None,
        (q.POWER_FACTOR, None, None): D("0.999"),
        (q.POWER_FACTOR, a, None): D("0.995"),
        (q.POWER_FACTOR, b, None): D("-0.5"),
        (q.POWER_FACTOR, c, None): None,
        (q.FREQUENCY, None, None): D("49.98"),
        (q.ACTIVE_DEMAND, None, None): D(3250),
    }
    assert {r.phase for r in readings(heard) if r.quality is Quality.ABSENT} == {Phase.C}
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [DeviceInfo(serial=A1, source="m0")]
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_the_poll_keeps_its_rhythm() -> None:
    heard = listen(600 - 5, settings([A1], read=["energy_export"]), [A1])
    times = [o.received_at_us for o in heard if isinstance(o, Readings)]
    assert len(times) == 10
    assert {later - sooner for sooner, later in itertools.pairwise(times)} <= {
        60_000_000 + slip for slip in range(-2, 3)
    }


def test_a_meter_without_blocks_is_read_one_by_one_from_then_on() -> None:
    heard = listen(170, settings([A1]), [A1], {A1: Behaviour(refuses_blocks=True)})
    assert len(readings(heard)) == 3 * USUAL_READINGS
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_meter_that_ignores_blocks_is_read_one_by_one() -> None:
    behaviours = {A1: Behaviour(ignores=frozenset(BLOCKS))}
    heard = listen(290, settings([A1]), [A1], behaviours)
    assert len(readings(heard)) == 5 * USUAL_READINGS
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    assert not [o for o in heard if isinstance(o, Condition)]


def test_a_meter_that_ignores_one_register_is_not_silent() -> None:
    behaviours = {A1: Behaviour(ignores=frozenset({0x02800002}))}
    heard = listen(290, settings([A1]), [A1], behaviours)
    assert len(readings(heard)) == 5 * (USUAL_READINGS - 1)
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    conditions = [(o.name, o.key) for o in heard if isinstance(o, Condition)]
    assert conditions == [("register_unsupported", "02800002")]


def test_a_silent_meter_does_not_starve_the_others_and_comes_back() -> None:
    dead = Behaviour(silent=True)
    given = settings([A1, A2, A3], poll_s=10)

    async def revive(port: MemoryPort) -> None:
        await port.pause(1000)
        dead.silent = False

    async def scene() -> list[Observation]:
        async def device(port: MemoryPort) -> None:
            await serve(port, meters([A1, A2, A3]), {A2: dead})

        clock = MemoryPort("clock")
        return await talk_for(1800, Dlt645Driver(given), device, meanwhile=lambda: revive(clock))

    heard = run(scene())
    assert len(readings(heard, "m0")) >= 178 * USUAL_READINGS
    assert len(readings(heard, "m2")) >= 178 * USUAL_READINGS
    assert readings(heard, "m1")
    states = [o for o in heard if isinstance(o, Watching) and o.source == "m1"]
    assert states == [Watching(source="m1", active=False), Watching(source="m1")]
    conditions = [(o.name, o.active, o.source) for o in heard if isinstance(o, Condition)]
    assert conditions == [("meter_silent", True, "m1"), ("meter_silent", False, "m1")]
    detail = next(o.detail for o in heard if isinstance(o, Condition))
    assert "meter 151230011061 was asked" in detail


def test_a_reply_in_several_frames_is_one_reply() -> None:
    heard = listen(50, settings([A1]), [A1], {A1: Behaviour(part_bytes=3)})
    assert len(readings(heard)) == USUAL_READINGS
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_meter_alone_on_its_line_needs_no_address() -> None:
    given = settings([None])
    heard = listen(50, given, [A3])
    assert len(readings(heard)) == USUAL_READINGS
    assert DeviceInfo(serial=A3, source="m0") in heard


def test_two_meters_that_answer_at_once_are_never_taken_for_one() -> None:
    given = settings([None])
    heard = listen(50, given, [A2, A3])
    assert not readings(heard)
    assert ("meter_silent", True) in [(o.name, o.active) for o in heard if isinstance(o, Condition)]
    assert [o for o in heard if isinstance(o, Rejected)]


def test_a_late_reply_is_not_taken_for_the_next_answer() -> None:
    late = Behaviour(reply_delay_s=1.2)  # beyond the deadline of this question, within that of the next
    heard = listen(300, settings([A1, A2]), [A1, A2], {A1: late})
    assert {r.value for r in readings(heard, "m1") if r.quantity is Quantity.ACTIVE_ENERGY_EXPORT} == {D(260)}
    assert {o.reason for o in heard if isinstance(o, Rejected)} & {"late", "foreign_address", "foreign_identifier"}


@pytest.mark.parametrize("seed", range(4))
def test_on_a_bad_line_no_wrong_value_is_reported(seed: int) -> None:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        dice = rng.random()
        at = rng.randrange(len(data))
        if dice < 0.05:
            return []
        if dice < 0.10:
            return [data[:at]]
        if dice < 0.15:
            return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
        if dice < 0.20:
            return [rng.randbytes(9), data]
        return [data[:at], data[at:]]

    right = by_name(listen(50, settings([A1]), [A1]))
    heard = listen(3600, settings([A1]), [A1], mangle=mangle)
    found = Counter((r.quantity, r.phase, r.tariff, r.value) for r in readings(heard))
    assert set(found) == {(*key, value) for key, value in right.items()}
    assert sum(found.values()) > 50 * USUAL_READINGS


@pytest.mark.parametrize("baud", [1200, 2400, 9600])
def test_true_byte_times_fit_into_the_deadlines(baud: int) -> None:
    heard = listen(58, settings([A1]), [A1], {A1: Behaviour(reply_delay_s=0.5)}, baud=baud)
    assert len(readings(heard)) == USUAL_READINGS
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_fifty_meters_are_read_within_a_tenth_of_what_the_line_can() -> None:
    addresses = [f"{n:012d}" for n in range(1, 51)]
    read = ["energy", "voltage", "current", "power", "power_factor"]
    given = settings(addresses, read=read, wake_up_bytes=4, poll_s=1)
    behaviours = {address: Behaviour(reply_delay_s=0.02, preamble=4) for address in addresses}
    heard = listen(120, given, addresses, behaviours, baud=2400)
    replies = sum(isinstance(o, Readings) for o in heard)
    data_bytes = (20, 6, 9, 12, 8)
    line_s = [(20 + 20 + size) * 11 / 2400 + 0.02 for size in data_bytes]
    possible = 120 / (sum(line_s) / len(line_s))
    assert replies > 0.9 * possible


def test_a_line_that_dies_between_two_polls_is_noticed_at_once() -> None:
    async def scene() -> float:
        async def device(port: MemoryPort) -> None:
            async with asyncio.timeout(60):
                await serve(port, meters([A1]))

        async def cut(port: MemoryPort) -> None:
            with contextlib.suppress(TimeoutError):
                await device(port)
            await port.close()

        ours, theirs = linked()
        twin = asyncio.create_task(cut(theirs))
        with pytest.raises(LinkError):
            await Dlt645Driver(settings([A1], poll_s=3600)).run(ours, lambda _: None)
        await twin
        return ours.monotonic_s()

    assert run(scene()) == pytest.approx(60, abs=1)


def test_a_line_on_which_nobody_answers_is_named_and_comes_back_as_a_whole() -> None:
    behaviours = {address: Behaviour() for address in (A1, A2, A3)}
    given = settings([A1, A2, A3], poll_s=10)
    dead_us, back_us = 100 * 1_000_000, 3100 * 1_000_000

    async def break_and_mend(port: MemoryPort) -> None:
        for pause_s, silent in ((dead_us / 1e6, True), ((back_us - dead_us) / 1e6, False)):
            await port.pause(pause_s)
            for behaviour in behaviours.values():
                behaviour.silent = silent

    async def scene() -> list[Observation]:
        async def device(port: MemoryPort) -> None:
            await serve(port, meters([A1, A2, A3]), behaviours)

        clock = MemoryPort("clock")
        return await talk_for(4000, Dlt645Driver(given), device, meanwhile=lambda: break_and_mend(clock))

    heard = run(scene())
    told = [(o.name, o.active, o.source) for o in heard if isinstance(o, Condition)]
    assert [(name, active) for name, active, source in told if source is None] == [
        ("line_silent", True),
        ("line_silent", False),
    ]
    assert "none of the 3 meters of this line answers" in next(
        o.detail for o in heard if isinstance(o, Condition) and o.name == "line_silent"
    )
    after = [o for o in heard if isinstance(o, Readings) and o.received_at_us > START_US + back_us]
    first = {source: min(o.received_at_us for o in after if o.source == source) for source in ("m0", "m1", "m2")}
    assert max(first.values()) - min(first.values()) < 5_000_000  # and not by their backed-off turns, minutes apart


def test_a_register_lost_in_a_bad_hour_is_asked_for_again() -> None:
    behaviour = Behaviour(ignores=frozenset({0x02800002}))

    async def scene() -> list[Observation]:
        async def device(port: MemoryPort) -> None:
            await serve(port, meters([A1]), {A1: behaviour})

        async def mend(port: MemoryPort) -> None:
            await port.pause(1200)
            behaviour.ignores = frozenset()

        clock = MemoryPort("clock")
        return await talk_for(4800, Dlt645Driver(settings([A1])), device, meanwhile=lambda: mend(clock))

    heard = run(scene())
    told = [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]
    assert told == [("register_unsupported", "02800002", True), ("register_unsupported", "02800002", False)]
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    assert Quantity.FREQUENCY in {r.quantity for r in readings(heard)}


def test_a_block_that_is_refused_for_a_while_is_used_again() -> None:
    behaviour = Behaviour(refuses_blocks=True)

    async def scene() -> list[Observation]:
        async def device(port: MemoryPort) -> None:
            await serve(port, meters([A1]), {A1: behaviour})

        async def mend(port: MemoryPort) -> None:
            await port.pause(1200)
            behaviour.refuses_blocks = False

        clock = MemoryPort("clock")
        return await talk_for(
            4500, Dlt645Driver(settings([A1], read=["voltage"])), device, meanwhile=lambda: mend(clock)
        )

    sizes = [len(o) for o in run(scene()) if isinstance(o, Readings)]
    assert (sizes[0], sizes[-1]) == (1, 3)


def test_a_refusal_for_another_reason_is_told_and_ends() -> None:
    refusing = True

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for request in decoder.feed(await port.receive(3600)):
                name = request.data[:4]
                answer = Frame(A1, 0xD1, b"\x04") if refusing else Frame(A1, 0x91, name + bytes.fromhex("98 49"))
                await port.send(encode(answer))

    async def scene() -> list[Observation]:
        async def allow(port: MemoryPort) -> None:
            nonlocal refusing
            await port.pause(90)
            refusing = False

        clock = MemoryPort("clock")
        given = settings([A1], read=["frequency"])
        return await talk_for(200, Dlt645Driver(given), device, meanwhile=lambda: allow(clock))

    heard = run(scene())
    told = [(o.name, o.key, o.active, o.detail) for o in heard if isinstance(o, Condition)]
    assert told == [
        ("read_refused", "02800002", True, "02800002 is refused with error 04 (not authorised)"),
        ("read_refused", "02800002", False, ""),
    ]
    assert {r.value for r in readings(heard)} == {D("49.98")}


def test_data_of_an_impossible_length_is_counted_as_a_lost_reading() -> None:
    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for request in decoder.feed(await port.receive(3600)):
                await port.send(encode(Frame(A1, 0x91, request.data[:4] + b"\x01")))

    heard = talk(30, Dlt645Driver(settings([A1], read=["frequency"])), device)
    assert [(o.reason, o.reads_lost, o.source) for o in heard if isinstance(o, Rejected)] == [("data_length", 1, "m0")]


def test_a_meter_that_refuses_to_tell_its_address_is_silent_and_the_driver_lives_on() -> None:
    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for _ in decoder.feed(await port.receive(3600)):
                await port.send(encode(Frame(A1, 0xD3, b"\x01")))

    heard = talk(300, Dlt645Driver(settings([None])), device)
    details = [o.detail for o in heard if isinstance(o, Condition) and o.name == "meter_silent"]
    assert "set the address that is printed on it" in details[0]
