from itertools import pairwise

import pytest

from readers.tagdata.cards import Technology
from simulator.world.car_park import (
    ENTRY,
    EXIT,
    PLACES,
    BarrierWires,
    Presentation,
    ReaderField,
    Visitor,
    presentations,
)

START_US = 1_767_225_600_000_000
LONGEST_S = 10.0
US_PER_S = 1_000_000


def made(seed: int = 3, duration_s: float = 600) -> list[Presentation]:
    return presentations(
        seed, START_US, duration_s, every_s=4.5, stay_s=4, longest_s=LONGEST_S, strangers=0.2, expired=0.1
    )


def test_the_seed_decides_everything_and_all_is_over_in_time() -> None:
    shown = made()
    assert shown == made()
    assert shown != made(4)
    assert len(shown) > 120
    assert all(START_US <= each.arrives_us < each.leaves_us <= START_US + 600 * US_PER_S for each in shown)


def test_who_enters_leaves_and_nobody_else_does() -> None:
    inside: set[str] = set()
    for each in made():
        who = each.holder.name
        if each.place == EXIT:
            inside.remove(who)
        elif each.is_granted:
            assert each.holder.is_enrolled
            assert each.holder.is_valid
            assert who not in inside
            inside.add(who)
        elif each.visitor is Visitor.AGAIN:
            assert who in inside
        else:
            assert who not in inside
            assert each.holder.is_enrolled == (each.visitor is Visitor.EXPIRED)
            assert each.holder.is_valid == (each.visitor is Visitor.STRANGER)
    assert inside == set()


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_every_kind_of_visitor_comes_in_half_a_minute(seed: int) -> None:
    assert {each.visitor for each in made(seed, 25)} >= {*Visitor} - {Visitor.STRANGER}
    assert {each.visitor for each in made(seed, 60)} == {*Visitor}


@pytest.mark.parametrize("seed", range(8))
def test_nobody_stays_for_just_the_longest_time(seed: int) -> None:
    entered_us: dict[str, int] = {}
    stays_s = []
    for each in made(seed):
        if each.is_granted and each.place == ENTRY:
            entered_us[each.holder.name] = each.at_us
        elif each.is_granted:
            stays_s.append((each.at_us - entered_us[each.holder.name]) / US_PER_S)
    assert all(abs(stay_s - LONGEST_S) >= 1.4 for stay_s in stays_s)
    assert 0.1 < sum(stay_s > LONGEST_S for stay_s in stays_s) / len(stays_s) < 0.5


def test_one_place_serves_one_car_at_a_time() -> None:
    for place in (ENTRY, EXIT):
        there = [each for each in made() if each.place == place]
        assert all(a.leaves_us < b.arrives_us for a, b in pairwise(there))


def test_field_and_wires_show_what_happens() -> None:
    shown = made()
    first = shown[0]
    reader = ReaderField([each for each in shown if each.place == ENTRY])
    assert reader.present(1, first.at_us - 1) == []
    assert reader.present(1, first.at_us) == [first.holder.card]
    assert reader.present(1, first.gone_us) == []
    wires = BarrierWires(shown)
    assert list(wires.inputs(first.at_us)) == [True, False, False, False]
    wires.set_output(1, is_on=True, now_us=first.at_us)
    assert list(wires.inputs(first.leaves_us)) == [False, False, True, False]
    assert wires.outputs() == [True, False]
    assert wires.analogue_inputs(START_US) == [PLACES]
    assert wires.analogue_inputs(first.at_us) == [PLACES - 1]
    assert wires.analogue_inputs(shown[1].at_us) == [PLACES - 1]  # the second comes with the card of the first
    assert wires.analogue_inputs(shown[-1].at_us) == [PLACES]


def test_cards_are_of_their_technology() -> None:
    card = made()[0].holder.card
    assert (card.technology, len(card.uid), card.uid[0]) == (Technology.NFC_A, 7, 0x04)
