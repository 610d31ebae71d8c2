from __future__ import annotations

import asyncio
import dataclasses
from itertools import pairwise

import pytest

from readers.errors import LinkError
from readers.ports.memory import START_US, run
from simulator.llrp.codec import encode, node
from simulator.llrp.identities import IDENTITIES, Identity, Overflow, impinj_r420, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import (
    Beat,
    Client,
    ai_spec,
    configuration,
    connected,
    hold,
    keepalive,
    report_spec,
    rospec,
    run_rospec,
    switch_events,
)

S_US = 1_000_000


def small(identity: Identity, messages: int = 20) -> Identity:
    return dataclasses.replace(identity, buffer_messages=messages)


def balanced(reader: SimulatedReader) -> bool:
    """Nothing that the radio gave is unaccounted for."""
    inventory, outgoing = reader.inventory, reader.outgoing
    known = outgoing.reads_sent + outgoing.reads_queued + inventory.reads_gathered + inventory.reads_lost
    return inventory.reads_heard == known + sum(outgoing.dropped.values())


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_first_message_is_a_successful_connection_event(name: str) -> None:
    async def scene() -> None:
        reader = SimulatedReader(IDENTITIES[name], Beat())
        async with connected(reader) as client:
            assert [message.name for message in client.heard] == ["READER_EVENT_NOTIFICATION"]
            (event,) = client.events("ConnectionAttemptEvent")
            assert event.number("Status") == 0
            data = client.heard[0].need("ReaderEventNotificationData")
            if reader.identity.has_utc_clock:
                assert data.need("UTCTimestamp").number("Microseconds") == START_US
            else:
                assert data.need("Uptime").number("Microseconds") == 0
        assert not reader.connected

    run(scene())


def test_a_second_client_is_refused_and_the_first_one_told() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as first:
            async with connected(reader) as second:
                (event,) = second.events("ConnectionAttemptEvent")
                assert event.number("Status") == 2
                with pytest.raises(LinkError):
                    await second.listen(1)
            await first.listen(0.1)
            assert [event.number("Status") for event in first.events("ConnectionAttemptEvent")] == [0, 4]
            await first.demand(node("GET_ROSPECS"))
        assert reader.connections == {"accepted": 1, "refused": 1}

    run(scene())


def test_an_impinj_reader_holds_a_dead_session_until_link_monitor_is_on() -> None:
    async def scene(*, monitor: bool) -> list[int]:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as dead:
            await dead.demand(node("IMPINJ_ENABLE_EXTENSIONS", Reserved=0))
            parameter = node("ImpinjLinkMonitorConfiguration", LinkMonitorMode=int(monitor), LinkDownThreshold=3)
            await dead.demand(configuration(parameter))
            await dead.demand(keepalive(1000))
            await dead.port.pause(3600)
            async with connected(reader) as second:
                return [event.number("Status") for event in second.events("ConnectionAttemptEvent")]

    assert run(scene(monitor=False)) == [2]
    assert run(scene(monitor=True)) == [0]


def test_unanswered_keepalives_close_the_link_with_a_notification() -> None:
    async def scene() -> None:
        reader = SimulatedReader(plain(), Beat())
        async with connected(reader) as client:
            await client.demand(keepalive(500))
            with pytest.raises(LinkError):
                await client.listen(60)
            assert [m.name for m in client.heard].count("KEEPALIVE") == 3
            assert {f.message_id for f in client.frames if f.type == 62} == {0}, "this model numbers none of them"
            assert client.heard[-1].name == "READER_EVENT_NOTIFICATION"
            assert len(client.events("ConnectionCloseEvent")) == 1
            assert client.port.monotonic_s() == pytest.approx(2.0, abs=0.1)
        assert reader.connections["given_up"] == 1

    run(scene())


def test_answered_keepalives_keep_the_link() -> None:
    async def scene() -> None:
        reader = SimulatedReader(plain(), Beat())
        async with connected(reader) as client:
            await client.demand(keepalive(500))
            for _ in range(20):
                assert [m.name for m in await client.listen(0.52)] == ["KEEPALIVE"]
                await client.send(node("KEEPALIVE_ACK"))
            assert reader.connected

    run(scene())


