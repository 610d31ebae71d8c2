"""The desk on a real edge daemon: what is wired is what counts."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.console.access.roles import Account, Role
from gateway.console.ordering.board import Board
from gateway.console.ordering.desk import Answer, Begin, Desk
from gateway.console.orders import OrderError
from gateway.console.parts.part import Cursor
from tests.support.control_plant import Plant
from tests.support.quay_console import POINTS, console_on, running_plant

ANNA = Account("anna", Role.OPERATOR, "anna")
SECOND_OF_ANNA = Account("anna-two", Role.OPERATOR, "anna")
BEN = Account("ben", Role.OPERATOR, "ben")
OLAF = Account("olaf", Role.OPERATOR)
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("quay")) as scene:
        yield scene


@pytest.fixture(autouse=True)
def _unswitched(quay: Plant) -> None:
    quay.wires.switched.clear()
    quay.wires.now = [False, False]


def press() -> str:
    return uuid.uuid4().hex


def begin(point: str = "feeder", kind: str = "arm", action: str = "on", **more: Any) -> Begin:
    return Begin(id=press(), kind=kind, device="lane-1-io", point=point, action=action, **more)  # type: ignore[arg-type]  # a word of two


class Counter:
    """A desk, and what the board tells of one point."""

    def __init__(self, quay: Plant, broker_port: int | None = None) -> None:
        console = console_on(quay, broker_port)
        board = console.live.parts["control"]
        assert isinstance(board, Board)
        self.board, self.desk = board, Desk(console, board)
        self.follower: Cursor = board.follow({})
        self.rows: dict[str, Any] = {}

    def news(self) -> dict[str, Any]:
        news = self.follower.news()
        self.rows.update(news["rows"] if news else {})
        return self.rows

    def told(self, order: str) -> dict[str, Any] | None:
        for row in self.news().values():
            for each in (row["order"], row["last"]):
                if each is not None and each["id"] == order:
                    found: dict[str, Any] = each
                    return found
        return None

    async def until(self, order: str, *states: str) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = self.told(order)
                if found is not None and found["state"] in states:
                    return found
                await asyncio.sleep(0.01)

    async def armed(self, asked: Begin, account: Account = ANNA) -> str:
        order = self.desk.begin(account, asked)
        found = await self.until(order, "armed", "refused", "not_sent", "unanswered")
        assert found["state"] == "armed", found
        return order

    async def answered(self, state: str) -> dict[str, Any]:
        """The first order that is answered so, once the module has been polled."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                order = self.desk.begin(ANNA, begin(action="off"))
                found = await self.until(order, "armed", "refused")
                if found["state"] == state:
                    return found
                if found["state"] == "armed":
                    self.desk.cancel(ANNA, Answer(press(), order))
                await asyncio.sleep(0.2)


def at_the_desk(quay: Plant, body: Callable[[Counter], Awaitable[None]]) -> None:
    async def scenario() -> None:
        counter = Counter(quay)
        await body(counter)
        counter.follower = counter.board.follow({})  # everything anew
        for row in counter.news().values():
            if row["order"] is not None and row["order"]["state"] == "armed":  # armed still; others want the point
                counter.desk.cancel(ANNA, Answer(press(), row["order"]["id"]))
        await counter.desk.close()

    asyncio.run(scenario())


def refused(order: Callable[[], str]) -> str:
    with pytest.raises(OrderError) as caught:
        order()
    return caught.value.code


def test_an_order_is_armed_confirmed_and_read_back(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        order = await counter.armed(begin(reason="work order 4711"))
        found = counter.told(order)
        assert found is not None
        assert (found["by"], found["user"], found["shows"]) == ("anna", "anna", {"is_on": False})
        assert found["expires_at_us"] > found["at_us"]
        assert counter.desk.reason(order) == "work order 4711"
        assert quay.wires.switched == []
        counter.desk.confirm(ANNA, Answer(press(), order))
        await counter.until(order, "sending")
        ended = await counter.until(order, "verified")
        assert (ended["shows"], ended["confirmed_by"], ended["is_over"]) == ({"is_on": True}, "anna", True)
        assert len(ended["receipt"].partition(":")[2]) == 64
        assert "nonce" not in ended
        assert "work order" not in repr(counter.rows)
        with pytest.raises(OrderError, match="is over"):
            counter.desk.reason(order)

    at_the_desk(quay, body)
    assert quay.wires.switched == [(1, True)]


def test_a_press_that_comes_twice_sends_once(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        once = begin("red", "direct")
        order = counter.desk.begin(ANNA, once)
        assert counter.desk.begin(ANNA, once) == order
        await counter.until(order, "verified")
        assert counter.desk.begin(ANNA, once) == order
        order = await counter.armed(begin(action="off"))
        answer = Answer(press(), order)
        assert counter.desk.confirm(ANNA, answer) == counter.desk.confirm(ANNA, answer) == order
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), order))) == "confirmed"
        await counter.until(order, "verified")
        assert counter.desk.confirm(ANNA, answer) == order
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), order))) == "over"

    at_the_desk(quay, body)
    assert quay.wires.switched == [(2, True), (1, False)]


def test_a_second_person_confirms_in_a_session_of_his_own(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        order = await counter.armed(begin("barrier", action="pulse"))
        for same in (ANNA, SECOND_OF_ANNA):
            assert refused(lambda same=same: counter.desk.confirm(same, Answer(press(), order))) == "second_person"  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        counter.desk.confirm(BEN, Answer(press(), order))
        ended = await counter.until(order, "verified")
        assert (ended["by"], ended["confirmed_by"]) == ("anna", "ben")

    at_the_desk(quay, body)
    assert quay.wires.switched[0] == (3, True)


def test_nobody_else_confirms_what_one_person_armed(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        order = await counter.armed(begin())
        assert refused(lambda: counter.desk.confirm(BEN, Answer(press(), order))) == "not_yours"
        assert refused(lambda: counter.desk.begin(BEN, begin())) == "busy"
        assert refused(lambda: counter.desk.cancel(OLAF, Answer(press(), order))) == "no_person"
        counter.desk.cancel(BEN, Answer(press(), order))
        ended = await counter.until(order, "cancelled")
        assert ended["code"] == "cancelled"
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), order))) == "over"

    at_the_desk(quay, body)
    assert quay.wires.switched == []


