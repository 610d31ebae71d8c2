from __future__ import annotations

import json
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # it comes without annotations

from gateway.boards.catalogue import found
from gateway.boards.installing.export import export
from gateway.boards.installing.provisioning import Language, Store
from tests.gateway.boards.installing.test_provisioning import faults

STORE = Store("http://127.0.0.1:8086", "port$1", "password", "grafana")


def test_grafana_finds_what_was_written_where_it_is_told_to_look(tmp_path: Path) -> None:
    written = export(tmp_path / "made", STORE, Language.BOTH, "https://console.example")
    assert len(written) == 2 * len(found()) + 3
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == written
    files = {path.parts[-2]: yaml.safe_load(path.read_text()) for path in written if path.suffix == ".yaml"}
    assert faults(files, str(tmp_path / "made" / "boards")) == []
    for provider in files["dashboards"]["providers"]:
        boards = [json.loads(path.read_text()) for path in Path(provider["options"]["path"]).glob("*.json")]
        assert len(boards) == len(found())
        assert all("https://console.example" in json.dumps(board) for board in boards)
    (source,) = files["datasources"]["datasources"]
    assert (source["url"], source["jsonData"]["dbName"], source["user"]) == (STORE.url, "port$$1", "grafana")


def test_again_and_in_one_language(tmp_path: Path) -> None:
    export(tmp_path, STORE, Language.ENGLISH, "http://127.0.0.1:8680")
    before = {path: path.read_text() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert export(tmp_path, STORE, Language.ENGLISH, "http://127.0.0.1:8680") == sorted(before)
    assert {path: path.read_text() for path in before} == before
    assert not (tmp_path / "boards" / "zh").exists()
