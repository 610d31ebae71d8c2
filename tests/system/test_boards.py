"""Every query of every board on a real InfluxDB 1.6.7, filled by the product: what a board shows is what was true.

One site is the demonstration: devices, daemons and sink as they are. The other is a day in virtual time of what no
simulated device plays so far: a yard, reefers, energy books, shifts of a machine. Who made the day counted.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.boards.catalogue import boards
from gateway.boards.installing.alerting import RULES
from tests.support.board_answers import DAY_MS, Asking, Frame, shown
from tests.support.board_day import CARDS, INTERVAL_S, REEFERS, SITE
from tests.support.board_store import DEMO_SITE, Filled, filled

DEMO_S: Final = 36.0
HOURS: Final = 6
ENGLISH: Final[dict[str, dict[str, Any]]] = {
    path.removeprefix("en/").removesuffix(".json"): board for path, board in boards().items() if path.startswith("en/")
}
EMPTY: Final[dict[tuple[str, str], str]] = {
    ("overview", "Dropped"): "nothing is dropped in a run that goes well",
    ("platform", "Dropped"): "the same",
    ("platform", "Dropped by reason"): "the same",
    ("power", "Intervals by how they came to their energy"): "every boundary was read: all but the first are of gaps",
    ("readers", "Read rate, a day before"): "a day before, neither site was there",
    ("readers", "Read rate now and in the week before"): "the week before began with what is shown",
    ("yard", "Temperatures"): "no simulated meter tells a temperature",
}
"""Panels of which some query finds nothing here, and why."""
RARE: Final[dict[tuple[str, str], str]] = {
    ("platform", "Heard a second"): "a growth needs two steps of 30 s, and the demonstration does not always have two",
    ("platform", "Refused by stores"): "the same",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with filled(tmp_path_factory.mktemp("boards"), demo_s=DEMO_S, hours=HOURS) as running:
        yield running


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in ENGLISH[name]["panels"] if panel["type"] != "row"]


def panel_of(name: str, title: str, board: dict[str, Any] | None = None) -> dict[str, Any]:
    found = [each for each in (board or ENGLISH[name])["panels"] if each["title"] == title]
    assert found, f"{name} has no panel {title!r}"
    panel: dict[str, Any] = found[0]
    return panel


def frames(asking: Asking, name: str, title: str) -> list[Frame]:
    return asking.opened(ENGLISH[name]).frames(panel_of(name, title))


def numbers(asking: Asking, name: str, title: str, board: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a stat, a gauge or bars show."""
    panel = panel_of(name, title, board)
    return shown(panel, asking.opened(ENGLISH[name]).frames(panel))


def number(asking: Asking, name: str, title: str, board: dict[str, Any] | None = None) -> Any:
    """The one number of a stat; what stands for nothing is 0."""
    found = list(numbers(asking, name, title, board).values())
    assert len(found) <= 1, found
    return found[0] if found else 0


def sums(asking: Asking, name: str, title: str) -> dict[str, Any]:
    """The sum of each curve."""
    made: dict[str, Any] = {}
    for frame in frames(asking, name, title):
        values = [value for value in frame.columns[1].values if value is not None]
        made[frame.columns[1].name] = made.get(frame.columns[1].name, 0) + sum(values)
    return made


def rows(asking: Asking, name: str, title: str) -> list[dict[str, Any]]:
    found = frames(asking, name, title)
    return found[0].rows() if found else []


def percentile(values: list[float], percent: int) -> float:
    """As InfluxQL has it: the nearest rank."""
    return sorted(values)[math.floor(len(values) * percent / 100 + 0.5) - 1]


# --- every query ---


