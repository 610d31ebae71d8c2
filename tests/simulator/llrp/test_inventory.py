from __future__ import annotations

import pytest

from readers.ports.memory import START_US, run
from simulator.llrp.codec import Node, Status, node
from simulator.llrp.identities import impinj_r420, plain
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import (
    Beat,
    Client,
    ai_spec,
    configuration,
    connected,
    detail,
    report_spec,
    rospec,
    run_rospec,
    status,
    switch_events,
)

DISABLED, INACTIVE, ACTIVE = 0, 1, 2


async def states(client: Client) -> dict[int, int]:
    answer = await client.demand(node("GET_ROSPECS"))
    return {spec.number("ROSpecID"): spec.number("CurrentState") for spec in answer.all("ROSpec")}


def test_a_rospec_goes_through_its_states() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(node("ADD_ROSPEC", rospec(start=0)))
            assert await states(client) == {1: DISABLED}
            for request, state in (
                ("ENABLE_ROSPEC", INACTIVE),
                ("ENABLE_ROSPEC", INACTIVE),
                ("START_ROSPEC", ACTIVE),
                ("START_ROSPEC", ACTIVE),
                ("STOP_ROSPEC", INACTIVE),
                ("STOP_ROSPEC", INACTIVE),
                ("START_ROSPEC", ACTIVE),
                ("DISABLE_ROSPEC", DISABLED),
                ("DISABLE_ROSPEC", DISABLED),
            ):
                await client.demand(node(request, ROSpecID=1))
                assert await states(client) == {1: state}
            for request in ("START_ROSPEC", "STOP_ROSPEC"):
                answer = await client.ask(node(request, ROSpecID=1))
                assert status(answer)[0] == Status.M_FIELD_ERROR
                assert detail(answer) == [("FieldError", 0, Status.A_INVALID)]
            await client.demand(node("DELETE_ROSPEC", ROSpecID=0))
            assert await states(client) == {}

    run(scene())


@pytest.mark.parametrize("request_name", ["DELETE", "ENABLE", "DISABLE", "START", "STOP"])
def test_a_rospec_that_does_not_exist_is_named(request_name: str) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(node("ADD_ROSPEC", rospec(rospec_id=7)))
            answer = await client.ask(node(f"{request_name}_ROSPEC", ROSpecID=9))
            assert answer.name == f"{request_name}_ROSPEC_RESPONSE"
            assert status(answer) == (Status.M_FIELD_ERROR, "ROSpec 9 does not exist; there are: 7")

    run(scene())


def test_a_duration_ends_an_immediate_rospec_and_it_starts_again() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(switch_events([2]))
            report = report_spec(trigger=2, n=0, EnableTagSeenCount=1)
            await run_rospec(client, rospec(duration_ms=500, report=report))
            await client.listen(1.6)
            kinds = [event.number("EventType") for event in client.events("ROSpecEvent")]
            assert kinds == [0, 1, 0, 1, 0, 1, 0]
            counts = [m for m in client.heard if m.name == "RO_ACCESS_REPORT"]
            assert [sum(t.need("TagSeenCount").number("TagCount") for t in m.children) for m in counts] == [50, 50, 50]
            names = [m.name for m in client.heard[1:]]
            assert names == [names[0], *["RO_ACCESS_REPORT", names[0], names[0]] * 3], "reports precede the end"

    run(scene())


def test_a_started_rospec_ends_after_its_duration_and_stays() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await run_rospec(client, rospec(start=0, duration_ms=300))
            await client.demand(node("START_ROSPEC", ROSpecID=1))
            await client.listen(2)
            assert len(client.reads()) == 30
            assert await states(client) == {1: INACTIVE}

    run(scene())


@pytest.mark.parametrize(("period_ms", "starts"), [(1000, 5), (0, 1)])
def test_a_periodic_rospec_starts_on_time(period_ms: int, starts: int) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(switch_events([2]))
            value = node(
                "PeriodicTriggerValue", node("UTCTimestamp", Microseconds=START_US), Offset=500, Period=period_ms
            )
            await run_rospec(
                client, rospec(start=node("ROSpecStartTrigger", value, ROSpecStartTriggerType=2), duration_ms=200)
            )
            await client.listen(5.3)
            begun = [
                m.need("ReaderEventNotificationData").need("UTCTimestamp").number("Microseconds") - START_US
                for m in client.heard
                if m.name == "READER_EVENT_NOTIFICATION"
                and (event := m.need("ReaderEventNotificationData").one("ROSpecEvent"))
                and event.number("EventType") == 0
            ]
            assert begun == [500_000 + 1_000_000 * n for n in range(starts)]

    run(scene())


def test_ai_specs_run_in_turn_by_duration_and_by_tags() -> None:
    async def scene() -> None:
        radio = Beat(tags=4)
        async with connected(SimulatedReader(impinj_r420(), radio)) as client:
            trigger = node("TagObservationTrigger", TriggerType=0, NumberOfTags=4, NumberOfAttempts=0, T=0, Timeout=900)
            by_tags = node("AISpecStopTrigger", trigger, AISpecStopTriggerType=3, DurationTrigger=0)
            by_time = node("AISpecStopTrigger", AISpecStopTriggerType=1, DurationTrigger=100)
            report = report_spec(n=0, EnableSpecIndex=1, EnableInventoryParameterSpecID=1, EnableTagSeenCount=1)
            parts = (ai_spec((1,), stop=by_tags, spec_id=11), ai_spec((2,), stop=by_time, spec_id=22))
            await client.demand(switch_events([6]))
            await run_rospec(client, rospec(*parts, report=report))
            await client.listen(0.5)
            ends = [event.number("SpecIndex") for event in client.events("AISpecEvent")]
            assert ends[:4] == [1, 2, 1, 2]
            pairs = {
                (t.children[1].number("SpecIndex"), t.children[2].number("InventoryParameterSpecID"))
                for t in client.reads()
            }
            assert pairs == {(1, 11), (2, 22)}
            assert {port for port, _, _ in radio.asked} == {1, 2}

    run(scene())


