from __future__ import annotations

import pytest

from readers.ports.memory import run
from simulator.llrp.codec import Node, Status, node
from simulator.llrp.identities import IDENTITIES, impinj_r420
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import (
    Beat,
    Client,
    configuration,
    connected,
    detail,
    hold,
    keepalive,
    report_spec,
    rospec,
    status,
    switch_events,
)


def query(wanted: int = 0, antenna: int = 0, gpi: int = 0, gpo: int = 0, *custom: Node) -> Node:
    return node("GET_READER_CONFIG", *custom, AntennaID=antenna, RequestedData=wanted, GPIPortNum=gpi, GPOPortNum=gpo)


async def parameters(client: Client, request: Node) -> list[str]:
    return [part.name for part in (await client.demand(request)).children[1:]]


@pytest.mark.parametrize("name", IDENTITIES)
def test_every_identity_shows_its_whole_configuration(name: str) -> None:
    async def scene() -> None:
        identity = IDENTITIES[name]
        async with connected(SimulatedReader(identity, Beat())) as client:
            answer = await client.demand(query())
            counts = {part.name: len(answer.all(part.name)) for part in answer.children}
            assert counts["AntennaProperties"] == counts["AntennaConfiguration"] == identity.antennas
            assert (counts.get("GPIPortCurrentState", 0), counts.get("GPOWriteData", 0)) == (
                identity.gpis,
                identity.gpos,
            )
            powers = {each.need("RFTransmitter").number("TransmitPower") for each in answer.all("AntennaConfiguration")}
            assert powers == {len(identity.tx_power_centi_dbm)}
            report = answer.need("ROReportSpec")
            assert (report.number("ROReportTrigger"), report.number("N")) == identity.default_report

    run(scene())


def test_each_part_can_be_asked_for_alone() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            names = [await parameters(client, query(wanted, 2, 3, 4)) for wanted in range(1, 12)]
            assert names == [
                ["Identification"],
                ["AntennaProperties"],
                ["AntennaConfiguration"],
                ["ROReportSpec"],
                ["ReaderEventNotificationSpec"],
                ["AccessReportSpec"],
                ["LLRPConfigurationStateValue"],
                ["KeepaliveSpec"],
                ["GPIPortCurrentState"],
                ["GPOWriteData"],
                ["EventsAndReports"],
            ]

    run(scene())


@pytest.mark.parametrize(
    ("request_node", "number", "text"),
    [
        (query(12), 1, "RequestedData 12: allowed are 0 to 11"),
        (query(3, antenna=5), 0, "antenna 5: allowed are 1 to 4, or 0 for all"),
        (query(9, gpi=5), 2, "GPIPortNum 5: allowed are 0 to 4"),
        (query(10, gpo=5), 3, "GPOPortNum 5: allowed are 0 to 4"),
        (node("GET_READER_CAPABILITIES", RequestedData=5), 0, "RequestedData 5: allowed are 0 to 4"),
    ],
)
def test_asking_for_what_does_not_exist_is_a_field_error(request_node: Node, number: int, text: str) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(request_node)
            assert status(answer) == (Status.M_FIELD_ERROR, text)
            assert detail(answer) == [("FieldError", number, Status.A_OUT_OF_RANGE)]

    run(scene())


