from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it comes without annotations

from gateway.boards.catalogue import FOLDER as BOARDS
from gateway.boards.catalogue import boards
from gateway.boards.installing.provisioning import (
    FOLDER,
    FOLDERS,
    Language,
    Store,
    data_source,
    documents,
    provisioning,
)
from gateway.config.models import InfluxApi, InfluxSink

STORE = Store("https://influx.example:8086", "tagwharf", "token")


def parsed(files: dict[Path, str]) -> dict[str, Any]:
    return {path.parts[-2]: yaml.safe_load(text) for path, text in files.items()}


def faults(files: dict[str, Any], directory: str) -> list[str]:
    """What Grafana would refuse, or quietly do without: a check of its own, of the documented keys."""
    found = [f"{name}: apiVersion" for name, document in files.items() if document.get("apiVersion") != 1]
    sources, providers = files["datasources"]["datasources"], files["dashboards"]["providers"]
    rules = [rule for group in files["alerting"]["groups"] for rule in group["rules"]]
    for what, names in (
        ("data source uid", [each["uid"] for each in sources]),
        ("data source", [each["name"] for each in sources]),
        ("provider", [each["name"] for each in providers]),
        ("folder", [each["folderUid"] for each in providers]),
        ("path", [each["options"]["path"] for each in providers]),
        ("rule", [each["uid"] for each in rules]),
        ("title", [each["title"] for each in rules]),
    ):
        found += [f"{what} {name} twice" for name in sorted(set(names)) if names.count(name) > 1]
    languages = {path.split("/")[0] for path in boards()}
    known = {f"{directory}/{language}" for language in languages}
    found += [f"no path {each['options']['path']}" for each in providers if each["options"]["path"] not in known]
    uids = {each["uid"] for each in sources} | {"__expr__"}
    for rule in rules:
        asked = {each["datasourceUid"] for each in rule["data"]}
        asked |= {each["model"]["datasource"]["uid"] for each in rule["data"]}
        found += [f"{rule['uid']}: no data source {uid}" for uid in sorted(asked - uids)]
    return found


def test_files_of_the_source_tree_are_as_grafana_wants_them() -> None:
    files = documents()
    assert {path.relative_to(FOLDER).as_posix() for path in files} == {
        "datasources/tagwharf.yaml",
        "dashboards/tagwharf.yaml",
        "alerting/tagwharf.yaml",
    }
    assert faults(parsed(files), "$TAGWHARF_BOARDS") == []
    assert BOARDS.parent == FOLDER.parent


def test_the_check_finds_what_is_wrong() -> None:
    files = parsed(documents())
    files["datasources"]["datasources"] *= 2
    files["dashboards"]["providers"][0]["options"]["path"] = "/nowhere"
    files["alerting"]["apiVersion"] = 2
    files["alerting"]["groups"][0]["rules"][0]["data"][0]["datasourceUid"] = "other"
    assert faults(files, "$TAGWHARF_BOARDS") == [
        "alerting: apiVersion",
        "data source uid tagwharf twice",
        "data source Tagwharf twice",
        "no path /nowhere",
        "tagwharf-silent: no data source other",
    ]


def test_every_panel_asks_the_data_source_that_is_provisioned_unless_somebody_chooses_another() -> None:
    (source,) = parsed(documents())["datasources"]["datasources"]
    for board in boards().values():
        templating = board["templating"]
        assert isinstance(templating, dict)
        (store,) = [each for each in templating["list"] if each["type"] == "datasource"]
        assert store["current"]["value"] == source["uid"]
        assert store["query"] == source["type"]


def test_the_tree_has_variables_where_a_site_has_values() -> None:
    (source,) = parsed(documents())["datasources"]["datasources"]
    assert source["url"] == "$TAGWHARF_INFLUX_URL"
    assert source["jsonData"] == {
        "version": "InfluxQL",
        "dbName": "$TAGWHARF_INFLUX_DATABASE",
        "httpMode": "POST",
        "timeInterval": "10s",
        "httpHeaderName1": "Authorization",
    }
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $TAGWHARF_INFLUX_TOKEN"}


@pytest.mark.parametrize(
    ("api", "user", "login", "secret"),
    [
        (InfluxApi.V2, None, "token", {"httpHeaderValue1": "Token geheim"}),
        (InfluxApi.V1, "grafana", "password", {"password": "geheim"}),
        (InfluxApi.V1, None, "none", None),
    ],
)
def test_each_kind_of_store_has_its_login(
    api: InfluxApi, user: str | None, login: str, secret: dict[str, str] | None
) -> None:
    sink = InfluxSink(kind="influxdb", name="main", url="http://127.0.0.1:8086/", api=api, user=user, bucket="port")
    store = Store.of_sink(sink)
    assert (store.url, store.database, store.login, store.user) == ("http://127.0.0.1:8086", "port", login, user or "")
    made = data_source(store, "geheim")
    assert made.get("secureJsonData") == secret
    assert "secureJsonData" not in data_source(store, None)


def test_one_language_is_one_folder() -> None:
    files = parsed(provisioning(STORE, "/boards", Language.CHINESE))
    assert [each["folder"] for each in files["dashboards"]["providers"]] == [FOLDERS["zh"]]
    (group,) = files["alerting"]["groups"]
    assert group["folder"] == FOLDERS["alerts"]
    assert "完全没有数据" in {rule["title"] for rule in group["rules"]}
    assert faults(files, "/boards") == []


def test_a_dollar_sign_of_the_site_begins_no_variable() -> None:
    store = Store("http://127.0.0.1:8086", "a$b", "password", "u$er").literal()
    (source,) = parsed(provisioning(store, "/boards", Language.ENGLISH))["datasources"]["datasources"]
    assert (source["jsonData"]["dbName"], source["user"]) == ("a$$b", "u$$er")
    assert source["secureJsonData"] == {"password": "$TAGWHARF_INFLUX_PASSWORD"}
