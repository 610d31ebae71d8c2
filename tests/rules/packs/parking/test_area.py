from gateway.config.rules import AntiPassback
from tests.rules.packs.parking.place import rules

FIRE = {"device": "io", "signal": "fire"}
KEY = {"device": "io", "signal": "key"}


def test_holders_count_once_whatever_their_cards() -> None:
    assert rules()["park-inside"].key == "name"
    assert rules(count_by="card")["park-inside"].key == "subject"


def test_what_is_not_asked_for_is_not_there() -> None:
    made = rules(antipassback="soft")["park-inside"]
    assert (made.capacity, made.full, made.refuse_full, made.overstay, made.reset) == (None, None, False, None, None)
    assert made.antipassback is AntiPassback.SOFT
    assert made.figures == ["inside", "dwell_s"]


def test_a_large_area_has_room_for_all() -> None:
    made = rules(capacity=100_000, longest_stay_s=60)["park-inside"]
    assert (made.most_keys, made.refuse_full, made.longest_s) == (400_000, True, 60)
    assert made.figures == ["inside", "dwell_s", "free"]


def test_fire_and_the_switch_forgive() -> None:
    assert rules(fire=FIRE)["park-inside"].reset.when == 'e.rule == "park-fire-reset"'
    assert rules(reset=KEY)["park-inside"].reset.when == 'e.rule == "park-reset"'
    assert rules(fire=FIRE, reset=KEY)["park-inside"].reset.when == 'e.rule in ["park-fire-reset", "park-reset"]'