def test_what_is_set_is_read_back_and_survives_the_connection() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Beat())
        async with connected(reader) as client:
            await client.demand(node("IMPINJ_ENABLE_EXTENSIONS", Reserved=0))
            report = report_spec(n=9, EnableROSpecID=1)
            antenna = node(
                "AntennaConfiguration",
                node("RFTransmitter", HopTableID=1, ChannelIndex=0, TransmitPower=5),
                AntennaID=0,
            )
            monitor = node("ImpinjLinkMonitorConfiguration", LinkMonitorMode=1, LinkDownThreshold=3)
            await client.demand(
                configuration(report, antenna, monitor, node("GPOWriteData", GPOPortNumber=2, GPOData=1))
            )
            await client.demand(configuration(node("AccessReportSpec", AccessReportTrigger=1)))
            await client.demand(hold())
            await client.demand(keepalive(60_000))
        async with connected(reader) as client:
            answer = await client.demand(query())
            assert answer.need("ROReportSpec") == report
            for each in answer.all("AntennaConfiguration"):
                assert each.need("RFTransmitter").number("TransmitPower") == 5
                assert [part.name for part in each.children] == ["RFReceiver", "RFTransmitter", "C1G2InventoryCommand"]
            assert [gpo.number("GPOData") for gpo in answer.all("GPOWriteData")] == [0, 1, 0, 0]
            assert answer.need("EventsAndReports").number("HoldEventsAndReportsUponReconnect") == 1
            assert answer.need("KeepaliveSpec").fields == {"KeepaliveTriggerType": 1, "PeriodicTriggerValue": 60_000}
            assert answer.need("AccessReportSpec").number("AccessReportTrigger") == 1
            assert answer.need("LLRPConfigurationStateValue").number("LLRPConfigurationStateValue") == 4
            await client.demand(node("IMPINJ_ENABLE_EXTENSIONS", Reserved=0))
            for wanted in (2000, 2005):
                asked = query(1, 0, 0, 0, node("ImpinjRequestedData", RequestedData=wanted))
                assert (await client.demand(asked)).children[-1] == monitor
            await client.demand(configuration(reset=1))
            answer = await client.demand(query())
            assert answer.need("KeepaliveSpec").fields == {"KeepaliveTriggerType": 0, "PeriodicTriggerValue": 0}
            assert answer.need("EventsAndReports").number("HoldEventsAndReportsUponReconnect") == 0

    run(scene())


def test_a_reset_deletes_the_rospecs() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(node("ADD_ROSPEC", rospec()))
            await client.demand(configuration(reset=1))
            assert (await client.demand(node("GET_ROSPECS"))).all("ROSpec") == []

    run(scene())


def test_a_rospec_without_report_spec_takes_the_default() -> None:
    async def scene() -> None:
        tree = rospec()
        tree.children.pop()
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            await client.demand(configuration(report_spec(EnableTagSeenCount=1)))
            await client.demand(node("ADD_ROSPEC", tree))
            await client.demand(node("ENABLE_ROSPEC", ROSpecID=1))
            await client.listen(0.1)
            assert {tuple(p.name for p in tag.children) for tag in client.reads()} == {("EPC_96", "TagSeenCount")}

    run(scene())


REFUSED = {
    "properties": (
        node("AntennaProperties", AntennaConnected=1, AntennaID=1, AntennaGain=0),
        Status.P_UNSUPPORTED_PARAMETER,
    ),
    "keepalive kind": (node("KeepaliveSpec", KeepaliveTriggerType=2, PeriodicTriggerValue=5), Status.A_OUT_OF_RANGE),
    "keepalive 0": (node("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=0), Status.A_OUT_OF_RANGE),
    "gpo": (node("GPOWriteData", GPOPortNumber=5, GPOData=1), Status.A_OUT_OF_RANGE),
    "gpi": (node("GPIPortCurrentState", GPIPortNum=0, Config=1, State=0), Status.A_OUT_OF_RANGE),
    "event": (switch_events([9]).children[0], Status.A_OUT_OF_RANGE),
    "report": (report_spec(trigger=3), Status.A_OUT_OF_RANGE),
    "antenna": (node("AntennaConfiguration", AntennaID=9), Status.A_OUT_OF_RANGE),
}


@pytest.mark.parametrize(("parameter", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_configuration_with_one_fault_is_refused_whole(parameter: Node, code: Status) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            sound = node("EventsAndReports", HoldEventsAndReportsUponReconnect=1)
            answer = await client.ask(configuration(sound, parameter))
            assert (answer.name, status(answer)[0]) == ("SET_READER_CONFIG_RESPONSE", Status.M_PARAMETER_ERROR)
            assert detail(answer)[-1][2] == code
            held = (await client.demand(query(11))).need("EventsAndReports")
            assert held.number("HoldEventsAndReportsUponReconnect") == 0

    run(scene())
