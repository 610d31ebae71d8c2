from pathlib import Path

import pytest
from build_deb import checkout
from build_deb.wheels import BuildError


@pytest.mark.parametrize(
    ("told", "sorted_by_dpkg"), [("0.2.0", "0.2.0"), ("0.2.0rc1", "0.2.0~rc1"), ("1.10.2a3", "1.10.2~a3")]
)
def test_versions_as_dpkg_sorts_them(told: str, sorted_by_dpkg: str) -> None:
    assert checkout.debian_version(told) == sorted_by_dpkg


@pytest.mark.parametrize("told", ["1", "1.2", "1.2.3.4", "1.2.3-1", "1.2.3 ", "../1.2.3", "1.2.3+local"])
def test_what_is_no_version(told: str) -> None:
    with pytest.raises(BuildError, match="three numbers"):
        checkout.debian_version(told)


def test_the_date_is_told_or_that_of_the_last_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1770000000")
    assert checkout.date_s() == 1_770_000_000
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BuildError, match="set SOURCE_DATE_EPOCH"):
        checkout.date_s(tmp_path)


def test_files_without_a_history(tmp_path: Path) -> None:
    for name in ("room/a.py", "room/__pycache__/a.pyc", "room/b/c.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert checkout.files("room", tmp_path) == [tmp_path / "room/a.py", tmp_path / "room/b/c.toml"]
