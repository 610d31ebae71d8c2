from rules.packs.parking import words
from rules.packs.parking.settings import Contact, Direction
from tests.rules.packs.parking.place import HOLDERS, settings


def test_conditions_are_put_together() -> None:
    assert words.one_of("x", ["a"]) == 'e.x == "a"'
    assert words.one_of("x", ["a", "b"]) == 'e.x in ["a", "b"]'
    assert words.both("e.a", "", "e.b") == "e.a && e.b"
    assert words.negated("") == ""
    assert words.negated("e.a < e.b") == "!(e.a < e.b)"
    assert words.is_on(Contact(device="io", signal="up")) == 'e.device == "io" && e.name == "up" && e.value == true'


def test_a_request_has_a_rule_for_each_result_and_one_of_its_own_in_a_backlog() -> None:
    assert words.requests("park", Direction.EXIT, words.KNOWN) == ["park-exit-known", "park-exit-known-late"]
    assert len(words.requests("park", Direction.ENTRY)) == 6


def test_the_table_is_asked_by_holder_or_by_card_and_only_for_the_columns_that_are_named() -> None:
    by_card = settings(holders={"table": "holders", "by": "card"}).holders
    assert words.lookup(settings(holders=HOLDERS).holders, "name", "subject")["listed"].key == "name"
    assert words.lookup(by_card, "name", "subject")["listed"].key == "subject"
    assert words.lookup(None, "name", "subject") == {}
    assert words.not_yet(settings(holders=HOLDERS), "at_us") == "e.at_us < e.listed_starts"
    assert words.expired(settings(holders=HOLDERS), "at_us") == "e.at_us >= e.listed_ends"
    assert words.not_yet(settings(), "at_us") == words.expired(settings(), "at_us") == ""
