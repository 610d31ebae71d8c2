from __future__ import annotations

from typing import Any

import pytest

from readers.observations import Condition
from readers.quantities import Quantity
from simulator.meters.dlms import Behaviour
from simulator.meters.dlms_meter import ASSOCIATION
from tests.readers.meters.dlms.scenes import (
    FIVE_THOUSAND,
    GET_SCALER,
    GET_VALUE,
    WATT_HOURS,
    D,
    Scripted,
    by_name,
    conditions,
    hear,
    listen,
    meter,
    readings,
    rejects,
    settings,
)

VOLTAGE = bytes.fromhex("0100200700FF")
FREQUENCY = bytes.fromhex("01000E0700FF")
CODES = ["1-0:1.8.0", "1-0:1.6.0", "1-0:1.4.0", "0-0:96.7.21", "1-0:32.7.0"]
OBJECT_LIST = "C001" + "000F" + "0000280000FF"


def test_what_the_settings_name_is_found_whatever_its_class() -> None:
    heard = listen(10, settings(read=CODES), [meter()])
    assert {key[0]: str(value) for key, value in by_name(heard).items()} == {
        Quantity.ACTIVE_ENERGY_IMPORT: "1234560",
        Quantity.ACTIVE_DEMAND_MAX: "3250.0",
        Quantity.ACTIVE_DEMAND: "3250.0",
        Quantity.POWER_FAILURES: "3",
        Quantity.VOLTAGE: "230.3",
        Quantity.CLOCK_OFFSET: "0",
    }
    timed = {r.quantity: r.meter_time_us for r in readings(heard)}
    assert timed[Quantity.ACTIVE_DEMAND_MAX] == 1_767_225_600_000_000 - 2_700_000_000
    assert timed[Quantity.ACTIVE_DEMAND] == 1_767_225_600_000_000


def test_what_the_meter_lacks_is_told_once() -> None:
    heard = listen(200, settings(read=["1-0:1.8.0", "1-0:9.8.0"], energy_s=10), [meter()])
    assert conditions(heard) == [("register_unsupported", "1-0:9.8.0", True)]
    detail = next(o.detail for o in heard if isinstance(o, Condition))
    assert "object undefined (4)" in detail
    assert len([r for r in readings(heard) if r.quantity is Quantity.ACTIVE_ENERGY_IMPORT]) == 20


@pytest.mark.parametrize("denied", [2, 3])
def test_what_a_client_may_not_read_is_asked_for_again_in_an_hour(denied: int) -> None:
    behaviour = Behaviour(denies=frozenset({(VOLTAGE, denied), (ASSOCIATION, 99)}))
    device = meter(behaviour=behaviour)
    heard = listen(7300, settings(power_s=600, energy_s=600, status_s=600), [device])
    assert conditions(heard) == [("register_unsupported", "1-0:32.7.0", True)]
    assert not [r for r in readings(heard) if str(r.obis) == "1-0:32.7.0"]
    assert [r for r in readings(heard) if str(r.obis) == "1-0:14.7.0"]


def test_what_becomes_readable_is_told() -> None:
    device = Scripted({GET_SCALER: WATT_HOURS, GET_VALUE: ["C401C10103", FIVE_THOUSAND]})
    heard = hear(3700, settings(read=["1-0:1.8.0"]), device)
    code = "1-0:1.8.0"
    assert conditions(heard) == [("register_unsupported", code, True), ("register_unsupported", code, False)]
    assert {r.value for r in readings(heard)} == {D(50090)}


@pytest.mark.parametrize(("value", "reason"), [("C401C1000901FF", "data_value"), ("C401C1000301", "data_value")])
def test_a_value_that_is_no_number_is_told(value: str, reason: str) -> None:
    device = Scripted({GET_SCALER: WATT_HOURS, GET_VALUE: [value, FIVE_THOUSAND]})
    heard = hear(70, settings(read=["1-0:1.8.0"]), device)
    code = "1-0:1.8.0"
    assert conditions(heard) == [("register_strange", code, True), ("register_strange", code, False)]
    assert rejects(heard) == [reason]


def test_a_unit_of_another_kind_is_told() -> None:
    device = Scripted({GET_SCALER: "C401C10002020F011623", GET_VALUE: FIVE_THOUSAND})
    heard = hear(70, settings(read=["1-0:1.8.0"]), device)
    assert conditions(heard) == [("register_strange", "1-0:1.8.0", True)]
    assert rejects(heard) == ["data_unit", "data_unit"]
    assert not readings(heard)


def test_an_object_without_a_scaler_is_none() -> None:
    device = Scripted({"C001" + "0003" + "0100010800FF": FIVE_THOUSAND})
    heard = hear(5, settings(read=["1-0:1.8.0"]), device)
    assert conditions(heard) == [("register_unsupported", "1-0:1.8.0", True)]


LISTED = "C401C100" + "0101" + "0204" + "120003" + "1100" + "0906" + "0100010800FF" + "0202" + "0100" + "0100"


def test_a_listed_register_without_a_scaler_is_strange() -> None:
    device = Scripted({OBJECT_LIST: LISTED, GET_SCALER: FIVE_THOUSAND, GET_VALUE: FIVE_THOUSAND})
    heard = hear(70, settings(), device)
    assert conditions(heard) == [("register_strange", "1-0:1.8.0", True)]
    assert set(rejects(heard)) == {"data_scaler"}


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [("C401C10103", []), ("C401C1000600000000", ["data_array"]), ("C401C1000100", [])],
)
def test_without_an_object_list_the_settings_must_say_what_to_read(answer: str, rejected: list[str]) -> None:
    device = Scripted({OBJECT_LIST: answer})
    heard = hear(130, settings(), device)
    assert conditions(heard) == [("objects_unknown", "", True)]
    assert rejects(heard) == rejected
    assert device.count(OBJECT_LIST) == 1


def test_the_object_list_is_read_once() -> None:
    device = Scripted({OBJECT_LIST: LISTED, GET_SCALER: WATT_HOURS, GET_VALUE: FIVE_THOUSAND})
    heard = hear(1000, settings(), device)
    assert device.count(OBJECT_LIST) == device.count(GET_SCALER) == 1
    assert len(readings(heard)) == 17


def test_what_is_not_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"read": ["1-0:1.8.0"], "power_s": 1}
    device = Scripted({GET_SCALER: WATT_HOURS, GET_VALUE: FIVE_THOUSAND})
    hear(50, settings(**given), device)
    del monkeypatch
    assert len(device.asked) < 15
