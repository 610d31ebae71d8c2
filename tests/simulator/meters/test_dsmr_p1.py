from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from readers.codecs.dsmr_p1 import Decoder, encode, is_encrypted, time_us
from readers.obis import ObisCode
from readers.ports.memory import pair, run
from simulator.meters.dsmr_p1 import Meter, SubMeter, Version, is_summer_time, serve, telegram
from tests.simulator.meters.loads import Steady


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("time", "is_summer"),
    [
        ("2026-03-29T00:59:59", False),
        ("2026-03-29T01:00:00", True),
        ("2026-10-25T00:59:59", True),
        ("2026-10-25T01:00:00", False),
        ("2024-03-31T01:00:00", True),
        ("2026-01-01T00:00:00", False),
    ],
)
def test_summer_time_is_that_of_the_european_union(time: str, is_summer: bool) -> None:  # noqa: FBT001 - parametrised
    assert is_summer_time(at(time)) is is_summer


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("time", ["2026-01-15T12:00:07", "2026-07-15T12:00:07"])
def test_telegrams_have_the_form_of_their_edition(version: Version, time: str) -> None:
    meter = Meter(version, sub_meters=[SubMeter(2, 7, lambda _: Decimal("12.3456"))])
    made = telegram(Steady(), meter, at(time))
    (found,) = Decoder().feed(encode(made, parity=version is Version.V2_2))
    assert found == made
    assert made.has_crc is (version is not Version.V2_2)
    clock = made.values(ObisCode(0, 0, 1, 0, 0))
    assert [time_us(text, 60) for text in clock] == ([] if version is Version.V2_2 else [at(time)])
    if version is Version.V2_2:
        assert made.values(ObisCode(0, 2, 24, 3, 0))[-3:] == ("0-2:24.2.1", "m3", "00012.345")
    else:
        stamp, value = made.values(ObisCode(0, 2, 24, 2, 1))
        assert value == "00012.345*m3"
        assert time_us(stamp, 60) == at(time) // 300_000_000 * 300_000_000


def test_a_register_starts_again_at_zero() -> None:
    full = Meter(sub_meters=[SubMeter(1, 3, lambda _: Decimal("100001.5"))])
    assert telegram(Steady(), full, at("2026-01-01")).values(ObisCode(0, 1, 24, 2, 1))[1] == "00001.500*m3"


def test_an_encrypted_meter_shows_nothing() -> None:
    async def scene() -> bytes:
        ours, theirs = pair()

        playing = asyncio.create_task(serve(theirs, Steady(), Meter(is_encrypted=True)))
        data = await ours.receive(1.0)
        playing.cancel()
        return data

    data = run(scene())
    assert is_encrypted(data)
    assert Decoder().feed(data) == []
