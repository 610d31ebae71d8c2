from collections.abc import Callable

import pytest

from gateway.boards.making import panels
from gateway.boards.making.looks import NONE_IS_GOOD, PLAIN, Color, Column, Json, State, Unit
from gateway.boards.making.queries import count, last, series, single, states, sums

PLACE: Json = {"x": 0, "y": 0, "w": 4, "h": 4}
COUNT = single("event", count("id"), alias="moves")
EACH = series("event", count("id"), by=("zone",), alias="$tag_zone")
TABLE = sums("sink", {"made": last("made")}, by=("sink",))


def made(panel: panels.Panel) -> Json:
    return panel.json(lambda text: f"<{text}>", 7, PLACE, lambda name: f"uid-{name}")


def defaults(panel: panels.Panel) -> Json:
    config = made(panel)["fieldConfig"]
    assert isinstance(config, dict)
    found = config["defaults"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("stat", lambda: panels.stat("t", "d", Unit.COUNT, COUNT, steps=PLAIN)),
        ("gauge", lambda: panels.gauge("t", "d", Unit.SHARE, COUNT, steps=PLAIN, fewest=0, most=1)),
        ("bargauge", lambda: panels.bars("t", "d", Unit.WATT, COUNT, steps=PLAIN)),
        ("timeseries", lambda: panels.curves("t", "d", Unit.WATT, EACH)),
        ("table", lambda: panels.table("t", "d", TABLE, columns=(Column("sink", "Store"),))),
        ("state-timeline", lambda: panels.timeline("t", "d", COUNT, states=(State("a", "b", Color.GOOD),))),
    ],
)
def test_every_kind_says_what_it_is(kind: str, make: Callable[[], panels.Panel]) -> None:
    found = made(make())
    assert (found["type"], found["id"], found["gridPos"]) == (kind, 7, PLACE)
    assert (found["title"], found["description"]) == ("<t>", "<d>")
    assert found["datasource"] == {"type": "influxdb", "uid": "${store}"}
    assert defaults(make())["unit"]


def test_targets_are_lettered_and_their_words_are_translated() -> None:
    found = made(panels.curves("t", "d", Unit.COUNT, COUNT, EACH))["targets"]
    assert isinstance(found, list)
    assert [each["refId"] for each in found] == ["A", "B"]
    assert [each["alias"] for each in found] == ["<moves>", "$tag_zone"]
    assert [each["resultFormat"] for each in found] == ["time_series"] * 2
    assert found[0]["query"] == COUNT.text
    assert found[0]["rawQuery"] is True


def test_a_table_shows_its_columns_in_their_order_and_no_others() -> None:
    panel = panels.table("t", "d", TABLE, columns=(Column("sink", "Store"), Column("made", "Made")), nothing="None")
    transformations = made(panel)["transformations"]
    assert transformations == [
        {"id": "filterFieldsByName", "options": {"include": {"names": ["sink", "made"]}}},
        {
            "id": "organize",
            "options": {"excludeByName": {}, "renameByName": {}, "indexByName": {"sink": 0, "made": 1}},
        },
    ]
    assert defaults(panel)["noValue"] == "<None>"


def test_a_number_that_stands_for_nothing_is_no_word() -> None:
    panel = panels.stat("t", "d", Unit.COUNT, COUNT, steps=NONE_IS_GOOD, nothing="0")
    assert defaults(panel)["noValue"] == "0"
    assert "noValue" not in defaults(panels.stat("t", "d", Unit.COUNT, COUNT, steps=PLAIN))


def test_a_judged_number_is_seen_from_far_away() -> None:
    judged = made(panels.stat("t", "d", Unit.COUNT, COUNT, steps=NONE_IS_GOOD, of="id"))["options"]
    plain = made(panels.stat("t", "d", Unit.COUNT, COUNT, steps=PLAIN))["options"]
    assert isinstance(judged, dict)
    assert isinstance(plain, dict)
    assert (judged["colorMode"], plain["colorMode"]) == ("background", "value")
    assert judged["reduceOptions"]["fields"] == "/^id$/"
    assert plain["reduceOptions"]["fields"] == ""


def test_times_of_their_own_and_the_way_to_the_board() -> None:
    curve = made(panels.curves("t", "d", Unit.COUNT, EACH, time_shift="1d", step="1m", leads_to="yard"))
    assert (curve["timeShift"], curve["interval"]) == ("1d", "1m")
    assert curve["links"] == [{"title": "<More of it>", "url": f"/d/uid-yard?{panels.SAME}", "targetBlank": False}]
    number = made(panels.stat("t", "d", Unit.COUNT, COUNT, steps=PLAIN, time_from="30d"))
    assert number["timeFrom"] == "30d"
    assert number.keys().isdisjoint({"timeShift", "interval", "links", "transformations"})


def test_a_time_line_is_drawn_from_the_oldest_on() -> None:
    line = states("signal", "text", by=("device",), alias="$tag_device", limit=5)
    panel = panels.timeline("t", "d", line, states=(State("a", "b", Color.GOOD),))
    assert made(panel)["transformations"] == [panels.OLDEST_FIRST]


def test_curves_are_drawn_as_asked() -> None:
    bars = defaults(panels.curves("t", "d", Unit.COUNT, EACH, draw="bars", stacked=True))["custom"]
    steps = defaults(panels.curves("t", "d", Unit.COUNT, EACH, stepped=True, steps=NONE_IS_GOOD))["custom"]
    points = defaults(panels.curves("t", "d", Unit.COUNT, EACH, draw="points"))["custom"]
    assert isinstance(bars, dict)
    assert isinstance(steps, dict)
    assert isinstance(points, dict)
    assert (bars["drawStyle"], bars["stacking"]["mode"], bars["thresholdsStyle"]["mode"]) == ("bars", "normal", "off")
    assert (steps["lineInterpolation"], steps["thresholdsStyle"]["mode"]) == ("stepAfter", "line")
    assert (points["showPoints"], points["fillOpacity"]) == ("always", 0)
