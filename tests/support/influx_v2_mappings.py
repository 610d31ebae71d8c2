"""The part of InfluxDB 2's API that mappings are made by: `/ping`, `/api/v2/buckets`, `/api/v2/dbrps`.

Written from the documentation of that API and from `dbrp/http_server_dbrp.go` of influxdata/influxdb (2.x).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.json_server import Answered, Asked

TOKEN: Final = "operator"
ORG: Final = "port"
ORG_ID: Final = "0a0a0a0a0a0a0a0a"


@dataclass
class InfluxMappings:
    """`InfluxMappings().answer` is for `json_server`.

    Attributes:
        version: as `/ping` says it; empty: it does not say.
        buckets: ids by name; each without a mapping of its own has a virtual one.
        mappings: those that were made, by id.
    """

    version: str = "v2.7.12"
    buckets: dict[str, str] = field(default_factory=lambda: {"tagwharf": "0b0b0b0b0b0b0b0b"})
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answered:
        named = {"X-Influxdb-Version": self.version} if self.version else {}
        if asked.path == "/ping":
            return Answered(204, headers=named)
        if asked.headers.get("authorization") != f"Token {TOKEN}":
            return Answered(401, {"code": "unauthorized", "message": "unauthorized access"})
        if asked.path == "/api/v2/buckets":
            return self._bucket(asked)
        if asked.path.startswith("/api/v2/dbrps"):
            return self._mapping(asked)
        return Answered(404, {"code": "not found", "message": "path not found"})

    def add(self, database: str, bucket: str, policy: str, *, default: bool) -> str:
        number = f"{len(self.mappings) + 1:016x}"
        self.mappings[number] = {
            "id": number,
            "orgID": ORG_ID,
            "bucketID": bucket,
            "database": database,
            "retention_policy": policy,
            "default": default,
        }
        return number

    def _bucket(self, asked: Asked) -> Answered:
        if asked.query.get("org") != ORG:
            return Answered(404, {"code": "not found", "message": "organization name not found"})
        name = asked.query["name"]
        if name not in self.buckets:
            return Answered(404, {"code": "not found", "message": f'bucket "{name}" not found'})
        return Answered(200, {"buckets": [{"id": self.buckets[name], "orgID": ORG_ID, "name": name}]})

    def _mapping(self, asked: Asked) -> Answered:
        if asked.method == "GET":
            return self._list(asked)
        self.written.append(f"{asked.method} {asked.path}")
        if asked.method == "PATCH":
            mapping = self.mappings.get(asked.path.rsplit("/", 1)[1])
            if mapping is None or asked.query.get("orgID") != ORG_ID:
                return Answered(404, {"code": "not found", "message": "unable to find DBRP"})
            mapping |= asked.body
            return Answered(200, {"content": mapping})
        body = asked.body
        if body.get("orgID") != ORG_ID or body["bucketID"] not in self.buckets.values():
            return Answered(400, {"code": "invalid", "message": "invalid ID"})
        place = (body["database"], body["retention_policy"])
        if any((each["database"], each["retention_policy"]) == place for each in self.mappings.values()):
            return Answered(409, {"code": "conflict", "message": "another DBRP mapping with same orgID, db, rp exists"})
        number = self.add(*place[:1], body["bucketID"], place[1], default=body["default"])
        return Answered(201, self.mappings[number])

    def _list(self, asked: Asked) -> Answered:
        if asked.query.get("orgID") != ORG_ID:
            return Answered(400, {"code": "invalid", "message": "invalid org ID"})
        mapped = {each["bucketID"] for each in self.mappings.values()}
        virtual = [
            {
                "id": number,
                "orgID": ORG_ID,
                "bucketID": number,
                "database": name,
                "retention_policy": "autogen",
                "default": True,
                "virtual": True,
            }
            for name, number in self.buckets.items()
            if number not in mapped
        ]
        found = [each for each in [*self.mappings.values(), *virtual] if each["database"] == asked.query.get("db")]
        return Answered(200, {"content": found})
