from simulator.world.truck_gate import Case, visits
from simulator.world.truck_gate_truth import expected, tables
from tests.simulator.world.test_truck_gate import IN, OUT, START_US

MADE = visits(7, [IN, OUT], START_US, 120.0)


def test_each_truck_is_decided_and_has_its_receipt() -> None:
    told = list(expected(MADE))
    decisions = [each for each in told if each.type == "gate-decision"]
    receipts = [each for each in told if each.type == "gate-transaction"]
    assert len(decisions) == len(receipts) == len(MADE)
    by_case = {visit.case: each.match for visit, each in zip(MADE, decisions, strict=True)}
    assert {case: match["verdict"] for case, match in by_case.items()} == {
        Case.FINE: "open",
        Case.OVERWEIGHT: "hold",
        Case.CUSTOMS_HOLD: "hold",
        Case.NO_APPOINTMENT: "hold",
        Case.UNREADABLE: "trouble",
    }
    assert "container" not in by_case[Case.UNREADABLE]
    assert all(("weight_kg" in each.near) == (each.match["subject"] == "in") for each in decisions)


def test_a_turn_is_from_the_end_of_one_gate_to_the_end_of_the_other() -> None:
    turns = [each for each in expected(MADE) if each.type == "truck-turn"]
    assert turns
    for turn in turns:
        ends = [visit.gone_us for visit in MADE if visit.truck == turn.match["subject"]]
        assert turn.match["turn_s"] == (ends[1] - ends[0]) / 1e6


def test_every_held_container_is_told() -> None:
    held = {each.match["subject"] for each in expected(MADE) if each.type == "customs-hold"}
    assert held == {visit.container.code for visit in MADE if visit.case is Case.CUSTOMS_HOLD}


def test_the_lists_say_what_is_right_and_wrong() -> None:
    files = {name: text.splitlines() for name, text in tables(MADE).items()}
    assert set(files) == {"appointments.csv", "customs.csv", "vehicles.csv"}
    expected_ones = {line.split(",")[0] for line in files["appointments.csv"][1:]}
    assert expected_ones == {visit.container.code for visit in MADE if visit.case is not Case.NO_APPOINTMENT}
    held = {line.split(",")[0] for line in files["customs.csv"] if line.endswith("false")}
    assert held == {visit.container.code for visit in MADE if visit.case is Case.CUSTOMS_HOLD}
    trucks = [line.split(",")[0] for line in files["vehicles.csv"][1:]]
    assert len(trucks) == len(set(trucks))
    assert set(trucks) == {visit.truck for visit in MADE}
