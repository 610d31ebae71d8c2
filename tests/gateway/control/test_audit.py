from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.contract.commands import Outcome
from gateway.control import audit
from gateway.control.audit import FILE, Audit, AuditError, Head, audit_directory, head_of, records, verify
from tests.gateway.control.scenes import NOW_US, S, order


def outcome(state: str, command_id: str = "0" * 26, at_us: int = NOW_US, **more: Any) -> Outcome:
    fields = {"gateway": "edge-1", "id": command_id, "state": state, "at_us": at_us, "device": "m-1", "point": "relay"}
    return msgspec.convert({**fields, **more}, Outcome)


def filled(directory: Path, *states: str) -> Audit:
    made = Audit(directory)
    for number, state in enumerate(states):
        made.append(outcome(state, f"{number:026d}", NOW_US + number * S), order("arm"))
    return made


def raw(directory: Path, *statements: str) -> None:
    """What somebody does to the file who knows how."""
    db = sqlite3.connect(directory / audit.FILE)
    for statement in ("DROP TRIGGER IF EXISTS no_update", "DROP TRIGGER IF EXISTS no_delete", *statements):
        db.execute(statement)
    db.commit()
    db.close()


def test_records_are_chained_and_told_with_their_place(tmp_path: Path) -> None:
    made = Audit(tmp_path)
    one = made.append(outcome("armed"), order("arm", reason="unpaid"))
    two = made.append(outcome("sending", shows={"is_closed": True, "current_a": "1.2"}))
    made.close()
    assert (one.audit_sequence, two.audit_sequence) == (1, 2)
    first, second = records(tmp_path, 10)
    assert first.command is not None
    assert first.command.reason == "unpaid"
    assert second.outcome.shows == {"is_closed": True, "current_a": "1.2"}
    assert records(tmp_path, 1) == [second]
    found = verify(tmp_path, [Head(1, one.audit_hash or ""), Head(2, two.audit_hash or "")])
    assert found == (2, Head(2, two.audit_hash or ""), [])
    assert (tmp_path / audit.HEAD).read_text() == f"2:{two.audit_hash}\n"
    again = Audit(tmp_path)
    assert again.fault == ""
    assert again.append(outcome("verified")).audit_sequence == 3
    again.close()
    assert verify(tmp_path).faults == []


def test_what_was_being_sent_is_unfinished_until_it_has_an_end(tmp_path: Path) -> None:
    made = Audit(tmp_path)
    for state in ("armed", "sending"):
        made.append(outcome(state, "a" * 8))
    for state in ("sending", "failed"):
        made.append(outcome(state, "b" * 8, NOW_US + S))
    made.append(outcome("refused", "c" * 8, NOW_US + 90 * S))
    assert [each.id for each in made.unfinished()] == ["a" * 8]
    assert [each.id for each in made.attempts(NOW_US + 3_600 * S)] == ["b" * 8]
    assert made.newest_us() == NOW_US + S
    last = made.last("b" * 8)
    assert last is not None
    assert (last.state, last.audit_sequence) == ("failed", 4)
    assert made.last("d" * 8) is None
    made.append(outcome("unknown", "a" * 8))
    assert made.unfinished() == []
    made.close()


def test_an_empty_audit(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="there is no audit yet"):
        verify(tmp_path)
    made = Audit(tmp_path)
    assert (made.newest_us(), made.unfinished(), made.head) == (0, [], Head(0, audit.START))
    made.close()
    assert verify(tmp_path).faults == []


def test_mistakes_cannot_change_it(tmp_path: Path) -> None:
    filled(tmp_path, "armed", "sending").close()
    db = sqlite3.connect(tmp_path / audit.FILE)
    for statement in ("DELETE FROM record", "UPDATE record SET state = 'verified'"):
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE record SET body = replace(body, 'failed', 'verified') WHERE sequence = 2", "record 2: its hash does"),
        ("UPDATE record SET state = 'verified' WHERE sequence = 2", "record 2: its columns say something else"),
        ("UPDATE record SET body = '{}' WHERE sequence = 2", "record 2: its text is no record"),
        ("DELETE FROM record WHERE sequence = 2", "record 2 is missing"),
        ("DELETE FROM record WHERE sequence = 4", "records 4 to 4 are missing at the end"),
        ("DELETE FROM record", "records 1 to 4 are missing at the end"),
    ],
)
def test_every_change_is_found(tmp_path: Path, statement: str, message: str) -> None:
    filled(tmp_path, "sending", "failed", "sending", "failed").close()
    assert verify(tmp_path).faults == []
    raw(tmp_path, statement)
    assert any(message in fault for fault in verify(tmp_path).faults)


