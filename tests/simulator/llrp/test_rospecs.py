from __future__ import annotations

import pytest

from readers.ports.memory import run
from simulator.llrp.codec import Node, Status, node
from simulator.llrp.identities import IDENTITIES, Identity, impinj_r420
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import Beat, ai_spec, connected, detail, rospec, status


def test_get_rospecs_shows_what_was_added() -> None:
    async def scene() -> None:
        tree = rospec(ai_spec((2, 3)), rospec_id=77)
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(node("ADD_ROSPEC", tree))
            assert (await client.demand(node("GET_ROSPECS"))).all("ROSpec") == [tree]

    run(scene())


def stop(kind: int, **fields: int) -> Node:
    return node("AISpecStopTrigger", AISpecStopTriggerType=kind, **{"DurationTrigger": 0, **fields})


def by_gpi(port: int, *, high: bool = True) -> Node:
    value = node("GPITriggerValue", GPIPortNum=port, GPIEvent=int(high), Timeout=0)
    return node("ROSpecStartTrigger", value, ROSpecStartTriggerType=3)


IN_AI = [177, 183]


INVALID, RANGE, MISSING = Status.A_INVALID, Status.A_OUT_OF_RANGE, Status.P_MISSING_PARAMETER
REFUSED = {
    "id 0": (rospec(rospec_id=0), [177], 0, INVALID, "ROSpecID 0: allowed are 1 to 4294967295"),
    "state": (rospec(state=1), [177], 2, INVALID, "CurrentState 1: a ROSpec is added as 0, disabled"),
    "priority": (rospec(priority=1), [177], 1, RANGE, "Priority 1: allowed are 0 to 0"),
    "start": (rospec(start=4), [177, 178, 179], 0, RANGE, "ROSpecStartTriggerType 4: allowed are 0 (null)"),
    "no input": (rospec(start=3), [177, 178, 179], None, MISSING, "needs GPITriggerValue"),
    "input": (rospec(start=by_gpi(5)), [177, 178, 179, 181], 0, RANGE, "GPIPortNum 5: allowed are 1 to 4"),
    "period": (rospec(start=2), [177, 178, 179], None, MISSING, "needs PeriodicTriggerValue"),
    "antenna": (rospec(ai_spec((5,))), IN_AI, 0, RANGE, "antenna 5: allowed are 1 to 4, or 0 for all"),
    "antennas": (rospec(ai_spec((0, 1))), IN_AI, 0, INVALID, "AntennaIDs [0, 1]: give 0 alone"),
    "twice": (rospec(ai_spec((1, 1))), IN_AI, 0, INVALID, "each antenna once"),
    "none": (rospec(ai_spec(())), IN_AI, 0, INVALID, "AntennaIDs []: give 0 alone"),
    "inventory id": (rospec(ai_spec(spec_id=0)), [*IN_AI, 186], 0, INVALID, "InventoryParameterSpecID 0"),
    "protocol": (rospec(ai_spec(protocol=9)), [*IN_AI, 186], 1, INVALID, "ProtocolID 9: allowed is 1"),
    "stop": (rospec(ai_spec(stop=stop(2))), [*IN_AI, 184], 0, INVALID, "AISpecStopTriggerType 2"),
    "no time": (rospec(ai_spec(stop=stop(1))), [*IN_AI, 184], 1, INVALID, "DurationTrigger 0 ms: at least 1"),
    "no tags": (rospec(ai_spec(stop=stop(3))), [*IN_AI, 184], None, MISSING, "TagObservationTrigger"),
}


@pytest.mark.parametrize(("tree", "path", "at", "code", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_reader_cannot_do_is_refused_by_name(
    tree: Node, path: list[int], at: int | None, code: Status, text: str
) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(node("ADD_ROSPEC", tree))
            assert status(answer)[0] == Status.M_PARAMETER_ERROR
            assert text in status(answer)[1]
            chain = detail(answer)
            assert [number for name, number, _ in chain if name == "ParameterError"] == path
            assert chain[-1][2] == code
            assert (chain[-1][1] if chain[-1][0] == "FieldError" else None) == at
            assert (await client.demand(node("GET_ROSPECS"))).all("ROSpec") == []

    run(scene())


def test_only_as_many_rospecs_as_the_capabilities_say() -> None:
    async def scene(identity: Identity) -> None:
        async with connected(SimulatedReader(identity, Beat())) as client:
            for number in range(identity.max_rospecs):
                await client.demand(node("ADD_ROSPEC", rospec(rospec_id=number + 1)))
            answer = await client.ask(node("ADD_ROSPEC", rospec(rospec_id=99)))
            assert detail(answer) == [("ParameterError", 177, Status.P_OVERFLOW_PARAMETER)]
            answer = await client.ask(node("ADD_ROSPEC", rospec(rospec_id=1)))
            assert detail(answer)[-1] == ("FieldError", 0, Status.A_INVALID)

    for identity in IDENTITIES.values():
        run(scene(identity))
