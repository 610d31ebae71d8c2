import os
from pathlib import Path

from gateway.backup.names import file_name, is_mounted, left_behind, older

AT_US = 1_700_000_000_000_000


def test_names_tell_site_gateway_and_time() -> None:
    assert file_name("hamburg", "edge-1", AT_US) == "tagwharf.hamburg.edge-1.20231114T221320Z.tar.gz"


def test_only_older_archives_of_the_same_gateway_are_old(tmp_path: Path) -> None:
    ours = [file_name("a", "b", AT_US + day * 86_400_000_000) for day in range(4)]
    others = [file_name("a-b", "c", AT_US), file_name("a", "b-c", AT_US), f"{ours[0]}.part", "notes.txt"]
    for name in (*ours, *others):
        (tmp_path / name).touch()
    (tmp_path / file_name("a", "b", AT_US - 86_400_000_000)).mkdir()
    assert [path.name for path in older(tmp_path, "a", "b", 2)] == ours[:2]
    assert older(tmp_path, "a", "b", 9) == []


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    name = file_name("a", "b", AT_US)
    for each in (f".{name}.123.part", f".{file_name('a', 'c', AT_US)}.123.part", f".{name}.part", name):
        (tmp_path / each).touch()
        os.utime(tmp_path / each, (1_000.0, 1_000.0))
    assert [path.name for path in left_behind(tmp_path, "a", "b", 2_000.0)] == [f".{name}.123.part"]
    assert left_behind(tmp_path, "a", "b", 500.0) == []


def test_what_is_mounted(tmp_path: Path) -> None:
    assert is_mounted(Path("/proc/self"))
    assert is_mounted(tmp_path) == any(each.is_mount() for each in (tmp_path, *tmp_path.parents[:-1]))
