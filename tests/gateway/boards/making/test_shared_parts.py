from gateway.boards.making.looks import Column
from gateway.boards.making.queries import is_
from gateway.boards.making.shared_parts import (
    divided,
    figure,
    joined,
    largest_first,
    last_events,
    newest_of,
    number_of_alarms,
    only,
    standing_alarms,
    three_of,
)
from tests.support.board_checks import told


def test_an_alarm_stands_when_its_newest_change_says_so() -> None:
    for panel in (standing_alarms(), number_of_alarms()):
        assert panel.queries[0].text.endswith("ORDER BY time DESC LIMIT 1000")
        assert panel.transformations[0]["id"] == "groupBy"
        assert panel.transformations[1] == only("state (first)", value="raised")
        assert panel.time_from == "30d"


def test_rows_are_kept_or_left_out_by_value() -> None:
    kept, left = only("state", value="online")["options"], only("balanced", value=True, is_not=True)["options"]
    assert isinstance(kept, dict)
    assert isinstance(left, dict)
    assert (kept["type"], left["type"]) == ("include", "exclude")
    assert left["filters"][0]["config"]["options"]["value"] is True


def test_events_are_told_with_what_is_asked_for_and_no_more() -> None:
    column = Column("verdict", "Verdict")
    panel = last_events("t", "d", ("gate-decision",), shown=(Column("rule", "Lane"),), told=(column,), limit=5)
    assert panel.queries[0].text.startswith('SELECT "rule", "fields", "id" FROM "event"')
    assert told(panel) == {"verdict"}
    assert [each.name for each in panel.columns] == ["Time", "rule", "verdict", "id"]
    assert last_events("t", "d", ("x",), shown=(Column("subject", "About"),)).transformations == ()


def test_what_grafana_does_to_an_answer() -> None:
    assert joined("a")["id"] == "joinByField"
    assert divided("a", "b", "c")["options"] == {
        "mode": "binary",
        "binary": {"left": "a", "operator": "/", "right": "b"},
        "alias": "c",
        "replaceFields": False,
    }
    assert [each["id"] for each in largest_first("a", 3)] == ["sortBy", "limit"]
    assert newest_of("id", "state")["options"] == {
        "fields": {
            "id": {"aggregations": [], "operation": "groupby"},
            "state": {"aggregations": ["first"], "operation": "aggregate"},
        }
    }


def test_three_curves_of_one_figure() -> None:
    assert figure("a", "b", is_("zone", "z"))[-1] == is_("zone", "z")
    functions = [query.text.split("(")[0] for query in three_of("a", "b")]
    assert functions == ["SELECT percentile", "SELECT percentile", "SELECT max"]
