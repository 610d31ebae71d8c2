from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from gateway.boards.installing.http_json import JsonServer, NotAllowedError, ServerError
from gateway.config.models import InfluxSink
from gateway.init.influx_v2 import make_bucket, make_writer
from gateway.init.steps import StepError
from tests.gateway.init.influx_v2_buckets import InfluxBuckets
from tests.support.influx_v2_mappings import ORG, ORG_ID, TOKEN
from tests.support.json_server import Answered, Asked, json_server

T = TypeVar("T")


def run(
    answer: Callable[[Asked], Answered],
    work: Callable[[JsonServer, InfluxSink], Awaitable[T]],
    *,
    org: str = ORG,
    token: str = TOKEN,
) -> T:
    async def once(url: str) -> T:
        async with JsonServer("InfluxDB", url, f"Token {token}") as server:
            return await work(server, InfluxSink(kind="influxdb", name="main", url=url, org=org, bucket="plant"))

    with json_server(answer) as url:
        return asyncio.run(once(url))


def test_a_bucket_is_made_and_mapped_once() -> None:
    influx = InfluxBuckets()
    said = run(influx.answer, lambda server, sink: make_bucket(server, sink, 365))
    assert said == "bucket 'plant' is made; InfluxDB v2.7.12: 'plant' is mapped now"
    assert influx.made == [
        {"orgID": ORG_ID, "name": "plant", "retentionRules": [{"type": "expire", "everySeconds": 31_536_000}]}
    ]
    said = run(influx.answer, lambda server, sink: make_bucket(server, sink, 365))
    assert said == "bucket 'plant' is there; InfluxDB v2.7.12: 'plant' is mapped already"
    assert len(influx.made) == 1


def test_for_ever_is_no_rule() -> None:
    influx = InfluxBuckets()
    run(influx.answer, lambda server, sink: make_bucket(server, sink, 0))
    assert influx.made[0]["retentionRules"] == []


def test_the_token_may_write_into_the_bucket_and_nothing_else() -> None:
    influx = InfluxBuckets()

    async def both(server: JsonServer, sink: InfluxSink) -> str:
        await make_bucket(server, sink, 365)
        return await make_writer(server, sink, "writes events")

    assert run(influx.answer, both) == "token-1"
    (asked,) = influx.authorizations
    (permission,) = asked["permissions"]
    assert permission == {
        "action": "write",
        "resource": {"type": "buckets", "id": influx.buckets["plant"], "orgID": ORG_ID},
    }


def test_an_organisation_must_be_there() -> None:
    influx = InfluxBuckets()
    for org, why in (("", "give store.org"), ("nowhere", "no organisation 'nowhere'")):
        with pytest.raises(StepError, match=why):
            run(influx.answer, lambda server, sink: make_bucket(server, sink, 365), org=org)


def test_a_token_that_is_not_known() -> None:
    with pytest.raises(NotAllowedError, match="401"):
        run(InfluxBuckets().answer, lambda server, sink: make_bucket(server, sink, 365), token="other")


@pytest.mark.parametrize("refused", ["/api/v2/buckets", "/api/v2/orgs", "/api/v2/authorizations"])
def test_what_is_refused_is_told(refused: str) -> None:
    influx = InfluxBuckets()

    def answer(asked: Asked) -> Answered:
        writes = asked.method == "POST" or refused == "/api/v2/orgs"
        if asked.path == refused and writes:
            return Answered(422, {"code": "unprocessable entity", "message": "the quota is used up"})
        return influx.answer(asked)

    async def both(server: JsonServer, sink: InfluxSink) -> str:
        await make_bucket(server, sink, 365)
        return await make_writer(server, sink, "writes events")

    with pytest.raises(ServerError, match="422 the quota is used up"):
        run(answer, both)


def test_a_writer_needs_its_bucket() -> None:
    with pytest.raises(ServerError, match="bucket 'plant' is expected"):
        run(InfluxBuckets().answer, lambda server, sink: make_writer(server, sink, "x"))
