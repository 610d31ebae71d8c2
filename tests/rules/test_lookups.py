from __future__ import annotations

from pathlib import Path

from gateway.config.models import Site, SiteFile
from gateway.config.rules import LookUp, MatchRule
from gateway.contract.events import Scalar
from rules.language.vocabulary import Fields
from rules.lookups import LookUps, is_looked_up, lookup_fields
from rules.tables.table import Tables
from tests.rules.tables.desk import COLUMNS, Listed, settings

TRUCKS = Listed(("company", "bay", "released"), {"T-1": ("Maier", 3, False), 7: (None, 1, None)}, "c0ffee")
COMPANIES = Listed(("blocked",), {"Maier": (True,)}, "beef")


def rule(**lookup: tuple[str, str]) -> MatchRule:
    looked = {alias: LookUp(table=table, key=key) for alias, (table, key) in lookup.items()}
    return MatchRule(shape="match", name="r", on="signal", lookup=looked)


def tables() -> Tables:
    return Tables({"trucks": TRUCKS, "companies": COMPANIES})


def test_the_columns_of_the_row_stand_among_the_fields_which_stay_as_they_were() -> None:
    fields: Fields = {"subject": "T-1"}
    found = LookUps(rule(truck=("trucks", "subject")), tables()).enrich(fields)
    assert found == {
        "subject": "T-1", "truck_found": True, "truck_version": "c0ffee", "truck_company": "Maier", "truck_bay": 3,
        "truck_released": False,
    }  # fmt: skip
    assert fields == {"subject": "T-1"}


def test_an_empty_cell_is_an_absent_field() -> None:
    found = LookUps(rule(truck=("trucks", "number")), tables()).enrich({"number": 7})
    assert found == {"number": 7, "truck_found": True, "truck_version": "c0ffee", "truck_bay": 1}


def test_a_key_that_is_in_no_row_tells_the_version_that_was_asked() -> None:
    found = LookUps(rule(truck=("trucks", "subject")), tables()).enrich({"subject": "T-9"})
    assert found == {"subject": "T-9", "truck_found": False, "truck_version": "c0ffee"}


def test_without_a_key_or_a_table_nothing_is_asked() -> None:
    lookups = LookUps(rule(truck=("trucks", "subject"), other=("gone", "subject")), tables())
    TRUCKS.asked.clear()
    several: tuple[Fields, ...] = ({}, {"subject": ["T-1"]}, {"subject": True}, {"subject": 1.0})
    for given in several:
        found = lookups.enrich(dict(given))
        assert found == {**given, "truck_found": False, "other_found": False}
    assert TRUCKS.asked == []


def test_one_look_up_may_look_for_what_another_has_found() -> None:
    lookups = LookUps(rule(truck=("trucks", "subject"), firm=("companies", "truck_company")), tables())
    assert lookups.enrich({"subject": "T-1"})["firm_blocked"] is True
    assert lookups.enrich({"subject": "T-2"})["firm_found"] is False


def test_what_another_rule_has_looked_up_by_the_same_name_is_not_taken_over() -> None:
    lookups = LookUps(rule(truck=("trucks", "subject")), tables())
    carried: dict[str, Scalar] = {
        "truck_found": True,
        "truck_version": "old",
        "truck_company": "Schmidt",
        "kind": "truck",
    }
    fields = lookups.enrich(
        {"subject": "T-9", "truck_found": True, "truck_version": "old", "truck_company": "Schmidt", "kind": "truck"}
    )
    assert fields == {"subject": "T-9", "kind": "truck", "truck_found": False, "truck_version": "c0ffee"}
    assert lookups.stamp(dict(carried), fields) == {
        "kind": "truck",
        "truck_found": False,
        "truck_version": "c0ffee",
    }


def test_what_was_looked_up_goes_into_the_event() -> None:
    lookups = LookUps(rule(truck=("trucks", "subject")), tables())
    fields = lookups.enrich({"subject": "T-1", "zone": "gate"})
    assert lookups.told(fields) == {
        "truck_found": True, "truck_version": "c0ffee", "truck_company": "Maier", "truck_bay": 3,
        "truck_released": False,
    }  # fmt: skip


def test_a_table_may_be_replaced_between_two_items() -> None:
    current = tables()
    lookups = LookUps(rule(truck=("trucks", "subject")), current)
    current.put("trucks", Listed(("wheels", "bay"), {"T-1": (6, None)}, "2"))
    assert lookups.enrich({"subject": "T-1"}) == {
        "subject": "T-1", "truck_found": True, "truck_version": "2", "truck_wheels": 6
    }  # fmt: skip
    TRUCKS.is_open = True  # the next tests ask it, too


def test_the_types_of_the_fields_are_those_of_the_columns(tmp_path: Path) -> None:
    site = SiteFile(site=Site(name="harbour"), table=[settings(tmp_path / "slots.csv")])
    assert lookup_fields(site, rule(truck=("slots", "subject"), x=("unknown", "subject"))) == {
        "truck_found": "bool",
        "truck_version": "string",
        **{f"truck_{name}": "int" if kind == "time" else kind for name, kind in COLUMNS.items()},
        "x_found": "bool",
        "x_version": "string",
    }


def test_fields_of_look_ups_are_known_by_their_names() -> None:
    lookup = rule(truck=("trucks", "subject")).lookup
    assert [is_looked_up(name, lookup) for name in ("truck_bay", "truck", "trucks_bay", "subject")] == [
        True, False, False, False
    ]  # fmt: skip