def test_close_connection_is_answered_and_done() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            assert (await client.demand(node("CLOSE_CONNECTION"))).name == "CLOSE_CONNECTION_RESPONSE"
            with pytest.raises(LinkError):
                await client.listen(1)
            async with connected(reader) as again:
                assert again.events("ConnectionAttemptEvent")[0].number("Status") == 0

    run(scene())


def test_the_reader_may_close_the_link_itself() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            reader.close_client()
            with pytest.raises(LinkError):
                await client.listen(1)
            assert len(client.events("ConnectionCloseEvent")) == 1

    run(scene())


def test_a_length_that_no_message_has_ends_the_link() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.port.send(bytes.fromhex("0401 00000003 00000001"))
            with pytest.raises(LinkError):
                await client.listen(1)
            assert len(client.events("ConnectionCloseEvent")) == 1
        assert reader.connections["broken_stream"] == 1

    run(scene())


def test_reports_come_as_heard_with_exactly_what_was_selected() -> None:
    async def scene() -> None:
        radio = Beat()
        reader = SimulatedReader(impinj_r420(), radio, clock_offset_us=7)
        async with connected(reader) as client:
            await run_rospec(client, rospec())
            await client.listen(1.0)
            tags = client.reads()
            assert 95 <= len(tags) <= 101
            for index, tag in enumerate(tags):
                assert [part.name for part in tag.children] == ["EPC_96", "AntennaID", "FirstSeenTimestampUTC"]
                at_us = tag.need("FirstSeenTimestampUTC").number("Microseconds") - 7
                assert at_us % radio.gap_us == 0
                expected = radio.epc(at_us // radio.gap_us % radio.tags)
                assert tag.need("EPC_96").number("EPC").to_bytes(12, "big") == expected
                if index:
                    earlier = tags[index - 1].need("FirstSeenTimestampUTC").number("Microseconds") - 7
                    assert at_us == earlier + radio.gap_us, "no read is missing, none comes twice"
        assert balanced(reader)

    run(scene())


def test_reports_wait_for_n_tags_and_add_reads_up() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat(tags=3))
        async with connected(reader) as client:
            report = report_spec(n=3, EnableTagSeenCount=1, EnablePeakRSSI=1)
            await run_rospec(client, rospec(report=report))
            await client.listen(1.0)
            reports = [m for m in client.heard if m.name == "RO_ACCESS_REPORT"]
            assert {len(m.children) for m in reports} == {3}
            assert len(reports) in (32, 33)

    run(scene())


def test_a_polled_reader_keeps_everything_until_get_report() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat(tags=3))
        async with connected(reader) as client:
            report = report_spec(trigger=0, n=0, EnableTagSeenCount=1)
            await run_rospec(client, rospec(report=report))
            await client.listen(1.0)
            assert client.reads() == []
            await client.send(node("GET_REPORT"))
            await client.listen(0.01)
            assert len(client.reads()) == 3
            assert sum(tag.need("TagSeenCount").number("TagCount") for tag in client.reads()) in (99, 100, 101)
            await client.demand(node("DISABLE_ROSPEC", ROSpecID=1))
            await client.send(node("GET_REPORT"))  # what came since; then there is nothing, and the report is empty
            await client.listen(0.01)
            await client.send(node("GET_REPORT"))
            (empty,) = await client.listen(0.01)
            assert (empty.name, empty.children) == ("RO_ACCESS_REPORT", [])
        assert balanced(reader)

    run(scene())


