from __future__ import annotations

from readers.ports.memory import run
from simulator.llrp.codec import Status, node
from simulator.llrp.identities import impinj_r420, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from simulator.llrp.shapes import IMPINJ
from tests.simulator.llrp.client import (
    Beat,
    accessspec,
    configuration,
    connected,
    detail,
    report_spec,
    rospec,
    status,
)


def test_a_reader_of_1_0_1_refuses_another_version_in_that_version() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(node("GET_SUPPORTED_VERSION"), version=2)
            assert (answer.name, status(answer)[0]) == ("ERROR_MESSAGE", Status.M_UNSUPPORTED_VERSION)
            assert detail(answer) == []
            assert client.frames[-1].version == 2
            answer = await client.ask(node("GET_SUPPORTED_VERSION"))
            assert (answer.name, status(answer)[0]) == ("ERROR_MESSAGE", Status.M_UNSUPPORTED_MESSAGE)

    run(scene())


def test_a_reader_of_1_1_negotiates() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(plain(), Beat())) as client:
            answer = await client.ask(node("GET_SUPPORTED_VERSION"), version=2)
            assert (answer.number("CurrentVersion"), answer.number("SupportedVersion")) == (1, 2)
            assert status(await client.ask(node("GET_ROSPECS"), version=2))[0] == Status.M_UNSUPPORTED_VERSION
            refused = await client.ask(node("SET_PROTOCOL_VERSION", ProtocolVersion=3), version=2)
            assert status(refused)[0] == Status.M_UNSUPPORTED_VERSION
            await client.ask(node("SET_PROTOCOL_VERSION", ProtocolVersion=2), version=2)
            assert status(await client.ask(node("GET_ROSPECS"), version=2))[0] == 0
            assert client.frames[-1].version == 2
            assert status(await client.ask(node("GET_ROSPECS"), version=1))[0] == Status.M_UNSUPPORTED_VERSION

    run(scene())


def test_unknown_messages_are_refused_and_the_link_goes_on() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(zebra_fx9600(), Beat())) as client:
            await client.port.send(
                bytes.fromhex("07FF 0000000E 00000009 DEADBEEF")
            )  # type 1023 of version 1, cut short
            await client.port.send(bytes.fromhex("0501 0000000A 0000000A"))
            await client.listen(0.1)
            errors = [m for m in client.heard if m.name == "ERROR_MESSAGE"]
            assert [f.message_id for f in client.frames if f.type == 100] == [9, 10]
            assert status(errors[1])[0] == Status.M_UNSUPPORTED_MESSAGE
            answer = await client.ask(node("IMPINJ_ENABLE_EXTENSIONS", Reserved=0))
            assert (answer.name, status(answer)[0]) == ("ERROR_MESSAGE", Status.M_UNSUPPORTED_MESSAGE)
            await client.send(node("ERROR_MESSAGE", node("LLRPStatus", StatusCode=0, ErrorDescription="")))
            assert await client.listen(0.1) == []

    run(scene())


def test_extensions_must_be_enabled_before_they_are_used() -> None:
    async def scene() -> None:
        vendor = node("ImpinjTagReportContentSelector", node("ImpinjEnableRFPhaseAngle", RFPhaseAngleMode=1))
        add = node("ADD_ROSPEC", rospec(report=report_spec(vendor)))
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(add)
            assert (answer.name, status(answer)[0]) == ("ADD_ROSPEC_RESPONSE", Status.M_PARAMETER_ERROR)
            assert detail(answer) == [
                ("ParameterError", 177, Status.P_PARAMETER_ERROR),
                ("ParameterError", 237, Status.P_PARAMETER_ERROR),
                ("ParameterError", 1023, Status.P_UNSUPPORTED_PARAMETER),
            ]
            await client.demand(node("IMPINJ_ENABLE_EXTENSIONS", Reserved=0))
            await client.demand(add)
            unknown = node("Custom", VendorIdentifier=IMPINJ, ParameterSubtype=9999, Data=b"\x01")
            answer = await client.ask(configuration(unknown))
            assert detail(answer) == [("ParameterError", 1023, Status.P_UNSUPPORTED_PARAMETER)]
            wanted = node("ImpinjRequestedData", RequestedData=1000)
            answer = await client.demand(node("GET_READER_CAPABILITIES", wanted, RequestedData=1))
            assert [part.name for part in answer.children[2:]] == [
                "ImpinjDetailedVersion",
                "ImpinjFrequencyCapabilities",
            ]

    run(scene())


def test_access_specs_are_kept_switched_and_deleted() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.demand(node("GET_READER_CAPABILITIES", RequestedData=2))
            assert answer.need("LLRPCapabilities").number("MaxNumAccessSpecs") == 1508
            await client.demand(node("ADD_ACCESSSPEC", accessspec(spec_id=3)))
            await client.demand(node("ENABLE_ACCESSSPEC", AccessSpecID=3))
            (held,) = (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec")
            assert (held.number("AccessSpecID"), held.number("CurrentState")) == (3, 1)
            await client.demand(node("DISABLE_ACCESSSPEC", AccessSpecID=0))
            (held,) = (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec")
            assert held.number("CurrentState") == 0
            await client.demand(node("DELETE_ACCESSSPEC", AccessSpecID=3))
            assert (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec") == []
            await client.demand(node("DELETE_ACCESSSPEC", AccessSpecID=0))
            assert detail(await client.ask(node("DELETE_ACCESSSPEC", AccessSpecID=3))) == [
                ("FieldError", 0, Status.A_INVALID)
            ]
            await client.demand(node("ADD_ACCESSSPEC", accessspec(spec_id=3)))
            await client.demand(configuration(reset=1))
            assert (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec") == []

    run(scene())


def test_zebras_parameters_are_for_zebras_readers_alone() -> None:
    async def scene() -> None:
        flags = dict.fromkeys(
            ("EnableZoneID", "EnableZoneName", "EnableAntennaPhysicalPortConfig", "EnableGPS", "EnableMLTReport"), 0
        )
        vendor = node("MotoTagReportContentSelector", **flags, EnablePhase=1)
        add = node("ADD_ROSPEC", rospec(report=report_spec(vendor)))
        async with connected(SimulatedReader(zebra_fx9600(), Beat())) as client:
            await client.demand(add)
        async with connected(SimulatedReader(plain(), Beat())) as client:
            assert detail(await client.ask(add))[-1] == ("ParameterError", 1023, Status.P_UNSUPPORTED_PARAMETER)

    run(scene())
