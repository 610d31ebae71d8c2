from simulator.world.traffic import Lane, trucks

START_US = 1_767_225_600_000_000
LANES = [Lane("lane-1", 0.0, 0.8, 4.0), Lane("lane-2", 4.5, 0.1, 4.0)]


def test_the_seed_decides_everything() -> None:
    assert trucks(5, LANES, START_US, 120) == trucks(5, LANES, START_US, 120)
    assert trucks(5, LANES, START_US, 120) != trucks(6, LANES, START_US, 120)


def test_all_traffic_is_over_in_time_and_in_order() -> None:
    made = trucks(5, LANES, START_US, 600)
    assert len(made) > 80
    assert all(truck.present_from_us >= START_US and truck.present_until_us <= START_US + 600_000_000 for truck in made)
    assert [truck.present_from_us for truck in made] == sorted(truck.present_from_us for truck in made)
    assert len({truck.epc for truck in made}) == len(made)


def test_most_trucks_take_the_lanes_direction() -> None:
    made = trucks(5, LANES, START_US, 3600)
    inbound = [truck.direction == "in" for truck in made if truck.lane == "lane-1"]
    assert 0.7 < sum(inbound) / len(inbound) < 0.9


def test_a_truck_crosses_the_middle_when_the_truth_says() -> None:
    truck = trucks(5, LANES, START_US, 60)[0]
    assert abs(truck.place(truck.crosses_us).x_m) < 1e-9
    before = truck.place(truck.crosses_us - 1_000_000).x_m
    assert (before < 0) == (truck.direction == "in")
