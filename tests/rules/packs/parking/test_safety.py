from tests.rules.packs.parking.place import HOLDERS, rules

FIRE = {"device": "panel", "signal": "fire"}


def test_duress_is_a_class_of_cards_or_a_column_of_the_table() -> None:
    assert "park-duress" not in rules()
    assert rules(duress_class="duress")["park-duress"].when.endswith('(e.class == "duress")')
    assert rules(holders=HOLDERS)["park-duress"].when.endswith("(e.listed_duress == true)")
    both = rules(holders=HOLDERS, duress_class="duress")["park-duress"]
    assert both.when.endswith('(e.class == "duress" || e.listed_duress == true)')
    assert both.alarm.latch


def test_a_fire_forgives_everybody_and_counts_apart() -> None:
    made = rules(fire=FIRE)
    assert made["park-fire"].alarm.severity == "critical"
    assert made["park-fire-reset"].emit == "area-reset"
    assert made["park-fire-count"].close.on.when == 'e.device == "panel" && e.name == "fire" && e.value == false'
    assert made["park-fire-count"].places == {"park": ["park-fire", "panel", "out-1"]}
    assert "park-fire" not in rules()


def test_a_switch_resets() -> None:
    assert rules(reset={"device": "panel", "signal": "key"})["park-reset"].emit == "area-reset"
