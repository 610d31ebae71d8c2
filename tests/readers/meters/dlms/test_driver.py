from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from random import Random
from typing import Any

import pytest

from readers.driver import Kind
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.meters.dlms import DRIVER
from readers.meters.dlms.driver import DlmsDriver
from readers.observations import Condition, DeviceInfo, Observation, Readings, Rejected, Watching
from readers.ports.memory import MemoryPort, run
from readers.quantities import Phase, Quality, Quantity
from simulator.meters.dlms import Behaviour, Framing, Meter, serve
from tests.readers.meters.dlms.scenes import (
    GMAC,
    HDLC,
    LOW,
    PASSWORD,
    D,
    by_name,
    conditions,
    credentials,
    listen,
    meter,
    readings,
    rejects,
    settings,
    signals,
)
from tests.support.talk import linked, talk_for

Q, A, B, C = Quantity, Phase.A, Phase.B, Phase.C
ALL = {
    (Q.ACTIVE_ENERGY_IMPORT, None, None): "1234560",
    (Q.ACTIVE_ENERGY_IMPORT, None, 1): "34560",
    (Q.ACTIVE_ENERGY_IMPORT, None, 2): "200000",
    (Q.ACTIVE_ENERGY_IMPORT, None, 3): "400000",
    (Q.ACTIVE_ENERGY_IMPORT, None, 4): "600000",
    (Q.ACTIVE_ENERGY_EXPORT, None, None): "260",
    (Q.VOLTAGE, A, None): "230.3",
    (Q.VOLTAGE, B, None): "229.8",
    (Q.CURRENT, A, None): "12.345",
    (Q.CURRENT, B, None): "-1.500",
    (Q.POWER_FACTOR, A, None): "0.995",
    (Q.POWER_FACTOR, B, None): "-0.500",
    (Q.ACTIVE_POWER, None, None): "2155.3",
    (Q.ACTIVE_POWER_IMPORT, None, None): "2155.3",
    (Q.ACTIVE_POWER_EXPORT, None, None): "0.0",
    (Q.FREQUENCY, None, None): "49.98",
    (Q.ACTIVE_DEMAND, None, None): "3250.0",
    (Q.ACTIVE_DEMAND_MAX, None, None): "3250.0",
    (Q.POWER_FAILURES, None, None): "3",
    (Q.CLOCK_OFFSET, None, None): "0",
}
ABSENT = {(Q.VOLTAGE, C, None), (Q.CURRENT, C, None), (Q.POWER_FACTOR, C, None)}


def test_the_driver_is_known() -> None:
    assert (DRIVER.name, DRIVER.kind, DRIVER.tcp_port, DRIVER.extra) == ("dlms", Kind.METER, 4059, "dlms")


WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "wrapper, public": ({}, {}, {}),
    "wrapper, password": ({}, LOW, {}),
    "wrapper, keys": ({}, GMAC, {}),
    "wrapper, keys, each service's own cipher": ({}, GMAC, {"general_protection": False}),
    "wrapper, one by one": ({}, {}, {"takes_lists": False}),
    "wrapper, lists promised and refused": ({}, {}, {"exception_on_lists": True}),
    "wrapper, short APDUs": ({}, {}, {"max_pdu_bytes": 80}),
    "wrapper, times of no zone": ({}, {}, {"says_deviation": False}),
    "line, one byte": (HDLC, {}, {}),
    "line, two bytes, password": (HDLC, {"physical": 17, **LOW}, {}),
    "line, four bytes, keys": (HDLC, {"physical": 1200, **GMAC}, {}),
    "line, four bytes where two were enough": (HDLC, {"physical": 17, "address_bytes": 4}, {}),
    "line, small frames": (HDLC, {}, {"information_bytes": 48}),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_that_a_meter_has_is_read_exactly(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    framing, client, behaviour = WAYS[way]
    lies = {key: client[key] for key in ("physical", "address_bytes") if key in client}
    device = meter(behaviour=Behaviour(**behaviour), **lies)
    heard = listen(14, settings(client, **framing), [device], baud=9600)
    found = by_name(heard)
    assert {key: str(value) for key, value in found.items() if value is not None} == ALL
    assert {key for key, value in found.items() if value is None} == ABSENT
    assert {r.phase for r in readings(heard) if r.quality is Quality.ABSENT} == {C}
    info = DeviceInfo("TWG", "TWG1000000001", "", "1000000001", "m0")
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [info]
    assert [o for o in heard if isinstance(o, Watching)] == [Watching(source="m0")]
    assert signals(heard) == [("relay_closed", True), ("relay_state", "connected")]
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_the_polls_keep_their_rhythm() -> None:
    heard = listen(600, settings(read=["1-0:1.8.0"]), [meter()])
    times = [o.received_at_us for o in heard if isinstance(o, Readings) if o.readings[0].quantity is not Q.CLOCK_OFFSET]
    assert len(times) == 10
    steps = {later - sooner for sooner, later in itertools.pairwise(times[1:])}
    assert all(abs(step - 60_000_000) < 100_000 for step in steps)


def test_several_meters_share_one_line() -> None:
    meters = [meter(physical=n, serial=f"TWG{n}") for n in (17, 18, 300)]
    given = settings(*({"physical": n} for n in (17, 18, 300)), **HDLC)
    heard = listen(60, given, meters, baud=9600)
    for name in ("m0", "m1", "m2"):
        assert len(by_name(heard, name)) == len(ALL) + len(ABSENT)
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_several_logical_devices_share_one_connection() -> None:
    meters = [meter(logical=n) for n in (1, 2)]
    heard = listen(20, settings({}, {"logical": 2}), meters)
    assert by_name(heard, "m0") == by_name(heard, "m1")


def test_a_silent_meter_does_not_starve_the_others_and_comes_back() -> None:
    dead = Behaviour(silent=True)
    meters = [meter(physical=17), meter(physical=18, behaviour=dead)]
    given = settings({"physical": 17}, {"physical": 18}, **HDLC, read=["1-0:1.8.0"], energy_s=10)

    async def revive() -> None:
        await asyncio.sleep(400)
        dead.silent = False

    async def scene() -> list[Observation]:
        async def device(port: MemoryPort) -> None:
            await serve(port, meters, Framing.HDLC)

        return await talk_for(800, DlmsDriver(given), device, meanwhile=revive)

    heard = run(scene())
    energies = [r for r in readings(heard, "m0") if r.quantity is Q.ACTIVE_ENERGY_IMPORT]
    assert len(energies) >= 78
    assert [r for r in readings(heard, "m1") if r.quantity is Q.ACTIVE_ENERGY_IMPORT]
    states = [o for o in heard if isinstance(o, Watching) and o.source == "m1"]
    assert states == [Watching(source="m1", active=False), Watching(source="m1")]
    assert conditions(heard) == [("meter_silent", "", True), ("meter_silent", "", False)]


def test_a_dead_line_is_a_condition() -> None:
    device = meter(physical=17, behaviour=Behaviour(silent=True))

    async def revive() -> None:
        await asyncio.sleep(100)
        device.behaviour.silent = False

    async def scene() -> list[Observation]:
        given = settings({"physical": 17}, **HDLC)
        return await talk_for(300, DlmsDriver(given), lambda port: serve(port, [device]), meanwhile=revive)

    heard = run(scene())
    assert conditions(heard) == [
        ("meter_silent", "", True),
        ("line_silent", "", True),
        ("meter_silent", "", False),
        ("line_silent", "", False),
    ]
    assert readings(heard)


def test_nobody_on_tcp_ends_the_connection() -> None:
    with pytest.raises(LinkError, match="client 16, logical device 1"):
        listen(60, settings(), [meter(behaviour=Behaviour(silent=True))])


def test_a_refused_association_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match="meter m0: it refuses the association: calling ap title"):
        listen(60, settings({"client": 99}), [meter()])


def test_a_wrong_password_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch, **{"meter-password": "wrong"})
    with pytest.raises(DeviceRefusedError, match="authentication failed"):
        listen(60, settings(LOW), [meter()])
    meters = [meter(physical=17), meter(physical=18)]
    heard = listen(120, settings({"physical": 17}, {"physical": 18, **LOW}, **HDLC), meters)
    assert conditions(heard) == [("meter_silent", "", True), ("association_refused", "", True)]
    assert Watching(source="m1", active=False) in heard
    assert readings(heard, "m0")
    assert not readings(heard, "m1")


