from __future__ import annotations

from rules import expansion, packs
from rules.anatomy import makes
from rules.packs.factory import PACK
from tests.rules.packs.factory.factories import WHOLE, site


def test_everything_at_once_can_be_run() -> None:
    assert expansion.faults(site(WHOLE)) == []
    names = [rule.name for rule in expansion.as_run(site(WHOLE)).rule]
    assert len(names) == len(set(names))
    assert all(name.startswith("hall-") for name in names)


def test_two_uses_of_the_pack_do_not_hear_each_other() -> None:
    both = site(WHOLE, uses=2)
    assert expansion.faults(both) == []
    marks = [
        {kind for rule in PACK.rules(use.name, PACK.settings.model_validate(use.settings)) for _, kind in makes(rule)}
        for use in both.pack
    ]
    shared = marks[0] & marks[1]
    assert not [kind for kind in shared if kind.startswith("hall")]
    heard = {rule.on for rule in expansion.as_run(both).rule if rule.shape in {"match", "rate", "set"}}
    assert heard & shared == {"station-done", "route-completed"}  # of which each rule asks for its own


def test_a_fault_of_the_settings_names_its_place() -> None:
    (fault,) = packs.faults(site({"line": [{"name": "l1", "station": [{"zone": "filling"}]}]}))
    assert fault.startswith("site.toml: pack[hall].settings.line.0.station = ")


def test_a_use_with_a_name_that_is_too_long_is_refused() -> None:
    found = packs.faults(site(WHOLE, name="h" * 60))
    assert found
    assert "match pattern" in found[0]
