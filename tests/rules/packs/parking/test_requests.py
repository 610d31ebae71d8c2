from rules.packs.parking.requests import admissions
from tests.rules.packs.parking.place import HOLDERS, rules, settings


def test_there_is_an_admission_for_each_calendar() -> None:
    lists = [{"name": "staff"}, {"name": "guests", "hours": "day"}, {"name": "firms", "hours": "day"}]
    found = admissions("park", settings(holders=HOLDERS, lists=lists))
    assert {name: [each.name for each in of] for name, of in found.items()} == {
        "park-admit": ["staff"],
        "park-admit-day": ["guests", "firms"],
    }
    made = rules(holders=HOLDERS, lists=lists)
    assert made["park-admit-day"].during == "day"
    assert made["park-admit"].during is None
    assert made["park-admit-day"].when.endswith('e.listed_list in ["guests", "firms"]')


def test_without_a_table_every_known_card_is_admitted() -> None:
    made = rules()
    assert made["park-admit"].when == 'e.rule in ["park-entry-known", "park-entry-known-late"]'
    assert made["park-admit"].lookup == {}


def test_a_card_that_is_held_is_one_request_unless_it_comes_from_a_backlog() -> None:
    made = rules(cooldown_s=2)
    assert (made["park-entry-known"].shape, made["park-entry-known"].within_s) == ("rate", 2)
    assert made["park-entry-known"].when.endswith("!e.historical")
    assert made["park-entry-known-late"].shape == "match"
    assert 'e.read_point in ["in-1", "in-2"]' in made["park-entry-unknown"].when
