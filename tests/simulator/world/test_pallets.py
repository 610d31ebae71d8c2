from itertools import pairwise

from readers.tagdata.tag import decode_tag
from simulator.world.pallets import GAP_M, Conveyor, pallets
from simulator.world.radio import Antenna, GateRadio, Place

START_US = 1_767_225_600_000_000
LINE = Conveyor("line-1", 0.0, {"fill": 0.0, "seal": 4.0, "label": 8.0, "dispatch": 12.0}, 4.0, 1.0)


def test_the_seed_decides_everything_and_all_is_over_in_time() -> None:
    made = pallets(3, [LINE], START_US, 300)
    assert made == pallets(3, [LINE], START_US, 300)
    assert len(made) > 50
    assert all(START_US <= each.present_from_us < each.present_until_us <= START_US + 300_000_000 for each in made)
    gaps = [b.starts_us - a.starts_us for a, b in pairwise(made)]
    assert min(gaps) >= GAP_M * 1e6


def test_a_pallet_is_where_the_truth_says() -> None:
    pallet = pallets(3, [LINE], START_US, 60)[0]
    for station, at_us in pallet.visits():
        assert abs(pallet.place(at_us).x_m - LINE.stations[station]) < 1e-6


def test_a_pallet_says_that_it_is_one() -> None:
    pallet = pallets(3, [LINE], START_US, 60)[0]
    assert decode_tag(pallet.epc, 0x3000).uri == "urn:epc:id:grai:9521141.12345.300001"


def test_strong_reads_are_of_the_pallet_at_the_station() -> None:
    made = pallets(3, [LINE], START_US, 60)
    for station, x_m in LINE.stations.items():
        radio = GateRadio(3, {1: Antenna(station, Place(x_m, 0.0, 1.0))}, made)
        for sighting in radio.heard(1, START_US, START_US + 60_000_000):
            pallet = next(each for each in made if each.epc == sighting.epc)
            assert sighting.rssi_dbm < -50 or abs(pallet.place(sighting.at_us).x_m - x_m) < 1.9
        heard = {each.epc for each in radio.heard(1, START_US, START_US + 60_000_000) if each.rssi_dbm >= -50}
        assert heard == {each.epc for each in made}
