from __future__ import annotations

import pytest

from readers.ports.memory import run
from simulator.llrp.codec import Node, Status, node
from simulator.llrp.identities import CHINA, ETSI, Identity, impinj_r420, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import Beat, ai_spec, connected, detail, report_spec, rospec, status


def antenna(
    port: int = 1, power: int = 1, hop: int = 1, channel: int = 1, sensitivity: int = 1, **control: int
) -> Node:
    transmitter = node("RFTransmitter", HopTableID=hop, ChannelIndex=channel, TransmitPower=power)
    receiver = node("RFReceiver", ReceiverSensitivity=sensitivity)
    commands = []
    if control:
        commands.append(
            node("C1G2InventoryCommand", node("C1G2RFControl", **{"Tari": 0, **control}), TagInventoryStateAware=0)
        )
    return node("AntennaConfiguration", receiver, transmitter, *commands, AntennaID=port)


def with_antenna(port: int = 1, **settings: int) -> Node:
    return rospec(ai_spec((1,), antenna(port, **settings)))


def test_regions_decide_which_of_hop_table_and_channel_counts() -> None:
    async def answer(identity: Identity, tree: Node) -> tuple[int, str]:
        async with connected(SimulatedReader(identity, Beat())) as client:
            return status(await client.ask(node("ADD_ROSPEC", rospec(ai_spec((1,), tree)))))

    assert run(answer(zebra_fx9600(ETSI), antenna(hop=9, channel=4))) == (0, "")
    assert run(answer(zebra_fx9600(ETSI), antenna(channel=5)))[1] == "ChannelIndex 5: allowed are 1, 2, 3, 4"
    assert run(answer(zebra_fx9600(CHINA), antenna(channel=99))) == (0, "")


INVALID, RANGE = Status.A_INVALID, Status.A_OUT_OF_RANGE
IN_ANTENNA = [177, 183, 186, 222]
REFUSED = {
    "power": (with_antenna(power=82), [*IN_ANTENNA, 224], 2, RANGE, "TransmitPower 82: allowed are 1 to 81"),
    "power 0": (with_antenna(power=0), [*IN_ANTENNA, 224], 2, RANGE, "TransmitPower 0"),
    "hop table": (with_antenna(hop=2), [*IN_ANTENNA, 224], 0, RANGE, "HopTableID 2: allowed are 1"),
    "sensitivity": (with_antenna(sensitivity=43), [*IN_ANTENNA, 223], 0, RANGE, "ReceiverSensitivity 43"),
    "mode": (with_antenna(ModeIndex=5), [*IN_ANTENNA, 330, 335], 0, RANGE, "ModeIndex 5: allowed are 0, 1, 2"),
    "tari": (
        with_antenna(ModeIndex=0, Tari=7),
        [*IN_ANTENNA, 330, 335],
        1,
        RANGE,
        "Tari 7 ns: allowed in this mode are 6250",
    ),
    "its antenna": (with_antenna(5), IN_ANTENNA, 0, RANGE, "antenna 5"),
    "report": (rospec(report=report_spec(trigger=3)), [177, 237], 0, RANGE, "ROReportTrigger 3: allowed are 0 to 2"),
}


@pytest.mark.parametrize(("tree", "path", "at", "code", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_a_radio_setting_outside_the_tables_is_refused_by_name(
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

    run(scene())
