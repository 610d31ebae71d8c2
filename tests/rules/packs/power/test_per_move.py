from __future__ import annotations

from gateway.config.rules import RateRule, SessionRule
from tests.rules.packs.power.rooms import rules

MOVE = {"name": "gate", "meter": "mains", "on": "passage", "when": 'e.direction == "in"', "window_s": 1800}


def test_energy_and_moves_of_the_same_windows_meet() -> None:
    made = rules(per_move=[MOVE])
    energy, moves, both = made["gate-energy"], made["gate-moves"], made["gate-per-move"]
    assert isinstance(energy, RateRule)
    assert isinstance(moves, RateRule)
    assert isinstance(both, SessionRule)
    assert energy.within_s == moves.within_s == 1800
    assert moves.when == 'e.direction == "in"'
    assert both.decide is not None
    assert (both.decide.verdicts, both.decide.otherwise) == ([], "as-usual")


def test_too_much_is_judged_only_if_it_is_known_what_that_is() -> None:
    both = rules(per_move=[{**MOVE, "most_wh": 1500}])["gate-per-move"]
    assert isinstance(both, SessionRule)
    assert both.decide is not None
    assert [verdict.when for verdict in both.decide.verdicts] == ["e.energy > e.moves * 1500.0"]
