from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.console.gates import evidence
from gateway.console.gates.around import lane_of
from gateway.console.gates.evidence import Raw, raw_of
from gateway.console.gates.lanes import lanes_of
from gateway.contract.batches import (
    Batch,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
)
from gateway.contract.events import Event
from tests.gateway.console.gates.port_site import CONTAINER, TRUCK, S, decided, made, port_site
from tests.gateway.journal_rows import NOON_US
from tests.rules.recorded import write_journal

STRAY = "AA" * 12


def reads(sequence: int, *found: TagRead, gateway: str = "edge-1") -> ReadBatch:
    return ReadBatch(
        gateway=gateway, epoch=3, sequence=sequence, device="gate-tags", received_at_us=NOON_US, reads=list(found)
    )


def read(epc: str, at_us: int = NOON_US, point: str = "gate-in-tags", rssi_dbm: float | None = -50.0) -> TagRead:
    return TagRead(epc, 1, point, at_us, rssi_dbm, 2)


def signals(sequence: int, device: str, *told: Signal) -> SignalBatch:
    return SignalBatch(
        gateway="edge-1", epoch=3, sequence=sequence, device=device, received_at_us=NOON_US, signals=list(told)
    )


def looked_at(directory: Path, event: Event, batches: list[Batch]) -> Raw:
    write_journal(directory / "journal", batches)
    return raw_of(directory, "edge-1", event, lane_of(event, lanes_of(port_site(directory))))


def test_a_gate_shows_all_tags_of_its_lane_and_the_signals_that_are_its_own(tmp_path: Path) -> None:
    status = StatusBatch(
        gateway="edge-1", epoch=3, sequence=15, device="scale", received_at_us=NOON_US, state="degraded",
        reason="unsteady", since_us=NOON_US,
    )  # fmt: skip
    event = decided(1, NOON_US, truck="truck-1", truck_epc=TRUCK)
    raw = looked_at(
        tmp_path,
        event,
        [
            reads(9, read(TRUCK)),  # before the evidence
            reads(10, read(TRUCK), read(STRAY), read(STRAY, point="outer")),
            reads(11, read(TRUCK, point="outer", rssi_dbm=None)),
            signals(12, "gate-io", Signal("loop", value=True), Signal("car-loop", value=True)),
            signals(13, "scale", Signal("stable_weight", "38200", "kg")),
            signals(14, "another", Signal("loop", value=True)),
            status,
            reads(21, read(TRUCK)),  # after it
        ],
    )
    assert [(each.epc, each.read_point, each.rssi_dbm) for each in raw.reads] == [
        (TRUCK, "gate-in-tags", -50.0),
        (STRAY, "gate-in-tags", -50.0),
        (TRUCK, "outer", None),
    ]
    assert [(each.what, each.device, each.name, each.value, each.unit) for each in raw.values] == [
        ("signal", "gate-io", "loop", True, ""),
        ("signal", "scale", "stable_weight", "38200", "kg"),
        ("state", "scale", "unsteady", "degraded", ""),
    ]
    assert (raw.why_none, raw.batches, raw.more, raw.damaged) == ("", 6, [], [])


def test_a_passage_shows_its_own_tag_alone(tmp_path: Path) -> None:
    event = made(1, NOON_US, "passage", subject=CONTAINER, zone="portal-1")
    raw = looked_at(tmp_path, event, [reads(10, read(CONTAINER, point="outer"), read(STRAY, point="outer"))])
    assert [each.epc for each in raw.reads] == [CONTAINER]


def test_an_event_about_a_truck_shows_what_was_read_at_its_points(tmp_path: Path) -> None:
    event = made(1, NOON_US, "truck-turn", subject="truck-00067")
    event = msgspec.structs.replace(event, evidence=msgspec.structs.replace(event.evidence, read_points=("outer",)))
    raw = looked_at(tmp_path, event, [reads(10, read(TRUCK, point="outer"), read(STRAY, point="inner"))])
    assert [each.epc for each in raw.reads] == [TRUCK]


def test_cards_and_readings(tmp_path: Path) -> None:
    card = CardRead("nfca#12", "nfca", "car-park-entry", 1, NOON_US)
    cards = CardBatch(gateway="edge-1", epoch=3, sequence=10, device="entry-card", received_at_us=NOON_US, cards=[card])
    event = made(1, NOON_US, "access-decision", {"card": "nfca#12"}, subject="lane-in")
    raw = looked_at(tmp_path / "one", event, [cards])
    assert [(each.what, each.name, each.value) for each in raw.values] == [("card", "car-park-entry", "nfca#12")]

    power = Reading("active_power", "1-0:1.7.0", None, "W", phase="L1", quality="absent")
    batch = ReadingBatch(
        gateway="edge-1", epoch=3, sequence=10, device="crane", received_at_us=NOON_US, readings=[power]
    )
    raw = looked_at(tmp_path / "two", made(1, NOON_US, "crane-peak", subject="crane"), [batch])
    assert [(each.what, each.name, each.value, each.unit) for each in raw.values] == [
        ("reading", "active_power L1", None, "W")
    ]


def test_why_there_is_nothing(tmp_path: Path) -> None:
    event = decided(1, NOON_US)
    assert raw_of(tmp_path, "edge-1", event, None).why_none == "no_journal"
    assert looked_at(tmp_path, event, [reads(30, read(TRUCK))]).why_none == "trimmed"
    far = msgspec.structs.replace(event, evidence=msgspec.structs.replace(event.evidence, gateway="edge-2"))
    assert raw_of(tmp_path, "edge-1", far, None).why_none == "other_gateway"


def test_many_reads_are_thinned_to_the_strongest_and_still_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "READS_SHOWN", 10)
    found = [read(TRUCK, NOON_US + n, rssi_dbm=-60.0 + n % 5) for n in range(100)] + [read(STRAY, rssi_dbm=None)]
    raw = looked_at(tmp_path, decided(1, NOON_US), [reads(10, *found)])
    assert raw.more == ["reads"]
    assert len(raw.reads) <= 12
    assert sum(each.count for each in raw.reads) == 202
    assert {each.rssi_dbm for each in raw.reads if each.epc == TRUCK} == {-56.0}
    assert [each.at_us for each in raw.reads] == sorted(each.at_us for each in raw.reads)


def test_what_is_too_much_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "READS_MOST", 3)
    monkeypatch.setattr(evidence, "OTHERS_MOST", 2)
    monkeypatch.setattr(evidence, "HEAD_BATCHES", 2)
    monkeypatch.setattr(evidence, "TAIL_BATCHES", 3)
    batches: list[Batch] = [reads(n, read(TRUCK, NOON_US + n)) for n in (10, 12, 18, 19)]
    batches += [signals(n, "scale", Signal("w", str(n)), Signal("v", "1")) for n in (11, 20)]
    raw = looked_at(tmp_path, decided(1, NOON_US), sorted(batches, key=lambda batch: batch.sequence))
    assert set(raw.more) == {"batches", "values"}
    assert [each.sequence for each in raw.reads] == [10, 18, 19]
    assert [each.value for each in raw.values] == ["11", "1"]
    assert raw.batches == 5


def test_it_ends_in_time(tmp_path: Path) -> None:
    batches: list[Batch] = [reads(n, read(TRUCK, NOON_US + n * S)) for n in range(10, 21)]
    write_journal(tmp_path / "journal", batches)
    clock = iter(range(0, 100, 2))
    raw = raw_of(tmp_path, "edge-1", decided(1, NOON_US, truck_epc=TRUCK), None, now=lambda: float(next(clock)))
    assert raw.more == ["batches"]
    assert raw.batches == 3
