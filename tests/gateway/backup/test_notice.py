from pathlib import Path

from gateway.backup.notice import FILE, Notice, leave, take

NOTICE = Notice(1_700_000_000_000_000, 1_700_003_600_000_000)


def test_it_is_taken_once(tmp_path: Path) -> None:
    assert take(tmp_path) is None
    leave(tmp_path, NOTICE)
    assert take(tmp_path) == NOTICE
    assert take(tmp_path) is None


def test_one_that_cannot_be_read_goes_away(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff")
    assert take(tmp_path) is None
    assert not (tmp_path / FILE).exists()


def test_it_says_what_is_not_known() -> None:
    assert "backup of 2023-11-14 22:13:20Z" in NOTICE.text
    assert "restore at 2023-11-14 23:13:20Z is not known" in NOTICE.text
