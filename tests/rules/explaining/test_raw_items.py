from __future__ import annotations

from gateway.config.models import Portal, Zone
from rules.explaining.raw_items import heard_lines, place_text, raw_lines
from tests.rules.play import EPC, OTHER, Play, site, tag_read

SITE = site(
    zones=[Zone(name="yard", read_points=["yard-1"], rssi_floor_dbm=-70.0)],
    portals=[Portal(name="lane", outer=["out"], inner=["in"])],
)


def test_every_kind_of_item_is_a_line() -> None:
    play = Play(SITE)
    play.reads(1, tag_read(0.5, "yard-1", rssi_dbm=-51.5, count=3), tag_read(0.6, "out", epc=OTHER, rssi_dbm=None))
    play.card(2, "nfca#" + "0" * 24)
    play.reading(3, "7.5", phase="a")
    play.signal(4, "door", value=True)
    play.status(5, "reader-1", "degraded")
    play.tick(6)
    found = [each for batch in play.batches for each in raw_lines(batch)]
    assert [(subject, place) for _, subject, place in found] == [
        (EPC, "yard-1"), (OTHER, "out"), ("nfca#" + "0" * 24, "door-1"), ("meter-1", ""), ("reader-1", ""),
        ("reader-1", ""),
    ]  # fmt: skip
    lines = [line.partition("Z  ")[2] for line, _, _ in found]
    assert lines == [
        f"{EPC}  reader-1 antenna 1  yard-1  -51.5 dBm  3 times  [edge-1 batch 1]",
        f"{OTHER}  reader-1 antenna 1  out  -  [edge-1 batch 1]",
        f"nfca#{'0' * 24}  reader-1  door-1  [edge-1 batch 2]",
        "meter-1  active_power phase a 7.5 W  good  [edge-1 batch 3]",
        "reader-1  door True   [edge-1 batch 4]",
        "reader-1  degraded, test  [edge-1 batch 5]",
    ]


def test_what_was_heard_is_summed_up_with_what_presence_asks() -> None:
    play = Play(SITE)
    play.read(1, "yard-1", rssi_dbm=-80.0)
    play.read(2, "yard-1", rssi_dbm=-75.5)
    play.read(3, "out", rssi_dbm=None)
    play.read(4, "yard-1", epc=OTHER)
    play.reading(5, "7.5")
    assert list(heard_lines(SITE, play.batches, {EPC, "meter-1"})) == [
        "  1 items at meter-1",
        "  1 reads at out; outer side of portal lane: 4 reads on both sides make a passage",
        (
            "  2 reads at yard-1, -80.0 to -75.5 dBm; zone yard: 2 reads in 2 s make an arrival, "
            "weaker ones than -70 dBm do not count"
        ),
    ]
    assert list(heard_lines(SITE, play.batches, {"nobody"})) == ["and the recording holds nothing of it in this time"]


def test_places_of_read_points() -> None:
    assert place_text(SITE, "in").startswith("inner side of portal lane")
    assert place_text(SITE, "elsewhere") == "a zone of its own"
