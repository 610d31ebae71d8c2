from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.gateway.cli.command import COMMAND, tagwharf
from tests.gateway.init.machine import machine


def answers(tmp_path: Path, text: str = '[site]\nname = "hamburg"\n[search]\nmdns = false\n') -> Path:
    path = tmp_path / "answers.toml"
    path.write_text(text)
    return path


def test_what_it_writes_is_accepted_by_check(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    made = tagwharf("init", "--root", root.directory, "--answers", answers(tmp_path), "--yes", "--no-search")
    assert (made.returncode, made.stderr) == (0, "")
    place = root.at("/etc/tagwharf/site.toml")
    checked = tagwharf("check", place)
    assert (checked.returncode, checked.stderr) == (0, "")
    again = tagwharf("init", "--root", root.directory, "--answers", answers(tmp_path), "--yes")
    assert again.returncode == 1
    assert "never overwritten" in again.stderr


@pytest.mark.parametrize(
    ("typed", "why"), [("hamburg\n", "the input ended at the question"), ("\n\n\n\n\n\n\nno\n", "nothing was done")]
)
def test_a_person_who_stops_leaves_nothing(tmp_path: Path, typed: str, why: str) -> None:
    root = machine(tmp_path / "root")
    command = [*COMMAND, "init", "--root", str(root.directory), "--no-search"]
    done = subprocess.run(command, input=typed, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert why in done.stderr
    assert sorted(path.name for path in root.directory.rglob("*")) == ["etc", "passwd"]


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--search", "10.0.0.0/24", "--no-search"), 2, "opposite"),
        (("--search", "8.8.8.0/24", "--yes"), 78, "no private network"),
        (("--directory", "tagwharf"), 2, "from the root"),
        (("--root", "/none"), 2, "no directory"),
        (("--answers", "/none/answers.toml"), 78, "cannot be read"),
    ],
)
def test_wrong_use(tmp_path: Path, options: tuple[str, ...], code: int, why: str) -> None:
    root = machine(tmp_path / "root")
    made = tagwharf("init", "--root", root.directory, *options)
    assert made.returncode == code
    assert why in made.stderr


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    root.at("/etc/tagwharf").write_text("a file where a directory belongs\n")
    made = tagwharf("init", "--root", root.directory, "--answers", answers(tmp_path), "--yes")
    assert made.returncode == 74
    assert "may be run again" in made.stderr
