"""Reads a simulated reader with pyllrp, in a venv of its own. Usage: pyllrp_client.py PORT SECONDS; prints JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from pyllrp.LLRPConnector import LLRPConnector  # type: ignore[import-not-found]  # only in the peer's own venv
from pyllrp.pyllrp import (  # type: ignore[import-not-found]  # only in the peer's own venv
    ADD_ROSPEC_Message,
    AirProtocols,
    AISpec_Parameter,
    AISpecStopTrigger_Parameter,
    AISpecStopTriggerType,
    DELETE_ROSPEC_Message,
    DISABLE_ROSPEC_Message,
    ENABLE_ROSPEC_Message,
    GET_READER_CAPABILITIES_Message,
    GET_READER_CONFIG_Message,
    GET_ROSPECS_Message,
    GetReaderCapabilitiesRequestedData,
    GetReaderConfigRequestedData,
    IMPINJ_ENABLE_EXTENSIONS_Message,
    ImpinjEnablePeakRSSI_Parameter,
    ImpinjEnableRFPhaseAngle_Parameter,
    ImpinjTagReportContentSelector_Parameter,
    InventoryParameterSpec_Parameter,
    RO_ACCESS_REPORT_Message,
    ROBoundarySpec_Parameter,
    ROReportSpec_Parameter,
    ROReportTriggerType,
    ROSpec_Parameter,
    ROSpecStartTrigger_Parameter,
    ROSpecStartTriggerType,
    ROSpecState,
    ROSpecStopTrigger_Parameter,
    ROSpecStopTriggerType,
    START_ROSPEC_Message,
    TagReportContentSelector_Parameter,
)

found: dict[str, Any] = {"statuses": {}, "tags": []}


def ask(connector: Any, message: Any) -> Any:
    response = connector.transact(message)
    name = type(message).__name__.removesuffix("_Message")
    found["statuses"][name] = bool(response.success())
    return response


def heard(_connector: Any, report: Any) -> None:
    for tag in report.Parameters:
        parts = {type(part).__name__.removesuffix("_Parameter"): part for part in tag.Parameters}
        epc = parts["EPC_96"].EPC
        found["tags"].append(
            {
                "epc": epc.hex() if isinstance(epc, bytes) else f"{epc:024x}" if isinstance(epc, int) else str(epc),
                "parts": sorted(parts),
                "antenna": parts["AntennaID"].AntennaID,
                "rssi": parts["PeakRSSI"].PeakRSSI,
                "first": parts["FirstSeenTimestampUTC"].Microseconds,
                "count": parts["TagSeenCount"].TagCount,
                "phase": parts["ImpinjRFPhaseAngle"].PhaseAngle,
                "centi_dbm": parts["ImpinjPeakRSSI"].RSSI,
            }
        )


def rospec() -> Any:
    trigger = ROSpecStartTrigger_Parameter(ROSpecStartTriggerType=ROSpecStartTriggerType.Null)
    stop = ROSpecStopTrigger_Parameter(ROSpecStopTriggerType=ROSpecStopTriggerType.Null)
    inventory = InventoryParameterSpec_Parameter(
        InventoryParameterSpecID=7, ProtocolID=AirProtocols.EPCGlobalClass1Gen2
    )
    part = AISpec_Parameter(
        AntennaIDs=[0],
        Parameters=[AISpecStopTrigger_Parameter(AISpecStopTriggerType=AISpecStopTriggerType.Null), inventory],
    )
    vendor = ImpinjTagReportContentSelector_Parameter(
        Parameters=[
            ImpinjEnableRFPhaseAngle_Parameter(RFPhaseAngleMode=1),
            ImpinjEnablePeakRSSI_Parameter(PeakRSSIMode=1),
        ]
    )
    selector = TagReportContentSelector_Parameter(
        EnableAntennaID=True, EnablePeakRSSI=True, EnableFirstSeenTimestamp=True, EnableTagSeenCount=True
    )
    report = ROReportSpec_Parameter(
        ROReportTrigger=ROReportTriggerType.Upon_N_Tags_Or_End_Of_ROSpec, N=1, Parameters=[selector, vendor]
    )
    boundary = ROBoundarySpec_Parameter(Parameters=[trigger, stop])
    return ROSpec_Parameter(ROSpecID=123, CurrentState=ROSpecState.Disabled, Parameters=[boundary, part, report])


def main(port: int, seconds: float) -> None:
    connector = LLRPConnector()
    connector.connect("127.0.0.1", port)
    ask(connector, IMPINJ_ENABLE_EXTENSIONS_Message())
    capabilities = ask(connector, GET_READER_CAPABILITIES_Message(RequestedData=GetReaderCapabilitiesRequestedData.All))
    found["capabilities"] = repr(capabilities)
    ask(connector, GET_READER_CONFIG_Message(RequestedData=GetReaderConfigRequestedData.All))
    ask(connector, DELETE_ROSPEC_Message(ROSpecID=0))
    found["start_before_add"] = bool(connector.transact(START_ROSPEC_Message(ROSpecID=123)).success())
    ask(connector, ADD_ROSPEC_Message(Parameters=[rospec()]))
    ask(connector, ENABLE_ROSPEC_Message(ROSpecID=123))
    ask(connector, START_ROSPEC_Message(ROSpecID=123))
    found["rospecs"] = repr(ask(connector, GET_ROSPECS_Message()))
    connector.addHandler(RO_ACCESS_REPORT_Message, heard)
    connector.startListener()
    time.sleep(seconds)
    connector.stopListener()
    ask(connector, DISABLE_ROSPEC_Message(ROSpecID=123))
    found["closed"] = bool(connector.disconnect().success())
    print(json.dumps(found, default=str))  # noqa: T201 - how the test learns what was heard


main(int(sys.argv[1]), float(sys.argv[2]))
