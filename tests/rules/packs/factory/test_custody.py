from __future__ import annotations

from gateway.config.rules import AbsenceRule, MatchRule, SessionRule
from rules.packs.factory.custody import rules
from rules.packs.factory.settings import Custody
from tests.rules.packs.factory.factories import WHOLE

TOOLS, PALLETS = WHOLE["custody"]


def test_without_wishes_only_taking_and_returning_is_told() -> None:
    made = rules("hall", Custody.model_validate({"name": "pallets", "kinds": ["pallet"], "homes": ["yard"]}))
    assert [rule.name for rule in made if not isinstance(rule, MatchRule)] == ["hall-pallets-custody"]


def test_the_time_away_is_in_days_and_counts_while_its_home_is_watched() -> None:
    made = rules("hall", Custody.model_validate(PALLETS | {"back_within_days": 2, "watched": ["yard-1"]}))
    (overdue,) = [rule for rule in made if isinstance(rule, AbsenceRule)]
    assert (overdue.within_s, overdue.watched) == (172_800, ["yard-1"])


def test_nobody_warns_before_calibration_is_due_if_the_warning_is_of_no_days() -> None:
    names = [rule.name for rule in rules("hall", Custody.model_validate(TOOLS | {"warn_days": 0}))]
    assert "hall-tools-expired" in names
    assert "hall-tools-due" not in names


def test_who_takes_something_shows_a_card_at_the_desk_of_that_home() -> None:
    made = [rule for rule in rules("hall", Custody.model_validate(PALLETS)) if isinstance(rule, SessionRule)]
    assert [rule.open.key for rule in made] == ["zone", "from_zone"]
    assert all(rule.places == {"yard": ["desk-1"]} for rule in made)
