from simulator.world.expected import Expected


def test_what_is_expected_is_told_as_it_stands() -> None:
    expected = Expected("gate decisions", "gate-decision", 7, 2, {"verdict": "open"})
    assert expected.told() == {
        "kind": "gate decisions",
        "type": "gate-decision",
        "at_us": 7,
        "within_us": 2,
        "match": {"verdict": "open"},
        "near": {},
    }
