from __future__ import annotations

from gateway.config.models import Mqtt, RulesSettings, SiteFile, Zone
from gateway.config.rules import LookUpTable, MatchRule, PackUse
from rules.takeover import is_taken, left_over, taken_over
from tests.rules.play import site

WEAK = MatchRule(shape="match", name="weak", on="read", when="e.rssi_dbm < -80.0")
TABLE = LookUpTable.model_validate({"name": "t", "file": "t.csv", "key": "k", "columns": {"k": "string"}})


def changed(before: SiteFile, **tables: object) -> SiteFile:
    return before.model_copy(update=tables)


def test_rules_tables_and_packs_are_taken_over_and_nothing_else() -> None:
    running = site()
    packs = [PackUse(name="gate", kind="port")]
    whole = changed(running, rule=[WEAK], table=[TABLE], pack=packs, mqtt=Mqtt(port=1884), zone=[])
    assert is_taken(running, whole)
    assert taken_over(running, whole) == changed(running, rule=[WEAK], table=[TABLE], pack=packs)
    assert left_over(running, whole) == ["[mqtt]"]


def test_what_waits_for_a_restart_is_named_as_it_is_written() -> None:
    running = site()
    whole = changed(running, zone=[Zone(name="a", read_points=["p"])], rules=RulesSettings(lateness_s=3))
    assert not is_taken(running, whole)
    assert left_over(running, whole) == ["[rules]", "[[zone]]"]


def test_a_move_of_the_rules_to_a_file_of_their_own_changes_nothing() -> None:
    running = site(WEAK)
    whole = changed(running, rules=RulesSettings.model_validate({"file": "/etc/rules.toml"}))
    assert not is_taken(running, whole)
    assert left_over(running, whole) == []
