"""Rules that change under a running daemon: taken over, or refused whole with an alarm, and nothing lost meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from gateway.contract.events import Alarm, decode_alarm
from gateway.event_history import EventHistory
from rules.own_events import RULES_REFUSED
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.rules.rules_daemon import Daemon, traffic
from tests.support.broker import running_broker

RULE = '[[rule]]\nname = "{name}"\nshape = "match"\non = "arrived"\nwhen = "{when}"\n'
FIRST = RULE.format(name="first", when="e.zone == 'gate-1-out'")
SECOND = RULE.format(name="second", when="e.zone == 'gate-1-out'")
BAD = RULE.format(name="second", when="e.zoen == 'gate-1-out'")


def test_rules_are_taken_over_and_bad_ones_refused_while_batches_come_in(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    batches = traffic(16)

    def write(text: str) -> None:
        beside = tmp_path / "new.toml"
        beside.write_text(text)
        beside.replace(rules)

    def degraded(daemon: Daemon) -> dict[str, str]:
        found: dict[str, str] = json.loads(daemon.get("/readyz")[1] or "{}").get("degraded", {})
        return found

    async def drive(daemon: Daemon) -> None:
        async with listening(broker.settings, f"{TOPICS.root}/alarms/+") as heard:

            def alarms() -> list[Alarm]:
                told = [payload for messages in heard.values() for payload, _ in messages if payload]
                return [alarm for payload in told if (alarm := decode_alarm(payload)).rule == RULES_REFUSED]

            daemon.start()
            await until(lambda: daemon.get("/readyz")[0] == 200, 20)
            await asyncio.wait_for(Edge(broker.settings, batches[:20]).run(), 20)
            write(FIRST + BAD)
            await until(lambda: bool(alarms()), 20)  # found by itself: it looks every two seconds
            assert "rules.toml:10: rule[second].when = \"e.zoen == 'gate-1-out'\"" in alarms()[-1].message
            assert "did you mean e.zone?" in degraded(daemon)["rules"]
            await asyncio.wait_for(Edge(broker.settings, batches[:40]).run(), 20)
            write(SECOND)
            assert daemon.pid is not None
            os.kill(daemon.pid, signal.SIGHUP)
            await until(lambda: alarms()[-1].state == "cleared", 20)
            assert "rules" not in degraded(daemon)
            daemon.config.write_text(daemon.config.read_text() + '[energy]\ntimezone = "Asia/Shanghai"\n')
            os.kill(daemon.pid, signal.SIGHUP)
            await until(lambda: "restart" in degraded(daemon), 20)
            assert degraded(daemon)["restart"] == "site.toml: [energy] changed: needs a restart"
            await asyncio.wait_for(Edge(broker.settings, batches).run(), 20)
            assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0

    write(FIRST)
    with (
        running_broker(tmp_path / "broker") as broker,
        Daemon(tmp_path, broker.port, '[rules]\nfile = "rules.toml"\n') as daemon,
    ):
        asyncio.run(drive(daemon))
    events = EventHistory(daemon.state / "events").recent_events(1_000)
    made = {rule: sum(event.rule == rule for event in events) for rule in ("first", "second")}
    arrived = sum(event.type == "arrived" for event in events)
    assert made["first"]
    assert made["second"]
    assert made["first"] + made["second"] == arrived