@pytest.mark.parametrize("name", ENGLISH)
def test_every_query_is_answered_whatever_is_chosen(store: Filled, name: str) -> None:
    everything = store.asking()
    offered = everything.variables(ENGLISH[name])
    choices = [everything.opened(ENGLISH[name])]
    choices += [
        Asking(store.influx, everything.database, everything.from_ms, everything.to_ms, chosen)
        for chosen in (
            {variable: tuple(values[:1]) for variable, values in offered.items()},
            {variable: tuple(values) for variable, values in offered.items()},
            dict.fromkeys(offered, ("a.b/c|(d", "no'body")),  # signs of regular expressions in values
        )
    ]
    for asking in choices:
        for panel in panels(name):
            for target in panel["targets"]:
                list(asking.answers(panel, target))  # an error of the store raises


@pytest.mark.parametrize("name", ENGLISH)
def test_what_is_chosen_as_all_and_one_by_one_is_the_same(store: Filled, name: str) -> None:
    everything = store.asking().opened(ENGLISH[name])
    offered = {variable: tuple(values) for variable, values in everything.variables(ENGLISH[name]).items()}
    offered.pop("site")
    one_by_one = Asking(store.influx, everything.database, everything.from_ms, everything.to_ms, offered)
    for panel in panels(name):
        if panel["type"] == "stat" and name != "car-park":  # an area is a part of the name of its rules
            assert shown(panel, one_by_one.frames(panel)) == shown(panel, everything.frames(panel)), panel["title"]


