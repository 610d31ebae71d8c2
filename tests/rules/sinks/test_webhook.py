from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.models import WebhookSink as Settings
from readers.errors import ConfigError
from rules.outputs import Parcel, SinkTroubleError
from rules.sinks.letters import Clerk
from rules.sinks.webhook import BODY_WITHIN_S, MOST_SHOWN, WebhookSink, open_webhook
from tests.rules.sinks.told import AT_US, alarm, event, outputs
from tests.support.certificates import authority
from tests.support.webhook_receiver import KEY, OTHER_KEY, SECRET, Act, Receiver, Reply, is_signed

Use = Callable[[WebhookSink, Receiver], Coroutine[Any, Any, None]]
NOW_S = 1_790_000_123.9
PATIENT_S = 10.0
"""Nobody waits for so long unless an answer is missing; a busy machine may need some of it."""
IMPATIENT_S = 1.0


def sink_settings(url: str, **more: object) -> Settings:
    values = {"kind": "webhook", "name": "desk", "url": url, "events": ["*"], "timeout_s": PATIENT_S, **more}
    return Settings.model_validate(values)


def sink_to(url: str, *, authorization: str | None = None, **more: object) -> WebhookSink:
    told = sink_settings(url, **more)
    clerk = Clerk(told, site="port")
    return WebhookSink(told, clerk=clerk, keys=(OTHER_KEY, KEY), authorization=authorization, now_s=lambda: NOW_S)


def with_receiver(receiver: Receiver, use: Use, *, authorization: str | None = None, **more: object) -> None:
    async def main() -> None:
        async with receiver:
            sink = sink_to(receiver.url, authorization=authorization, **more)
            try:
                await use(sink, receiver)
            finally:
                await sink.close()

    asyncio.run(main())


def parcels(first: int, last: int) -> list[Parcel]:
    made = sink_to("https://127.0.0.1").encode([outputs(*(event(n) for n in range(first, last)))])
    assert sum(parcel.points for parcel in made) == last - first
    return made


def ids(first: int, last: int) -> list[str]:
    return [event(n).id for n in range(first, last)]


async def refuses(sink: WebhookSink, sent: list[Parcel]) -> SinkTroubleError:
    with pytest.raises(SinkTroubleError) as caught:
        await sink.write(sent)
    return caught.value


def test_each_document_is_one_signed_request_in_order() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert await sink.write(parcels(0, 40)) == []
        assert [posted.id for posted in receiver.requests] == ids(0, 40)
        assert all(posted.is_signed for posted in receiver.requests)
        first = receiver.requests[0]
        assert is_signed(first.headers, first.body, OTHER_KEY)
        assert first.path == "/hooks/in"
        assert first.json["data"]["subject"] == "truck-0"
        told = {name: first.headers.get(name) for name in ("content-type", "webhook-timestamp", "user-agent")}
        assert told == {
            "content-type": "application/json",
            "webhook-timestamp": "1790000123",
            "user-agent": "tagwharf",
        }
        assert not {"authorization", "cookie"} & first.headers.keys()

    with_receiver(Receiver(), use)


def test_a_login_goes_with_each_request_and_no_cookie_comes_back() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        await sink.write(parcels(0, 2))
        assert [posted.headers["authorization"] for posted in receiver.requests] == ["Bearer abc"] * 2
        assert all("cookie" not in posted.headers for posted in receiver.requests)

    with_receiver(Receiver([Reply(headers={"Set-Cookie": "a=b"})]), use, authorization="Bearer abc")


def test_nothing_is_sent_for_nothing() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert sink.encode([outputs()]) == []
        assert await sink.write([]) == []
        assert receiver.requests == []

    with_receiver(Receiver(), use)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_means_that_it_has_it(status: int) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert await sink.write(parcels(0, 2)) == []
        assert len(receiver.requests) == 2

    with_receiver(Receiver([Reply(status)]), use)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_document_that_is_refused_goes_to_the_quarantine_and_the_others_on(status: int) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        (refusal,) = await sink.write(parcels(0, 3))
        assert refusal.reason == f"{status} no such field: colour"
        assert refusal.body == receiver.requests[1].body
        assert list(receiver.taken) == [event(0).id, event(2).id]

    with_receiver(Receiver([Reply(), Reply(status, b"no such field: colour")]), use)


