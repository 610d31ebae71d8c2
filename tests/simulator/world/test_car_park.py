from itertools import pairwise

from readers.tagdata.cards import Technology
from simulator.world.car_park import ENTRY, EXIT, BarrierWires, ReaderField, presentations

START_US = 1_767_225_600_000_000


def made(seed: int = 3) -> list:  # type: ignore[type-arg]  # of presentations
    return presentations(seed, START_US, 600, every_s=8, stay_s=20, strangers=0.2)


def test_the_seed_decides_everything_and_all_is_over_in_time() -> None:
    shown = made()
    assert shown == made()
    assert shown != made(4)
    assert len(shown) > 60
    assert all(START_US <= each.arrives_us < each.leaves_us <= START_US + 600_000_000 for each in shown)


def test_who_leaves_has_come_before_and_strangers_never_leave() -> None:
    shown = made()
    entered = {}
    for each in shown:
        if each.place == ENTRY:
            entered[each.holder.name] = each
        else:
            assert entered[each.holder.name].at_us < each.at_us
            assert each.holder.is_enrolled
    strangers = [each for each in shown if not each.holder.is_enrolled]
    assert 0.05 < len(strangers) / len(entered) < 0.4


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
    assert wires.analogue_inputs(START_US) == [120]


def test_cards_are_of_their_technology() -> None:
    card = made()[0].holder.card
    assert (card.technology, len(card.uid), card.uid[0]) == (Technology.NFC_A, 7, 0x04)
