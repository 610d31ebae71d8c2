"""The part of Grafana's HTTP API that boards are installed by, with its state and its refusals.

Written from Grafana's documentation of the HTTP API (data source, folder, dashboard, alerting provisioning) and the
statuses of its `pkg/services/dashboards/errors.go`; it knows nothing of how the product uses it.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.json_server import Answered, Asked

ADMIN: Final = "glsa_admin"
VIEWER: Final = "glsa_viewer"
_GROUP: Final = re.compile(r"/api/v1/provisioning/folder/([^/]+)/rule-groups/([^/]+)").fullmatch
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}").fullmatch
_STATES: Final = {"noDataState": {"NoData", "Alerting", "OK", "KeepLast"}}
_STATES["execErrState"] = {"Error", "Alerting", "OK", "KeepLast"}


def _problem(code: int, message: str, /, **more: str) -> Answered:
    return Answered(code, {"message": message, **more})


@dataclass
class Grafana:
    """`Grafana().answer` is for `json_server`.

    Attributes:
        written: method and path of every request that changed something.
        secrets: what was given as `secureJsonData`, by uid: it never comes back.
        provisioned: uids of boards that files brought.
        reachable: whether the data source's health is good.
    """

    version: str = "12.3.0"
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    board_folders: dict[str, str] = field(default_factory=dict)
    groups: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    reachable: bool = True

    def answer(self, asked: Asked) -> Answered:
        if asked.path == "/api/health":
            return Answered(200, {"database": "ok", "version": self.version, "commit": "0"})
        token = asked.headers.get("authorization", "")
        if token not in (f"Bearer {ADMIN}", f"Bearer {VIEWER}"):
            return _problem(401, "Invalid API key")
        if asked.method != "GET":
            if token != f"Bearer {ADMIN}":
                return _problem(403, "You'll need additional permissions to perform this action.")
            self.written.append(f"{asked.method} {asked.path}")
        if asked.path == "/api/folders" or asked.path.startswith("/api/folders/"):
            return self._folder(asked)
        if asked.path.startswith("/api/datasources"):
            return self._source(asked)
        if asked.path.startswith("/api/dashboards/"):
            return self._board(asked)
        if found := _GROUP(asked.path):
            return self._group(asked, found[1], found[2])
        return _problem(404, "Not found")

    def _folder(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            uid, title = asked.body["uid"], asked.body["title"]
            if not _UID(uid):
                return _problem(400, "uid contains illegal characters")
            if uid in self.folders:
                return _problem(412, "The folder has been changed by someone else", status="version-mismatch")
            if any(each["title"] == title for each in self.folders.values()):
                return _problem(409, "a folder with the same name already exists in the current location")
            self.folders[uid] = {"uid": uid, "title": title, "version": 1, "id": len(self.folders) + 1}
            return Answered(200, self.folders[uid])
        uid = asked.path.rsplit("/", 1)[1]
        if uid not in self.folders:
            return _problem(404, "folder not found", status="not-found")
        folder = self.folders[uid]
        if asked.method == "PUT":
            if not asked.body.get("overwrite") and asked.body.get("version") != folder["version"]:
                return _problem(412, "The folder has been changed by someone else", status="version-mismatch")
            folder |= {"title": asked.body["title"], "version": folder["version"] + 1}
        return Answered(200, folder)

    def _source(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            body = copy.deepcopy(asked.body)
            if any(each["name"] == body["name"] for each in self.sources.values()):
                return _problem(409, "data source with the same name already exists")
            self._keep(body)
            return Answered(200, {"datasource": self._shown(body["uid"]), "message": "Datasource added"})
        uid, _, more = asked.path.removeprefix("/api/datasources/uid/").partition("/")
        if uid not in self.sources:
            return _problem(404, "Data source not found")
        if more == "health":
            if self.reachable:
                return Answered(200, {"status": "OK", "message": "datasource is working. 20 measurements found"})
            return Answered(400, {"status": "ERROR", "message": "error performing influxQL query"})
        if asked.method == "PUT":
            if self.sources[uid].get("readOnly"):
                return _problem(403, "Cannot update read-only data source")
            self._keep({**copy.deepcopy(asked.body), "uid": uid})
        return Answered(200, self._shown(uid))

    def _keep(self, body: dict[str, Any]) -> None:
        uid = body["uid"]
        self.secrets[uid] = self.secrets.get(uid, {}) | body.pop("secureJsonData", {})
        version = self.sources.get(uid, {"version": 0})["version"] + 1
        defaults = {"basicAuth": False, "withCredentials": False, "isDefault": False, "readOnly": False}
        self.sources[uid] = defaults | body | {"version": version}

    def _shown(self, uid: str) -> dict[str, Any]:
        return {**self.sources[uid], "secureJsonFields": dict.fromkeys(self.secrets[uid], True)}

    def _board(self, asked: Asked) -> Answered:
        if asked.method == "GET":
            uid = asked.path.rsplit("/", 1)[1]
            if uid not in self.boards:
                return _problem(404, "Dashboard not found")
            meta = {"folderUid": self.board_folders.get(uid, ""), "provisioned": uid in self.provisioned}
            return Answered(200, {"dashboard": self.boards[uid], "meta": meta})
        board = copy.deepcopy(asked.body["dashboard"])
        uid, folder = board["uid"], asked.body.get("folderUid", "")
        if not board.get("title"):
            return _problem(400, "Dashboard title cannot be empty", status="empty-name")
        if not _UID(uid):
            return _problem(400, "uid contains illegal characters")
        if folder and folder not in self.folders:
            return _problem(400, "Folder not found")
        if uid in self.provisioned:
            return _problem(400, "Cannot save provisioned dashboard")
        there = self.boards.get(uid)
        if there is not None and not asked.body.get("overwrite") and board.get("version") != there["version"]:
            return _problem(412, "The dashboard has been changed by someone else", status="version-mismatch")
        version = 1 if there is None else there["version"] + 1
        self.boards[uid] = board | {"id": 7 if there is None else there["id"], "version": version}
        self.board_folders[uid] = folder
        return Answered(200, {"uid": uid, "status": "success", "version": version})

    def _group(self, asked: Asked, folder: str, name: str) -> Answered:
        if asked.method == "GET":
            group = self.groups.get((folder, name))
            return _problem(404, "rule group not found") if group is None else Answered(200, group)
        if folder not in self.folders:
            return _problem(404, "folder not found")
        rules = copy.deepcopy(asked.body["rules"])
        here = {rule["uid"] for rule in self.groups.get((folder, name), {"rules": []})["rules"]}
        elsewhere = {
            rule["uid"] for place, group in self.groups.items() if place != (folder, name) for rule in group["rules"]
        }
        for rule in rules:
            if fault := _rule_fault(rule, self.sources):
                return _problem(400, f"invalid alert rule: {fault}")
            if rule["uid"] in elsewhere - here:
                return _problem(409, "rule UID is used by another rule")
            rule |= {"orgID": 1, "folderUID": folder, "ruleGroup": name, "id": 3, "updated": "2026-01-01T00:00:00Z"}
            if "x-disable-provenance" not in asked.headers:
                rule["provenance"] = "api"
        self.groups[folder, name] = {
            "title": name,
            "folderUid": folder,
            "interval": asked.body["interval"],
            "rules": rules,
        }
        return Answered(200, self.groups[folder, name])


def _rule_fault(rule: dict[str, Any], sources: dict[str, dict[str, Any]]) -> str:
    refs = [each["refId"] for each in rule["data"]]
    for key, allowed in _STATES.items():
        if rule[key] not in allowed:
            return f"{key} {rule[key]!r}"
    if len(set(refs)) != len(refs) or rule["condition"] not in refs:
        return "refIds or condition"
    if not re.fullmatch(r"\d+[smh]", rule["for"]) or not _UID(rule["uid"]) or not 0 < len(rule["title"]) <= 190:
        return "for, uid or title"
    for each in rule["data"]:
        if each["datasourceUid"] != "__expr__" and each["datasourceUid"] not in sources:
            return f"data source {each['datasourceUid']} not found"
        if each["datasourceUid"] != "__expr__" and each["relativeTimeRange"]["from"] <= 0:
            return "invalid relative time range"
    return ""
