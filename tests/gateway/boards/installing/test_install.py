from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.boards.catalogue import boards, found
from gateway.boards.installing.alerting import GROUP, RULES
from gateway.boards.installing.http_json import JsonServer, NotAllowedError, ServerError
from gateway.boards.installing.install import Plan, boards_for, install
from gateway.boards.installing.provisioning import Language, Store
from tests.support.grafana_server import ADMIN, VIEWER, Grafana
from tests.support.json_server import Answered, Asked, json_server

PLAN = Plan(Store("http://127.0.0.1:8086", "tagwharf", "token"), "read-only")
PLACE = ("tagwharf-alerts", GROUP)


def run(grafana: Grafana, plan: Plan = PLAN, token: str = ADMIN) -> list[str]:
    said: list[str] = []

    async def once(url: str) -> None:
        async with JsonServer("Grafana", url, f"Bearer {token}") as server:
            await install(server, plan, said.append)

    with json_server(grafana.answer) as url:
        asyncio.run(once(url))
    return said


def test_everything_is_there_after_the_first_time() -> None:
    grafana = Grafana()
    said = run(grafana)
    assert {folder["title"] for folder in grafana.folders.values()} == {"Tagwharf", "Tagwharf 中文", "Tagwharf alerts"}
    assert grafana.sources["tagwharf"]["jsonData"]["dbName"] == "tagwharf"
    assert grafana.secrets["tagwharf"] == {"httpHeaderValue1": "Token read-only"}
    assert len(grafana.boards) == len(boards()) == 2 * len(found())
    assert all(grafana.board_folders[uid].split("-")[1] == uid.split("-")[1] for uid in grafana.boards)
    assert {rule["uid"] for rule in grafana.groups[PLACE]["rules"]} == {rule.uid for rule in RULES}
    assert not any("provenance" in rule for rule in grafana.groups[PLACE]["rules"])
    assert said[-1] == "store: Grafana reaches it: datasource is working. 20 measurements found"
    assert "read-only" not in "\n".join(said)


def test_the_second_time_changes_nothing() -> None:
    grafana = Grafana()
    run(grafana)
    grafana.written.clear()
    said = run(grafana, replace(PLAN, secret=None))
    assert grafana.written == []
    assert f"alert rules: all {len(RULES)} as they were" in said
    assert grafana.secrets["tagwharf"] == {"httpHeaderValue1": "Token read-only"}


def test_what_somebody_changed_is_brought_back_and_what_he_added_stays() -> None:
    grafana = Grafana()
    run(grafana)
    grafana.written.clear()
    uid = found()["port-gate"].uid("en")
    grafana.boards[uid]["title"] = "mine"
    grafana.boards[uid]["version"] = 40
    grafana.folders["tagwharf-en"]["title"] = "Boards"
    grafana.groups[PLACE]["rules"][0]["labels"]["severity"] = "low"
    source = grafana.sources["tagwharf"]
    source |= {"name": "Store", "isDefault": True, "url": "http://127.0.0.1:1"}
    source["jsonData"] |= {"tlsAuthWithCACert": True}
    run(grafana, replace(PLAN, secret=None))
    assert grafana.written == [
        "PUT /api/folders/tagwharf-en",
        "PUT /api/datasources/uid/tagwharf",
        "POST /api/dashboards/db",
        f"PUT /api/v1/provisioning/folder/tagwharf-alerts/rule-groups/{GROUP}",
    ]
    assert grafana.boards[uid]["title"] == boards()["en/port-gate.json"]["title"]
    assert grafana.folders["tagwharf-en"]["title"] == "Tagwharf"
    assert grafana.groups[PLACE]["rules"][0]["labels"]["severity"] == "critical"
    source = grafana.sources["tagwharf"]
    assert (source["name"], source["isDefault"], source["url"]) == ("Store", True, "http://127.0.0.1:8086")
    assert source["jsonData"]["tlsAuthWithCACert"] is True
    assert grafana.secrets["tagwharf"] == {"httpHeaderValue1": "Token read-only"}


def test_a_store_that_changes_its_login_leaves_no_header_behind() -> None:
    grafana = Grafana()
    run(grafana)
    run(grafana, replace(PLAN, store=Store("http://127.0.0.1:8086", "tagwharf", "none"), secret=None))
    assert "httpHeaderName1" not in grafana.sources["tagwharf"]["jsonData"]


def test_another_language_replaces_texts_and_moves_no_rule() -> None:
    grafana = Grafana()
    run(grafana, replace(PLAN, language=Language.ENGLISH))
    assert set(grafana.board_folders.values()) == {"tagwharf-en"}
    run(grafana, replace(PLAN, language=Language.CHINESE))
    assert set(grafana.board_folders.values()) == {"tagwharf-en", "tagwharf-zh"}
    assert set(grafana.groups) == {PLACE}
    assert grafana.groups[PLACE]["rules"][0]["title"] == RULES[0].zh.title


def test_without_alerts_there_is_neither_rule_nor_folder() -> None:
    grafana = Grafana()
    run(grafana, replace(PLAN, with_alerts=False))
    assert grafana.groups == {}
    assert set(grafana.folders) == {"tagwharf-en", "tagwharf-zh"}


