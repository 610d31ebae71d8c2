from pathlib import Path

import pytest
from tagwharf_ctl.gate import pass_gate, site_files
from tagwharf_ctl.versions import RefusedError

from tests.packaging.plant import Plant


def test_the_site_files_of_all_services_are_shown_to_the_gate(tmp_path: Path) -> None:
    for name in ("site", "dock", "spare"):
        (tmp_path / f"{name}.toml").write_text("")
    units = ["tagwharf-edge.service", "tagwharf-edge@dock.service", "tagwharf-edge@gone.service"]
    assert site_files(tmp_path, units) == [tmp_path / "site.toml", tmp_path / "dock.toml"]
    assert site_files(tmp_path / "none", units) == []


def test_the_gate_runs_under_the_version_that_it_guards_and_long_complaints_are_cut(tmp_path: Path) -> None:
    plant = Plant(tmp_path)
    plant.install("0.2.0", fault="\n".join(f"fault {number}" for number in range(50)))
    with pytest.raises(RefusedError, match=r"fault 19\n    \.\.\. and 30 lines more$"):
        pass_gate(plant.versions, "0.2.0", [], state=tmp_path, dpkg=str(plant.here / "dpkg"))
    (plant.root / "versions/0.2.0/share/gate.py").unlink()
    with pytest.raises(RefusedError, match="does not pass its gate"):
        pass_gate(plant.versions, "0.2.0", [], state=tmp_path, dpkg=str(plant.here / "dpkg"))