@pytest.mark.parametrize("status", [400, 422])
def test_a_page_of_a_proxy_refuses_nothing(status: int) -> None:
    page = Reply(status, b"<html>what?</html>", {"Content-Type": "text/html"})

    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 1))
        assert error.stopped
        assert "something other than the receiver answers here" in error.reason
        assert await sink.write(parcels(0, 1)) == []
        assert list(receiver.taken) == ids(0, 1)

    with_receiver(Receiver([page]), use)


def test_too_large_for_a_proxy_is_too_large() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        (refusal,) = await sink.write(parcels(0, 1))
        assert refusal.reason.startswith("413 ")
        assert receiver.taken == {}

    with_receiver(Receiver([Reply(413, b"<html>", {"Content-Type": "text/html"})]), use)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 501, 502, 503, 504])
def test_a_receiver_in_trouble_is_asked_again_later_and_no_document_overtakes(status: int) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 4))
        assert (error.retry_after_s, error.stopped) == (7.0, False)
        origin = receiver.url.removesuffix("/hooks/in")  # the path may be a secret
        assert error.reason == f"sink 'desk': {origin} answered {status} busy; it is tried again"
        assert list(receiver.taken) == ids(0, 2)
        assert await sink.write(parcels(0, 4)) == []
        assert list(receiver.taken) == ids(0, 4)
        assert receiver.doubles == 0  # it went on where it was stopped

    with_receiver(Receiver([Reply(), Reply(), Reply(status, b"busy", {"Retry-After": "7"})]), use)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "give both sides the same key, webhook-desk"),
        (403, "give both sides the same key, webhook-desk"),
        (404, "correct the url of sink 'desk'"),
        (405, "it takes no POST"),
        (410, "the receiver wants nothing any more: remove sink 'desk'"),
        (415, "2xx is expected"),
        (304, "2xx is expected"),
    ],
)
def test_what_only_a_person_can_mend_stops_and_keeps_everything(status: int, advice: str) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 3))
        assert error.stopped
        assert advice in error.reason
        assert await sink.write(parcels(0, 3)) == []
        assert list(receiver.taken) == ids(0, 3)

    with_receiver(Receiver([Reply(), Reply(status)]), use)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 1))
        assert error.stopped
        assert "redirects are not followed" in error.reason
        assert [posted.path for posted in receiver.requests] == ["/hooks/in"]

    with_receiver(Receiver([Reply(status, headers={"Location": "/elsewhere"})]), use)


@pytest.mark.parametrize("act", [Act.RESET, Act.HANG])
def test_no_answer_is_tried_again(act: Act) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 3))
        assert not error.stopped
        assert "it is tried again" in error.reason
        assert await sink.write(parcels(0, 3)) == []
        assert list(receiver.taken) == ids(0, 3)

    with_receiver(Receiver([Reply(), Reply(status=500, act=act)]), use, timeout_s=IMPATIENT_S)


def test_what_was_taken_unheard_is_sent_again_under_its_id() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert not (await refuses(sink, parcels(0, 2))).stopped
        assert await sink.write(parcels(0, 2)) == []
        assert [posted.id for posted in receiver.requests] == [*ids(0, 1), *ids(0, 2)]
        assert receiver.doubles == 1

    with_receiver(Receiver([Reply(act=Act.TAKE_THEN_RESET)]), use)


@pytest.mark.parametrize(("status", "is_stored"), [(200, True), (500, False)])
def test_an_endless_answer_counts_by_its_status(status: int, is_stored: bool) -> None:  # noqa: FBT001  # a parameter of the test
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        if is_stored:
            assert await sink.write(parcels(0, 1)) == []
        else:
            assert "answered 500 x" in (await refuses(sink, parcels(0, 1))).reason
        assert loop.time() - began_s < BODY_WITHIN_S + 3
        assert len(receiver.requests) == 1

    with_receiver(Receiver([Reply(status, act=Act.DRIP)]), use, timeout_s=30)


