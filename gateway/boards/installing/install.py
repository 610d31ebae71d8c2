"""Brings data source, boards and alert rules into a running Grafana through its HTTP API, as often as one likes.

What is as it should be is left alone, so that no version is added. What Grafana has from files is left to the files.

Source: Grafana, HTTP API: data source, folder, dashboard, alerting provisioning.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.boards.catalogue import boards
from gateway.boards.installing.alerting import EVERY_S, GROUP, RULES, STORE_UID
from gateway.boards.installing.http_json import JsonServer, Reply, ServerError
from gateway.boards.installing.provisioning import FOLDERS, Language, Store, data_source, folder_uid, rule_group
from gateway.boards.installing.yaml_text import Data
from gateway.boards.making.board import CONSOLE
from gateway.boards.making.looks import Json

OLDEST: Final = 10
"""The first Grafana that takes `dbName` and rule groups as they are sent here."""
_MESSAGE: Final = "tagwharf boards install"
_KEPT: Final = ("basicAuth", "basicAuthUser", "withCredentials", "isDefault", "name")
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_PRECONDITION: Final = 412
_major: Final = re.compile(r"(\d+)\.").match

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What Grafana is to have.

    Attributes:
        secret: the token or password for the store; None leaves what Grafana has.
        console: where links to the console lead.
    """

    store: Store
    secret: str | None = None
    language: Language = Language.BOTH
    console: str = CONSOLE
    with_alerts: bool = True


def boards_for(language: Language, console: str) -> dict[str, Json]:
    """The boards of a language by path, such as `en/yard.json`, with the address of the console filled in."""
    made = {path: copy.deepcopy(board) for path, board in boards().items() if path.split("/")[0] in language.each}
    for board in made.values():
        templating = board["templating"]
        assert isinstance(templating, dict)
        for variable in templating["list"]:
            if variable["name"] == "console":
                chosen = {"selected": True, "text": console, "value": console}
                variable |= {"query": console, "current": chosen, "options": [chosen]}
    return made


async def install(grafana: JsonServer, plan: Plan, say: Say) -> None:
    """Do it, telling each step.

    Raises:
        ServerError: Grafana did not take something; what was told before is done. UnreachableError, NotAllowedError.
    """
    await _recent_enough(grafana)
    names = (*plan.language.each, *(("alerts",) if plan.with_alerts else ()))
    for name in names:
        await _folder(grafana, folder_uid(name), FOLDERS[name], say)
    await _store(grafana, plan, say)
    for path, board in boards_for(plan.language, plan.console).items():
        await _board(grafana, board, folder_uid(path.split("/")[0]), say)
    if plan.with_alerts:
        await _rules(grafana, plan, say)
    await _works(grafana, say)


async def _recent_enough(grafana: JsonServer) -> None:
    path = "/api/health"
    reply = await grafana.ask("GET", path)
    if not reply.is_good or not isinstance(reply.body, dict) or "database" not in reply.body:
        raise grafana.refused(reply, path, "no Grafana answers so: check the address")
    version = str(reply.body.get("version", ""))
    major = _major(version)
    if major is not None and int(major[1]) < OLDEST:  # a Grafana may hide its version from strangers
        raise ServerError(f"{grafana.what}: {grafana.url} is Grafana {version}; the boards need {OLDEST} or newer")


async def _folder(grafana: JsonServer, uid: str, title: str, say: Say) -> None:
    path = f"/api/folders/{uid}"
    reply = await grafana.ask("GET", path)
    if reply.status == _NOT_FOUND:
        await _done(grafana, "POST", "/api/folders", {"uid": uid, "title": title}, _Advice.FOLDER)
        say(f"folder {title!r}: made")
    elif not reply.is_good:
        raise grafana.refused(reply, path, "200 or 404 is expected")
    elif _of(reply, "title") != title:
        await _done(grafana, "PUT", path, {"title": title, "overwrite": True}, _Advice.FOLDER)
        say(f"folder {title!r}: named so again")
    else:
        say(f"folder {title!r}: as it was")


async def _store(grafana: JsonServer, plan: Plan, say: Say) -> None:
    path = f"/api/datasources/uid/{STORE_UID}"
    wanted = data_source(plan.store, plan.secret)
    reply = await grafana.ask("GET", path)
    if reply.status == _NOT_FOUND:
        await _done(grafana, "POST", "/api/datasources", wanted, _Advice.STORE)
        say(f"data source {plan.store.url}: made")
        if plan.secret is None and plan.store.login != "none":
            say("data source: has no secret yet; give it one with --store-credential or --store-secret-file")
        return
    if not reply.is_good or not isinstance(reply.body, dict):
        raise grafana.refused(reply, path, "200 or 404 is expected")
    there = reply.body
    if there.get("readOnly"):
        say("data source: was made by a file of provisioning, which it is left to")
        return
    settings = dict(there.get("jsonData") or {})
    if plan.store.login != "token" and settings.get("httpHeaderName1") == "Authorization":
        del settings["httpHeaderName1"]
    ours = wanted["jsonData"]
    assert isinstance(ours, dict)
    wanted |= {"jsonData": settings | ours} | {key: there[key] for key in _KEPT if key in there}
    if plan.secret is None and _includes(there, wanted) and settings | ours == (there.get("jsonData") or {}):
        say("data source: as it was")
        return
    await _done(grafana, "PUT", path, wanted, _Advice.STORE)
    say(f"data source {plan.store.url}: brought up to date")


