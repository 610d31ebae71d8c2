from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import InfluxApi, InfluxSink
from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.events import Event, Evidence
from readers.errors import ConfigError
from rules.outputs import Outputs, Parcel, Point, SinkTroubleError
from rules.sinks.influxdb import InfluxDbSink, on_this_machine, open_sink
from tests.support.http_store import Act, HttpStore, Partial, Reply, problem
from tests.support.line_protocol import Row, parse

AT_US = 1_790_000_000_000_000
PATIENT_S = 10.0
"""Nobody waits for so long unless an answer is missing; a busy machine may need some of it."""
IMPATIENT_S = 1.0
Use = Callable[[InfluxDbSink, HttpStore], Coroutine[Any, Any, None]]


def sink_settings(url: str, **more: object) -> InfluxSink:
    values: dict[str, object] = {"kind": "influxdb", "name": "main", "url": url, "timeout_s": PATIENT_S, **more}
    return InfluxSink.model_validate(values)


def with_store(store: HttpStore, use: Use, **more: object) -> None:
    async def main() -> None:
        async with store:
            sink = InfluxDbSink(sink_settings(store.url, **more), site="port", secret="s3cret")
            try:
                await use(sink, store)
            finally:
                await sink.close()

    asyncio.run(main())


def parcel(first: int, last: int) -> Parcel:
    """Lines whose value and time are a number, from `first` to before `last`."""
    lines = [f"reading,site=port value={n} {n}" for n in range(first, last)]
    return Parcel("events", "\n".join(lines).encode(), len(lines), AT_US)


def values(store: HttpStore) -> list[float]:
    return sorted(float(fields["value"]) for fields in store.rows.values())


def refuse_if(bad: set[int]) -> Callable[[Row], str | None]:
    return lambda row: "field type conflict" if row.fields["value"] in bad else None


def test_parcels_are_joined_to_requests_of_batch_lines() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        assert await sink.write([parcel(0, 40), parcel(40, 60), parcel(60, 61), parcel(61, 311)]) == []
        assert [len(request.body.split(b"\n")) for request in store.requests] == [61, 100, 100, 50]
        assert values(store) == list(range(311))

    with_store(HttpStore(), use, batch_lines=100)


def test_nothing_is_sent_for_nothing() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        assert await sink.write([]) == []
        assert sink.encode([Outputs(AT_US)]) == []
        assert store.requests == []

    with_store(HttpStore(), use)


@pytest.mark.parametrize("partial", list(Partial))
@given(bad=st.sets(st.integers(0, 63), max_size=12))
@settings(max_examples=15, deadline=None)
def test_refused_lines_are_found_one_by_one_and_the_rest_is_stored(partial: Partial, bad: set[int]) -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        refusals = await sink.write([parcel(0, 30), parcel(30, 64)])
        assert sorted(row.fields["value"] for refusal in refusals for row in parse(refusal.body)) == sorted(bad)
        assert all("field type conflict" in refusal.reason for refusal in refusals)
        assert all(refusal.reason.startswith(("400 ", "422 ")) for refusal in refusals)
        assert values(store) == sorted(set(range(64)) - bad)

    with_store(HttpStore(refuse=refuse_if(bad), partial=partial), use)


def test_bisecting_is_cheap_for_one_bad_line() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        assert len(await sink.write([parcel(0, 4096)])) == 1
        assert len(store.requests) == 1 + 2 * 12

    with_store(HttpStore(refuse=refuse_if({2500})), use)


