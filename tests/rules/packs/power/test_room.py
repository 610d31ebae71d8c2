from __future__ import annotations

from typing import Any

import pytest

from gateway.config.energy import DemandKind, MeterWatch
from gateway.config.rules import PackUse
from rules import packs
from rules.checking.site_names import warnings
from tests.rules.packs.power.rooms import fault, rules, site

PRICE = {"name": "industry", "valid_from": "2026-01-01", "per_kwh": {"total": 0.7}}
WHOLE: dict[str, Any] = {
    "meter": [
        {
            "name": "mains",
            "rated_current_a": 400,
            "price": "industry",
            "demand": {"contract_kw": 250.5, "kind": "sliding", "shed": [{"name": "hvac", "kw": 12}]},
        },
        {"name": "gatehouse", "phases": 1},
        {"name": "ten-kv", "nominal_v": 5773.5},
    ],
    "quality": {"current_unbalance_percent": 25},
    "price": [PRICE],
    "per_move": [{"name": "gate", "meter": "mains", "on": "passage", "most_wh": 900}],
}


def test_all_rules_of_a_whole_room_can_be_used_and_names_are_unique() -> None:
    made = packs.expand(site(**WHOLE))
    names = [rule.name for rule in made.rule]
    assert len(set(names)) == len(names) == len(rules(**WHOLE))
    assert all(name.startswith("power-") for name in names)
    assert made.pack == []
    assert list(warnings(made)) == [
        "rule[power-gate-moves].on = 'passage': there is no [[portal]], so that no tag ever passes"
    ]


def test_two_rooms_live_beside_each_other() -> None:
    one, other = site(), site(name="east", meter=[{"name": "other"}])
    both = one.model_copy(update={"pack": [*one.pack, *other.pack]})
    assert packs.faults(both) == []
    assert [meter.name for meter in packs.expand(both).energy.meter] == ["mains", "other"]


def test_two_rooms_of_one_name_do_not() -> None:
    one = site()
    both = one.model_copy(
        update={"pack": [*one.pack, PackUse(name="power", kind="power", settings=one.pack[0].settings)]}
    )
    assert all("exists already; choose another name" in each for each in packs.faults(both))
    assert packs.faults(both)


def test_the_books_are_told_of_limits_prices_and_meters() -> None:
    books = {"meter": [{"name": "mains", "ct_ratio": 80, "watch": ["counts"]}, {"name": "else"}]}
    energy = packs.expand(site(energy=books, **WHOLE)).energy
    mains, other, gatehouse, _ = energy.meter
    assert (mains.name, other.name, gatehouse.name) == ("mains", "else", "gatehouse")
    assert (mains.ct_ratio, mains.price, mains.unbalance_from_a) == (80, "industry", 20)
    assert mains.demand is not None
    assert (mains.demand.limit_w, mains.demand.kind, mains.demand.interval_s) == (250_500, DemandKind.SLIDING, 900)
    assert [(load.name, load.power_w) for load in mains.demand.shed] == [("hvac", 12_000)]
    assert mains.watch == [MeterWatch.COUNTS, MeterWatch.UNBALANCE]
    assert (other.watch, gatehouse.watch) == ([], [MeterWatch.COUNTS])
    assert [price.name for price in energy.price] == ["industry"]


@pytest.mark.parametrize(
    ("energy", "said"),
    [
        ({"meter": [{"name": "mains", "demand": {"limit_w": 1}}]}, "meter.mains.demand: it has one from elsewhere"),
        ({"price": [PRICE]}, "price: another 'industry' begins on 2026-01-01, too; write it in one place"),
        ({"price": [PRICE], "meter": [{"name": "mains", "price": "industry"}]}, "price"),
    ],
)
def test_nothing_is_said_twice(energy: dict[str, Any], said: str) -> None:
    assert said in fault(energy=energy, **WHOLE)


def test_a_price_that_is_not_there() -> None:
    found = fault(meter=[{"name": "mains", "price": "industri"}], price=[PRICE])
    assert found == (
        "site.toml: pack[power].settings.meter.mains.price: there is no price 'industri'; there are: industry"
    )
    assert fault(meter=[{"name": "mains", "price": "x"}]).endswith("there are: none")
