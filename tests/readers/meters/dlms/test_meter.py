from __future__ import annotations

from pathlib import Path

import pytest

from readers.errors import DeviceRefusedError
from readers.meters.dlms.driver import DlmsDriver
from readers.observations import DeviceInfo, Rejected
from simulator.meters.dlms import Behaviour
from simulator.meters.dlms_meter import COUNTER
from tests.readers.meters.dlms.scenes import (
    AARE,
    FIVE_THOUSAND,
    GET_SCALER,
    GET_VALUE,
    GMAC,
    GMAC_CLIENT,
    WATT_HOURS,
    D,
    Scripted,
    conditions,
    credentials,
    hear,
    listen,
    meter,
    readings,
    rejects,
    settings,
)

GOOD: dict[str, str | list[str]] = {GET_SCALER: WATT_HOURS, GET_VALUE: FIVE_THOUSAND}
GIVEN = {"read": ["1-0:1.8.0"], "energy_s": 10, "answer_within_s": 1}
AARE_WITH_LISTS = AARE.replace("501F01F4", "521F01F4")


def test_a_meter_is_asked_one_by_one_where_it_takes_no_lists() -> None:
    device = Scripted(GOOD)
    heard = hear(25, settings(**GIVEN), device)
    assert [r.value for r in readings(heard)] == [D(50090)] * 3
    assert device.count("C003") == 0
    assert not [o for o in heard if isinstance(o, DeviceInfo | Rejected)]


@pytest.mark.parametrize("nonsense", ["C401C1001300", "C401C100" + "0600", "C401C100" + "06000013910000"])
def test_a_value_that_is_not_understood_is_counted_and_told(nonsense: str) -> None:
    heard = hear(15, settings(**GIVEN), Scripted({**GOOD, GET_VALUE: [FIVE_THOUSAND, nonsense]}))
    assert [r.value for r in readings(heard)] == [D(50090)]
    assert rejects(heard) == ["data_type"]
    assert conditions(heard) == [("register_unsupported", "1-0:1.8.0", True)]


def test_a_list_that_is_not_understood_is_asked_for_one_by_one() -> None:
    device = Scripted({**GOOD, "60": AARE_WITH_LISTS, "C003": "C403C1" + "03" + "00" * 3})
    heard = hear(5, settings(**GIVEN), device)
    assert [r.value for r in readings(heard)] == [D(50090)]
    assert set(rejects(heard)) == {"data_type"}


@pytest.mark.parametrize("nonsense", ["C401C10299", "D89999", "0E010601"])
def test_an_answer_that_cannot_be_followed_costs_the_association(nonsense: str) -> None:
    device = Scripted({**GOOD, GET_VALUE: [nonsense, FIVE_THOUSAND]})
    heard = hear(5, settings(**GIVEN), device)
    assert [r.value for r in readings(heard)] == [D(50090)]
    assert device.count("60") == 2


def test_nothing_but_nonsense_is_silence() -> None:
    device = Scripted({**GOOD, GET_VALUE: "C401C10299"})
    driver = DlmsDriver(settings({}, {"logical": 2}, **GIVEN))
    heard = hear(60, settings(), device, driver)
    assert not readings(heard)
    assert ("meter_silent", "", True) in conditions(heard)
    assert "data_apdu" in rejects(heard)


def test_an_exception_is_asked_about_once_more_and_then_is_a_refusal() -> None:
    device = Scripted({**GOOD, GET_VALUE: "D80202"})
    heard = hear(25, settings(**GIVEN), device)
    assert conditions(heard) == [("register_unsupported", "1-0:1.8.0", True)]
    assert device.count(GET_VALUE) == 2
    assert device.count("60") == 2


def test_answers_to_nothing_do_not_hold_up_for_ever() -> None:
    device = Scripted({**GOOD, GET_VALUE: ["0F00", FIVE_THOUSAND]})
    given = settings({}, {"logical": 2}, **GIVEN)
    heard = hear(30, given, device)
    assert "foreign_apdu" in rejects(heard)
    assert readings(heard)


def test_a_transient_refusal_is_tried_again() -> None:
    refused = "611FA109060760857405080101A203020102A305A103020101BE0604040E010601"
    device = Scripted({**GOOD, "60": [refused, AARE]})
    given = settings({}, {"logical": 2}, **GIVEN)  # nobody is there, so that the connection does not end
    heard = hear(30, given, device)
    assert readings(heard)
    assert ("meter_silent", "", True) in conditions(heard)


def test_nonsense_instead_of_an_association_is_silence() -> None:
    device = Scripted({**GOOD, "60": ["6103A10100", "0E010601", AARE]})
    heard = hear(60, settings({}, {"logical": 2}, **GIVEN), device)
    assert readings(heard)
    assert "data_aare" in rejects(heard)


def test_the_counter_begins_above_what_the_meter_has_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    device = meter()
    driver = DlmsDriver(settings(GMAC, **GIVEN))
    listen(5, settings(GMAC, **GIVEN), [device], driver=driver)
    seen = device.clients[GMAC_CLIENT].counter
    assert seen > 700
    listen(5, settings(GMAC, **GIVEN), [device], driver=driver)
    assert device.clients[GMAC_CLIENT].counter > seen


def test_a_counter_that_a_meter_sets_back_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    device = meter()
    driver = DlmsDriver(settings(GMAC, **GIVEN))
    listen(5, settings(GMAC, **GIVEN), [device], driver=driver)
    seen = device.clients[GMAC_CLIENT].counter
    device.clients[GMAC_CLIENT].counter = 1
    listen(5, settings(GMAC, **GIVEN), [device], driver=driver)
    assert device.clients[GMAC_CLIENT].counter > seen


def test_a_meter_that_hides_the_counter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    device = meter(behaviour=Behaviour(denies=frozenset({(COUNTER, 2)})))
    with pytest.raises(DeviceRefusedError, match=r"0-0:43.1.0; it says read or write denied \(3\)"):
        listen(5, settings(GMAC, **GIVEN), [device])
    elsewhere = Scripted({"C001": "C401C1000905AABBCCDDEE"})
    with pytest.raises(DeviceRefusedError, match="it says b"):
        hear(5, settings(GMAC, **GIVEN), elsewhere)


def test_a_counter_that_makes_no_sense_is_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch)
    device = Scripted({"C001": "C401C10299"})
    heard = hear(20, settings(GMAC, {"logical": 2}, **GIVEN), device)
    assert ("meter_silent", "", True) in conditions(heard)