def test_a_higher_priority_preempts_and_a_lower_one_cannot_start() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(plain(), Beat())) as client:
            await client.demand(switch_events([2]))
            await run_rospec(client, rospec(rospec_id=1, priority=5))
            await client.demand(node("ADD_ROSPEC", rospec(rospec_id=2, priority=1, start=0)))
            await client.demand(node("ENABLE_ROSPEC", ROSpecID=2))
            await client.demand(node("START_ROSPEC", ROSpecID=2))
            assert await states(client) == {1: INACTIVE, 2: ACTIVE}
            assert status(await client.ask(node("START_ROSPEC", ROSpecID=1)))[0] == Status.R_DEVICE_ERROR
            told = [
                (e.number("EventType"), e.number("ROSpecID"), e.number("PreemptingROSpecID"))
                for e in client.events("ROSpecEvent")
            ]
            assert told == [(0, 1, 0), (2, 1, 2), (0, 2, 0)]

    run(scene())


def test_a_loop_spec_ends_a_rospec_after_its_rounds() -> None:
    async def scene() -> None:
        stop = node("AISpecStopTrigger", AISpecStopTriggerType=1, DurationTrigger=100)
        tree = rospec(ai_spec(stop=stop), start=0)
        tree.children.insert(2, node("LoopSpec", LoopCount=3))
        async with connected(SimulatedReader(plain(), Beat())) as client:
            await run_rospec(client, tree)
            await client.demand(node("START_ROSPEC", ROSpecID=1))
            await client.listen(2)
            assert len(client.reads()) == 30
            assert await states(client) == {1: INACTIVE}
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            assert detail(await client.ask(node("ADD_ROSPEC", tree)))[-1] == (
                "ParameterError",
                355,
                Status.P_UNSUPPORTED_PARAMETER,
            )

    run(scene())


@pytest.mark.parametrize(("trigger", "n", "reports"), [(3, 1, 4), (4, 2, 2), (5, 500, 9), (6, 250, 18), (6, 0, 0)])
def test_a_reader_of_1_1_reports_by_time(trigger: int, n: int, reports: int) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(plain(), Beat())) as client:
            report = report_spec(trigger=trigger, n=n, EnableTagSeenCount=1)
            await run_rospec(client, rospec(report=report))
            await client.listen(4.6)
            heard = [m for m in client.heard if m.name == "RO_ACCESS_REPORT"]
            assert len(heard) == reports
            counts = {sum(t.need("TagSeenCount").number("TagCount") for t in m.children) for m in heard}
            per_s = 1 if trigger in (3, 4) else 1000
            assert counts <= {round(100 * n / per_s) + slip for slip in (-1, 0, 1)}

    run(scene())


def test_a_reader_of_1_0_1_does_not_know_reports_by_time() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(node("ADD_ROSPEC", rospec(report=report_spec(trigger=5, n=100))))
            assert "ROReportTrigger 5: allowed are 0 to 2" in status(answer)[1]

    run(scene())


@pytest.mark.parametrize("timeout_ms", [0, 700])
def test_an_input_starts_and_stops_a_rospec(timeout_ms: int) -> None:
    def level(*, high: bool, timeout_ms: int = 0) -> Node:
        return node("GPITriggerValue", GPIPortNum=2, GPIEvent=int(high), Timeout=timeout_ms)

    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.demand(switch_events([1, 2]))
            tree = rospec(start=node("ROSpecStartTrigger", level(high=True), ROSpecStartTriggerType=3))
            tree.need("ROBoundarySpec").children[1] = node(
                "ROSpecStopTrigger",
                level(high=False, timeout_ms=timeout_ms),
                ROSpecStopTriggerType=2,
                DurationTriggerValue=0,
            )
            await run_rospec(client, tree)
            assert await states(client) == {1: INACTIVE}
            reader.set_gpi(2, high=True)
            assert await states(client) == {1: INACTIVE}, "an input that is not enabled does nothing"
            reader.set_gpi(2, high=False)
            enable = node("GPIPortCurrentState", GPIPortNum=2, Config=1, State=0)
            await client.demand(configuration(enable))
            reader.set_gpi(1, high=True)
            reader.set_gpi(2, high=True)
            assert await states(client) == {1: ACTIVE}
            await client.listen(0.5)
            assert len(client.reads()) > 20
            if timeout_ms:
                await client.listen(0.5)
            else:
                reader.set_gpi(2, high=False)
            assert await states(client) == {1: INACTIVE}
            await client.listen(0.1)
            before = len(client.reads())
            await client.listen(1.0)
            assert len(client.reads()) == before
            assert [event.number("EventType") for event in client.events("ROSpecEvent")] == [0, 1]

    run(scene())
