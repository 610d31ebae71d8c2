import importlib.util
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

GATE = Path(__file__).resolve().parents[3] / "packaging/runtime/gate.py"
SITE = '[site]\nname = "hamburg"\n'


@pytest.fixture
def gate(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("runtime_gate", GATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["IMPORTS"] = tmp_path / "imports.txt"
    (tmp_path / "imports.txt").write_text("json\ngateway.cli\n")
    return module


def database(path: Path, version: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as opened:
        opened.execute(f"PRAGMA user_version = {version}")
        opened.execute("CREATE TABLE one (two INTEGER)")
    return path


def test_a_sound_runtime_passes(gate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    database(tmp_path / "state/tagwharf/rules.db", 1)
    assert gate.main([f"--state={tmp_path / 'state'}", str(site)]) == 0, capsys.readouterr().out


def test_every_fault_is_told(gate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "imports.txt").write_text("json\nno_such_module\n")
    site = tmp_path / "site.toml"
    site.write_text(SITE + "unknown = 1\n")
    state = tmp_path / "state"
    for name in ("tagwharf/rules.db", "tagwharf/events/events-2026-11-23.db"):
        database(state / name, 99)
    for name in ("tagwharf-edge/journal", "tagwharf-edge/dock/journal"):
        database(state / name / "00000000000000000001.sqlite", 99)
    assert gate.main([f"--state={state}", str(site)]) == 1
    told = capsys.readouterr().out
    assert "cannot import no_such_module" in told
    assert told.count("has version 99") == 4
    assert "site.unknown" in told


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 200, b"SQLite format 3\0"])
def test_what_is_no_database_is_left_to_the_daemons(content: bytes, gate: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "tagwharf/rules.db"
    path.parent.mkdir()
    path.write_bytes(content)
    assert gate.state(tmp_path) == []
    assert gate.written_version(tmp_path / "absent") == 0