def test_a_held_reader_is_silent_until_it_is_released() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.demand(hold())
            await run_rospec(client, rospec())
            await client.listen(0.5)
            assert client.reads(), "holding begins with the next connection"
            await client.demand(node("CLOSE_CONNECTION"))
        await asyncio.sleep(10)
        async with connected(reader) as client:
            assert [m.name for m in await client.listen(1.0)] == []
            await client.send(node("ENABLE_EVENTS_AND_REPORTS"))
            await client.listen(0.5)
            times = [tag.need("FirstSeenTimestampUTC").number("Microseconds") for tag in client.reads()]
            assert len(times) >= 1100, "ten seconds away, one held and a half released, at 100 a second"
            assert {later - earlier for earlier, later in pairwise(times)} == {10_000}
        assert balanced(reader)

    run(scene())


def test_get_report_lets_what_is_buffered_out_of_a_held_reader() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.demand(hold())
            await run_rospec(client, rospec())
        await asyncio.sleep(1)
        async with connected(reader) as client:
            await client.listen(0.5)
            await client.send(node("GET_REPORT"))
            await client.listen(0.01)
            drained = len(client.reads())
            assert drained >= 150
            await client.listen(0.5)
            assert len(client.reads()) == drained

    run(scene())


@pytest.mark.parametrize(("name", "kept"), [("zebra", True), ("impinj", False), ("plain", False)])
def test_without_hold_it_is_the_model_that_decides_whether_reports_are_kept(name: str, *, kept: bool) -> None:
    async def scene() -> None:
        reader = SimulatedReader(small(IDENTITIES[name], 66_000), Beat())
        async with connected(reader) as client:
            await run_rospec(client, rospec())
        await asyncio.sleep(60)
        async with connected(reader) as client:
            await client.listen(0.05)
            assert (len(client.reads()) >= 6000) == kept
        assert (reader.outgoing.dropped["no_client"] >= 5900) != kept
        assert balanced(reader)

    run(scene())


@pytest.mark.parametrize("overflow", Overflow)
def test_a_full_buffer_drops_what_the_model_drops_and_says_so(overflow: Overflow) -> None:
    async def scene() -> None:
        identity = dataclasses.replace(small(zebra_fx9600()), overflow=overflow)
        reader = SimulatedReader(identity, Beat())
        async with connected(reader) as client:
            await client.demand(switch_events([3]))
            await run_rospec(client, rospec())
        end_us = START_US + 60 * S_US
        await asyncio.sleep(60)
        async with connected(reader) as client:
            await client.listen(0.0001)
            first = client.reads()[0].need("FirstSeenTimestampUTC").number("Microseconds")
            assert (first > end_us - S_US) == (overflow is Overflow.OLDEST)
            assert len(client.events("ReportBufferOverflowErrorEvent")) == 1
            (warning,) = client.events("ReportBufferLevelWarningEvent")
            assert warning.number("ReportBufferPercentageFull") == 90
        assert reader.outgoing.dropped["overflow"] > 5900
        assert balanced(reader)

    run(scene())


def test_antennas_gpis_and_exceptions_are_told_when_asked_for() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            reader.set_gpi(1, high=True)
            await client.demand(configuration(node("GPIPortCurrentState", GPIPortNum=1, Config=1, State=2)))
            await client.demand(switch_events([1, 4, 8]))
            reader.set_antenna(2, connected=False)
            reader.set_antenna(2, connected=False)
            reader.set_antenna(2, connected=True)
            reader.set_gpi(1, high=False)
            reader.raise_exception("too hot")
            await client.listen(0.1)
            told = [(e.number("EventType"), e.number("AntennaID")) for e in client.events("AntennaEvent")]
            assert told == [(0, 2), (1, 2)]
            assert [(e.number("GPIPortNumber"), e.number("GPIEvent")) for e in client.events("GPIEvent")] == [(1, 0)]
            assert [e.fields["Message"] for e in client.events("ReaderExceptionEvent")] == ["too hot"]

    run(scene())


def test_an_unplugged_antenna_is_skipped() -> None:
    async def scene() -> None:
        radio = Beat()
        reader = SimulatedReader(impinj_r420(), radio)
        async with connected(reader) as client:
            await run_rospec(client, rospec(ai_spec((1, 2))))
            await client.listen(1.0)
            assert {port for port, _, _ in radio.asked} == {1, 2}
            reader.set_antenna(1, connected=False)
            await client.listen(0.3)
            radio.asked.clear()
            await client.listen(1.0)
            assert {port for port, _, _ in radio.asked} == {2}
            reader.set_antenna(2, connected=False)
            radio.asked.clear()
            await client.listen(1.0)
            assert radio.asked == []

    run(scene())


