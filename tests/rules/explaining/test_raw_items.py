from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.config.models import Portal, Zone
from gateway.recording import Recording
from rules.explaining.line import written
from rules.explaining.raw_items import heard_lines, named, place_text, raw_items
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.recorded import TRUCK, recorded

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
    found = [each for batch in play.batches for each in raw_items(batch)]
    assert [(subject, place) for _, subject, place in found] == [
        (EPC, "yard-1"), (OTHER, "out"), ("nfca#" + "0" * 24, "door-1"), ("meter-1", ""), ("reader-1", ""),
        ("reader-1", ""),
    ]  # fmt: skip
    assert [line.data["on"] for line, _, _ in found] == ["read", "read", "card", "reading", "signal", "status"]
    assert {
        "at_us": us(0.5), "subject": EPC, "device": "reader-1", "read_point": "yard-1", "antenna_port": 1,
        "rssi_dbm": -51.5, "count": 3, "gateway": "edge-1", "epoch": 7, "sequence": 1, "index": 0,
    }.items() <= found[0].line.data.items()  # fmt: skip
    reading, signal = found[3].line.data, found[4].line.data
    assert (reading["name"], reading["value"], reading["unit"], reading["phase"]) == ("active_power", 7.5, "W", "a")
    assert (signal["name"], signal["value"], signal["rssi_dbm"]) == ("door", True, None)
    lines = [line.text.partition("Z  ")[2] for line, _, _ in found]
    assert lines == [
        f"{EPC}  reader-1 antenna 1  yard-1  -51.5 dBm  3 times  [edge-1 batch 1]",
        f"{OTHER}  reader-1 antenna 1  out  -  [edge-1 batch 1]",
        f"nfca#{'0' * 24}  reader-1  door-1  [edge-1 batch 2]",
        "meter-1  active_power phase a 7.5 W  good  [edge-1 batch 3]",
        "reader-1  door True   [edge-1 batch 4]",
        "reader-1  degraded, test  [edge-1 batch 5]",
    ]


def test_the_items_that_an_evidence_names(tmp_path: Path) -> None:
    known = recorded(tmp_path)
    recording, event = Recording(known.state), known.event("passage")
    found = list(named(recording, event))
    assert [each.subject for each in found] == [TRUCK] * 8
    assert {each.place for each in found} == {"lane-1-out", "lane-1-in"}
    nothing = msgspec.structs.replace(event.evidence, sequence_from=0, sequence_to=0)
    assert list(named(recording, msgspec.structs.replace(event, evidence=nothing))) == []


def test_what_was_heard_is_summed_up_with_what_presence_asks() -> None:
    play = Play(SITE)
    play.read(1, "yard-1", rssi_dbm=-80.0)
    play.read(2, "yard-1", rssi_dbm=-75.5)
    play.read(3, "out", rssi_dbm=None)
    play.read(4, "yard-1", epc=OTHER)
    play.reading(5, "7.5")
    assert list(written(heard_lines(SITE, play.batches, {EPC, "meter-1"}))) == [
        "  1 items at meter-1",
        "  1 reads at out; outer side of portal lane: 4 reads on both sides make a passage",
        (
            "  2 reads at yard-1, -80.0 to -75.5 dBm; zone yard: 2 reads in 2 s make an arrival, "
            "weaker ones than -70 dBm do not count"
        ),
    ]
    assert list(written(heard_lines(SITE, play.batches, {"nobody"}))) == [
        "and the recording holds nothing of it in this time"
    ]


def test_places_of_read_points() -> None:
    assert place_text(SITE, "in").startswith("inner side of portal lane")
    assert place_text(SITE, "elsewhere") == "a zone of its own"
