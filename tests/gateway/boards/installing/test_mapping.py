from __future__ import annotations

import asyncio

import pytest

from gateway.boards.installing.http_json import JsonServer, NotAllowedError, ServerError
from gateway.boards.installing.mapping import map_bucket
from gateway.config.models import InfluxSink
from tests.support.influx_v2_mappings import ORG, TOKEN, InfluxMappings
from tests.support.json_server import Answered, Asked, json_server

BUCKET = "0b0b0b0b0b0b0b0b"
OTHER = "0c0c0c0c0c0c0c0c"


def run(influx: InfluxMappings, *, token: str = TOKEN, org: str = ORG, bucket: str = "tagwharf") -> str:
    async def once(url: str) -> str:
        sink = InfluxSink(kind="influxdb", name="main", url=url, org=org, bucket=bucket)
        async with JsonServer("InfluxDB", url, f"Token {token}") as server:
            return await map_bucket(server, sink)

    with json_server(influx.answer) as url:
        return asyncio.run(once(url))


def test_a_mapping_is_made_once_in_place_of_the_virtual_one() -> None:
    influx = InfluxMappings()
    assert run(influx) == "InfluxDB v2.7.12: 'tagwharf' is mapped now"
    (made,) = influx.mappings.values()
    assert (made["bucketID"], made["database"], made["retention_policy"], made["default"]) == (
        BUCKET,
        "tagwharf",
        "autogen",
        True,
    )
    assert run(influx) == "InfluxDB v2.7.12: 'tagwharf' is mapped already"
    assert influx.written == ["POST /api/v2/dbrps"]


def test_a_mapping_of_somebody_else_serves_as_well() -> None:
    influx = InfluxMappings()
    influx.add("tagwharf", BUCKET, "two_years", default=True)
    assert run(influx).endswith("is mapped already")
    assert influx.written == []


def test_a_mapping_that_is_not_the_default_becomes_it() -> None:
    influx = InfluxMappings()
    number = influx.add("tagwharf", BUCKET, "autogen", default=False)
    assert run(influx).endswith("is the default one now")
    assert influx.mappings[number]["default"] is True
    assert influx.written == [f"PATCH /api/v2/dbrps/{number}"]


@pytest.mark.parametrize(("policy", "default"), [("autogen", False), ("old", True)])
def test_a_name_that_leads_elsewhere_is_never_taken_away(policy: str, *, default: bool) -> None:
    influx = InfluxMappings()
    influx.add("tagwharf", OTHER, policy, default=default)
    with pytest.raises(ServerError, match=f"leads to another bucket, {OTHER}, by mapping 0000000000000001; delete"):
        run(influx)
    assert influx.written == []


@pytest.mark.parametrize("version", ["1.6.7~rc0", "1.8.10", "3.5.0"])
def test_other_influxdbs_need_none(version: str) -> None:
    influx = InfluxMappings(version)
    assert run(influx, token="none") == f"InfluxDB {version} needs no mapping: its database is 'tagwharf'"


def test_influxdb_3_may_say_its_version_in_the_body() -> None:
    class Three(InfluxMappings):
        def answer(self, asked: Asked) -> Answered:
            told = Answered(200, {"version": "3.5.0", "revision": "x"})
            return told if asked.path == "/ping" else super().answer(asked)

    assert run(Three("")).startswith("InfluxDB 3.5.0 needs no mapping")


def test_what_is_no_influxdb_is_told() -> None:
    with pytest.raises(ServerError, match="VictoriaMetrics serves no InfluxQL"):
        run(InfluxMappings(""))
    with pytest.raises(ServerError, match=r"InfluxDB 4\.0, which is not known"):
        run(InfluxMappings("4.0"))


def test_bucket_organisation_and_token_are_told_apart() -> None:
    with pytest.raises(ServerError, match=r'404 bucket "other" not found; create bucket .other., or correct'):
        run(InfluxMappings(), bucket="other")
    with pytest.raises(ServerError, match="404 organization name not found"):
        run(InfluxMappings(), org="elsewhere")
    with pytest.raises(ServerError, match="sink 'main' names no org"):
        run(InfluxMappings(), org="")
    with pytest.raises(NotAllowedError, match="401 unauthorized access"):
        run(InfluxMappings(), token="other")


def test_a_mapping_beside_ours_is_left_alone() -> None:
    influx = InfluxMappings()
    influx.add("tagwharf", BUCKET, "two_years", default=False)
    influx.add("tagwharf", OTHER, "old", default=False)
    assert run(influx).endswith("is mapped now")
    assert [each["default"] for each in influx.mappings.values()] == [False, False, True]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_store_in_trouble_is_told(method: str) -> None:
    class Ill(InfluxMappings):
        def answer(self, asked: Asked) -> Answered:
            if asked.path.startswith("/api/v2/dbrps") and asked.method == method:
                return Answered(500, {"code": "internal error", "message": "disk full"})
            return super().answer(asked)

    influx = Ill()
    if method == "PATCH":
        influx.add("tagwharf", BUCKET, "autogen", default=False)
    with pytest.raises(ServerError, match=r"/api/v2/dbrps\S* answered 500 disk full; 20[01] is expected"):
        run(influx)


@pytest.mark.parametrize(
    ("answered", "text"),
    [
        (Answered(500, {"message": "no"}), "answered 500 no; 200 is expected"),
        (Answered(200, {"buckets": []}), "answered 200; create bucket 'tagwharf'"),
        (Answered(200, {"buckets": [{"name": "tagwharf-old", "id": "1", "orgID": "2"}]}), "create bucket 'tagwharf'"),
        (Answered(200, []), "create bucket 'tagwharf'"),
    ],
)
def test_no_bucket_is_guessed(answered: Answered, text: str) -> None:
    class Odd(InfluxMappings):
        def answer(self, asked: Asked) -> Answered:
            return answered if asked.path == "/api/v2/buckets" else super().answer(asked)

    influx = Odd()
    with pytest.raises(ServerError, match=text):
        run(influx)
    assert influx.written == []