def test_antennas_take_turns_without_gaps_or_overlaps() -> None:
    async def scene() -> None:
        radio = Beat()
        async with connected(SimulatedReader(zebra_fx9600(), radio)) as client:
            await run_rospec(client, rospec(ai_spec((0,))))
            await client.listen(3.2)
        assert [later[1] for later in radio.asked[1:]] == [earlier[2] for earlier in radio.asked[:-1]]
        seconds = {port: sum(b - a for p, a, b in radio.asked if p == port) / S_US for port in range(1, 9)}
        assert all(value == pytest.approx(0.4, abs=0.11) for value in seconds.values()), seconds

    run(scene())


def test_the_clock_may_be_wrong_and_may_jump() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat(), clock_offset_us=-3 * S_US)
        async with connected(reader) as client:
            stamp = client.heard[0].need("ReaderEventNotificationData").need("UTCTimestamp").number("Microseconds")
            assert stamp == START_US - 3 * S_US
            await run_rospec(client, rospec())
            await client.listen(0.2)
            reader.clock_offset_us = 3600 * S_US
            await client.listen(0.2)
            times = [tag.need("FirstSeenTimestampUTC").number("Microseconds") for tag in client.reads()]
            assert times[0] < START_US < START_US + 3600 * S_US <= times[-1]

    run(scene())


def test_a_reader_without_utc_counts_from_its_start() -> None:
    async def scene() -> None:
        await asyncio.sleep(5)
        reader = SimulatedReader(plain(), Beat())
        async with connected(reader) as client:
            await run_rospec(client, rospec())
            await client.listen(0.5)
            times = [tag.need("FirstSeenTimestampUptime").number("Microseconds") for tag in client.reads()]
            assert 0 <= times[0] < S_US / 10
            assert times[-1] < S_US

    run(scene())


def test_a_hung_reader_says_nothing_and_takes_up_again() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.demand(keepalive(100))
            await run_rospec(client, rospec())
            reader.hung = True
            await client.listen(0.1)
            assert await client.listen(30) == []
            reader.hung = False
            await client.listen(1)
            assert len(client.reads()) > 3000

    run(scene())


def test_a_reboot_forgets_everything_and_drops_the_client_without_a_word() -> None:
    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), Beat())
        async with connected(reader) as client:
            await client.demand(keepalive(10_000))
            await run_rospec(client, rospec())
            await client.listen(1)
            await reader.reboot()
            with pytest.raises(LinkError):
                await client.listen(1)
            assert client.events("ConnectionCloseEvent") == []
        async with connected(reader) as client:
            assert (await client.demand(node("GET_ROSPECS"))).all("ROSpec") == []
            assert client.reads() == []

    run(scene())


def test_requests_in_one_segment_and_byte_by_byte_are_all_answered() -> None:
    async def scene(client: Client) -> None:
        requests = [
            node("GET_ROSPECS"),
            node("GET_READER_CONFIG", AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0),
        ]
        stream = b"".join(encode(request, 50 + index) for index, request in enumerate(requests * 2))
        await client.port.send(stream)
        for byte in stream:
            await client.port.send(bytes([byte]))
        await client.listen(0.1)
        assert [frame.message_id for frame in client.frames[1:]] == [50, 51, 52, 53] * 2

    async def main() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await scene(client)

    run(main())


def test_a_week_away_costs_no_memory() -> None:
    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), Beat(gap_us=S_US))
        async with connected(reader) as client:
            await run_rospec(client, rospec())
        await asyncio.sleep(7 * 24 * 3600 / 20)
        async with connected(reader):
            pass
        assert len(reader.outgoing) <= reader.identity.buffer_messages
        assert reader.inventory.reads_heard >= 30_000
        assert balanced(reader)

    run(scene())
