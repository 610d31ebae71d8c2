"""What Grafana reads when it starts: data source, folders with boards, alert rules, as YAML below `provisioning/`.

Those of the source tree leave everything of a site to environment variables; `tagwharf boards export` fills in what the
site file says. A secret is never in a file: it is always the name of a variable.

Source: Grafana, "Provision Grafana"; a `$` that is meant as such is written twice, but not in queries and annotations
of alert rules, which Grafana takes as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self

from gateway.boards.installing.alerting import EVERY_S, GROUP, RULES, STORE_UID, as_rule
from gateway.boards.installing.yaml_text import Data, yaml_text
from gateway.boards.making.board import CONSOLE, TAG
from gateway.config.models import InfluxApi, InfluxSink

FOLDER: Final = Path("grafana/provisioning")
NAME: Final = "Tagwharf"
FOLDERS: Final[dict[str, str]] = {"en": "Tagwharf", "zh": "Tagwharf 中文", "alerts": "Tagwharf alerts"}
"""Titles of folders by the end of their uid: one a language, and one for alert rules of whichever language."""
URL_VARIABLE: Final = "$TAGWHARF_INFLUX_URL"
DATABASE_VARIABLE: Final = "$TAGWHARF_INFLUX_DATABASE"
TOKEN_VARIABLE: Final = "$TAGWHARF_INFLUX_TOKEN"  # noqa: S105  # the name of a variable
PASSWORD_VARIABLE: Final = "$TAGWHARF_INFLUX_PASSWORD"  # noqa: S105  # the name of a variable
BOARDS_VARIABLE: Final = "$TAGWHARF_BOARDS"
_ORGANISATION: Final = 1
_SHORTEST_INTERVAL: Final = "10s"  # as often as the rules daemon writes aggregates: closer points would be gaps
_LOOK_FOR_BOARDS_S: Final = 60
_HEAD: Final = "Generated from the code of Tagwharf."


class Language(StrEnum):
    """Which boards; alert rules speak the first language and carry the other one with them."""

    ENGLISH = "en"
    CHINESE = "zh"
    BOTH = "both"

    @property
    def each(self) -> tuple[str, ...]:
        """The languages one by one."""
        return ("en", "zh") if self is Language.BOTH else (self.value,)


Login = Literal["token", "password", "none"]


@dataclass(frozen=True, slots=True)
class Store:
    """Where the boards' data are.

    Attributes:
        login: how Grafana shows itself there: a token (2.x and 3), user and password (1.x), or not at all.
    """

    url: str
    database: str
    login: Login
    user: str = ""

    @classmethod
    def of_sink(cls, sink: InfluxSink) -> Self:
        """The store of the site file."""
        login: Login = "token" if sink.api is InfluxApi.V2 else "password" if sink.user else "none"
        return cls(sink.url.rstrip("/"), sink.bucket, login, sink.user or "")

    def literal(self) -> Self:
        """The same for a file in which a `$` begins a variable."""
        plain = {name: getattr(self, name).replace("$", "$$") for name in ("url", "database", "user")}
        return type(self)(plain["url"], plain["database"], self.login, plain["user"])


def data_source(store: Store, secret: str | None) -> dict[str, Data]:
    """As the HTTP API takes it; `secret` None: what Grafana has of it stays."""
    settings: dict[str, Data] = {
        "version": "InfluxQL",
        "dbName": store.database,
        "httpMode": "POST",
        "timeInterval": _SHORTEST_INTERVAL,
    }
    made: dict[str, Data] = {
        "uid": STORE_UID,
        "name": NAME,
        "type": "influxdb",
        "access": "proxy",
        "url": store.url,
        "user": store.user,
        "isDefault": False,
    }
    if store.login == "token":
        settings["httpHeaderName1"] = "Authorization"
    made["jsonData"] = settings
    if secret is not None and store.login != "none":
        named = {"httpHeaderValue1": f"Token {secret}"} if store.login == "token" else {"password": secret}
        made["secureJsonData"] = named
    return made


def rule_group(language: Language, console: str) -> list[dict[str, Data]]:
    """The alert rules, as files and the HTTP API have them alike."""
    first = language.each[0]
    return [as_rule(rule, language.each, board_uid(rule.board, first), console) for rule in RULES]


def board_uid(name: str, language: str) -> str:
    """The fixed address of a board, without making it."""
    return f"{TAG}-{language}-{name}"


def provisioning(store: Store, boards: str, language: Language, console: str = CONSOLE) -> dict[Path, str]:
    """The files by path below `provisioning/`; `boards` is the directory in which Grafana finds `en/` and `zh/`."""
    variable = PASSWORD_VARIABLE if store.login == "password" else TOKEN_VARIABLE
    source = {**data_source(store, variable), "orgId": _ORGANISATION, "editable": False, "version": 1}
    folders: list[Data] = [
        {
            "name": f"tagwharf-{each}",
            "orgId": _ORGANISATION,
            "folder": FOLDERS[each],
            "folderUid": folder_uid(each),
            "type": "file",
            "disableDeletion": True,
            "allowUiUpdates": False,
            "updateIntervalSeconds": _LOOK_FOR_BOARDS_S,
            "options": {"path": f"{boards}/{each}", "foldersFromFilesStructure": False},
        }
        for each in language.each
    ]
    group: dict[str, Data] = {
        "orgId": _ORGANISATION,
        "name": GROUP,
        "folder": FOLDERS["alerts"],
        "interval": f"{EVERY_S}s",
        "rules": [*rule_group(language, console)],
    }
    secret = "" if store.login == "none" else f"\n{variable[1:]} is set where Grafana runs; no secret stands here."
    return {
        Path("datasources/tagwharf.yaml"): _document(
            f"The store, asked in InfluxQL.{secret}", {"datasources": [source]}
        ),
        Path("dashboards/tagwharf.yaml"): _document("The boards, a folder for each language.", {"providers": folders}),
        Path("alerting/tagwharf.yaml"): _document(
            "Alert rules. Who is told is for your own contact points: route by the labels severity and source.",
            {"groups": [group]},
        ),
    }


def documents() -> dict[Path, str]:
    """The files of the source tree, by path in it."""
    store = Store(URL_VARIABLE, DATABASE_VARIABLE, "token")
    made = provisioning(store, BOARDS_VARIABLE, Language.BOTH)
    return {FOLDER / path: text for path, text in made.items()}


def folder_uid(name: str) -> str:
    """The fixed address of one of `FOLDERS`."""
    return f"tagwharf-{name}"


def _document(about: str, content: Mapping[str, Data]) -> str:
    return yaml_text(f"{_HEAD}\n{about}", {"apiVersion": 1, **content})