def test_what_is_taken_back_while_it_is_being_armed_never_goes(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        order = counter.desk.begin(ANNA, begin())
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), order))) == "confirmed"
        counter.desk.cancel(ANNA, Answer(press(), order))
        await counter.until(order, "cancelled")
        counter.desk.cancel(ANNA, Answer(press(), await counter.armed(begin(action="off"))))  # the point is free

    at_the_desk(quay, body)
    assert quay.wires.switched == []


def test_an_interlock_that_does_not_hold_is_told_with_its_words(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        quay.wires.now = [True, False]
        ended = await counter.answered("refused")
        assert (ended["code"], ended["is_over"]) == ("interlock", True)
        assert "signal lane-1-io loop = false: it is true" in ended["detail"]
        quay.wires.now = [False, False]
        await counter.answered("armed")

    at_the_desk(quay, body)
    assert quay.wires.switched == []


def test_who_may_not_and_what_is_not_listed_is_refused(quay: Plant) -> None:
    async def body(counter: Counter) -> None:
        assert refused(lambda: counter.desk.begin(OLAF, begin())) == "no_person"
        assert refused(lambda: counter.desk.begin(ANNA, begin("other"))) == "not_listed"
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), press()))) == "over"
        order = counter.desk.begin(ANNA, begin("speed", action="set", value="10"))
        assert (await counter.until(order, "refused"))["code"] == "not_permitted"
        order = counter.desk.begin(BEN, begin("speed", action="set", value="61"))
        found = await counter.until(order, "refused")
        assert (found["code"], "0 to 60 Hz" in found["detail"]) == ("value", True)

    at_the_desk(quay, body)


def test_what_is_not_confirmed_in_time_is_over(quay: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(counter: Counter) -> None:
        monkeypatch.setattr("gateway.console.ordering.desk.US_PER_S", 100_000_000)  # 45 s pass in less than one
        order = await counter.armed(begin("speed", action="set", value="10"), BEN)  # no other test arms it
        ended = await counter.until(order, "expired")
        assert (ended["code"], ended["is_over"]) == ("not_confirmed", True)
        assert refused(lambda: counter.desk.confirm(ANNA, Answer(press(), order))) == "over"

    at_the_desk(quay, body)
    assert quay.wires.switched == []


@asynccontextmanager
async def way_to(port: int) -> AsyncIterator[asyncio.Server]:
    """A port of its own that leads to another, until it is closed."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server


def test_a_confirmation_that_could_not_be_sent_leaves_it_armed(tmp_path: Path) -> None:
    async def scenario(scene: Plant) -> None:
        async with way_to(scene.broker.port) as way:
            counter = Counter(scene, way.sockets[0].getsockname()[1])
            order = await counter.armed(begin())
            way.close()
            counter.desk.confirm(ANNA, Answer(press(), order))
            await counter.until(order, "confirming")
            found = await counter.until(order, "armed")
            assert (found["code"], found["confirmed_by"]) == ("broker_away", None)
            counter.desk.cancel(ANNA, Answer(press(), order))
            found = await counter.until(order, "cancelled")
            assert (found["code"], "lapses by itself" in found["detail"]) == ("forgotten", True)
            order = counter.desk.begin(ANNA, begin())
            assert (await counter.until(order, "not_sent"))["code"] == "broker_away"
            await counter.desk.close()

    with running_plant(tmp_path) as scene:
        asyncio.run(scenario(scene))
        assert (1, True) not in scene.wires.switched


def test_a_confirmation_that_nobody_answers_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.console.orders.WAIT_S", 1.0)
    monkeypatch.setattr("gateway.console.orders.ARM_WAIT_S", 1.0)

    async def body(counter: Counter) -> None:
        order = await counter.armed(begin())
        scene.edge.kill()
        counter.desk.confirm(ANNA, Answer(press(), order))
        found = await counter.until(order, "unknown")
        assert (found["code"], found["is_over"]) == ("silent", True)
        order = counter.desk.begin(ANNA, begin())
        assert (await counter.until(order, "unanswered"))["is_over"]

    with running_plant(tmp_path) as scene:
        at_the_desk(scene, body)
        assert (1, True) not in scene.wires.switched


def test_a_gateway_that_refuses_for_the_moment_leaves_it_armed(tmp_path: Path) -> None:
    async def body(counter: Counter) -> None:
        order = await counter.armed(begin("speed", action="set", value="15"), BEN)
        counter.desk.confirm(ANNA, Answer(press(), order))  # her role does not let her
        await counter.until(order, "confirming")
        found = await counter.until(order, "armed", "refused")
        assert (found["state"], found["code"], found["confirmed_by"]) == ("armed", "not_permitted", None)
        assert found["expires_at_us"] > found["at_us"]

    two = POINTS.replace('roles = ["chief"]', 'roles = ["chief"]\nsecond_person = true')
    chief = '[[control.person]]\nname = "zoe"\nkey_credential = "control-zoe"\nroles = ["chief"]'
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "control-zoe").write_text("5e4d3c2b1a0f9e8d" * 4)
    with running_plant(tmp_path, two, chief) as scene:
        at_the_desk(scene, body)
        assert scene.wires.words[0] == 100