def test_a_long_answer_is_cut_and_cannot_forge_a_line() -> None:
    async def use(sink: WebhookSink, _: Receiver) -> None:
        error = await refuses(sink, parcels(0, 1))
        assert error.reason.isprintable()
        assert len(error.reason) < MOST_SHOWN + 200

    with_receiver(Receiver([Reply(500, b"a\n\x1b[31m\xff" + b"b" * 2_000_000)]), use)


def test_a_packed_answer_is_not_unpacked() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert await sink.write(parcels(0, 1)) == []
        assert receiver.requests[0].headers["accept-encoding"] == "identity"

    with_receiver(Receiver([Reply(200, b"\x1f\x8bno gzip", {"Content-Encoding": "gzip"})]), use)


@pytest.mark.parametrize("status", [409, 500])
def test_a_document_that_the_receiver_always_fails_at_is_given_up_if_it_is_said(status: int) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        for _ in range(2):
            assert not (await refuses(sink, parcels(0, 2))).stopped
        await asyncio.sleep(0.25)
        (refusal,) = await sink.write(parcels(0, 2))
        assert refusal.reason == f"{status} oops; for 0.2 s"
        assert list(receiver.taken) == ids(1, 2)

    with_receiver(Receiver([Reply(status, b"oops")] * 3), use, give_up_after_s=0.2)


@pytest.mark.parametrize(("status", "limit_s"), [(500, 0), (503, 0.05), (502, 0.05), (429, 0.05), (408, 0.05)])
def test_nothing_is_given_up_without_a_word_or_for_what_is_no_fault_of_a_document(status: int, limit_s: float) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        for _ in range(3):
            assert not (await refuses(sink, parcels(0, 1))).stopped
            await asyncio.sleep(0.06)
        assert await sink.write(parcels(0, 1)) == []
        assert list(receiver.taken) == ids(0, 1)

    with_receiver(Receiver([Reply(status)] * 3), use, give_up_after_s=limit_s)


def test_each_document_has_its_own_time() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        await refuses(sink, parcels(0, 2))
        await asyncio.sleep(0.25)
        assert not (
            await refuses(sink, parcels(0, 2))
        ).stopped  # the first was taken, the second fails for the first time
        assert await sink.write(parcels(0, 2)) == []
        assert list(receiver.taken) == ids(0, 2)

    with_receiver(Receiver([Reply(500), Reply(), Reply(500)]), use, give_up_after_s=0.2)


def test_nobody_listens() -> None:
    async def main() -> None:
        async with Receiver() as receiver:
            url = receiver.url
        sink = sink_to(url)
        assert not (await refuses(sink, parcels(0, 1))).stopped
        await sink.close()
        await sink.close()

    asyncio.run(main())


def test_what_cannot_be_written_is_refused_without_a_request() -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        made = sink.encode([outputs(event(0), event(1, name="half \ud800"), event(2))])
        (refusal,) = await sink.write(made)
        assert refusal.reason.startswith("no document could be made of it: ")
        assert list(receiver.taken) == [event(0).id, event(2).id]

    with_receiver(Receiver(), use)


# Any script of troubles: in the end everything was taken or refused, once, in order.
REPLIES = st.sampled_from([Reply(), Reply(429), Reply(503), Reply(401), Reply(422), Reply(act=Act.TAKE_THEN_RESET)])


