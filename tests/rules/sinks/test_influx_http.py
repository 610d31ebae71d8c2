from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.config.models import InfluxApi, InfluxSink
from rules.sinks.influx_http import LONGEST_RETRY_AFTER_S, Answer, NoAnswerError, V1Writer, V2Writer, retry_after_s
from tests.support.http_store import Act, HttpStore, Reply, problem

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LINE = b"reading,site=port value=1.5 1790000000000000000"


PATIENT_S = 10.0
"""Nobody waits for so long unless an answer is missing; a busy machine may need some of it."""
IMPATIENT_S = 1.0


def settings(
    store: HttpStore, api: str, *, gzip: bool = False, user: str | None = None, timeout_s: float = PATIENT_S
) -> InfluxSink:
    return InfluxSink(
        kind="influxdb",
        name="main",
        url=store.url,
        api=InfluxApi(api),
        org="port org",
        bucket="gate data",
        timeout_s=timeout_s,
        gzip=gzip,
        user=user,
    )


def writer(
    store: HttpStore, api: str, *, gzip: bool = False, secret: str | None = "s3cret", timeout_s: float = PATIENT_S
) -> V1Writer | V2Writer:
    if api == "v1":
        user = "tagwharf" if secret else None
        return V1Writer(settings(store, api, gzip=gzip, user=user, timeout_s=timeout_s), secret)
    return V2Writer(settings(store, api, gzip=gzip, timeout_s=timeout_s), secret)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("\u0663", None),
        ("99999999999999999999", LONGEST_RETRY_AFTER_S),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Mon, 01 Mar 2027 12:00:00 GMT", LONGEST_RETRY_AFTER_S),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_request_says_where_and_who(api: str, gzip: bool) -> None:  # noqa: FBT001  # a parameter of the test
    async def main() -> None:
        async with HttpStore() as store:
            ours = writer(store, api, gzip=gzip)
            assert await ours.post(LINE) == Answer(204)
            await ours.close()
            assert [row[0] for row in store.rows] == ["reading"]
            (request,) = store.requests
            assert request.headers.get("content-encoding", "identity") == ("gzip" if gzip else "identity")
            if api == "v2":
                assert request.path == "/api/v2/write"
                assert request.query == {"org": "port org", "bucket": "gate data", "precision": "ns"}
                assert request.headers["authorization"] == "Token s3cret"
            else:
                assert request.path == "/write"
                assert request.query == {"db": "gate data", "precision": "n"}
                assert request.headers["authorization"] == "Basic dGFnd2hhcmY6czNjcmV0"

    asyncio.run(main())


def test_v1_without_a_user_sends_the_secret_as_a_token() -> None:
    async def main() -> None:
        async with HttpStore() as store:
            ours = V1Writer(settings(store, "v1"), "s3cret")
            await ours.post(LINE)
            await ours.close()
            assert store.requests[0].headers["authorization"] == "Token s3cret"

    asyncio.run(main())


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_without_a_secret_none_is_sent(api: str) -> None:
    async def main() -> None:
        async with HttpStore() as store:
            ours = writer(store, api, secret=None)
            await ours.post(LINE)
            await ours.close()
            assert "authorization" not in store.requests[0].headers

    asyncio.run(main())


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_an_answer_keeps_status_message_and_retry_after(api: str) -> None:
    async def main() -> None:
        script = [
            problem(503, "unavailable", "busy", Retry_After="4"),
            Reply(400, b"<html>plain HTTP was sent to an HTTPS port</html>", {"Content-Type": "text/html"}),
            Reply(502, b" <!doctype html>"),
            Reply(302, headers={"Location": "/login"}),
            Reply(200, b"{}"),
            Reply(400, b"\xff\xfe"),
        ]
        async with HttpStore(script) as store:
            ours = writer(store, api)
            busy = await ours.post(LINE)
            assert (busy.status, busy.retry_after_s, busy.html) == (503, 4.0, False)
            assert "busy" in busy.message
            assert (await ours.post(LINE)).html
            assert (await ours.post(LINE)).html
            assert (await ours.post(LINE)).status == 302
            assert (await ours.post(LINE)).status == 200
            assert (await ours.post(LINE)).message == "\ufffd\ufffd"
            await ours.close()
            assert len(store.requests) == 6

    asyncio.run(main())


@pytest.mark.parametrize("reply", [Reply(act=Act.RESET), Reply(act=Act.HANG), Reply(after_s=2 * IMPATIENT_S)])
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_no_answer(api: str, reply: Reply) -> None:
    async def main() -> None:
        async with HttpStore([reply]) as store:
            ours = writer(store, api, timeout_s=IMPATIENT_S)
            with pytest.raises(NoAnswerError):
                await ours.post(LINE)
            assert await ours.post(LINE) == Answer(204)
            await ours.close()

    asyncio.run(main())


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_nobody_listens(api: str) -> None:
    async def main() -> None:
        async with HttpStore() as store:
            ours = writer(store, api)
        with pytest.raises(NoAnswerError):
            await ours.post(LINE)
        await ours.close()
        await ours.close()

    asyncio.run(main())