def test_a_body_too_large_is_halved_and_a_line_too_large_refused() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        large = Parcel("events", b'signal,site=port text="' + b"x" * 2000 + b'" 5', 1, AT_US)
        (refusal,) = await sink.write([parcel(0, 200), large])
        assert refusal.body == large.body
        assert refusal.reason.startswith("413 ")
        assert values(store) == list(range(200))

    with_store(HttpStore(most_bytes=1000), use)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_store_in_trouble_keeps_everything_and_is_asked_again_later(status: int) -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        with pytest.raises(SinkTroubleError, match=rf"sink 'main': {store.url} answered {status} .*not now") as caught:
            await sink.write([parcel(0, 5)])
        assert caught.value.retry_after_s == 3.0
        assert not caught.value.stopped
        assert len(store.requests) == 1
        assert store.rows == {}
        assert await sink.write([parcel(0, 5)]) == []
        assert values(store) == [0, 1, 2, 3, 4]

    with_store(HttpStore([problem(status, "unavailable", "not now", Retry_After="3")]), use)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "put a valid token or password into the credential influx-main"),
        (403, "put a valid token or password into the credential influx-main"),
        (404, "create the bucket 'tagwharf', or correct url, api (v2), org and bucket of sink 'main'"),
        (405, "204 is expected: check url and api (v2) of sink 'main'"),
        (302, "204 is expected"),
        (200, "204 is expected"),
    ],
)
def test_what_only_a_person_can_mend_stops_and_keeps_everything(status: int, advice: str) -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        with pytest.raises(SinkTroubleError) as caught:
            await sink.write([parcel(0, 5)])
        assert caught.value.stopped
        assert advice in caught.value.reason
        assert len(store.requests) == 1

    with_store(HttpStore([problem(status, "unauthorized", "no")]), use)


def test_a_missing_database_of_v1_is_named_so() -> None:
    async def use(sink: InfluxDbSink, _: HttpStore) -> None:
        with pytest.raises(SinkTroubleError, match="create the database 'tagwharf'"):
            await sink.write([parcel(0, 5)])

    with_store(HttpStore([problem(404, "not found", "database not found")]), use, api="v1")


def test_a_proxy_that_answers_400_quarantines_nothing() -> None:
    page = Reply(400, b"<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>")

    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        with pytest.raises(SinkTroubleError, match="check url and any proxy between") as caught:
            await sink.write([parcel(0, 5)])
        assert caught.value.stopped
        assert len(store.requests) == 1

    with_store(HttpStore([page]), use)


@pytest.mark.parametrize("reply", [Reply(act=Act.RESET), Reply(act=Act.HANG), Reply(act=Act.COMMIT_THEN_RESET)])
def test_without_an_answer_everything_is_given_again_and_stored_once(reply: Reply) -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        with pytest.raises(SinkTroubleError) as caught:
            await sink.write([parcel(0, 50)])
        assert (caught.value.stopped, caught.value.retry_after_s) == (False, None)
        assert len(store.rows) == (50 if reply.act is Act.COMMIT_THEN_RESET else 0)
        assert await sink.write([parcel(0, 50)]) == []
        assert values(store) == list(range(50))

    with_store(HttpStore([reply]), use, timeout_s=IMPATIENT_S)


def test_trouble_in_the_middle_of_bisecting_loses_nothing() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        parcels = [parcel(0, 64)]
        for _ in range(100):
            try:
                refusals = await sink.write(parcels)
            except SinkTroubleError:
                continue
            break
        assert len(refusals) == 3
        assert values(store) == sorted(set(range(64)) - {0, 31, 63})

    store = HttpStore(refuse=refuse_if({0, 31, 63}))
    judge = store._judge
    count = 0

    def sometimes(body: bytes) -> Reply:
        nonlocal count
        count += 1
        return problem(503, "unavailable", "not now") if count % 17 == 0 else judge(body)

    store._judge = sometimes  # type: ignore[method-assign]  # every 17th request finds the store busy
    with_store(store, use)


def test_what_the_encoder_refused_reaches_the_quarantine_through_the_parcel() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        good, bad = (Point("reading", (("site", "port"),), (("value", v),), 5) for v in (1.0, float("nan")))
        (made,) = sink.encode([Outputs(AT_US, points=[bad, good, bad])])
        assert made.points == 3
        refusals = await sink.write([made, parcel(10, 12)])
        assert [refusal.reason for refusal in refusals] == ["not_finite", "not_finite"]
        assert values(store) == [1.0, 10, 11]
        (only_bad,) = sink.encode([Outputs(AT_US, points=[bad])])
        assert len(await sink.write([only_bad])) == 1
        assert len(store.requests) == 1

    with_store(HttpStore(), use)


