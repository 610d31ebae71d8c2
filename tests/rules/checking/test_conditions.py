from __future__ import annotations

import pytest

from gateway.config.models import SiteFile
from rules.checking.conditions import NUMBERS, Conditions, allowed_values
from rules.checking.emitted import Known
from rules.language.vocabulary import BUILT_IN, RAW
from tests.rules.checking.test_emitted import rule
from tests.rules.play import site

MADE: SiteFile = site(rule("match", "high", on="reading", when="e.value > 3.0"))


def told(text: str, on: str, **more: str) -> list[str]:
    return list(Conditions(MADE).condition("rule[r]", "when", text, on, more))


@pytest.mark.parametrize(
    ("text", "on", "fault"),
    [
        ("e.value == 'x'", "high", "== compares a number with a string; it can never be true (column 9)"),
        ("e.valu > 1.0", "high", "e.valu is no field here; did you mean e.value? (column 3)"),
        ("e.rssi_dbm < 1.0", "reading", "e.rssi_dbm is no field here; known are device, "),
        ("e.quantity == 'voltag'", "reading", "e.quantity is never 'voltag'; did you mean 'voltage'? (column 15)"),
        ("e.quantity == 'zzz'", "reading", "e.quantity is never 'zzz'; some are active_energy_import, "),
        ("e.unit in ['V', 'kV']", "reading", "e.unit is never 'kV'; did you mean 'V'? (column 11)"),
        ("e.phase == 'l1'", "reading", "e.phase is never 'l1'; allowed are a, b, c, n (column 12)"),
        ("e.quantity == 'current' && e.unit == 'V'", "reading", "can never be true: e.unit is never 'V' for current"),
        ("e.state == 'off'", "status", "e.state is never 'off'; allowed are online, degraded, offline (column 12)"),
        ("e.direction == 'in' && e.direction == 'out'", "passage", "can never be true: e.direction cannot have"),
        ("e.truck_slot > 'a'", "read", "> compares a number with a string; it can never be true"),
        ("e.truck_slots > 1", "read", "e.truck_slots is no field here; did you mean e.truck_slot?"),
        ("false", "read", "can never be true; delete the rule or ask for a field, e.field"),
    ],
)
def test_each_fault_says_what_is_wrong(text: str, on: str, fault: str) -> None:
    (found,) = told(text, on, truck_slot="int")
    start = f"rule[r].when = {text!r}: "
    assert found.startswith(start)
    assert found.removeprefix(start).startswith(fault)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("e.value > 3.0 && e.unit == 'V'", "high"),
        ("e.state == 'held'", "machine_stopped"),  # a machine has other states than a device
        ("e.quality == 'anything'", "nobody_makes_this"),
        ("e.truck_slot > 1", "read"),
        ("e.quantity == 'active_demand' && e.unit == 'W'", "reading"),
    ],
)
def test_good_conditions_have_no_faults(text: str, on: str) -> None:
    assert told(text, on, truck_slot="int") == []


def test_keys_that_name_fields() -> None:
    conditions = Conditions(MADE)
    assert list(conditions.field("rule[r]", "key", "phase", "high")) == []
    assert list(conditions.field("rule[r]", "key", "truck_x", "read", more={"truck_x"})) == []
    assert list(conditions.field("rule[r]", "of", "value", "high", kinds=NUMBERS)) == []
    (wrong,) = conditions.field("rule[r]", "of", "phase", "high", kinds=NUMBERS)
    assert wrong == "rule[r].of = 'phase': is a string of high, and must be a number"
    (unknown,) = conditions.field("rule[r]", "key", "phas", "high")
    assert unknown == "rule[r].key = 'phas': high has no such field; did you mean 'phase'?"
    (far,) = conditions.field("rule[r]", "key", "qqq", "high")
    assert "high has no such field; known are at_us, " in far


def test_long_conditions_are_cut() -> None:
    (fault,) = Conditions(MADE).expression("rule[r]", "when", "e.a == " + "1" * 200, Known())
    assert len(fault) < 400
    assert " ...': " in fault


def test_closed_sets_belong_to_the_items_that_have_them() -> None:
    for on in (*RAW, *BUILT_IN):
        assert ("degraded" in (allowed_values(on, "state") or ())) == (on == "status")
        assert allowed_values(on, "direction") == ("in", "out")
    assert allowed_values("", "direction") is None
    assert allowed_values("energy_gap", "quantity") == allowed_values("reading", "quantity")


def test_a_condition_that_cannot_be_read_is_left_to_others() -> None:
    conditions = Conditions(MADE)
    assert list(conditions.never("rule[r]", "when", "e.a ==")) == []
    assert list(conditions.never("rule[r]", "when", "false")) == []
    assert list(conditions.never("rule[r]", "when", "e.a == 1")) == []
    (never,) = conditions.never("rule[r]", "when", "e.a == 1 && e.a == 2")
    assert never.startswith("rule[r].when = 'e.a == 1 && e.a == 2': can never be true: e.a cannot have")
