"""The part of InfluxDB 2's API that buckets and tokens are made by, besides that of mappings.

Written from the documentation of that API: `/api/v2/orgs`, `/api/v2/buckets`, `/api/v2/authorizations`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.influx_v2_mappings import ORG, ORG_ID, TOKEN, InfluxMappings
from tests.support.json_server import Answered, Asked


@dataclass
class InfluxBuckets(InfluxMappings):
    """Remembers the buckets and authorizations that it was asked to make."""

    made: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answered:
        known = asked.headers.get("authorization") == f"Token {TOKEN}"
        if known and asked.path == "/api/v2/orgs":
            if asked.query.get("org") != ORG:
                return Answered(404, {"code": "not found", "message": "organization name not found"})
            return Answered(200, {"orgs": [{"id": ORG_ID, "name": ORG}]})
        if known and asked.method == "POST" and asked.path == "/api/v2/buckets":
            name = asked.body["name"]
            if name in self.buckets:
                return Answered(422, {"code": "conflict", "message": f"bucket with name {name} already exists"})
            self.made.append(asked.body)
            self.buckets[name] = f"{len(self.buckets) + 16:016x}"
            return Answered(201, {"id": self.buckets[name], "orgID": ORG_ID, "name": name})
        if known and asked.method == "POST" and asked.path == "/api/v2/authorizations":
            self.authorizations.append(asked.body)
            return Answered(201, {"id": "1", "token": f"token-{len(self.authorizations)}"})
        return super().answer(asked)
