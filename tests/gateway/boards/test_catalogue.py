"""Rules that every board keeps, those of Grafana's own linter among them."""

import json
import re
from typing import Any

import pytest

from gateway.boards import catalogue
from gateway.boards.making.looks import Unit
from gateway.contract.measurements import MEASUREMENTS
from gateway.contract.quantities import UNITS
from rules.sinks.cardinality import IDENTITY_WORDS
from tests.support.board_checks import asked, queries

BOARDS: dict[str, Any] = catalogue.boards()
NAMES = ("car-park", "factory", "overview", "platform", "port-gate", "power", "readers", "yard")
OF_GRAFANA = {"__interval", "__interval_ms", "__from", "timeFilter"}
PANEL_UNITS = {
    "W": {Unit.WATT}, "V": {Unit.VOLT}, "A": {Unit.AMPERE}, "Hz": {Unit.HERTZ}, "%": {Unit.PERCENT},
    "°C": {Unit.CELSIUS}, "1": {Unit.SHORT}, "Wh": {Unit.WATT_HOURS, Unit.COUNT, Unit.MONEY, Unit.TEXT},
}  # fmt: skip


def targets(board: Any) -> list[Any]:
    return [target for panel in board["panels"] for target in panel.get("targets", [])]


def drawn(board: Any) -> list[Any]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_all_boards_are_there_in_both_languages() -> None:
    assert sorted(BOARDS) == sorted(f"{language}/{name}.json" for language in ("en", "zh") for name in NAMES)
    assert tuple(catalogue.found()) == NAMES


def test_files_are_the_same_every_time_and_end_with_a_line() -> None:
    assert catalogue.documents() == catalogue.documents()
    for path, text in catalogue.documents().items():
        assert text.endswith("}\n")
        assert json.loads(text) == BOARDS[path.relative_to(catalogue.FOLDER).as_posix()]


def test_addresses_are_unique() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    assert all(len(board["uid"]) <= 40 for board in BOARDS.values())


def test_links_lead_to_boards_of_the_same_language() -> None:
    for path, board in BOARDS.items():
        there = {each["uid"] for other, each in BOARDS.items() if other[:2] == path[:2]}
        for panel in drawn(board):
            for link in panel.get("links", []):
                assert re.fullmatch(r"/d/([a-z-]+)\?.*", link["url"])
                assert link["url"][3:].split("?")[0] in there


@pytest.mark.parametrize("path", BOARDS)
def test_a_board_as_a_whole(path: str) -> None:
    board = BOARDS[path]
    assert board["title"]
    assert board["description"]
    assert (board["editable"], board["refresh"], board["timezone"]) == (False, "10s", "browser")
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", BOARDS)
def test_every_panel_says_what_it_is_in_which_unit_from_the_chosen_store(path: str) -> None:
    for panel in drawn(BOARDS[path]):
        assert panel["title"], panel
        assert panel["description"].endswith((".", "。", "）")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert panel["datasource"] == {"type": "influxdb", "uid": "${store}"}
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["query"].startswith("SELECT ")
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


@pytest.mark.parametrize("path", BOARDS)
def test_titles_within_a_board_differ(path: str) -> None:
    titles = [panel["title"] for panel in drawn(BOARDS[path])]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.parametrize("path", BOARDS)
def test_panels_do_not_overlap_and_stand_in_the_order_in_which_they_are_read(path: str) -> None:
    taken: set[tuple[int, int]] = set()
    order = []
    for panel in BOARDS[path]["panels"]:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        assert x + w <= 24
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
        order.append((y, x))
    assert order == sorted(order)


@pytest.mark.parametrize("path", BOARDS)
def test_variables_are_used_and_defined(path: str) -> None:
    board = BOARDS[path]
    defined = {each["name"] for each in board["templating"]["list"]}
    texts = [target["query"] for target in targets(board)]
    used = {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)} - OF_GRAFANA
    assert used <= defined
    assert defined - used <= {"store", "console"}
    assert "${console}" in json.dumps(board)


@pytest.mark.parametrize("path", BOARDS)
def test_every_query_is_bound_in_time_and_cheap(path: str) -> None:
    for target in targets(BOARDS[path]):
        text = target["query"]
        assert "$timeFilter" in text or ("time >= ${__from}ms - 7d" in text and "time < ${__from}ms" in text)
        assert "*" not in re.sub(r"/[^/]*/|\* 1000", "", text), text
        bound = re.search(r"LIMIT \d+$", text) or re.search(r"SELECT [a-z_]+\(", text)
        assert bound, text


@pytest.mark.parametrize("path", BOARDS)
def test_queries_name_what_the_schema_has_and_group_by_no_identity(path: str) -> None:
    for target in targets(BOARDS[path]):
        text = target["query"]
        name = re.findall(r'FROM "(\w+)"', text)[0]
        known = MEASUREMENTS[name]
        grouped = re.findall(r'"(\w+)"', text.split(" GROUP BY ")[1]) if " GROUP BY " in text else []
        assert set(grouped) <= set(known.tags)
        assert not IDENTITY_WORDS & {word for tag in grouped for word in (tag, *tag.split("_"))}
        for column in re.findall(r'"(\w+)" (?:=|!=|=~|!~) ', text):
            assert column in {*known.tags, *known.fields}
        for column in re.findall(r'\("(\w+)"', text.split(" FROM ")[0]):
            assert column in known.fields


def test_quantities_exist_and_stand_in_their_unit() -> None:
    for board in catalogue.found().values():
        for panel, query in queries(board):
            for quantity in asked(query.text, "quantity"):
                assert quantity in UNITS, panel.title
                assert panel.unit in PANEL_UNITS[UNITS[quantity]], panel.title


def test_languages_differ_in_texts_alone() -> None:
    for name in NAMES:
        english, chinese = targets(BOARDS[f"en/{name}.json"]), targets(BOARDS[f"zh/{name}.json"])
        assert [each["query"] for each in english] == [each["query"] for each in chinese]
        assert re.search("[\u4e00-\u9fff]", BOARDS[f"zh/{name}.json"]["title"])
        assert not re.search("[\u4e00-\u9fff]", json.dumps(BOARDS[f"en/{name}.json"], ensure_ascii=False))
