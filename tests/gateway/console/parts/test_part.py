from hypothesis import given
from hypothesis import strategies as st

from gateway.console.parts.part import GONE_MOST, Newest, Rows


def test_a_follower_gets_everything_then_what_changed_then_nothing() -> None:
    rows = Rows(10)
    rows.put("a", 1)
    cursor = rows.follow()
    assert cursor.news() == {"whole": True, "rows": {"a": 1}}
    assert cursor.news() is None
    rows.put("b", 2)
    rows.put("a", 3)
    assert cursor.news() == {"whole": False, "rows": {"a": 3, "b": 2}}
    rows.drop("a")
    rows.drop("never there")
    assert cursor.news() == {"whole": False, "rows": {"a": None}}
    assert cursor.news() is None


def test_who_came_before_there_was_anything_gets_the_very_first_row() -> None:
    rows = Rows(10)
    cursor = rows.follow()
    assert cursor.news() == {"whole": True, "rows": {}}
    assert cursor.news() is None
    rows.put("a", 1)
    assert cursor.news() == {"whole": False, "rows": {"a": 1}}


def test_a_row_that_comes_again_is_not_gone() -> None:
    rows = Rows(10)
    rows.put("a", 1)
    cursor = rows.follow()
    cursor.news()
    rows.drop("a")
    rows.put("a", 2)
    assert cursor.news() == {"whole": False, "rows": {"a": 2}}


def test_new_keys_beyond_the_bound_are_refused_and_old_ones_go_on() -> None:
    rows = Rows(2)
    assert rows.put("a", 1)
    assert rows.put("b", 1)
    assert not rows.put("c", 1)
    assert rows.put("a", 2)
    assert (len(rows), rows.refused, "c" in rows, rows.get("a")) == (2, 1, False, 2)
    rows.drop("b")
    assert rows.put("c", 1)


def test_who_was_away_for_longer_than_is_remembered_gets_everything_anew() -> None:
    rows = Rows(GONE_MOST + 10)
    for number in range(GONE_MOST + 2):
        rows.put(str(number), number)
    cursor = rows.follow()
    cursor.news()
    for number in range(GONE_MOST + 1):
        rows.drop(str(number))
    assert cursor.news() == {"whole": True, "rows": {str(GONE_MOST + 1): GONE_MOST + 1}}
    assert cursor.news() is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["put", "drop", "look"]))))
def test_a_follower_knows_what_the_rows_are_whenever_it_looks(steps: list[tuple[str, str]]) -> None:
    rows = Rows(3)
    cursor = rows.follow()
    known: dict[str, int | None] = {}
    for number, (key, what) in enumerate([*steps, ("a", "look")]):
        if what == "put":
            rows.put(key, number)
        elif what == "drop":
            rows.drop(key)
        elif news := cursor.news():
            if news["whole"]:
                known = {}
            known |= news["rows"]
            known = {key: row for key, row in known.items() if row is not None}
        if what == "look":
            assert known == dict(rows.items())


def test_the_newest_come_oldest_first_with_counts_of_all() -> None:
    newest: Newest[int] = Newest(100)
    newest.extend(list(range(50)))
    cursor = newest.follow(str, most=3, at_first=2)
    assert cursor.news() == {"whole": True, "rows": ["48", "49"], "matched": 50, "left_out": 0}
    assert cursor.news() is None
    newest.extend(list(range(50, 60)))
    assert cursor.news() == {"whole": False, "rows": ["57", "58", "59"], "matched": 10, "left_out": 0}


def test_what_goes_by_before_it_is_looked_at_is_counted() -> None:
    newest: Newest[int] = Newest(10)
    cursor = newest.follow(str, most=3, at_first=3)
    cursor.news()
    newest.extend(list(range(25)))
    assert cursor.news() == {"whole": False, "rows": ["22", "23", "24"], "matched": 10, "left_out": 15}


def test_who_selects_hears_only_of_that() -> None:
    newest: Newest[int] = Newest(10)
    cursor = newest.follow(str, most=3, at_first=3, select=lambda number: number % 2 == 0)
    cursor.news()
    newest.extend([1, 3])
    assert cursor.news() is None
    newest.extend([4, 5])
    assert cursor.news() == {"whole": False, "rows": ["4"], "matched": 1, "left_out": 0}
