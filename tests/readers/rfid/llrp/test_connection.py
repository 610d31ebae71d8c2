from __future__ import annotations

import asyncio

import pytest

from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.llrp import answers, control
from readers.rfid.llrp.connection import Connection, NoAnswerError
from tests.readers.rfid.llrp.scripted import OK, antenna_event, event, message, status, tag, tlv


class Link:
    def __init__(self) -> None:
        self.ours, self.device = pair()
        self.reports: list[Observation] = []
        self.payloads: list[list[bytes]] = []
        self.events: list[answers.Event] = []
        self.fault: LinkError | None = None
        self.connection = Connection(
            self.ours, self.reports.append, lambda payloads, _: self.payloads.append(payloads), self._event
        )

    def _event(self, seen: answers.Event, _received_at_us: int) -> LinkError | None:
        self.events.append(seen)
        return self.fault

    def rejected(self) -> list[str]:
        return [report.reason for report in self.reports if isinstance(report, Rejected)]

    async def ask(self, *replies: bytes, request: control.Request | None = None) -> bytes:
        for reply in replies:
            await self.device.send(reply)
        return await self.connection.request(request or control.get_rospecs())


async def pump_on(link: Link) -> None:
    while True:
        await link.connection.pump(60.0)


async def sent(port: MemoryPort) -> bytes:
    return await port.receive(0.01)


def test_an_answer_needs_our_id_and_the_right_type() -> None:
    async def talk() -> None:
        link = Link()
        answer = await link.ask(
            message(62, 1),  # a KEEPALIVE with the id of our request
            message(61, 1, tag()),  # a report with it
            message(63, 1, event(antenna_event(1, connected=True))),  # an event with it
            message(36, 9, b"late"),  # the right type for another request
            message(31, 1, b"wrong"),  # another type for our request
            message(36, 1, b"right"),
        )
        assert answer == b"right"
        assert (len(link.payloads), len(link.events)) == (1, 1)
        assert link.rejected() == ["unexpected_message", "unexpected_message"]
        assert await sent(link.device) == message(26, 1) + message(72, 1)

    run(talk())


def test_ids_of_requests_run_on() -> None:
    async def talk() -> None:
        link = Link()
        for number in (1, 2, 3):
            await link.ask(message(36, number, OK))
        link.connection._next_id = 0xFFFFFFFF
        await link.ask(message(36, 0xFFFFFFFF, OK))
        await link.ask(message(36, 1, OK))

    run(talk())


def test_no_answer_in_time_names_the_step() -> None:
    async def talk() -> None:
        link = Link()
        with pytest.raises(NoAnswerError, match="verifying the ROSpec: no answer within 5 s"):
            await link.ask()
        assert link.ours.monotonic_s() == pytest.approx(5.0, abs=0.01)

    run(talk())


def test_a_link_that_breaks_names_the_step() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(61, 1, tag()))
        asyncio.get_running_loop().call_later(1.0, asyncio.ensure_future, link.device.close())
        with pytest.raises(LinkError, match=r"closed the link \(while verifying the ROSpec\)"):
            await link.ask()
        assert len(link.payloads) == 1

    run(talk())


def test_an_error_message_is_a_refusal_in_the_readers_own_words() -> None:
    async def talk() -> None:
        link = Link()
        with pytest.raises(DeviceRefusedError, match=r"verifying the ROSpec: .*UnsupportedMessage \(109\); no such"):
            await link.ask(message(100, 1, status(109, "no such")))

    run(talk())


def test_an_error_message_for_something_else_is_counted() -> None:
    async def talk() -> None:
        link = Link()
        assert await link.ask(message(100, 77, status(100)), message(36, 1, OK)) == OK
        assert link.rejected() == ["error_message"]

    run(talk())


def test_a_reader_that_does_not_know_version_2_may_use_an_id_of_its_own() -> None:
    async def talk() -> None:
        link = Link()
        with pytest.raises(DeviceRefusedError):
            await link.ask(message(100, 0, status(110)), request=control.get_supported_version())
        assert (await sent(link.device))[:2] == b"\x08\x2e"

    run(talk())


