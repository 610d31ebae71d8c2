import asyncio
from pathlib import Path

import pytest

from gateway.config.models import Mqtt
from gateway.contract.commands import Outcome, as_outcome, fields_of
from gateway.contract.topics import Topics
from gateway.control import outbox as module
from gateway.control.outbox import MINUTE_US, Outbox, Quota
from gateway.control.people import People
from gateway.health import Health
from gateway.mqtt import session
from tests.support.broker import Broker

MOST_HELD = 8


def outcome(number: int) -> Outcome:
    return Outcome(gateway="edge-1", id=f"{number:08d}", state="refused", at_us=1, device="m-1", point="relay")


def test_what_waits_is_sent_in_order_and_the_oldest_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HELD", MOST_HELD)

    async def main(broker: Broker) -> list[str]:
        health = Health("edge")
        outbox = Outbox(Topics("quay"), People([], str), health)
        for number in range(MOST_HELD + 5):
            outbox.put(outcome(number))
        assert health.registry.get_sample_value("tagwharf_commands_total", {"state": "refused"}) == MOST_HELD + 5
        settings = Mqtt(port=broker.port)
        found: list[str] = []
        async with (
            session(settings, client_id="a", topics=("tagwharf/1/quay/m-1/outcome",)) as listening,
            session(settings, client_id="b") as sending,
        ):
            telling = asyncio.create_task(outbox.send(sending))
            async with asyncio.timeout(20):
                while len(found) < MOST_HELD:
                    found.append(as_outcome(fields_of((await listening.receive()).payload)).id)
                outbox.put(outcome(7))
                found.append(as_outcome(fields_of((await listening.receive()).payload)).id)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        return found

    with Broker(tmp_path / "broker") as broker:
        assert asyncio.run(main(broker)) == [f"{number:08d}" for number in (*range(5, MOST_HELD + 5), 7)]


def test_so_many_a_minute() -> None:
    quota = Quota(2)
    assert [quota.take(at_us) for at_us in (0, 1, 2, MINUTE_US - 1, MINUTE_US, MINUTE_US)] == [
        *(True, True, False, False),
        *(True, False),
    ]
    assert quota.take(-5)  # a clock that went back does not lock anybody out
