from typing import Any

from gateway.contract.events import Event, Evidence, Scalar
from gateway.demo.truth import compare, faults, summary, types, until

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2, reads=30)
S = 1_000_000


def event(kind: str, at_us: int, subject: str = "AA", **fields: Any) -> Event:
    return Event(id="1", type=kind, at_us=at_us, subject=subject, evidence=EVIDENCE, **fields)


def passage(epc: str, lane: str, direction: str, at_us: int) -> Event:
    return event("passage", at_us, epc, zone=lane, direction=direction)


def crossing(epc: str, lane: str, direction: str, at_us: int) -> dict[str, Any]:
    return {"epc": epc, "lane": lane, "direction": direction, "crosses_us": at_us}


def weighed(at_us: int, value: Scalar) -> Event:
    return event("truck-weighed", at_us, "bridge", fields={"value": value})


def test_each_crossing_takes_one_event_and_what_is_left_is_a_ghost() -> None:
    crossings = [crossing("AA", "lane-1", "in", 10 * S), crossing("BB", "lane-2", "out", 20 * S)]
    found = compare(
        [
            passage("AA", "lane-1", "in", 10_200_000),
            passage("AA", "lane-1", "in", 10_300_000),  # the same crossing twice: one is a ghost
            passage("BB", "lane-2", "in", 20_100_000),
        ],
        {"passages": crossings},
    )
    assert found == {"passages": 2, "detected": 2, "wrong_direction": 1, "ghosts": 1}
    assert faults(found) == ["1 passages have the wrong direction", "1 passages were reported that nobody made"]


def test_an_event_in_the_wrong_lane_or_at_the_wrong_time_is_no_detection() -> None:
    found = compare(
        [passage("AA", "lane-2", "in", 10 * S), passage("AA", "lane-1", "in", 90 * S)],
        {"passages": [crossing("AA", "lane-1", "in", 10 * S)]},
    )
    assert found == {"passages": 1, "detected": 0, "wrong_direction": 0, "ghosts": 2}


def test_visits_of_stations_by_arrival_or_straight_from_the_station_before() -> None:
    visits = [{"epc": "AA", "station": "fill", "at_us": 5 * S}, {"epc": "AA", "station": "seal", "at_us": 9 * S}]
    events = [event("arrived", 5 * S, read_point="fill"), event("moved", 8 * S, read_point="seal")]
    found = compare(events, {"visits": visits})
    assert (found["visits"], found["visits_seen"], found["visits_ghosts"]) == (2, 2, 0)
    assert not faults(found)
    missed = compare([*events[:1], event("arrived", 5 * S, read_point="label")], {"visits": visits})
    assert faults(missed) == [
        "1 of 2 visits of stations were not seen",
        "1 visits of stations were reported that never were",
    ]
    of_others = compare([*events, event("arrived", 5 * S, "BB", read_point="desk")], {"visits": visits})
    assert not faults(of_others)  # a paper on a desk is no pallet


def test_cards_belong_to_their_holders() -> None:
    cards = [
        {"holder": "citizen-1", "is_enrolled": True, "reader": "entry", "at_us": 5 * S},
        {"holder": "citizen-2", "is_enrolled": False, "reader": "entry", "at_us": 15 * S},
    ]
    good = [
        event("card_presented", 5 * S, device="entry", name="citizen-1"),
        event("card_presented", 15 * S, device="entry"),
    ]
    assert not faults(compare(good, {"cards": cards}))
    swapped = [good[0], event("card_presented", 15 * S, device="entry", name="citizen-1")]
    assert faults(compare(swapped, {"cards": cards})) == ["1 cards were taken for somebody else's"]
    elsewhere = [good[0], event("card_presented", 15 * S, device="exit")]
    assert len(faults(compare(elsewhere, {"cards": cards}))) == 2


def test_a_weight_counts_when_it_is_right_and_in_time() -> None:
    weighings = [{"scale": "bridge", "gross_kg": 42_180, "stands_us": 5 * S, "moves_us": 10 * S}]
    for events, right in (
        ([weighed(7 * S, 42_200)], True),
        ([weighed(7 * S, 42_300)], False),
        ([weighed(3 * S, 42_180)], False),
        ([weighed(7 * S, "42180")], False),
        ([weighed(7 * S, 42_180), weighed(8 * S, 42_180)], False),
    ):
        assert (not faults(compare(events, {"weighings": weighings}))) is right


def test_what_had_not_happened_yet_is_not_expected() -> None:
    truth = {
        "seed": 7,
        "passages": [crossing("AA", "l", "in", 5 * S), crossing("BB", "l", "in", 15 * S)],
        "visits": [{"epc": "AA", "station": "fill", "at_us": 15 * S}],
    }
    assert until(truth, 10 * S) == {"seed": 7, "passages": truth["passages"][:1], "visits": []}  # type: ignore[index]  # a list


def test_the_summary_names_what_there_was() -> None:
    found = compare([], {"passages": [], "cards": [{"holder": "a", "is_enrolled": True, "reader": "r", "at_us": 1}]})
    assert summary(found) == "0 of 0 passages detected, 0 with the wrong direction, 0 ghosts; 0 of 1 cards"


def concluded(at_us: int, verdict: str, lane: str = "lane-1", weight_kg: float = 31_000.0) -> Event:
    return event("gate-decision", at_us, lane, fields={"verdict": verdict, "weight_kg": weight_kg})


def decision(at_us: int, verdict: str, kind: str = "gate decisions") -> dict[str, Any]:
    match = {"subject": "lane-1", "verdict": verdict, "weight_kg": 31_010.0}
    near = {"weight_kg": 20.0}
    return {"kind": kind, "type": "gate-decision", "at_us": at_us, "within_us": S, "match": match, "near": near}


def test_what_the_rules_conclude_is_counted_by_kind() -> None:
    truth = {"expected": [decision(5 * S, "open"), decision(50 * S, "hold", "refusals")]}
    events = [concluded(5 * S, "open"), concluded(50 * S, "hold"), concluded(50 * S, "hold")]
    found = compare(events, truth)
    assert found["concluded"] == {
        "gate decisions": {"happened": 1, "seen": 1, "ghosts": 1},
        "refusals": {"happened": 1, "seen": 1, "ghosts": 0},
    }
    assert faults(found) == ["1 gate decisions were concluded that never were"]
    assert summary(found).endswith("1 of 1 gate decisions; 1 of 1 refusals")
    assert types(truth)[-1] == "gate-decision"


def test_a_conclusion_must_say_what_was_expected() -> None:
    truth = {"expected": [decision(5 * S, "open")]}
    for wrong in (
        concluded(7 * S, "open"),
        concluded(5 * S, "hold"),
        concluded(5 * S, "open", "lane-2"),
        concluded(5 * S, "open", weight_kg=30_000.0),
        event("gate-decision", 5 * S, "lane-1", fields={"verdict": "open"}),
    ):
        assert faults(compare([wrong], truth)) == [
            "1 of 1 gate decisions were not concluded",
            "1 gate decisions were concluded that never were",
        ]
    assert until(truth, 4 * S)["expected"] == []


def test_what_is_never_right_is_counted() -> None:
    happened = {"passages": [], "never": ["barrier-unmatched"]}
    assert "barrier-unmatched" in types(happened)
    assert compare([], happened)["never"] == {"barrier-unmatched": 0}
    assert not faults(compare([], happened))
    found = compare([event("barrier-unmatched", 5 * S)] * 2, happened)
    assert faults(found) == ["2 events barrier-unmatched were made; none is right"]
