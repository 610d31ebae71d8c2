from __future__ import annotations

from gateway.config.rules import HoldRule, MatchRule
from tests.rules.packs.power.rooms import rules

LIMIT = {"contract_kw": 100, "sure_for_s": 45, "clear_percent": 90}


def test_a_meter_without_a_contract_has_no_limit() -> None:
    assert not [name for name in rules() if "demand" in name or "shed" in name]


def test_a_contract_is_forecast_and_judged() -> None:
    made = rules(meter=[{"name": "mains", "demand": LIMIT}])
    forecast, exceeded = made["mains-demand-forecast"], made["mains-demand-exceeded"]
    assert isinstance(forecast, HoldRule)
    assert forecast.when == 'e.device == "mains" && e.quantity == "active_demand_forecast" && e.value > 100000.0'
    assert (forecast.clear, forecast.for_s, forecast.emit) == ("e.value < 90000.0", 45, "demand-forecast")
    assert forecast.figures == ["value"]
    assert isinstance(exceeded, HoldRule)
    assert (exceeded.for_s, exceeded.emit) == (0, "demand-exceeded")
    assert "mains-shed" not in made


def test_what_may_be_switched_off_is_proposed() -> None:
    made = rules(meter=[{"name": "mains", "demand": LIMIT | {"shed": [{"name": "hvac", "kw": 3}]}}])
    shed = made["mains-shed"]
    assert isinstance(shed, MatchRule)
    assert (shed.on, shed.emit) == ("shed_proposed", "shed-proposal")
    assert shed.figures == ["shed_w", "excess_w", "forecast_w"]
