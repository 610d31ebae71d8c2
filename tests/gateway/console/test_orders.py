"""Orders of logged-in users, to a real rules daemon and a real edge daemon over a real broker."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config.console import Console as Settings
from gateway.config.console import User
from gateway.config.load import load_site
from gateway.console.access.accounts import Accounts
from gateway.console.access.roles import Account, Role
from gateway.console.orders import COMMANDS_MOST, OrderError, Orders
from gateway.console.page import Console
from gateway.contract.batches import encode
from gateway.contract.commands import Outcome, fields_of
from gateway.contract.events import decode_alarm
from gateway.mqtt import session
from tests.gateway.console.access.served import hash_of_password
from tests.rules.daemon.test_alarm_desk import KEYS, door, running
from tests.rules.edge import TOPICS, until
from tests.support.broker import Broker, free_port, running_broker
from tests.support.console import make_console
from tests.support.control_plant import DEVICE, plant, site_text
from tests.support.control_plant import KEYS as PLANT_KEYS

OLGA = Account("olga", Role.OPERATOR, "anna")
ALARM = "0123456789abcdef0123"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as made:
        yield made


def console(directory: Path, port: int, key: str = KEYS["control-anna"]) -> Console:
    """The console of the site `port`, where the user Olga orders as Anna."""
    user = User(name="olga", role="operator", password_credential="console-olga", person="anna")
    accounts = Accounts(Settings(user=[user]), {"olga": hash_of_password()}, {"anna": key.encode()})
    made = make_console(directory, f"[mqtt]\nport = {port}\n", accounts=accounts)
    return replace(made, site=made.site.model_copy(update={"site": made.site.site.model_copy(update={"name": "port"})}))


def plant_console(directory: Path, broker_port: int) -> Console:
    """A console beside the edge daemon of the plant."""
    config = directory / "console.toml"
    config.write_text(site_text(broker_port, 1).format(gateway="edge-1", state=directory / "unused"))
    (directory / "console").mkdir()
    return replace(console(directory / "console", broker_port, PLANT_KEYS["anna"]), site=load_site(config))


def refused(asked: Coroutine[Any, Any, object]) -> OrderError:
    with pytest.raises(OrderError) as error:
        asyncio.run(asked)
    return error.value


def test_an_alarm_is_handled_in_the_name_of_the_person(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "console").mkdir()
    orders = Orders(console(tmp_path / "console", broker.port))

    async def main() -> None:
        async with running(tmp_path, broker.settings) as rules:
            batch = door(1, is_open=True)
            async with session(broker.settings, client_id="test-edge") as edge:
                await edge.publish(TOPICS.of(batch), encode(batch))
            await until(lambda: bool(rules.publication.retained))
            [number] = [decode_alarm(payload).id for payload in rules.publication.retained.values()]
            done = await orders.alarm(OLGA, "acknowledge", number, "on my way")
            assert (done.state, done.alarm, done.action, done.code) == ("done", number, "acknowledge", "")
            [alarm] = [decode_alarm(payload) for payload in rules.publication.retained.values()]
            assert (alarm.acknowledged_by, alarm.comment) == ("anna", "on my way")
            no = await orders.alarm(OLGA, "clear", number)
            assert (no.state, no.code) == ("refused", "standing")
            assert "condition still holds" in no.detail
            many = await asyncio.gather(*(orders.alarm(OLGA, "comment", number, f"c{n}") for n in range(20)))
            assert {each.state for each in many} == {"done"}
            assert len({each.id for each in many}) == 20

    asyncio.run(main())


def test_a_daemon_with_another_key_is_not_believed(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "console").mkdir()
    orders = Orders(console(tmp_path / "console", broker.port, KEYS["control-ben"]))

    async def main() -> None:
        async with running(tmp_path, broker.settings):
            answer = await orders.alarm(OLGA, "acknowledge", ALARM)
            assert (answer.state, answer.code) == ("unknown", "unproven")
            assert "signature" in answer.detail

    asyncio.run(main())


def test_what_nobody_answers_is_unknown_and_logged(tmp_path: Path, broker: Broker) -> None:
    made = console(tmp_path, broker.port)
    answer = asyncio.run(Orders(made).alarm(OLGA, "acknowledge", ALARM))
    assert (answer.state, answer.code) == ("unknown", "silent")
    value = made.accounts.health.registry.get_sample_value
    assert value("tagwharf_troubles_total", {"event": "order_unanswered", "level": "warning"}) == 1


def test_a_broker_that_goes_away_after_the_order_has_left_leaves_it_unknown(tmp_path: Path, broker: Broker) -> None:
    orders = Orders(console(tmp_path, broker.port))

    async def main() -> None:
        async with session(broker.settings, client_id="watch", topics=(TOPICS.order("+"),)) as watch:
            asked = asyncio.create_task(orders.alarm(OLGA, "acknowledge", ALARM))
            fields = fields_of((await watch.receive()).payload)
            assert fields["by"] == "anna"
            broker.stop()
            answer = await asked
            assert (answer.id, answer.state, answer.code) == (fields["id"], "unknown", "broker_lost")
            assert "may have been carried out" in answer.detail

    asyncio.run(main())


def test_without_a_broker_nothing_is_sent(tmp_path: Path) -> None:
    made = console(tmp_path, free_port())
    why = refused(Orders(made).alarm(OLGA, "acknowledge", ALARM))
    assert (why.code, why.status) == ("broker_away", 503)
    value = made.accounts.health.registry.get_sample_value
    assert value("tagwharf_troubles_total", {"event": "order_not_sent", "level": "warning"}) == 1


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (Account("", Role.VIEWER), "no_person"),
        (Account("emil", Role.ENGINEER), "no_person"),
        (Account("vera", Role.VIEWER, "anna"), "no_person"),
        (Account("olga", Role.OPERATOR, "carl"), "no_key"),
    ],
)
def test_who_orders_in_nobodys_name_orders_nothing(tmp_path: Path, account: Account, code: str) -> None:
    orders = Orders(console(tmp_path, free_port()))
    for asked in (orders.alarm(account, "clear", ALARM), orders.command(account, "arm", "d", "p", action="on")):
        why = refused(asked)
        assert (why.code, why.status) == (code, 403)


def test_a_command_must_be_switched_on_and_listed(tmp_path: Path) -> None:
    assert refused(Orders(console(tmp_path, 1)).command(OLGA, "arm", "d", "p", action="on")).code == "switched_off"
    orders = Orders(plant_console(tmp_path, 1))
    assert refused(orders.command(OLGA, "arm", DEVICE, "barrier", action="on")).code == "not_listed"
    assert refused(orders.command(OLGA, "arm", DEVICE, "feeder", action="ON!")).code == "malformed"
    assert refused(Orders(console(tmp_path, 1)).alarm(OLGA, "clear", "door")).code == "malformed"


def test_a_device_is_switched_in_two_steps_and_in_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            orders = Orders(plant_console(tmp_path, scene.broker.port))
            armed = await orders.command(OLGA, "arm", DEVICE, "feeder", action="on")
            assert armed.outcome is not None
            assert (armed.state, armed.outcome.by, armed.outcome.signature) == ("armed", "anna", "")
            told: list[Outcome] = []
            nonce = armed.outcome.nonce
            done = await orders.command(OLGA, "confirm", DEVICE, "feeder", action="on", nonce=nonce, told=told.append)
            assert (done.state, [each.state for each in told]) == ("verified", ["sending", "verified"])
            begun = len(scene.wires.switched)
            assert scene.wires.switched[-1] == (1, True)
            once = "0123456789abcdef0123456789abcdef"
            for _ in range(2):
                again = await orders.command(OLGA, "direct", DEVICE, "red", action="on", id=once)
                assert (again.id, again.state) == (once, "verified")
            assert scene.wires.switched[begun:] == [(2, True)]  # an id of one's own makes the second harmless
            no = await orders.command(OLGA, "direct", DEVICE, "feeder", action="off")
            assert no.state == "refused"
            assert no.code

    asyncio.run(main())


def test_an_arm_that_nobody_answers_has_switched_nothing(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.console.orders.ARM_WAIT_S", 0.3)
    monkeypatch.setattr("gateway.console.orders.WAIT_S", 0.3)
    orders = Orders(plant_console(tmp_path, broker.port))
    armed = asyncio.run(orders.command(OLGA, "arm", DEVICE, "feeder", action="on"))
    assert (armed.state, armed.code, armed.outcome) == ("unanswered", "silent", None)
    direct = asyncio.run(orders.command(OLGA, "direct", DEVICE, "red", action="on"))
    assert (direct.state, direct.code) == ("unknown", "silent")


def test_too_many_commands_at_once_are_refused_at_once(tmp_path: Path, broker: Broker) -> None:
    orders = Orders(plant_console(tmp_path, broker.port))

    async def main() -> None:
        ask = [orders.command(OLGA, "arm", DEVICE, "feeder", action="on") for _ in range(COMMANDS_MOST)]
        running = [asyncio.create_task(each) for each in ask]
        await asyncio.sleep(0.2)
        with pytest.raises(OrderError) as error:
            await orders.command(OLGA, "arm", DEVICE, "feeder", action="on")
        assert (error.value.code, error.value.status) == ("busy", 503)
        for each in running:
            each.cancel()
        for each in running:
            with suppress(asyncio.CancelledError):
                await each

    asyncio.run(main())