@given(script=st.lists(REPLIES, max_size=12), counts=st.lists(st.integers(1, 4), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_made_is_stored_or_refused(script: list[Reply], counts: list[int]) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        number = sum(counts)
        sent = parcels(0, number)
        for _ in range(len(script) + 1):
            try:
                refused = {refusal.body for refusal in await sink.write(sent)}
                break
            except SinkTroubleError:
                continue
        bodies = {posted.id: posted.body for posted in receiver.requests}
        assert list(bodies) == ids(0, number)
        for made in ids(0, number):
            assert (made in receiver.taken) or (bodies[made] in refused)
        assert len(refused) + len(receiver.taken) >= number
        assert list(receiver.taken) == sorted(receiver.taken, key=list(bodies).index)

    with_receiver(Receiver(script), use)


def server_tls(directory: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    return context


def pin(directory: Path, name: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((directory / f"{name}.pem").read_text())).hexdigest()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("tls"), here="IP:127.0.0.1", named="DNS:desk.example", us="DNS:us")


@pytest.mark.parametrize(
    ("server", "tls"),
    [
        ("here", {"ca_file": "ca.pem"}),
        ("named", {"ca_file": "ca.pem", "server_name": "desk.example"}),
        ("named", {"fingerprint_sha256": "named"}),
    ],
)
def test_a_server_that_proves_itself(certificates: Path, server: str, tls: dict[str, str]) -> None:
    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert await sink.write(parcels(0, 3)) == []
        assert receiver.url.startswith("https://")
        assert list(receiver.taken) == ids(0, 3)

    with_receiver(Receiver(tls=server_tls(certificates, server)), use, tls=resolved(certificates, tls))


@pytest.mark.parametrize(
    ("server", "tls"),
    [
        ("here", {}),
        ("named", {"ca_file": "ca.pem"}),
        ("here", {"ca_file": "ca.pem", "server_name": "desk.example"}),
        ("here", {"fingerprint_sha256": "named"}),
    ],
)
def test_a_server_that_does_not_gets_nothing_and_the_sink_stops(
    certificates: Path, server: str, tls: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # asyncio tells of the broken handshake on the server's side

    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        error = await refuses(sink, parcels(0, 1))
        assert error.stopped
        assert any(key in error.reason for key in ("ca_file", "server_name", "fingerprint_sha256"))
        assert receiver.requests == []

    with_receiver(Receiver(tls=server_tls(certificates, server)), use, tls=resolved(certificates, tls))


def test_we_prove_ourselves_where_it_is_asked(certificates: Path) -> None:
    context = server_tls(certificates, "here")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    async def use(sink: WebhookSink, receiver: Receiver) -> None:
        assert await sink.write(parcels(0, 1)) == []
        assert list(receiver.taken) == ids(0, 1)

    ours = {"ca_file": "ca.pem", "certificate_file": "us.pem", "key_file": "us.key"}
    with_receiver(Receiver(tls=context), use, tls=resolved(certificates, ours))


def resolved(directory: Path, tls: dict[str, str]) -> dict[str, str]:
    found = {key: str(directory / name) for key, name in tls.items() if key.endswith("_file")}
    if "fingerprint_sha256" in tls:
        found["fingerprint_sha256"] = pin(directory, tls["fingerprint_sha256"])
    return found | {key: name for key, name in tls.items() if key == "server_name"}


def test_a_sink_of_the_site_file_is_opened_with_its_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    told = sink_settings("https://desk.example/in", authorization_credential="desk-login")
    with pytest.raises(ConfigError, match="webhook-desk"):
        open_webhook(told, site="port")
    (tmp_path / "webhook-desk").write_text("canary\n")
    with pytest.raises(ConfigError, match="whsec_") as caught:
        open_webhook(told, site="port")
    assert "canary" not in str(caught.value)
    (tmp_path / "webhook-desk").write_text(SECRET + "\n")
    with pytest.raises(ConfigError, match="desk-login"):
        open_webhook(told, site="port")
    (tmp_path / "desk-login").write_text("Bearer canary\r\nX-Other: 1")
    with pytest.raises(ConfigError, match="is no value of a header") as caught:
        open_webhook(told, site="port")
    assert "canary" not in str(caught.value)
    (tmp_path / "desk-login").write_text("Bearer abc\n")
    sink = open_webhook(told, site="port")
    (parcel,) = sink.encode([outputs(alarm(), event(), caused_at_us=AT_US)])
    assert (sink.name, parcel.points) == ("desk", 2)


def test_a_certificate_file_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        sink_to("https://desk.example", tls={"ca_file": str(tmp_path / "ca.pem")})