async def _board(grafana: JsonServer, board: Json, folder: str, say: Say) -> None:
    path = f"/api/dashboards/uid/{board['uid']}"
    reply = await grafana.ask("GET", path)
    made = "made"
    if reply.is_good and isinstance(reply.body, dict):
        meta = reply.body.get("meta") or {}
        if meta.get("provisioned"):
            say(f"board {board['title']!r}: was made by a file of provisioning, which it is left to")
            return
        if meta.get("folderUid") == folder and _content(reply.body.get("dashboard") or {}) == _content(board):
            say(f"board {board['title']!r}: as it was")
            return
        made = "brought up to date"
    elif reply.status != _NOT_FOUND:
        raise grafana.refused(reply, path, "200 or 404 is expected")
    body = {"dashboard": {**board, "id": None}, "folderUid": folder, "overwrite": True, "message": _MESSAGE}
    await _done(grafana, "POST", "/api/dashboards/db", body, _Advice.BOARD)
    say(f"board {board['title']!r}: {made}")


async def _rules(grafana: JsonServer, plan: Plan, say: Say) -> None:
    folder = folder_uid("alerts")
    path = f"/api/v1/provisioning/folder/{folder}/rule-groups/{GROUP}"
    owned: dict[str, Data] = {
        "orgID": 1,
        "folderUID": folder,
        "ruleGroup": GROUP,
    }  # Grafana puts the organisation of the token instead
    rules: list[dict[str, Data]] = [{**rule, **owned} for rule in rule_group(plan.language, plan.console)]
    wanted = {"title": GROUP, "folderUid": folder, "interval": EVERY_S, "rules": rules}
    reply = await grafana.ask("GET", path)
    if reply.is_good and isinstance(reply.body, dict):
        there = {rule["uid"]: rule for rule in reply.body.get("rules") or []}
        if any(rule.get("provenance") == "file" for rule in there.values()):
            say("alert rules: were made by a file of provisioning, which they are left to")
            return
        if foreign := sorted(str(rule["title"]) for uid, rule in there.items() if uid not in _OURS):
            raise ServerError(
                f"{grafana.what}: group {GROUP!r} in {FOLDERS['alerts']!r} holds rules that are not ours: "
                f"{', '.join(foreign)}; they would be lost: move them to a group of their own"
            )
        kept = {key: rule for key, rule in wanted.items() if key != "rules"}
        same = {rule["uid"]: _includes(there.get(str(rule["uid"]), {}), _without_owner(rule)) for rule in rules}
        if _includes(reply.body, kept) and len(there) == len(rules) and all(same.values()):
            say(f"alert rules: all {len(rules)} as they were")
            return
    elif reply.status != _NOT_FOUND:
        raise grafana.refused(reply, path, "200 or 404 is expected")
    # Without provenance people may change them in Grafana, as everything else that is installed so.
    await _done(grafana, "PUT", path, wanted, _Advice.RULES, headers={"X-Disable-Provenance": "true"})
    say(f"alert rules: {len(rules)} brought up to date")


_OURS: Final = frozenset(rule.uid for rule in RULES)


async def _works(grafana: JsonServer, say: Say) -> None:
    """Whether Grafana reaches the store: said, and no error, since the store may come later."""
    reply = await grafana.ask("GET", f"/api/datasources/uid/{STORE_UID}/health")
    said = f": {reply.message}" if reply.message else ""
    if reply.is_good and str(_of(reply, "status")).upper() == "OK":
        say(f"store: Grafana reaches it{said}")
    else:
        say(f"store: Grafana does not get data from it{said}; check address, database and secret, see `boards mapping`")


class _Advice:
    FOLDER = "another folder may have this name: rename or delete that one"
    STORE = f"another data source may have this name: rename it, or give it the uid {STORE_UID!r}"
    BOARD = "look what Grafana has under this name and uid"
    RULES = "rules with these uids may be in another folder: delete them there"


async def _done(
    grafana: JsonServer, method: str, path: str, body: object, advice: str, *, headers: dict[str, str] | None = None
) -> None:
    reply = await grafana.ask(method, path, body, headers=headers)
    if reply.is_good:
        return
    if reply.status in (_CONFLICT, _PRECONDITION):
        advice = f"somebody else changes it at the same time, or {advice}; then do it again"
    raise grafana.refused(reply, path, advice)


def _of(reply: Reply, key: str) -> Any:
    return reply.body.get(key) if isinstance(reply.body, dict) else None


def _content(board: Json) -> Json:
    """Without what Grafana counts by itself."""
    return {key: value for key, value in board.items() if key not in ("id", "version")}


def _without_owner(rule: dict[str, Data]) -> dict[str, Data]:
    return {key: value for key, value in rule.items() if key != "orgID"}


def _includes(there: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; more may be."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(key in there and _includes(there[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(_includes, there, wanted))
    return bool(there == wanted)
