from simulator.world.containers import container
from simulator.world.radio import Antenna, GateRadio, Place
from simulator.world.traffic import Truck

START_US = 1_767_225_600_000_000


def gate(direction: str = "in", speed_m_per_s: float = 4.0) -> tuple[GateRadio, Truck]:
    truck = Truck(container(1, 1), "lane-1", direction, START_US + 5_000_000, speed_m_per_s, 0.0)
    antennas = {
        1: Antenna("outer", Place(-2.0, 0.0, 5.1)),
        2: Antenna("inner", Place(2.0, 0.0, 5.1)),
        3: Antenna("neighbour", Place(-2.0, 4.5, 5.1)),
    }
    return GateRadio(3, antennas, [truck]), truck


def mean_time(radio: GateRadio, port: int, truck: Truck) -> float:
    heard = radio.heard(port, truck.present_from_us, truck.present_until_us)
    return sum(sighting.at_us for sighting in heard) / len(heard)


def test_how_time_is_sliced_changes_nothing() -> None:
    radio, truck = gate()
    whole = radio.heard(1, truck.present_from_us, truck.present_until_us)
    sliced = [
        sighting
        for start_us in range(truck.present_from_us, truck.present_until_us, 70_001)
        for sighting in radio.heard(1, start_us, min(start_us + 70_001, truck.present_until_us))
    ]
    assert whole == sliced
    assert len(whole) > 20


def test_a_truck_is_heard_first_on_the_side_it_comes_from() -> None:
    inbound, truck = gate("in")
    assert mean_time(inbound, 1, truck) < mean_time(inbound, 2, truck)
    outbound, truck = gate("out")
    assert mean_time(outbound, 1, truck) > mean_time(outbound, 2, truck)


def test_the_neighbour_lane_hears_little_and_weakly() -> None:
    radio, truck = gate()
    here = radio.heard(1, truck.present_from_us, truck.present_until_us)
    there = radio.heard(3, truck.present_from_us, truck.present_until_us)
    assert len(there) < len(here) / 4
    assert max(sighting.rssi_dbm for sighting in here) > max((s.rssi_dbm for s in there), default=-99) + 10


def test_nothing_is_heard_of_who_is_away_nor_by_an_antenna_that_is_not_there() -> None:
    radio, truck = gate()
    assert radio.heard(1, truck.present_until_us, truck.present_until_us + 1_000_000) == []
    assert radio.heard(9, truck.present_from_us, truck.present_until_us) == []