def test_the_boards_in_chinese_ask_the_same() -> None:
    for path, board in boards().items():
        if path.startswith("zh/"):
            other = ENGLISH[path.removeprefix("zh/").removesuffix(".json")]
            asked = [[target["query"] for target in panel.get("targets", [])] for panel in board["panels"]]  # type: ignore[attr-defined]  # JSON
            assert asked == [[target["query"] for target in panel.get("targets", [])] for panel in other["panels"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_query_of_alert_rules_is_answered(store: Filled, rule: Any) -> None:
    bound = f"time >= {store.end_ms - 1000 * rule.within_s}ms and time <= {store.end_ms}ms"
    for query in rule.queries.values():
        store.influx.query("boards", query.replace("$timeFilter", bound))


def test_what_stays_empty_is_known(store: Filled) -> None:
    asking = store.asking()
    empty = set()
    for name, board in ENGLISH.items():
        opened = asking.opened(board)
        empty |= {
            (name, panel["title"])
            for panel in panels(name)
            if not all(list(opened.answers(panel, target)) for target in panel["targets"])
        }
    assert empty - RARE.keys() == EMPTY.keys()


@pytest.mark.parametrize(
    ("name", "title", "old", "new"),
    [
        ("port-gate", "Trucks through", '"id"', '"ident"'),
        ("factory", "Good units", '"good"', '"fine"'),
        ("power", "Energy", '"energy")', '"energie")'),
        ("yard", "Moves", "'yard-move'", "'yard_move'"),
    ],
)
def test_a_renamed_field_or_event_is_noticed(store: Filled, name: str, title: str, old: str, new: str) -> None:
    asking = store.asking(SITE)
    right = number(asking, name, title)
    board = copy.deepcopy(ENGLISH[name])
    panel = panel_of(name, title, board)
    for target in panel["targets"]:
        assert old in target["query"]
        target["query"] = target["query"].replace(old, new)
    assert right > 0
    assert number(asking, name, title, board) == 0


# --- the day: what was true was counted when it was made up ---


def test_gate_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    verdicts = {
        verdict: sum(count for (_, each), count in truth.verdicts.items() if each == verdict)
        for verdict in ("open", "hold", "trouble")
    }
    trucks = sum(verdicts.values())
    assert trucks > 100
    assert number(asking, "port-gate", "Trucks through") == number(asking, "overview", "Trucks through") == trucks
    assert number(asking, "port-gate", "Opened") == verdicts["open"]
    assert number(asking, "port-gate", "Held") == verdicts["hold"]
    assert number(asking, "port-gate", "In trouble") == verdicts["trouble"]
    assert number(asking, "overview", "Held or in trouble") == verdicts["hold"] + verdicts["trouble"]
    by_lane = dict.fromkeys((f"gate-{lane}" for lane, _ in truth.verdicts), 0)
    for (lane, _), count in truth.verdicts.items():
        by_lane[f"gate-{lane}"] += count
    assert sums(asking, "port-gate", "Trucks an hour") == by_lane
    assert sums(asking, "port-gate", "Verdicts an hour") == verdicts
    last = {row["rule"]: row for row in rows(asking, "port-gate", "What each lane decided last")}
    assert {rule: row["decisions"] for rule, row in last.items()} == by_lane
    assert last["gate-lane-2"]["verdict"] == "open"
    decided = rows(asking, "port-gate", "Decisions")
    assert len(decided) == 50
    assert {row["weight_kg"] for row in decided if row["weight_kg"]} <= set(truth.weights_kg)
    heaviest = [frame.columns[1].values for frame in frames(asking, "port-gate", "Weights")]
    assert max(value for values in heaviest for value in values if value) == max(truth.weights_kg)
    exceptions = numbers(asking, "port-gate", "Exceptions by rule")
    assert exceptions["gate-lane-1-refused"] == truth.exceptions > 5


def test_times_of_trucks_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    assert number(asking, "port-gate", "Turn time") == pytest.approx(percentile(truth.turns_s, 50), abs=1)
    assert number(asking, "port-gate", "Queue time") == pytest.approx(percentile(truth.queues_s, 90), abs=5)
    longest = [
        frame for frame in frames(asking, "port-gate", "Turn time of trucks") if "longest" in frame.columns[1].name
    ]
    assert max(value for value in longest[0].columns[1].values if value) == pytest.approx(max(truth.turns_s), abs=1)


def test_yard_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    assert number(asking, "yard", "Moves") == number(asking, "overview", "Yard moves") == truth.moves > 10
    assert sums(asking, "yard", "Moves an hour") == {"block-b": truth.moves}
    assert number(asking, "yard", "Became overdue") == truth.overdue == 1
    assert number(asking, "yard", "Seals opened") == 1
    assert number(asking, "yard", "Reefer alarms") == 2
    moved = [row for row in rows(asking, "yard", "Moves, overdue containers and seals") if row["event"] == "yard-move"]
    assert len(moved) == truth.moves
    assert {(row["zone"], row["area"]) for row in moved} == {("block-b", "block-a")}
    told = {row["subject"]: row for row in rows(asking, "yard", "Reefers that were told")}
    assert told.keys() == {"reefer-1", "reefer-2"}
    assert told["reefer-1"]["reefer_set_point_celsius"] == REEFERS["reefer-1"]
    assert told["reefer-1"]["value"] > REEFERS["reefer-1"] + 2
    contacts = {
        frame.columns[1].name: frame.columns[1].values for frame in frames(asking, "yard", "Power and other contacts")
    }
    assert contacts == {"reefer-1 power": [True], "reefer-2 power": [True, False, True], "reefer-3 power": [True]}
    temperatures = {frame.columns[1].name: frame.columns[1].values for frame in frames(asking, "yard", "Temperatures")}
    assert temperatures.keys() == REEFERS.keys()
    standing = {row["rule (first)"] for row in rows(asking, "yard", "Alarms that stand")}
    assert "gate-seal" in standing


def test_energy_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    table = {(row["meter"], row["tariff"]): row for row in rows(asking, "power", "Energy and cost")}
    by_tariff = {tariff: row["energy"] for (meter, tariff), row in table.items() if meter == "mains" and tariff}
    assert by_tariff == truth.energy_wh  # registers show whole watt-hours, and so do books
    whole = sum(truth.energy_wh.values())
    assert table["mains", ""]["energy"] == whole
    prices = {"peak": 1.15, "flat": 0.72, "valley": 0.35}
    for tariff, energy_wh in truth.energy_wh.items():
        assert table["mains", tariff]["cost"] == pytest.approx(energy_wh / 1000 * prices[tariff])
    assert sums(asking, "power", "Energy by tariff") == truth.energy_wh
    assert sums(asking, "power", "Energy by meter")["mains"] == whole
    demands = next(f for f in frames(asking, "power", "Demand of intervals") if f.columns[1].name == "mains block")
    found = [value for value in demands.columns[1].values if value is not None]
    assert found == pytest.approx(truth.demands_w)
    books = sums(asking, "power", "Intervals by how they came to their energy")
    assert books == {"measured: both ends were read": 4 * HOURS * 3600 // INTERVAL_S}
    assert numbers(asking, "power", "Load").keys() == {"mains", "cranes", "reefer-row", "loom-meter"}


def test_factory_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    assert number(asking, "factory", "Routes complete") == truth.complete > 50
    assert number(asking, "factory", "Routes incomplete") == number(asking, "overview", "Routes incomplete")
    assert number(asking, "factory", "Routes incomplete") == truth.incomplete > 0
    missed = {row["missing"] for row in rows(asking, "factory", "Routes that were incomplete")}
    assert missed == {"label"}
    wrong = numbers(asking, "factory", "Missed, out of order, too slow, stuck")
    assert wrong["station-skipped hall-line-1-skipped-label"] == truth.incomplete
    assert number(asking, "factory", "Good units") == truth.good
    assert number(asking, "factory", "Stops") == truth.stops > 0
    good = truth.good / (truth.good + truth.bad)
    assert number(asking, "factory", "Quality") == pytest.approx(good, abs=0.01)
    availability = 1 - truth.stops * 6 * 60 / (HOURS * 3600)
    assert number(asking, "factory", "Availability") == pytest.approx(availability, abs=0.01)
    (states,) = frames(asking, "factory", "States")
    assert states.columns[1].values == ["execute", *["stopped", "execute"] * truth.stops]
    assert sum(row["stood"] for row in rows(asking, "factory", "Why machines stood")) == pytest.approx(
        truth.stops * 360, abs=30
    )


def test_car_park_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    assert number(asking, "car-park", "Inside") == number(asking, "overview", "Inside") == truth.inside > 0
    assert number(asking, "car-park", "Free") == 60 - truth.inside
    assert number(asking, "car-park", "Refused") == number(asking, "overview", "Refused") == truth.refused
    assert number(asking, "car-park", "Entries") == truth.granted - truth.visits
    flow = sums(asking, "car-park", "Entries and exits an hour")
    assert flow == {"entries": truth.granted - truth.visits, "exits": truth.visits}
    assert number(asking, "car-park", "Passed as nobody can") == truth.violations
    assert number(asking, "car-park", "Stay too long") == truth.overstays > 0
    assert number(asking, "car-park", "Barriers without a card") == 1
    decided = rows(asking, "car-park", "Decisions at entries")
    assert {row["verdict"] for row in decided} == {"granted", "refused"}
    assert {row["name"] for row in decided} <= {f"Holder {card}" for card in range(CARDS)}


def test_readers_of_the_day(store: Filled) -> None:
    asking, truth = store.asking(SITE), store.truth
    table = {row["read_point"]: row for row in rows(asking, "readers", "Read rate now and in the week before")}
    assert table.keys() == set(truth.reads)
    length_s = (store.end_ms - asking.from_ms) / 1000 - 3600
    for point in ("lane-1-tags", "block-b-tags"):  # watched all the time
        assert table[point]["now"] == pytest.approx(truth.reads[point] / length_s, rel=0.05)
    states = {frame.columns[1].name: frame.columns[1].values for frame in frames(asking, "readers", "States")}
    assert states["line-tags"] == ["online", "offline", "online"]
    assert number(asking, "readers", "Devices not online") == 0
    reconnects = {frame.columns[1].name: frame.columns[1].values for frame in frames(asking, "readers", "Reconnects")}
    assert [value for value in reconnects["line-tags"] if value is not None] == [0, 0, 1]


def test_a_reader_is_measured_by_itself_in_the_week_before_and_a_day_before(store: Filled) -> None:
    asking = store.asking(SITE, hours=1)
    for row in rows(asking, "readers", "Read rate now and in the week before"):
        assert row["share"] == pytest.approx(row["now"] / row["before"])
        assert 0.2 < row["share"] < 5
    tomorrow = store.asking(SITE, later_ms=DAY_MS)
    points = {frame.columns[1].name for frame in frames(tomorrow, "readers", "Read rate, a day before")}
    assert points == set(store.truth.reads)


# --- the demonstration: what its own report says, which compares it with the simulated world ---


def concluded(store: Filled, *kinds: str) -> int:
    """Events of these kinds, all kinds of one type together: those that stand for something, and those that do not."""
    found = store.report["truth"]["concluded"]
    return sum(found[kind]["seen"] + found[kind]["ghosts"] for kind in kinds if kind in found)


def test_events_of_the_demonstration(store: Filled) -> None:
    asking, events = store.asking(DEMO_SITE), store.report["events"]
    gate = sum(number(asking, "port-gate", title) for title in ("Opened", "Held", "In trouble"))
    assert gate == concluded(store, "gate decisions") == events["gate-decision"] > 0
    assert number(asking, "port-gate", "Trucks through") == concluded(store, "gate transactions") > 0
    assert number(asking, "factory", "Routes complete") == concluded(store, "completed routes") > 0
    assert number(asking, "factory", "Routes incomplete") == events.get("route-incomplete", 0)
    missed = numbers(asking, "factory", "Missed, out of order, too slow, stuck")
    skipped = sum(count for rule, count in missed.items() if rule.startswith("station-skipped"))
    assert skipped == concluded(store, "skipped stations") > 0
    flow = sums(asking, "car-park", "Entries and exits an hour")
    assert flow.get("entries", 0) == events.get("parking-entry", 0) > 0
    assert flow.get("exits", 0) == events.get("parking-visit", 0)
    assert 0 < number(asking, "car-park", "Refused") < events["access-decision"]


def test_meters_and_devices_of_the_demonstration(store: Filled) -> None:
    asking, report = store.asking(DEMO_SITE), store.report
    assert numbers(asking, "power", "Load").keys() == report["meters"].keys()
    assert numbers(asking, "power", "Power that must go")["mains"] > 0  # a large machine was switched on
    told = {row["device"]: row["driver"] for row in rows(asking, "readers", "Devices now")}
    assert {each["device"]: each["driver"] for each in report["devices"]}.items() <= told.items()
    voltages = {frame.columns[1].name: frame.columns[1].values for frame in frames(asking, "power", "Voltage")}
    assert min(value for value in voltages["cooling b"] if value is not None) < 100  # its fuse blew
    assert min(value for value in voltages["cooling a"] if value is not None) > 200


def test_platform_of_the_demonstration(store: Filled) -> None:
    asking, ledger = store.asking(DEMO_SITE), store.report["ledger"]
    assert number(asking, "platform", "Ledgers that differ") == 0
    kinds = {row["kind"]: row for row in rows(asking, "platform", "Ledger of each gateway")}
    assert kinds.keys() == {"reads", "cards", "readings", "signals"}
    for kind, name in (("reads", "tag_reads"), ("cards", "cards"), ("readings", "readings"), ("signals", "signals")):
        row = kinds[kind]
        assert row["balanced"] is True
        assert row["heard"] == row["judged"] + row["dropped"] + row["waiting"] + row["unjudged"]
        assert 0.3 * ledger[name]["heard"] < row["heard"] <= ledger[name]["heard"]
    stores = {row["sink"]: row for row in rows(asking, "platform", "Stores")}
    assert stores.keys() == {"events", "influx"}
    assert all(row["made"] == row["stored"] + row["refused"] + row["queued"] for row in stores.values())
    assert number(asking, "platform", "Latency") > 0
    assert 0 < number(asking, "platform", "Rules daemon") < 1
    costly = rows(asking, "platform", "Rules that cost the most")
    assert [row["busy_ms"] for row in costly] == sorted((row["busy_ms"] for row in costly), reverse=True)
    (events,) = {sum(row["events"] for row in costly)}
    assert 0 < events <= sum(store.report["events"].values())
