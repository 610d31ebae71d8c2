from __future__ import annotations

from decimal import Decimal

from readers.codecs.dlt645_events import KINDS, EventRecord
from readers.codecs.dlt645_records import FreezeKind
from simulator.meters.dlt645_accounts import EXPORT, IMPORT, Totals
from simulator.meters.dlt645_history import History, Snapshot

D = Decimal


def snapshot(number: int) -> Snapshot:
    return Snapshot(number, Totals({(IMPORT, 0): D(number), (IMPORT, 1): D(number), (EXPORT, 0): D(0)}, {}), (D(1),))


def test_the_latest_snapshots_are_kept_and_no_more() -> None:
    history = History(10)
    for number in range(100):
        history.freeze(FreezeKind.DAILY, snapshot(number))
    assert [history.frozen(FreezeKind.DAILY, back) for back in (1, 62)] == [snapshot(99), snapshot(38)]
    assert history.frozen(FreezeKind.DAILY, 63) is None
    assert history.frozen(FreezeKind.DAILY, 0) is None
    assert history.frozen(FreezeKind.ORDERED, 1) is None


def test_hourly_snapshots_are_short() -> None:
    history = History(10)
    history.freeze(FreezeKind.HOURLY, snapshot(5))
    kept = history.frozen(FreezeKind.HOURLY, 1)
    assert kept is not None
    assert dict(kept.totals.energies) == {(IMPORT, 0): 5, (EXPORT, 0): 0}


def test_events_are_counted_and_ten_of_them_kept() -> None:
    history, kind = History(10), KINDS["power_failure"]
    for number in range(12):
        history.happened(EventRecord(kind, number))
    assert history.count_of(kind) == 12
    assert [history.record_of(kind, back) for back in (1, 10)] == [EventRecord(kind, 11), EventRecord(kind, 2)]
    assert history.record_of(kind, 11) is None
    assert history.count_of(KINDS["programming"]) == 0
    history.clear_events()
    assert history.count_of(kind) == 0


def test_load_records_are_found_by_their_time() -> None:
    history = History(3)
    assert history.latest_load_record() == b""
    for number in range(5):
        history.profile.append((number, b"%d" % number))
    assert history.load_records(9, None) == b"234"
    assert history.load_records(1, None) == b"2"
    assert history.load_records(9, 3) == b"34"
    assert history.load_records(9, 7) == b""
    assert history.latest_load_record() == b"4"