def test_trouble_of_the_device_may_pass_and_is_no_refusal() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(30, 1, status(401, "radio busy")))
        with pytest.raises(LinkError, match=r"reader is in trouble: DeviceError .401.; radio busy"):
            await link.connection.demand(control.add_rospec(ROSPEC))

    run(talk())


ROSPEC = tlv(177, bytes(6))


def test_a_status_other_than_success_is_a_refusal() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(30, 1, status(101)))
        with pytest.raises(DeviceRefusedError, match="adding the ROSpec: the reader refuses: FieldError"):
            await link.connection.demand(control.add_rospec(ROSPEC))

    run(talk())


def test_unknown_messages_are_skipped_and_counted() -> None:
    async def talk() -> None:
        link = Link()
        assert await link.ask(message(999, 1, b"?" * 50), message(500, 3), message(36, 1, OK)) == OK
        assert link.rejected() == ["unknown_message", "unknown_message"]

    run(talk())


def test_a_damaged_event_is_counted_and_the_talk_goes_on() -> None:
    async def talk() -> None:
        link = Link()
        assert await link.ask(message(63, 1, b"\x00\xf6\x00"), message(36, 1, OK)) == OK
        assert link.rejected() == ["event"]
        assert link.events == []

    run(talk())


def test_reports_that_come_together_are_handed_on_together() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(b"".join(message(61, number, tag()) for number in range(5)) + message(62, 1))
        assert await link.connection.pump(1.0)
        assert [len(payloads) for payloads in link.payloads] == [5]

    run(talk())


def test_what_was_whole_before_the_stream_broke_counts() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(61, 1, tag()) + b"\xff" * 20)
        with pytest.raises(FrameError, match="header"):
            await link.connection.pump(1.0)
        assert len(link.payloads) == 1

    run(talk())


def test_a_link_that_breaks_at_the_keepalive_does_not_cost_the_reports_behind_it() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(62, 1) + message(61, 2, tag()))
        await link.device.close()
        with pytest.raises(LinkError):
            await link.connection.pump(1.0)
        assert len(link.payloads) == 1

    run(talk())


def test_an_event_that_ends_the_connection_does_not_cost_the_reports_behind_it() -> None:
    async def talk() -> None:
        link = Link()
        link.fault = LinkError("over")
        await link.device.send(message(63, 1, event()) + message(61, 2, tag()))
        with pytest.raises(LinkError, match="over"):
            await link.connection.pump(1.0)
        assert len(link.payloads) == 1

    run(talk())


def test_a_message_that_drips_in_too_slowly_ends_the_connection() -> None:
    async def talk() -> None:
        link = Link()
        frame = message(61, 1, tag())

        async def drip() -> None:
            for index in range(len(frame)):
                await link.device.send(frame[index : index + 1])
                await asyncio.sleep(0.5)

        dripping = asyncio.create_task(drip())
        with pytest.raises(FrameError, match="not whole 5 s after its start"):
            await pump_on(link)
        assert link.ours.monotonic_s() == pytest.approx(5.0, abs=0.6)
        assert link.connection.heard_s == 0.0
        dripping.cancel()

    run(talk())


def test_half_a_message_and_then_silence_ends_the_connection() -> None:
    async def talk() -> None:
        link = Link()
        await link.device.send(message(62, 1) + message(61, 1, tag())[:9])
        with pytest.raises(FrameError, match="9 bytes"):
            await pump_on(link)
        assert link.ours.monotonic_s() == pytest.approx(5.0, abs=0.01)

    run(talk())


def test_a_busy_stream_is_no_drip() -> None:
    async def talk() -> None:
        link = Link()
        stream = b"".join(message(61, number, tag()) for number in range(100))
        for start in range(0, len(stream), 50):
            await link.device.send(stream[start : start + 50])
            await link.connection.pump(1.0)
            await link.ours.pause(0.3)
        assert sum(map(len, link.payloads)) == 100

    run(talk())


def test_a_refused_poll_is_remembered() -> None:
    async def talk() -> None:
        link = Link()
        await link.connection.ask_for_reports()
        await link.device.send(message(100, 1, status(109)))
        await link.connection.pump(1.0)
        assert link.connection.poll_refused
        assert link.rejected() == []

    run(talk())
