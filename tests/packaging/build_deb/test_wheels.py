import zipfile
from pathlib import Path

import pytest
from build_deb.targets import TARGETS
from build_deb.wheels import BuildError, is_for, run, unpack


def wheel(place: Path, members: dict[str, str]) -> Path:
    path = place / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_members_go_where_an_installer_puts_them(tmp_path: Path) -> None:
    members = {
        "thing/__init__.py": "a",
        "thing/_inner/__init__.py": "b",
        "_private/__init__.py": "c",
        "single.py": "d",
        "thing-1.0.dist-info/METADATA": "e",
        "thing-1.0.data/scripts/wanted": "f",
        "thing-1.0.data/scripts/unwanted": "g",
        "thing-1.0.data/platlib/native/__init__.py": "h",
        "thing-1.0.data/headers/x.h": "i",
    }
    library, scripts = tmp_path / "library", tmp_path / "bin"
    names = unpack([wheel(tmp_path, members)], library, scripts, wanted=frozenset({"wanted"}))
    assert names == ["native", "single", "thing"]
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == [
        "bin/wanted",
        "library/_private/__init__.py",
        "library/native/__init__.py",
        "library/single.py",
        "library/thing-1.0.dist-info/METADATA",
        "library/thing/__init__.py",
        "library/thing/_inner/__init__.py",
        "thing-1.0-py3-none-any.whl",
    ]
    assert (scripts / "wanted").stat().st_mode & 0o777 == 0o755
    assert (library / "single.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["../outside.py", "/etc/outside.py", "thing/../../outside.py"])
def test_a_wheel_that_would_write_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="would write"):
        unpack([wheel(tmp_path, {name: "x"})], tmp_path / "library", tmp_path / "bin", wanted=frozenset())
    assert not list(tmp_path.rglob("outside.py"))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("thing-1.0-py3-none-any.whl", True),
        ("thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", True),
        ("thing-1.0-cp39-abi3-manylinux_2_28_x86_64.whl", True),
        ("thing-1.0-cp313-abi3-manylinux_2_28_x86_64.whl", False),
        ("thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", False),
    ],
)
def test_which_wheels_python_3_12_loads(name: str, *, fits: bool) -> None:
    assert is_for(Path(name), TARGETS["noble"]) is fits


def test_a_failing_program_is_quoted() -> None:
    with pytest.raises(BuildError, match=r"(?s)status 3.*because"):
        run(["sh", "-c", "echo because; exit 3"])
