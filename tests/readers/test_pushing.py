from __future__ import annotations

from decimal import Decimal

import pytest

from readers.codecs.dsmr_p1 import Decoder
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Rejected, Severity, Watching
from readers.ports.memory import MemoryPort, pair, run
from readers.pushing import PushedMeter, PushingSettings, Thinning
from readers.quantities import Quantity

POWER = Reading(Quantity.ACTIVE_POWER, ObisCode(1, 0, 16, 7, 0), Decimal(1))
ENERGY = Reading(Quantity.ACTIVE_ENERGY_IMPORT, ObisCode(1, 0, 1, 8, 0), Decimal(1))
SETTINGS = PushingSettings(telegram_every_s=10)


def times_told(settings: PushingSettings, telegrams_s: list[float]) -> tuple[list[float], list[float]]:
    thinning = Thinning(settings)
    told: list[tuple[float, Reading]] = []
    for at_s in telegrams_s:
        told += [(at_s, reading) for reading in thinning.due([POWER, ENERGY], at_s)]
    return [s for s, reading in told if reading is POWER], [s for s, reading in told if reading is ENERGY]


def test_powers_pass_with_each_telegram_and_energies_once_a_minute() -> None:
    every_10 = [float(s) for s in range(0, 130, 10)]
    assert times_told(PushingSettings(), every_10) == (every_10, [0.0, 60.0, 120.0])


@pytest.mark.parametrize("early_s", [0.0, 0.1, 0.4])
def test_a_telegram_that_comes_a_little_early_keeps_the_rhythm(early_s: float) -> None:
    jittered = [s - (early_s if s else 0) for s in range(0, 130, 10)]
    assert [round(s, -1) for s in times_told(PushingSettings(), jittered)[1]] == [0.0, 60.0, 120.0]


def test_both_may_be_thinned() -> None:
    settings = PushingSettings(publish_every_s=5, energy_every_s=20)
    power, energy = times_told(settings, [float(s) for s in range(41)])
    assert power == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert energy == [0, 20, 40]


def test_the_rhythm_begins_anew_after_a_silence() -> None:
    assert times_told(PushingSettings(), [0.0, 500.0, 510.0, 560.0])[1] == [0.0, 500.0, 560.0]


def meter(settings: PushingSettings = SETTINGS) -> tuple[PushedMeter, MemoryPort, list[Observation]]:
    ours, _ = pair("line")
    heard: list[Observation] = []
    return PushedMeter(settings, ours, heard.append, "telegram"), ours, heard


def test_a_silent_meter_is_told_once_and_so_is_its_return() -> None:
    async def scene() -> list[Observation]:
        watch, port, heard = meter()
        for _ in range(50):
            await port.pause(1.0)
            watch.look()
        watch.received(b"noise")
        watch.heard(DeviceInfo(serial="1"))
        watch.heard(DeviceInfo(serial="1"))
        watch.look()
        return heard

    heard = run(scene())
    assert heard[0] == Watching(active=False)
    assert isinstance(heard[1], Condition)
    assert (heard[1].name, heard[1].severity) == ("meter_silent", Severity.FAULT)
    assert "line: nothing came for 30 s" in heard[1].detail
    assert [type(each) for each in heard[2:]] == [Condition, Watching, DeviceInfo]
    assert heard[3] == Watching()


def test_bytes_that_are_no_telegram_say_what_to_look_at() -> None:
    async def scene() -> list[Observation]:
        watch, port, heard = meter()
        watch.received(b"noise")
        await port.pause(30.0)
        watch.look()
        return heard

    (_, silent) = run(scene())
    assert isinstance(silent, Condition)
    assert "5 bytes came in 30 s but no telegram: check speed and parity" in silent.detail


def test_meters_behind_a_silent_meter_are_not_watched_either() -> None:
    async def scene() -> list[Observation]:
        watch, port, heard = meter()
        for _ in range(2):
            watch.heard(DeviceInfo())
            watch.behind(DeviceInfo(serial="9", source="gas"), [ENERGY])
        await port.pause(30.0)
        watch.look()
        watch.heard(DeviceInfo())
        watch.behind(DeviceInfo(serial="9", source="gas"), [])
        return heard

    heard = run(scene())
    states = [(each.source, each.active) for each in heard if isinstance(each, Watching)]
    assert states == [(None, True), ("gas", True), (None, False), ("gas", False), (None, True), ("gas", True)]
    assert [(each.source, each.readings) for each in heard if isinstance(each, Readings)] == [("gas", [ENERGY])]


def test_unknown_codes_are_told_once_and_not_without_end() -> None:
    async def scene() -> list[Observation]:
        watch, _, heard = meter()
        codes = [ObisCode(1, 0, 99, number, 0) for number in range(100)]
        watch.has_unknown([])
        watch.has_unknown(codes[:1])
        watch.has_unknown(codes[:1])
        watch.has_unknown(codes)
        watch.has_unknown(codes[80:])
        return heard

    first, second = run(scene())
    assert isinstance(first, Condition)
    assert isinstance(second, Condition)
    assert first.severity is Severity.INFO
    assert "also sends 1-0:99.0.0: they" in first.detail
    assert second.detail.count("1-0:99.") == 64


def test_what_was_thrown_away_is_counted() -> None:
    async def scene() -> list[Observation]:
        watch, _, heard = meter()
        decoder = Decoder()
        decoder.feed(b"???")
        watch.rejects(decoder)
        watch.faults([FrameError("unit", "wrong", b"x")])
        return heard

    assert run(scene()) == [Rejected("noise_bytes", 3, sample=b"???"), Rejected("data_unit", reads_lost=1, sample=b"x")]