def rewritten(directory: Path) -> None:
    """The whole chain anew, with one record less."""
    kept = records(directory, 100)[:-1]
    (directory / audit.FILE).unlink()
    (directory / audit.HEAD).unlink()
    made = Audit(directory)
    for record in kept:
        made.append(msgspec.structs.replace(record.outcome, detail="rewritten"), record.command)
    made.close()


def test_a_receipt_finds_a_chain_that_was_made_anew(tmp_path: Path) -> None:
    made = filled(tmp_path, "sending", "failed", "sending")
    early, late = head_of(f"2:{made.head.hash}"), made.head
    made.close()
    rewritten(tmp_path)
    assert verify(tmp_path).faults == []
    (fault,) = verify(tmp_path, [early]).faults
    assert fault == "record 2: its hash is another than in a receipt: it was rewritten"
    (fault,) = verify(tmp_path, [late]).faults
    assert fault == "records 3 to 3 are missing at the end: it was cut off"


def cut(directory: Path) -> None:
    raw(directory, "DELETE FROM record WHERE sequence > 2")


def forget_head(directory: Path) -> None:
    (directory / audit.HEAD).unlink()


def other_head(directory: Path) -> None:
    (directory / audit.HEAD).write_text(f"3:{'0' * 64}\n")


@pytest.mark.parametrize("change", [cut, forget_head, other_head])
def test_an_audit_that_was_changed_is_not_gone_on_with(tmp_path: Path, change: Callable[[Path], None]) -> None:
    filled(tmp_path, "sending", "failed", "sending").close()
    change(tmp_path)
    faults = verify(tmp_path).faults
    assert faults
    made = Audit(tmp_path)
    assert "cut off or rewritten" in made.fault
    with pytest.raises(AuditError, match="keep both files as evidence"):
        made.append(outcome("unknown"))
    made.close()
    assert verify(tmp_path).faults == faults


def test_a_power_cut_may_leave_the_note_behind(tmp_path: Path) -> None:
    made = filled(tmp_path, "sending")
    note = (tmp_path / audit.HEAD).read_text()
    made.append(outcome("failed"))
    made.close()
    (tmp_path / audit.HEAD).write_text(note)
    assert verify(tmp_path).faults == []
    again = Audit(tmp_path)
    assert again.fault == ""
    again.close()


def test_a_first_record_without_a_note(tmp_path: Path) -> None:
    filled(tmp_path, "sending").close()
    forget_head(tmp_path)
    again = Audit(tmp_path)
    assert again.fault == ""
    again.close()
    assert "is missing: whether the end was cut off cannot be told" in verify(tmp_path).faults[0]


def fill(made: Audit) -> None:
    for _ in range(1_000):
        made.append(outcome("refused", detail="x" * 2_000))


def test_a_full_audit_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_PAGES", 12)
    made = Audit(tmp_path)
    with pytest.raises(AuditError, match="full"):
        fill(made)
    made.close()
    assert verify(tmp_path).faults == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / audit.FILE).mkdir()
    with pytest.raises(AuditError, match="check the disk and the owner"):
        Audit(tmp_path)


def test_a_note_that_cannot_be_read(tmp_path: Path) -> None:
    filled(tmp_path, "sending", "failed").close()
    (tmp_path / audit.HEAD).write_text("nonsense")
    with pytest.raises(AuditError, match="must be SEQUENCE:HASH"):
        verify(tmp_path)
    with pytest.raises(AuditError, match="must be SEQUENCE:HASH"):
        Audit(tmp_path)


@pytest.mark.parametrize("text", ["", "1", "1:", ":" + "0" * 64, "x:" + "0" * 64, "1:" + "0" * 63])
def test_a_receipt_has_one_form(text: str) -> None:
    with pytest.raises(ValueError, match="must be SEQUENCE:HASH"):
        head_of(text)


def test_the_audit_is_found_where_the_units_put_it(tmp_path: Path) -> None:
    state = tmp_path / "tagwharf"
    assert audit_directory(state, "edge-1") == state
    for place in (tmp_path / "tagwharf-edge" / "edge-1", tmp_path / "tagwharf-edge", state):
        place.mkdir(parents=True, exist_ok=True)
        (place / FILE).touch()
        assert audit_directory(state, "edge-1") == place
