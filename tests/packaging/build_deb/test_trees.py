from pathlib import Path

from build_deb.targets import TARGETS
from build_deb.trees import bundled, lay_out_small

UNITS = {f"tagwharf-{name}.service" for name in ("backup", "console", "edge", "edge@", "rules", "ctl-recover")} | {
    "tagwharf-backup.timer"
}


def test_the_small_package_holds_every_unit_and_where_they_look_for_the_command(tmp_path: Path) -> None:
    lay_out_small(tmp_path, "0.1.0", TARGETS["bookworm"])
    units = tmp_path / "usr/lib/systemd/system"
    assert {path.name for path in units.iterdir() if path.is_file()} == UNITS
    assert "ExecStart=/opt/tagwharf/bin/tagwharf " in (units / "tagwharf-edge.service").read_text()
    assert (tmp_path / "opt/tagwharf/bin/tagwharf").readlink() == Path("../current/venv/bin/tagwharf")
    assert (tmp_path / "usr/bin/tagwharf-ctl").stat().st_mode & 0o777 == 0o755
    assert not list(tmp_path.rglob("*.pyc"))
    assert [path.as_posix() for path in (tmp_path / "etc").rglob("*") if path.is_file()] == [
        (tmp_path / "etc/apt/apt.conf.d/50tagwharf").as_posix()
    ], "what lies in /etc is the operator's"


def test_licences_are_told_however_they_are_written(tmp_path: Path) -> None:
    for name, line in {
        "a": "License-Expression: MIT",
        "b": "Classifier: License :: OSI Approved :: BSD License",
        "c": "License: Apache-2.0",
        "d": "Summary: nothing",
    }.items():
        place = tmp_path / f"{name}-1.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Name: {name}\nVersion: 1\n{line}\n")
    assert [licence for _, _, licence in bundled(tmp_path)] == ["MIT", "BSD License", "Apache-2.0", "see its metadata"]