def test_parcels_are_bounded_and_know_their_earliest_cause() -> None:
    read = TagRead(epc="AA", antenna_port=1, read_point="p", seen_at_us=AT_US)
    batch = ReadBatch(gateway="g", device="d", received_at_us=AT_US, reads=[read] * 25)
    event = Event(
        id="0a",
        type="arrived",
        at_us=AT_US,
        subject="AA",
        evidence=Evidence(gateway="g", epoch=1, sequence_from=1, sequence_to=1),
    )

    async def use(sink: InfluxDbSink, _: HttpStore) -> None:
        outputs = [Outputs(30, reads=batch), Outputs(20, events=[event]), Outputs(10), Outputs(25, reads=batch)]
        made = sink.encode(outputs)
        assert [(p.kind, p.points, p.caused_at_us) for p in made] == [
            ("events", 1, 20),
            ("reads", 20, 25),
            ("reads", 20, 25),
            ("reads", 10, 25),
        ]
        assert [p.body.count(b"\n") + 1 for p in made] == [1, 20, 20, 10]

    with_store(HttpStore(), use, batch_lines=20, store_reads=True)


def test_an_exhausted_series_budget_is_told_once() -> None:
    told: list[tuple[str, dict[str, object]]] = []
    sink = InfluxDbSink(
        sink_settings("http://127.0.0.1:1", series_budget=5),
        site="port",
        secret=None,
        notice=lambda event, /, **fields: told.append((event, fields)),
    )
    points = [Point("signal", (("site", "port"), ("signal", f"s{n}")), (("value", 1.0),), n) for n in range(9)]
    (made,) = sink.encode([Outputs(AT_US, points=points)])
    assert made.body.count(b"#refused series_budget ") == 4
    assert (sink.guard.series, sink.guard.refused) == (5, 4)
    assert told == [
        ("series_budget_near", {"sink": "main", "series": 4, "budget": 5}),
        ("series_budget_exhausted", {"sink": "main", "series": 5, "budget": 5}),
    ]


def test_without_a_counter_the_series_budget_is_logged() -> None:
    sink = InfluxDbSink(sink_settings("http://127.0.0.1:1", series_budget=1), site="port", secret=None)
    with structlog.testing.capture_logs() as logs:
        sink.encode([Outputs(AT_US, points=[Point("signal", (("site", "port"),), (("value", 1.0),), 1)])])
    assert logs == [{"event": "series_budget_near", "log_level": "warning", "sink": "main", "series": 1, "budget": 1}]


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8086", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8086", True),
        ("http://localhost:8428", True),
        ("https://127.0.0.1:8086", False),
        ("http://influx.port.example:8086", False),
        ("http://10.0.0.5:8086", False),
        ("http://localhost.example", False),
        ("http://[::1", False),
    ],
)
def test_only_plain_http_to_loopback_needs_no_token(
    url: str,
    here: bool,  # noqa: FBT001  # a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert on_this_machine(url) is here
    if here:
        assert open_sink(sink_settings(url), site="port").name == "main"
    else:
        with pytest.raises(ConfigError, match="influx-main"):
            open_sink(sink_settings(url), site="port")


@pytest.mark.parametrize("api", list(InfluxApi))
def test_the_credential_reaches_the_store(api: InfluxApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "influx-main").write_text("t0ken\n")

    async def main() -> None:
        async with HttpStore() as store:
            user = "u" if api is InfluxApi.V1 else None
            sink = open_sink(sink_settings(store.url, api=api, user=user), site="port")
            assert await sink.write([parcel(0, 1)]) == []
            await sink.close()
            expected = "Basic dTp0MGtlbg==" if api is InfluxApi.V1 else "Token t0ken"
            assert store.requests[0].headers["authorization"] == expected

    asyncio.run(main())


def test_a_user_needs_a_password_even_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="influx-main"):
        open_sink(sink_settings("http://127.0.0.1:8086", api="v1", user="u"), site="port")


def test_a_secret_is_in_no_message() -> None:
    async def use(sink: InfluxDbSink, store: HttpStore) -> None:
        reasons: Sequence[str] = []
        for attempt in range(1, 4):
            with pytest.raises(SinkTroubleError) as caught:
                await sink.write([parcel(0, 5)])
            reasons = [*reasons, repr(caught.value), str(caught.value.__cause__)]
            assert len(store.requests) == attempt
        assert not [reason for reason in reasons if "s3cret" in reason]

    script = [problem(401, "unauthorized", "no"), Reply(act=Act.RESET), Reply(act=Act.HANG)]
    with_store(HttpStore(script), use, timeout_s=IMPATIENT_S)
