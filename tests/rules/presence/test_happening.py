from __future__ import annotations

from rules.presence.happening import Happening

ONE = Happening("arrived", 5, "3034", "yard", None, "p", None, 2, ("p",), -50.0, 4, 5, 1, 2, 1.0, is_late=False)


def test_the_id_is_that_of_the_same_event_only() -> None:
    assert ONE.id("edge-1") == ONE._replace(reads=9, confidence=0.5).id("edge-1")
    others = [ONE._replace(at_us=6), ONE._replace(zone="dock"), ONE._replace(epc="3035"), ONE._replace(type="moved")]
    assert len({ONE.id("edge-1"), ONE.id("edge-2"), *(other.id("edge-1") for other in others)}) == 6
