"""Makes bucket, mapping for InfluxQL and a token that may write alone, in InfluxDB 2.x.

Source: InfluxDB v2 API, `/api/v2/orgs`, `/api/v2/buckets`, `/api/v2/authorizations`.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.boards.installing.http_json import JsonServer, Reply
from gateway.boards.installing.mapping import map_bucket
from gateway.config.models import InfluxSink
from gateway.init.steps import StepError

_DAY_S: Final = 86_400
_NOT_FOUND: Final = 404


async def make_bucket(store: JsonServer, sink: InfluxSink, keep_days: int) -> str:
    """Make the bucket, if it is not there, and its mapping; returns what was done.

    Raises:
        StepError, ServerError: it was not done.
    """
    organisation = await _organisation(store, sink.org)
    path = "/api/v2/buckets"
    found = await store.ask("GET", path, query={"org": sink.org, "name": sink.bucket})
    said = f"bucket {sink.bucket!r} is there"
    if not _named(found, "buckets", sink.bucket):
        rules = [{"type": "expire", "everySeconds": keep_days * _DAY_S}] if keep_days else []
        wanted = {"orgID": organisation, "name": sink.bucket, "retentionRules": rules}
        reply = await store.ask("POST", path, wanted)
        if not reply.is_good:
            raise store.refused(reply, path, "201 is expected")
        said = f"bucket {sink.bucket!r} is made"
    return f"{said}; {await map_bucket(store, sink)}"


async def make_writer(store: JsonServer, sink: InfluxSink, description: str) -> str:
    """Make a token that may write into the bucket and do nothing else.

    Raises:
        StepError, ServerError: it was not made.
    """
    organisation = await _organisation(store, sink.org)
    buckets = await store.ask("GET", "/api/v2/buckets", query={"org": sink.org, "name": sink.bucket})
    bucket = _named(buckets, "buckets", sink.bucket)
    if bucket is None:
        raise store.refused(buckets, "/api/v2/buckets", f"bucket {sink.bucket!r} is expected")
    path = "/api/v2/authorizations"
    resource = {"type": "buckets", "id": bucket, "orgID": organisation}
    wanted = {
        "orgID": organisation,
        "description": description,
        "permissions": [{"action": "write", "resource": resource}],
    }
    reply = await store.ask("POST", path, wanted)
    token = reply.body.get("token") if isinstance(reply.body, dict) else None
    if not reply.is_good or not isinstance(token, str) or not token:
        raise store.refused(reply, path, "a token is expected")
    return token


async def _organisation(store: JsonServer, name: str) -> str:
    if not name:
        raise StepError("InfluxDB 2 keeps buckets in organisations: give store.org")
    path = "/api/v2/orgs"
    reply = await store.ask("GET", path, query={"org": name})
    found = _named(reply, "orgs", name)
    if found is None and (reply.is_good or reply.status == _NOT_FOUND):
        raise StepError(
            f"{store.what}: {store.url} has no organisation {name!r} that this token may see; correct store.org"
        )
    if found is None:
        raise store.refused(reply, path, "200 is expected")
    return found


def _named(reply: Reply, key: str, name: str) -> str | None:
    """The id of the thing of that name in a list; None without it."""
    found: Any = reply.body.get(key) if reply.is_good and isinstance(reply.body, dict) else None
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict) and each.get("name") == name and each.get("id"):
            return str(each["id"])
    return None
