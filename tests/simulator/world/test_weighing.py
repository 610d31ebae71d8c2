from decimal import Decimal
from itertools import pairwise

from simulator.world.weighing import STEP_KG, TREMBLE_KG, Bridge, weighings

START_US = 1_767_225_600_000_000


def test_the_seed_decides_everything_and_all_is_over_in_time() -> None:
    made = weighings(3, START_US, 600, 15)
    assert made == weighings(3, START_US, 600, 15)
    assert len(made) > 25
    assert all(START_US <= each.on_us < each.off_us <= START_US + 600_000_000 for each in made)
    assert all(a.off_us < b.on_us for a, b in pairwise(made))
    assert all(each.gross_kg % STEP_KG == 0 for each in made)


def test_a_truck_stands_still_after_it_has_come_on() -> None:
    (truck, *_) = made = weighings(3, START_US, 600, 15)
    bridge = Bridge(3, made)
    assert bridge.weight(truck.on_us - 1).gross_kg == 0
    assert not bridge.weight(truck.on_us + 1_000_000).is_stable
    for at_us in range(truck.stands_us, truck.moves_us, 100_000):
        weight = bridge.weight(at_us)
        assert weight.is_stable
        assert abs(weight.gross_kg - truck.gross_kg) <= 2 * TREMBLE_KG
    assert bridge.weight(truck.moves_us + 1_000_000).gross_kg < Decimal(truck.gross_kg)
