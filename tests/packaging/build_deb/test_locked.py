from pathlib import Path

import pytest
from build_deb.locked import LockError, left_out, read, runtime
from build_deb.targets import TARGETS

ROOT = Path(__file__).resolve().parents[3]
LOCK = """# comment
aio==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via tagwharf (pyproject.toml)
attrs==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
    # via
    #   aio
    #   pytest
extra_Driver==4.0 \\
    --hash=sha256:ee
    # via tagwharf (pyproject.toml:dev)
pytest==3.0 \\
    --hash=sha256:dd
    # via tagwharf (pyproject.toml:dev)
"""
PROJECT = """[project]
name = "tagwharf"
dependencies = ["aio>=1"]
[project.optional-dependencies]
some = ["extra-driver", "Not_Locked"]
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    lock, project = tmp_path / "requirements.lock", tmp_path / "pyproject.toml"
    lock.write_text(LOCK)
    project.write_text(PROJECT)
    return lock, project


def test_what_production_needs_and_nothing_of_the_tools(files: tuple[Path, Path]) -> None:
    lines = [entry.line() for entry in runtime(*files, TARGETS["bookworm"])]
    assert lines == [
        "aio==1.0 --hash=sha256:aa --hash=sha256:bb",
        "attrs==2.0 --hash=sha256:cc",
        "extra_Driver==4.0 --hash=sha256:ee",
    ]
    assert [entry.name for entry in runtime(*files, TARGETS["noble"])] == ["aio", "extra-driver"]
    assert left_out(*files) == ["not-locked"]


def test_a_lock_without_a_hash_or_without_a_dependency_is_refused(files: tuple[Path, Path]) -> None:
    lock, project = files
    with pytest.raises(LockError, match="has no hash"):
        read("aio==1.0\n    # via tagwharf\n")
    project.write_text(PROJECT.replace("aio>=1", "absent"))
    with pytest.raises(LockError, match="lacks absent"):
        runtime(lock, project, TARGETS["bookworm"])


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_projects_own_lock(target: str) -> None:
    names = {entry.name for entry in runtime(ROOT / "requirements.lock", ROOT / "pyproject.toml", TARGETS[target])}
    assert {"msgspec", "pydantic-core", "uvloop", "asyncua", "click"} <= names
    assert not names & {"pytest", "mypy", "ruff", "hypothesis", "playwright", "atheris"}
