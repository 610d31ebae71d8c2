from __future__ import annotations

from simulator import scenario
from simulator.scenario_file import load
from simulator.world.clones import TID_MISMATCH, TWO_PLACES, Case, Course, Suspect, expected, suspects
from simulator.world.radio import Place

START_US = 1_767_225_600_000_000
COURSE = Course("east", Place(0, 0, 1), "west", Place(200, 0, 1), way_s=9, hurry_s=3)


def made(*cases: Case, seed: int = 7) -> list[Suspect]:
    return suspects(seed, COURSE, cases or list(Case), START_US, 60, 1.5)


def test_they_come_in_turn_and_are_gone_in_time() -> None:
    found = made()
    assert [each.case for each in found[:5]] == [*Case, Case.HONEST]
    assert len({each.epc for each in found}) == len(found) > 10
    assert all(stay.present_until_us <= START_US + 60_000_000 for each in found for stay in each.stays)
    assert found == made()
    assert found != made(seed=8)


def test_only_a_swapped_one_has_another_chip_and_only_a_copied_one_is_at_both_places() -> None:
    for each in made():
        first, second = each.stays
        assert first.epc == second.epc == each.epc
        assert (first.tid != second.tid) == (each.case is Case.SWAPPED)
        assert (second.present_from_us < first.present_until_us) == (each.case is Case.COPIED)
        between_s = (second.present_from_us - first.present_until_us) / 1e6
        assert (between_s == COURSE.way_s) == (each.case in {Case.HONEST, Case.SWAPPED})
        assert (between_s == COURSE.hurry_s) == (each.case is Case.TOO_FAST)
        assert second.place(0) == COURSE.second_at


def test_nothing_is_expected_of_honest_ones() -> None:
    assert list(expected(made(Case.HONEST))) == []
    found = made()
    told = list(expected(found))
    wrong = [each for each in found if each.case is not Case.HONEST]
    assert [each.match["subject"] for each in told] == [each.epc.hex().upper() for each in wrong]
    kinds = {each.case: event.type for each, event in zip(wrong, told, strict=True)}
    assert kinds == {Case.COPIED: TWO_PLACES, Case.TOO_FAST: TWO_PLACES, Case.SWAPPED: TID_MISMATCH}


def test_their_tags_are_on_the_air_with_their_tids_and_in_the_list() -> None:
    world = scenario.build(load("clones"), 7, START_US, 30)
    (swapped,) = (each for each in world.suspects[:6] if each.case is Case.SWAPPED)
    heard = [
        sighting
        for reader in ("gate-east", "gate-west")
        for sighting in world.radio(reader).heard(1, START_US, START_US + 30_000_000)
        if sighting.epc == swapped.epc
    ]
    assert {sighting.tid for sighting in heard} == {stay.tid for stay in swapped.stays}
    assert f"{swapped.epc.hex().upper()},,{swapped.name},tool" in world.assets_csv()
