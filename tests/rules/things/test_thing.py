from __future__ import annotations

from rules.things.thing import AMBIGUOUS, KNOWN, UNKNOWN, Answer, Thing, answer


def test_a_thing_is_never_guessed() -> None:
    kim, jo = Thing("Kim"), Thing("Jo")
    assert answer([kim]) == Answer(KNOWN, kim)
    assert answer([kim, jo]) == answer([kim, kim]) == Answer(AMBIGUOUS)
    assert answer([]) == Answer(UNKNOWN)