@pytest.mark.parametrize(
    ("given", "match"),
    [({"meter-ek": "12"}, "must be a key of 16 bytes"), ({"meter-ak": "no hex at all"}, "must be a key of 16 bytes")],
)
def test_a_key_that_is_none_is_a_fault_of_the_configuration(
    given: dict[str, str], match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(tmp_path, monkeypatch, **given)
    with pytest.raises(ConfigError, match=match):
        listen(5, settings(GMAC), [meter()])


def test_no_secret_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    told = repr([listen(30, settings(each), [meter()]) for each in (LOW, GMAC)])
    assert PASSWORD not in told
    assert bytes(range(16)).hex() not in told.lower()


@pytest.mark.parametrize("client", [{}, LOW, GMAC], ids=["public", "password", "keys"])
def test_a_meter_that_forgets_its_clients_is_greeted_again(
    client: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(tmp_path, monkeypatch)
    device = meter(physical=17, behaviour=Behaviour(forgets_after_s=20))
    given = settings({"physical": 17, **client}, **HDLC, read=["1-0:1.8.0"], energy_s=60, status_s=60)
    heard = listen(600, given, [device])
    assert len([r for r in readings(heard) if r.quantity is Q.ACTIVE_ENERGY_IMPORT]) == 10
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_line_that_loses_every_fifth_answer_loses_no_reading() -> None:
    device = meter(physical=17, behaviour=Behaviour(loses_reply=lambda number: number % 5 == 0))
    heard = listen(300, settings({"physical": 17}, **HDLC), [device], baud=9600)
    found = by_name(heard)
    assert {key: str(value) for key, value in found.items() if value is not None} == ALL
    assert not conditions(heard)


def noisy(seed: int) -> Any:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        dice = rng.random()
        if dice < 0.05:
            return []
        if dice < 0.12:
            spoilt = bytearray(data)
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
            return [bytes(spoilt)]
        if dice < 0.2:
            return [rng.randbytes(rng.randint(1, 12)), data]
        return [data[:3], data[3:]]

    return mangle


def test_noise_invents_nothing_on_a_line() -> None:
    heard: list[Observation] = []
    for seed in range(4):
        heard += listen(300, settings({"physical": 17}, **HDLC), [meter(physical=17)], noisy(seed))
    said = {(key, str(value)) for key, value in by_name(heard).items() if value is not None}
    assert said <= {*ALL.items()}
    assert len(said) >= len(ALL) - 2
    assert {"noise_bytes"} <= set(rejects(heard)) <= {
        "noise_bytes", "header_checksum", "checksum", "delimiter", "format", "length", "address", "truncated",
        "late", "foreign_number", "foreign_kind", "foreign_address",
    }  # fmt: skip


def test_a_link_that_is_cut_ends_the_run_and_the_next_begins_anew() -> None:
    driver = DlmsDriver(settings(read=["1-0:1.8.0"]))
    device = meter()

    async def once() -> list[Observation]:
        ours, theirs = linked()
        heard: list[Observation] = []
        serving = asyncio.create_task(serve(theirs, [device], Framing.WRAPPER))
        talking = asyncio.create_task(driver.run(ours, heard.append))
        await asyncio.sleep(30)
        await theirs.close()
        with pytest.raises(LinkError):
            await talking
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkError):
            await serving
        return heard

    async def scene() -> None:
        for _ in range(2):
            heard = await once()
            assert Watching(source="m0") in heard
            assert next(r for r in readings(heard) if r.quantity is Q.ACTIVE_ENERGY_IMPORT).value == D(1_234_560)

    run(scene())


def test_an_echo_of_our_own_frames_is_nothing() -> None:
    device = Meter(meter().load, physical=17)

    async def scene() -> list[Observation]:
        ours, theirs = linked()
        heard: list[Observation] = []

        class Echo(MemoryPort):
            async def send(self, data: bytes) -> None:
                ours.feed(data)
                await ours_out(data)

        ours_out = ours.send
        echo = Echo("echo")
        ours.send = echo.send  # type: ignore[method-assign]  # an adapter that hears itself
        tasks = [
            asyncio.create_task(serve(theirs, [device])),
            asyncio.create_task(DlmsDriver(settings({"physical": 17}, **HDLC)).run(ours, heard.append)),
        ]
        await asyncio.sleep(20)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return heard

    heard = run(scene())
    assert len(by_name(heard)) == len(ALL) + len(ABSENT)
    assert not rejects(heard)
