import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from starlette.types import Message

from gateway.console import streams as module
from gateway.console.live import Live
from gateway.console.streams import NAME_MOST, SEND_WITHIN_S, STREAMS_MOST, EventStream, Streams, TooManyError
from gateway.contract.batches import StatusBatch, encode
from readers.ports.memory import run

SCOPE: MutableMapping[str, Any] = {"type": "http"}


def status(device: str) -> bytes:
    return encode(
        StatusBatch(gateway="edge-1", device=device, received_at_us=1, state="online", reason="r", since_us=1)
    )


class Browser:
    """One page: what it got, and when it goes away."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.left = asyncio.Event()
        self.takes: Callable[[], Awaitable[None]] | None = None

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.takes is not None:
            await self.takes()
        self.got.append(message)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.got).decode()

    def told(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            if block.startswith("event: "):
                name, _, data = block.partition("\n")
                found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        return found


def live_stream(live: Live, parts: str, is_allowed: Callable[[], bool] = lambda: True) -> EventStream:
    return Streams(live.parts).open({"parts": parts}, is_allowed)


def test_a_page_gets_everything_then_what_changes_then_nothing() -> None:
    async def scenario() -> None:
        live, browser = Live("site"), Browser()
        live.feed("tagwharf/1/site/gate-1/status", status("gate-1"))
        serving = asyncio.create_task(live_stream(live, "devices")(SCOPE, browser.receive, browser.send))
        await asyncio.sleep(1)
        live.feed("tagwharf/1/site/gate-2/status", status("gate-2"))
        await asyncio.sleep(1)
        browser.left.set()
        await serving
        assert [(name, news["whole"], list(news["rows"])) for name, news in browser.told()] == [
            ("devices", True, ["gate-1"]),
            ("devices", False, ["gate-2"]),
        ]

    run(scenario())


def test_a_stream_on_which_nothing_happens_is_kept_open_by_comments() -> None:
    async def scenario() -> None:
        browser = Browser()
        serving = asyncio.create_task(live_stream(Live("site"), "devices")(SCOPE, browser.receive, browser.send))
        await asyncio.sleep(module.QUIET_S * 3.5)
        browser.left.set()
        await serving
        assert browser.text.count(": quiet\n\n") == 3

    run(scenario())


def test_a_stream_ends_when_its_reader_may_not_look_any_more() -> None:
    async def scenario() -> None:
        browser, allowed = Browser(), [True]
        stream = live_stream(Live("site"), "summary", lambda: allowed[0])
        serving = asyncio.create_task(stream(SCOPE, browser.receive, browser.send))
        await asyncio.sleep(1)
        assert not serving.done()
        allowed[0] = False
        await asyncio.wait_for(serving, 1)
        assert browser.told()[-1] == ("ended", {})
        assert browser.got[-1]["more_body"] is False

    run(scenario())


def test_a_browser_that_takes_nothing_is_given_up_and_makes_room() -> None:
    async def scenario() -> None:
        streams, browser = Streams(Live("site").parts), Browser()

        async def forever() -> None:
            if browser.got:
                await asyncio.sleep(10 * SEND_WITHIN_S)

        browser.takes = forever
        stream = streams.open({"parts": "summary"}, lambda: True)
        await asyncio.wait_for(stream(SCOPE, browser.receive, browser.send), SEND_WITHIN_S + 2)
        assert streams._open == 0

    run(scenario())


def test_a_page_that_takes_slowly_gets_later_news_and_not_older() -> None:
    async def scenario() -> None:
        live, browser = Live("site"), Browser()

        async def slowly() -> None:
            await asyncio.sleep(5)

        browser.takes = slowly
        serving = asyncio.create_task(live_stream(live, "devices")(SCOPE, browser.receive, browser.send))
        for second in range(30):
            live.feed("tagwharf/1/site/gate-1/status", status(f"gate-{second}"))
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        browser.left.set()
        await serving
        told = browser.told()
        assert len(told) <= 8
        assert {key for _, news in told for key in news["rows"]} == {f"gate-{second}" for second in range(30)}

    run(scenario())


def test_the_number_of_open_pages_is_bounded() -> None:
    async def scenario() -> None:
        streams = Streams(Live("site").parts)
        browsers = [Browser() for _ in range(STREAMS_MOST)]
        serving = [
            asyncio.create_task(streams.open({}, lambda: True)(SCOPE, browser.receive, browser.send))
            for browser in browsers
        ]
        await asyncio.sleep(1)
        with pytest.raises(TooManyError, match="64 pages are open already; close one"):
            streams.open({}, lambda: True)
        browsers[0].left.set()
        await serving[0]
        streams.open({}, lambda: True)
        for browser in browsers:
            browser.left.set()
        await asyncio.gather(*serving)

    run(scenario())


def test_what_cannot_be_followed_is_refused_with_text() -> None:
    live = Live("site")
    streams = Streams(live.parts)
    with pytest.raises(LookupError, match="'x' is none; there are alarms, devices"):
        streams.open({"parts": "devices,x"}, lambda: True)
    with pytest.raises(ValueError, match="rssi_least_dbm: 'loud' must be a number from -150 to 50"):
        streams.open({"parts": "reads", "reads.rssi_least_dbm": "loud"}, lambda: True)
    many = Streams(dict.fromkeys(map(str, range(NAME_MOST + 1)), live.devices))
    with pytest.raises(ValueError, match="9 in one stream; 8 at most"):
        many.open({"parts": ",".join(map(str, range(NAME_MOST + 1)))}, lambda: True)


def test_a_filter_is_for_the_part_that_it_names() -> None:
    async def scenario() -> None:
        live, browser = Live("site"), Browser()
        query = {"parts": "reads,devices", "reads.mask": "3035*", "devices.mask": "none of its"}
        serving = asyncio.create_task(
            Streams(live.parts).open(query, lambda: True)(SCOPE, browser.receive, browser.send)
        )
        await asyncio.sleep(1)
        browser.left.set()
        await serving
        assert browser.told() == [
            ("reads", {"whole": True, "rows": [], "matched": 0, "left_out": 0}),
            ("devices", {"whole": True, "rows": {}}),
        ]

    run(scenario())
