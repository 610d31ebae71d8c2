import pytest

from gateway.boards.making.board import TAG, Board, Section, Variable, uid
from gateway.boards.making.looks import PLAIN, Unit
from gateway.boards.making.panels import Panel, stat
from gateway.boards.making.queries import QueryError, count, is_, single


def panel(title: str, width: int, height: int = 4) -> Panel:
    query = single("event", count("id"), alias="a")
    return stat(title, "d", Unit.COUNT, query, steps=PLAIN, width=width, height=height)


def board(*panels: Panel) -> Board:
    return Board("test", "Test", "What it is.", (Section("One", panels),), (Variable("zone", "Zone", "event"),))


def made(*panels: Panel) -> list[dict[str, object]]:
    found = board(*panels).json(str, "en")["panels"]
    assert isinstance(found, list)
    return found


def test_panels_flow_from_left_to_right_and_lines_are_of_one_height() -> None:
    places = [each["gridPos"] for each in made(panel("a", 12, 4), panel("b", 12, 6), panel("c", 24))]
    assert places == [
        {"x": 0, "y": 0, "w": 24, "h": 1},
        {"x": 0, "y": 1, "w": 12, "h": 6},
        {"x": 12, "y": 1, "w": 12, "h": 6},
        {"x": 0, "y": 7, "w": 24, "h": 4},
    ]


@pytest.mark.parametrize("width", [0, 25])
def test_a_panel_that_no_board_can_hold_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="a board has 24 columns"):
        made(panel("a", width))


def test_variables_come_after_the_store_and_ask_for_the_sites_that_are_chosen() -> None:
    templating = board(panel("a", 4)).json(str, "en")["templating"]
    assert isinstance(templating, dict)
    found = templating["list"]
    assert [each["name"] for each in found] == ["store", "site", "zone", "console"]
    assert found[1]["query"] == 'SHOW TAG VALUES FROM "event" WITH KEY = "site"'
    assert found[2]["query"] == 'SHOW TAG VALUES FROM "event" WITH KEY = "zone" WHERE "site" =~ /^$site$/'
    assert all(each["allValue"] == ".*" for each in found if each["type"] == "query")
    assert found[3]["query"] == "http://127.0.0.1:8680"


def test_all_may_be_what_is_listed_and_no_other_value_of_the_tag() -> None:
    assert "allValue" not in Variable("reefer", "Reefer", "signal", "device", is_all_listed=True).json(str)


def test_a_variable_of_a_tag_of_another_name_and_of_a_part_of_it() -> None:
    variable = Variable("area", "Area", "event", "rule", (is_("event", "parking-entry"),), pattern="(.*)-inside")
    found = variable.json(str)
    assert found["regex"] == "/(.*)-inside/"
    assert str(found["query"]).endswith("""WHERE "site" =~ /^$site$/ AND "event" = 'parking-entry'""")
    with pytest.raises(QueryError):
        Variable("subject", "Subject", "event").json(str)


def test_the_address_stays_and_the_language_is_in_it() -> None:
    found = board(panel("a", 4)).json(str, "zh")
    assert found["uid"] == uid("test", "zh") == board(panel("a", 4)).uid("zh") == "tagwharf-zh-test"
    assert found["tags"] == [TAG, "zh"]
    links = found["links"]
    assert isinstance(links, list)
    assert links[0]["tags"] == [TAG, "zh"]
    assert (links[0]["includeVars"], links[0]["keepTime"], links[0]["asDropdown"]) == (True, True, True)
    assert links[1]["url"] == "${console}"
