import hashlib
import json
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest

from gateway.console.ordering import trail
from gateway.console.ordering.trail import Asked, TooSlowError, Trail, exported, lines, sheet
from gateway.contract.commands import Command, Outcome, State
from gateway.control.audit import FILE, START, Audit, AuditError

NOW_US = 1_700_000_000_000_000
EVERYTHING = 1 << 62


def outcome(number: int, state: State, at_us: int, **more: object) -> Outcome:
    name = f"command-{number}"
    fields = {"gateway": "edge-1", "id": name, "order": name, "state": state, "at_us": at_us, "device": "m1"}
    known = {"point": "relay", "by": "anna", "action": "trip", "code": "c", "detail": "d"}
    return msgspec.convert({**fields, **known, **more}, Outcome)


def command(number: int, **more: object) -> Command:
    fields = {"id": f"command-{number}", "gateway": "edge-1", "issued_at_us": 1, "expires_at_us": 2, "by": "anna"}
    known = {"device": "m1", "point": "relay", "kind": "arm", "action": "trip", "reason": "work order"}
    return msgspec.convert({**fields, **known, **more}, Command)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    audit = Audit(tmp_path)
    audit.append(outcome(1, "armed", NOW_US, nonce="ab" * 8, expires_at_us=NOW_US + 45_000_000), command(1))
    audit.append(outcome(1, "sending", NOW_US + 1), command(1, kind="confirm"))
    audit.append(outcome(1, "verified", NOW_US + 2, shows={"is_closed": False}))
    audit.append(outcome(2, "refused", NOW_US + 3, point="red", by="ben", code="locked"), command(2))
    audit.append(outcome(3, "refused", NOW_US + 4, by="", action=None, point="", code="signature"))
    audit.close()
    return tmp_path


def numbers(directory: Path, before: int = EVERYTHING, limit: int = 50, by: str = "") -> list[int]:
    found = sheet(directory, Asked(by=by), before=before, limit=limit)
    return [record.sequence for record in found.records]


def test_records_come_newest_first_and_a_sheet_at_a_time(state: Path) -> None:
    first = sheet(state, Asked(), before=EVERYTHING, limit=2)
    assert [record.sequence for record in first.records] == [5, 4]
    assert first.head.startswith("5:")
    assert first.before == 4
    assert numbers(state, before=first.before, limit=3) == [3, 2, 1]
    assert sheet(state, Asked(), before=4, limit=3).before is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"by": "ben"}, [4]),
        ({"device": "m1", "point": "red"}, [4]),
        ({"order": "command-1"}, [3, 2, 1]),
        ({"state": "refused"}, [5, 4]),
        ({"action": "trip", "state": "verified"}, [3]),
        ({"id": "command-3"}, [5]),
        ({"from_us": NOW_US + 3}, [5, 4]),
        ({"from_us": NOW_US + 1, "to_us": NOW_US + 3}, [3, 2]),
        ({"by": "' OR 1 = 1 --"}, []),
    ],
)
def test_records_are_chosen(state: Path, asked: dict[str, str | int], expected: list[int]) -> None:
    found = sheet(state, msgspec.convert(asked, Asked), before=EVERYTHING, limit=50)
    assert [record.sequence for record in found.records] == expected


def test_a_record_says_who_what_when_and_why_but_no_nonce(state: Path) -> None:
    armed = sheet(state, Asked(state="armed"), before=EVERYTHING, limit=1).records[0]
    assert (armed.by, armed.kind, armed.reason, armed.action) == ("anna", "arm", "work order", "trip")
    sequence, _, found = armed.receipt.partition(":")
    assert (sequence, len(found)) == ("1", 64)
    assert "ab" * 8 not in repr(armed)


def tamper(state: Path, sequence: int, body: str) -> None:
    with sqlite3.connect(state / FILE) as db:
        db.execute("DROP TRIGGER no_update")
        db.execute("UPDATE record SET body = ? WHERE sequence = ?", (body, sequence))
    db.close()


def test_a_damaged_record_is_shown_as_one(state: Path) -> None:
    tamper(state, 4, "{no json")
    records = sheet(state, Asked(), before=EVERYTHING, limit=2).records
    assert [record.is_damaged for record in records] == [False, True]
    assert numbers(state, by="anna") == [3, 2, 1]
    assert "m1/red" not in Trail(lambda: state).latest()


def test_the_lines_prove_the_chain_and_stop_before_what_may_still_be_confirmed(state: Path) -> None:
    made, after = lines(state, Asked(), after=0, now_us=NOW_US + 60_000_000)
    assert (len(made), after) == (5, None)
    before = START
    for line in made:
        text = line.decode()
        body = text[len('{"hash":"') + 64 + len('","record":') : -2]
        before = hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()
        assert json.loads(line)["hash"] == before
    assert lines(state, Asked(), after=0, now_us=NOW_US + 44_000_000) == ([], None)
    tamper(state, 1, "{no json")
    assert lines(state, Asked(), after=0, now_us=NOW_US + 44_000_000) == ([], None)


def test_an_export_goes_on_over_its_pieces(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "CHUNK", 2)
    pieces = list(exported(state, Asked(), NOW_US + 60_000_000))
    assert [piece.count(b"\n") for piece in pieces] == [2, 2, 1]


def test_the_last_order_of_each_point_is_known_and_kept_up(state: Path) -> None:
    kept = Trail(lambda: state)
    found = kept.latest()
    assert {key: (told.state, told.code) for key, told in found.items()} == {
        "m1/relay": ("verified", "c"),
        "m1/red": ("refused", "locked"),
    }
    assert found["m1/relay"].receipt.startswith("3:")
    assert kept.latest() == found
    audit = Audit(state)
    audit.append(outcome(6, "failed", NOW_US + 9))
    audit.close()
    assert kept.latest()["m1/relay"].state == "failed"


def test_an_audit_that_was_begun_anew_is_read_anew(state: Path) -> None:
    kept = Trail(lambda: state)
    kept.latest()
    for path in state.iterdir():
        path.unlink()
    audit = Audit(state)
    audit.append(outcome(9, "failed", NOW_US + 9))
    audit.close()
    assert {key: told.state for key, told in kept.latest().items()} == {"m1/relay": "failed"}


def test_where_there_is_none_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="there is no audit yet"):
        sheet(tmp_path, Asked(), before=EVERYTHING, limit=1)
    with pytest.raises(AuditError, match="there is no audit yet"):
        Trail(lambda: tmp_path).latest()


def test_what_is_no_audit_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(AuditError, match="check the disk"):
        sheet(tmp_path, Asked(), before=EVERYTHING, limit=1)


def test_an_answer_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Audit(tmp_path)
    audit.append(outcome(1, "refused", NOW_US))
    audit.close()
    body = json.dumps({"outcome": {"by": "anna"}})
    with sqlite3.connect(tmp_path / FILE) as db:
        rows = ((number, "x", NOW_US, "refused", body, "0" * 64) for number in range(2, 20_000))
        db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
    db.close()
    monkeypatch.setattr(trail, "WITHIN_S", -1.0)
    began_s = time.monotonic()
    with pytest.raises(TooSlowError, match="shorter time"):
        sheet(tmp_path, Asked(by="ben"), before=EVERYTHING, limit=50)
    assert time.monotonic() - began_s < 5
