from __future__ import annotations

from readers.ports.memory import pair, run
from simulator.llrp.link import Link


def test_the_keepalive_is_due_once_a_period() -> None:
    async def scene() -> None:
        port, _ = pair()
        link = Link(port, released=True)
        assert not link.keepalive_due(500)
        link.unanswered = 2
        link.set_keepalive(500)
        assert link.unanswered == 0
        due = []
        for _ in range(8):
            await port.pause(0.15)
            due.append(link.keepalive_due(500))
        assert [index for index, each in enumerate(due, 1) if each] == [4, 8]
        link.set_keepalive(0)
        await port.pause(10)
        assert not link.keepalive_due(0)

    run(scene())


def test_what_is_said_waits_in_order_and_wakes_the_sender() -> None:
    async def scene() -> None:
        link = Link(pair()[0], released=False)
        assert not link.wake.is_set()
        link.say(b"1")
        link.say(b"2")
        assert link.wake.is_set()
        assert link.control == [b"1", b"2"]

    run(scene())
