from __future__ import annotations

from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY
from gateway.history import search
from tests.gateway.history.day_rows import days, told, write
from tests.gateway.journal_rows import EPC, NOON_US, event, event_row

EVENTS = [
    event(1, NOON_US - US_PER_DAY, name="CSQU3054383", zone="yard"),
    event(2, NOON_US - 5, name="csqu3054383", zone="gate"),
    event(3, NOON_US - 4, subject="E2001", name="CSQU9999999"),
    event(4, NOON_US - 9 * US_PER_DAY, subject="E2002"),
    told(5, NOON_US, "gate-transaction", {"container": "CSQU3054383", "plate": "京A12345", "reasons": "CSQU"}),
    told(6, NOON_US - 1, "told", {"container": "CSQU3054390"}),  # of no type that is searched
    event(7, NOON_US, subject="100%_\\x"),
]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    write(tmp_path, events=[event_row(each) for each in EVENTS])
    return tmp_path


def test_names_fields_and_subjects_are_found_by_how_they_begin(filled: Path) -> None:
    found = search(days(filled), " csqu30 ", NOON_US)
    assert [(hit.kind, hit.text.upper(), int(hit.id, 16)) for hit in found.hits] == [
        ("container", "CSQU3054383", 5),
        ("name", "CSQU3054383", 2),
        ("name", "CSQU3054383", 1),  # as it was spelt on another day
    ]
    (plate,) = search(days(filled), "京A", NOON_US).hits
    assert (plate.kind, plate.subject, plate.type, plate.at_us) == ("plate", "lane-1", "gate-transaction", NOON_US)
    (tag,) = search(days(filled), EPC[:8].lower(), NOON_US).hits
    assert (tag.kind, tag.text, tag.name, tag.zone, int(tag.id, 16)) == ("subject", EPC, "csqu3054383", "gate", 2)
    assert [hit.text for hit in search(days(filled), "e200", NOON_US).hits] == ["E2001", "E2002"]
    assert [hit.text for hit in search(days(filled), "E200", NOON_US, last_days=2).hits] == ["E2001"]


def test_hostile_texts_stand_for_themselves(filled: Path) -> None:
    assert [hit.text for hit in search(days(filled), "100%_\\", NOON_US).hits] == ["100%_\\x"]
    for text in ("%%", "__", "' OR 1=1 --", "\\%", "CSQU%"):
        assert search(days(filled), text, NOON_US).hits == []


def test_a_prefix_of_very_many_is_bounded(tmp_path: Path) -> None:
    write(tmp_path, events=[event_row(event(n, NOON_US + n, subject=f"E2{n % 300:04}")) for n in range(3_000)])
    found = search(days(tmp_path), "E2", NOON_US + 9_999, limit=50)
    assert (len(found.hits), found.more) == (50, True)
    assert all(hit.at_us >= NOON_US + 2_700 for hit in found.hits)  # of each the newest


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    for prefix in ("", " x ", "x" * 129):
        with pytest.raises(ValueError, match="prefix: must be 2 to 128 characters"):
            search(days(tmp_path), prefix, NOON_US)
    with pytest.raises(ValueError, match="limit = 501"):
        search(days(tmp_path), "xx", NOON_US, limit=501)
