from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from readers.codecs.weighbridge import Form
from readers.errors import LinkError
from readers.machines.weighbridge import DRIVER, StableWeight, WeighbridgeSettings
from readers.observations import Condition, Observation, Rejected, Signal, Signals
from readers.ports.memory import pair, run
from simulator.device import Weight
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.machines.weighbridge import Indicator, serve

S = 1_000_000


class Bridge:
    """A truck of 42,180 kg drives on at 2 s, stands from 4 s, is gone at 10 s; another like it from 14 s to 20 s."""

    def __init__(self, begins_us: int = 0, *, kg: int = 42_180, tare: int = 0, overload: bool = False) -> None:
        self.begins_us = begins_us
        self.kg = kg
        self.tare = tare
        self.overload = overload

    def weight(self, now_us: int) -> Weight:
        at_s = (now_us - self.begins_us) / S
        tare = Decimal(self.tare)
        for on_s in (2.0, 14.0):
            if on_s <= at_s < on_s + 2:
                return Weight(Decimal(round(self.kg * (at_s - on_s) / 2)), tare, is_stable=False)
            if on_s + 2 <= at_s < on_s + 8:
                return Weight(Decimal(self.kg), tare, is_overloaded=self.overload)
        return Weight(Decimal(0), tare)


def damage(rng: Random) -> list[Fault]:
    kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
    places = sorted(rng.sample(range(2_800), 60))
    return [Fault(rng.choice(kinds), Towards.CLIENT, at_byte=at, length=rng.randint(1, 3)) for at in places]


def listened(
    indicator: Indicator,
    settings: dict[str, Any],
    seconds: float = 24,
    bridge: Callable[[int], Bridge] = Bridge,
    seed: int | None = None,
) -> list[Observation]:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        near = ours if seed is None else FaultyPort(ours, damage(Random(seed)), seed)
        playing = asyncio.create_task(serve(theirs, bridge(theirs.now_us()), indicator))
        running = asyncio.create_task(DRIVER.make(WeighbridgeSettings.model_validate(settings)).run(near, heard.append))
        await ours.pause(seconds)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2

    run(scene())
    return heard


def values(heard: list[Observation], name: str) -> list[bool | Decimal | str]:
    return [s.value for each in heard if isinstance(each, Signals) for s in each.signals if s.name == name]


FORMS: dict[str, tuple[Indicator, dict[str, Any]]] = {
    "xk3190": (Indicator(), {}),
    "reversed, in tonnes": (Indicator(Form.XK3190_REVERSED), {"format": "xk3190_reversed"}),
    "toledo": (Indicator(Form.TOLEDO), {"format": "toledo"}),
    "toledo without checksum": (Indicator(Form.TOLEDO, has_checksum=False), {"format": "toledo", "checksum": "absent"}),
}


@pytest.mark.parametrize(("indicator", "settings"), FORMS.values(), ids=FORMS.keys())
def test_each_truck_is_weighed_once_when_it_stands(indicator: Indicator, settings: dict[str, Any]) -> None:
    heard = listened(indicator, settings)
    assert values(heard, "stable_weight") == [Decimal(42_180)] * 2
    assert values(heard, "is_empty") == [True, False, True, False, True]
    assert values(heard, "is_stable")[0] is False
    assert not any(isinstance(each, Rejected) for each in heard)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", ["xk3190", "toledo"])
def test_noise_and_loss_make_no_other_weight(form: str, seed: int) -> None:
    indicator, settings = FORMS[form]
    heard = listened(indicator, settings, seed=seed)
    assert set(values(heard, "stable_weight")) == {Decimal(42_180)}
    assert any(isinstance(each, Rejected) for each in heard)


def test_a_weight_on_the_move_is_told_at_most_once_a_second() -> None:
    heard = listened(Indicator(every_s=0.05), {"report_every_s": 1.0}, seconds=3.9)
    assert 2 <= len(values(heard, "gross_weight")) <= 5


def test_a_net_display_gives_the_whole_weight_too() -> None:
    indicator = Indicator(Form.TOLEDO, shows_net=True)
    heard = listened(indicator, {"format": "toledo"}, bridge=lambda begins: Bridge(begins, tare=15_000))
    assert Decimal(27_180) in values(heard, "net_weight")
    assert values(heard, "stable_weight") == [Decimal(42_180)] * 2
    assert values(heard, "tare_weight") == [Decimal(15_000)]


def test_an_overloaded_bridge_weighs_nothing() -> None:
    heard = listened(Indicator(Form.TOLEDO), {"format": "toledo"}, bridge=lambda begins: Bridge(begins, overload=True))
    assert values(heard, "stable_weight") == []
    conditions = [each for each in heard if isinstance(each, Condition)]
    assert [(each.name, each.active) for each in conditions] == [("out_of_range", True), ("out_of_range", False)] * 2


def test_tonnes_and_pounds_become_kilograms() -> None:
    tonnes = Indicator(Form.XK3190, step_kg=Decimal("0.02"))
    heard = listened(tonnes, {"unit": "t"}, bridge=lambda begins: Bridge(begins, kg=42))
    assert Decimal(42_000) in values(heard, "stable_weight")


def test_an_indicator_that_falls_silent_is_a_broken_link() -> None:
    async def scene() -> None:
        ours, device = pair("scale")
        running = asyncio.create_task(DRIVER.make(WeighbridgeSettings()).run(ours, lambda _: None))
        await device.send(b"\x02+0000000" + b"1B\x03")
        await ours.pause(2.5)
        assert not running.done()
        await ours.pause(1.5)
        with pytest.raises(LinkError, match="continuous output is switched on"):
            running.result()

    run(scene())


def test_stability_needs_time_and_calm() -> None:
    calm = StableWeight(Decimal(20), 1.0)
    assert calm.take(0.0, Decimal(100), is_moving=False) is None
    assert calm.take(0.5, Decimal(110), is_moving=False) is None
    assert calm.take(1.0, Decimal(120), is_moving=False) == 120
    assert calm.take(1.1, Decimal(130), is_moving=False) is None  # 100 to 130 within one second
    assert calm.take(2.2, Decimal(130), is_moving=True) is None
    assert calm.take(2.3, Decimal(130), is_moving=False) is None
    assert calm.take(3.4, Decimal(130), is_moving=False) == 130
    calm.forget()
    assert calm.take(3.5, Decimal(130), is_moving=False) is None


def test_a_slow_drift_is_followed() -> None:
    drift = StableWeight(Decimal(20), 1.0)
    told = [drift.take(step / 10, Decimal(step), is_moving=False) for step in range(100)]
    assert told[9] is None
    assert told[10:] == [Decimal(step) for step in range(10, 100)]


def test_signals_carry_kilograms() -> None:
    heard = listened(Indicator(), {}, seconds=3)
    first = next(each for each in heard if isinstance(each, Signals))
    assert first.signals[0] == Signal("gross_weight", Decimal(0), "kg")