def test_the_address_of_the_console_is_filled_in_and_the_catalogue_stays() -> None:
    grafana = Grafana()
    run(grafana, replace(PLAN, console="https://console.example"))
    board = grafana.boards[found()["port-gate"].uid("zh")]
    (variable,) = [each for each in board["templating"]["list"] if each["name"] == "console"]
    assert variable["query"] == variable["current"]["value"] == "https://console.example"
    assert "https://console.example" not in str(boards())
    assert all("console.example" in rule["annotations"]["console"] for rule in grafana.groups[PLACE]["rules"])
    assert list(boards_for(Language.CHINESE, "")) == [f"zh/{name}.json" for name in found()]


def test_what_came_by_files_is_left_to_them() -> None:
    grafana = Grafana()
    run(grafana)
    grafana.written.clear()
    uid = found()["port-gate"].uid("en")
    grafana.provisioned.add(uid)
    grafana.boards[uid]["title"] = "of a file"
    grafana.sources["tagwharf"]["readOnly"] = True
    grafana.groups[PLACE]["rules"][0]["provenance"] = "file"
    said = run(grafana)
    assert grafana.written == []
    assert len([line for line in said if "by a file of provisioning" in line]) == 3


def test_rules_of_others_in_our_group_are_not_lost() -> None:
    grafana = Grafana()
    run(grafana)
    other: dict[str, Any] = {**grafana.groups[PLACE]["rules"][0], "uid": "mine", "title": "My own"}
    grafana.groups[PLACE]["rules"].append(other)
    with pytest.raises(ServerError, match="holds rules that are not ours: My own; they would be lost"):
        run(grafana)
    assert other in grafana.groups[PLACE]["rules"]


def test_tokens_that_are_wrong_or_weak() -> None:
    with pytest.raises(NotAllowedError, match="401 Invalid API key"):
        run(Grafana(), token="other")
    grafana = Grafana()
    with pytest.raises(NotAllowedError, match="403 You'll need additional permissions"):
        run(grafana, token=VIEWER)
    assert grafana.folders == {}


def test_conflicts_say_what_to_do() -> None:
    grafana = Grafana()
    grafana.folders["theirs"] = {"uid": "theirs", "title": "Tagwharf", "version": 1, "id": 1}
    with pytest.raises(ServerError, match=r"409 .*same name.*another folder may have this name"):
        run(grafana)
    grafana = Grafana()
    grafana.sources["theirs"] = {"uid": "theirs", "name": "Tagwharf", "version": 1}
    with pytest.raises(ServerError, match=r"409 .*another data source may have this name: rename it"):
        run(grafana)


def test_a_version_conflict_is_told_as_one() -> None:
    grafana = Grafana()

    class Stubborn(Grafana):
        def answer(self, asked: Asked) -> Answered:
            if asked.method == "POST" and asked.path == "/api/dashboards/db":
                # Grafana 12.0.0 refused outdated boards in spite of `overwrite`
                asked.body["overwrite"] = False
                asked.body["dashboard"]["version"] = 0
            return super().answer(asked)

    run(grafana)
    stubborn = Stubborn(**{name: getattr(grafana, name) for name in Grafana.__dataclass_fields__})
    stubborn.boards[found()["port-gate"].uid("en")]["title"] = "mine"
    with pytest.raises(
        ServerError, match=r"412 The dashboard has been changed by someone else; somebody else changes it"
    ):
        run(stubborn)


def test_rules_with_our_uids_elsewhere_are_told() -> None:
    grafana = Grafana()
    run(grafana)
    grafana.groups["general", "other"] = grafana.groups.pop(PLACE)
    with pytest.raises(ServerError, match="rules with these uids may be in another folder"):
        run(grafana)


@pytest.mark.parametrize(("version", "refused"), [("9.5.21", True), ("10.0.0", False), ("", False), ("13.2.3", False)])
def test_a_grafana_that_is_too_old_is_refused_before_anything_is_written(version: str, *, refused: bool) -> None:
    grafana = Grafana(version=version)
    if refused:
        with pytest.raises(ServerError, match=r"is Grafana 9\.5\.21; the boards need 10"):
            run(grafana)
        assert grafana.written == []
    else:
        run(grafana)


def test_something_else_at_the_address_is_told() -> None:
    grafana = Grafana()

    async def once(url: str) -> None:
        async with JsonServer("Grafana", f"{url}/elsewhere", f"Bearer {ADMIN}") as server:
            await install(server, PLAN, print)

    with json_server(grafana.answer) as url, pytest.raises(ServerError, match="no Grafana answers so"):
        asyncio.run(once(url))


def test_a_store_out_of_reach_is_said_and_no_error() -> None:
    said = run(Grafana(reachable=False), replace(PLAN, secret=None))
    assert any("has no secret yet" in line for line in said)
    assert said[-1].startswith("store: Grafana does not get data from it: error performing influxQL query;")


@pytest.mark.parametrize(
    "path",
    [
        "/api/folders/tagwharf-en",
        "/api/datasources/uid/tagwharf",
        f"/api/dashboards/uid/{boards()['en/port-gate.json']['uid']}",
        f"/api/v1/provisioning/folder/tagwharf-alerts/rule-groups/{GROUP}",
    ],
)
def test_a_grafana_in_trouble_is_told_and_nothing_is_taken_for_missing(path: str) -> None:
    class Ill(Grafana):
        def answer(self, asked: Asked) -> Answered:
            return Answered(500, {"message": "database is locked"}) if asked.path == path else super().answer(asked)

    grafana = Ill()
    with pytest.raises(ServerError, match=f"{path} answered 500 database is locked; 200 or 404 is expected"):
        run(grafana)
    assert not any(line.endswith(path) for line in grafana.written)
