"""The mapping that lets InfluxQL find a bucket of InfluxDB 2: database and retention policy to bucket (DBRP).

InfluxDB 1 has databases, and InfluxDB 3 knows a bucket by its database's name: they need none. VictoriaMetrics serves
no InfluxQL. The server says at `/ping` what it is.

Source: InfluxDB v2 API, `/ping`, `/api/v2/buckets`, `/api/v2/dbrps`; "Manage DBRP mappings".
"""

from __future__ import annotations

import re
from typing import Any, Final

from gateway.boards.installing.http_json import JsonServer, ServerError
from gateway.config.models import InfluxSink

POLICY: Final = "autogen"
"""The retention policy that InfluxDB 1 gives by itself, so that queries need name none."""
_NOT_FOUND: Final = 404
_WITH_MAPPINGS: Final = 2
_OLDEST: Final = 1
_NEWEST: Final = 3
_version: Final = re.compile(r"v?(\d+)\.").match


async def map_bucket(store: JsonServer, sink: InfluxSink) -> str:
    """Make sure that InfluxQL finds the sink's bucket under its own name; returns what was done, for people.

    Raises:
        ServerError: it is no InfluxDB, the bucket is not there, or the name leads to another one.
        UnreachableError, NotAllowedError: nobody answers; the token may not do it.
    """
    version = await _what(store)
    found = _version(version)
    major = int(found[1]) if found else 0
    if not _OLDEST <= major <= _NEWEST:
        raise ServerError(f"{store.what}: {store.url} is InfluxDB {version}, which is not known; 1, 2 and 3 are")
    if major != _WITH_MAPPINGS:
        return f"InfluxDB {version} needs no mapping: its database is {sink.bucket!r}"
    if not sink.org:
        raise ServerError(f"{store.what}: sink {sink.name!r} names no org, in which InfluxDB 2 looks for the bucket")
    bucket, organisation = await _bucket(store, sink)
    for each in await _mappings(store, organisation, sink.bucket):
        if each.get("bucketID") != bucket and (each.get("default") or each.get("retention_policy") == POLICY):
            raise ServerError(
                f"{store.what}: database {sink.bucket!r} leads to another bucket, {each.get('bucketID')}, by mapping "
                f"{each.get('id')}; delete that mapping if nobody uses it"
            )
        if each.get("bucketID") == bucket and each.get("default"):
            return f"InfluxDB {version}: {sink.bucket!r} is mapped already"
        if each.get("retention_policy") == POLICY:
            await _make_default(store, organisation, str(each.get("id")))
            return f"InfluxDB {version}: the mapping of {sink.bucket!r} is the default one now"
    path = "/api/v2/dbrps"
    wanted = {
        "orgID": organisation,
        "bucketID": bucket,
        "database": sink.bucket,
        "retention_policy": POLICY,
        "default": True,
    }
    reply = await store.ask("POST", path, wanted)
    if not reply.is_good:
        raise store.refused(reply, path, "201 is expected")
    return f"InfluxDB {version}: {sink.bucket!r} is mapped now"


async def _what(store: JsonServer) -> str:
    path = "/ping"
    reply = await store.ask("GET", path)
    told = reply.body.get("version") if isinstance(reply.body, dict) else None
    version = reply.headers.get("X-Influxdb-Version") or told
    if not reply.is_good or not version:
        advice = "an InfluxDB would say its version; VictoriaMetrics serves no InfluxQL, so no boards"
        raise store.refused(reply, path, advice)
    return "".join(each for each in str(version)[:40] if each.isprintable())


async def _bucket(store: JsonServer, sink: InfluxSink) -> tuple[str, str]:
    """Ids of the bucket and of its organisation."""
    path = "/api/v2/buckets"
    reply = await store.ask("GET", path, query={"org": sink.org, "name": sink.bucket})
    found = _listed(reply.body, "buckets")
    missing = f"create bucket {sink.bucket!r}, or correct org ({sink.org!r}) and bucket of sink {sink.name!r}"
    if reply.status == _NOT_FOUND or (reply.is_good and not found):
        raise store.refused(reply, path, missing)
    if not reply.is_good:
        raise store.refused(reply, path, "200 is expected")
    for each in found:
        if each.get("name") == sink.bucket and each.get("id") and each.get("orgID"):
            return str(each["id"]), str(each["orgID"])
    raise store.refused(reply, path, missing)


async def _mappings(store: JsonServer, organisation: str, database: str) -> list[dict[str, Any]]:
    """Those that somebody made: virtual ones give way to them."""
    path = "/api/v2/dbrps"
    reply = await store.ask("GET", path, query={"orgID": organisation, "db": database})
    if not reply.is_good:
        raise store.refused(reply, path, "200 is expected")
    return [
        each for each in _listed(reply.body, "content") if each.get("database") == database and not each.get("virtual")
    ]


async def _make_default(store: JsonServer, organisation: str, mapping: str) -> None:
    path = f"/api/v2/dbrps/{mapping}"
    reply = await store.ask("PATCH", path, {"default": True}, query={"orgID": organisation})
    if not reply.is_good:
        raise store.refused(reply, path, "200 is expected")


def _listed(body: Any, key: str) -> list[dict[str, Any]]:
    found = body.get(key) if isinstance(body, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
