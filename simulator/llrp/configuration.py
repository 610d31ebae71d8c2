"""A reader's configuration: SET_READER_CONFIG, applied whole or not at all, and GET_READER_CONFIG.

Source: LLRP 1.0.1 section 12; Impinj's LTK definitions 1.18 for the vendor's parameters.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from simulator.llrp.codec import Node, RefusedError, Status, node
from simulator.llrp.identities import Identity
from simulator.llrp.limits import check_antenna_configuration, check_antenna_port, check_custom, check_report_spec
from simulator.llrp.shapes import PARAMETERS

SHORTEST_KEEPALIVE_MS: Final = 1
EVENT_TYPES: Final = 9
_MAC_ADDRESS: Final = 0
_LOW, _HIGH = 0, 1
_IMPINJ_ALL_CONFIGURATION: Final = 2000


class Event(IntEnum):
    """EventType of EventNotificationState."""

    HOPPING = 0
    GPI = 1
    ROSPEC = 2
    BUFFER_WARNING = 3
    READER_EXCEPTION = 4
    RF_SURVEY = 5
    AISPEC = 6
    AISPEC_WITH_DETAILS = 7
    ANTENNA = 8


class Requested(IntEnum):
    """RequestedData of GET_READER_CONFIG."""

    ALL = 0
    IDENTIFICATION = 1
    ANTENNA_PROPERTIES = 2
    ANTENNA_CONFIGURATION = 3
    REPORT_SPEC = 4
    EVENT_SPEC = 5
    ACCESS_REPORT_SPEC = 6
    STATE_VALUE = 7
    KEEPALIVE_SPEC = 8
    GPI_STATE = 9
    GPO_DATA = 10
    EVENTS_AND_REPORTS = 11


# Parameters of SET_READER_CONFIG that are kept as they came and returned on request, with their ImpinjRequestedData.
_KEPT_IMPINJ: Final = {
    "ImpinjSubRegulatoryRegion": 2001,
    "ImpinjLinkMonitorConfiguration": 2005,
    "ImpinjReportBufferConfiguration": 2006,
    "ImpinjAntennaConfiguration": 2017,
}


class Configuration:
    """Settings that last until the next reset, whoever is connected."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.antenna_connected = dict.fromkeys(range(1, identity.antennas + 1), True)
        self.gpi_high = dict.fromkeys(range(1, identity.gpis + 1), False)
        self.state_value = 0
        self.reset()

    def reset(self) -> None:
        """Factory defaults."""
        identity = self._identity
        self.events = {event: event in identity.default_events for event in range(EVENT_TYPES)}
        self.keepalive_ms = 0
        self.hold = False
        self.report_spec = _default_report_spec(identity)
        self.access_report_trigger = 0
        self.antennas = {port: _default_antenna(identity, port) for port in self.antenna_connected}
        self.gpi_enabled = dict.fromkeys(self.gpi_high, False)
        self.gpo_high = dict.fromkeys(range(1, identity.gpos + 1), False)
        self.impinj: dict[str, Node] = {}

    @property
    def link_down_threshold(self) -> int | None:
        """Unanswered KEEPALIVEs after which the reader closes the connection; None for never."""
        monitor = self.impinj.get("ImpinjLinkMonitorConfiguration")
        if monitor is not None and monitor.number("LinkMonitorMode"):
            return monitor.number("LinkDownThreshold")
        return self._identity.missed_acks

    def apply(self, request: Node, *, extensions: bool) -> None:
        """Carry out SET_READER_CONFIG.

        Raises:
            RefusedError: something in it is not allowed; then nothing of it is carried out.
        """
        self._check(request, extensions=extensions)
        if request.number("ResetToFactoryDefault"):
            self.reset()
        for child in request.children:
            self._take(child)
        self.state_value = self.state_value + 1 & 0xFFFFFFFF

    def _check(self, request: Node, *, extensions: bool) -> None:
        identity = self._identity
        check_custom(request, (), extensions=extensions, motorola=identity.is_motorola)
        for child in request.children:
            path = (child.name,)
            match child.name:
                case "AntennaProperties":
                    text = "AntennaProperties cannot be set: CanSetAntennaProperties is false"
                    raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, path)
                case "AntennaConfiguration":
                    check_antenna_configuration(identity, child, path)
                case "ROReportSpec":
                    check_report_spec(identity, child, path)
                case "KeepaliveSpec":
                    _check_keepalive(child, path)
                case "EventsAndReports":
                    if child.number("HoldEventsAndReportsUponReconnect") and not identity.can_hold:
                        text = "HoldEventsAndReportsUponReconnect 1: this reader cannot hold; allowed is 0"
                        raise RefusedError(Status.A_INVALID, text, path, "HoldEventsAndReportsUponReconnect")
                case "GPOWriteData":
                    _check_io(child, "GPOPortNumber", identity.gpos, path)
                case "GPIPortCurrentState":
                    _check_io(child, "GPIPortNum", identity.gpis, path)
                case "ReaderEventNotificationSpec":
                    _check_events(child, path)
                case _:
                    pass  # nothing in it can be out of range

    def _take(self, child: Node) -> None:
        match child.name:
            case "ReaderEventNotificationSpec":
                for state in child.all("EventNotificationState"):
                    self.events[state.number("EventType")] = bool(state.number("NotificationState"))
            case "AntennaConfiguration":
                self._take_antenna(child)
            case "ROReportSpec":
                self.report_spec = child
            case "AccessReportSpec":
                self.access_report_trigger = child.number("AccessReportTrigger")
            case "KeepaliveSpec":
                periodic = child.number("KeepaliveTriggerType")
                self.keepalive_ms = child.number("PeriodicTriggerValue") if periodic else 0
            case "GPOWriteData":
                self.gpo_high[child.number("GPOPortNumber")] = bool(child.number("GPOData"))
            case "GPIPortCurrentState":
                self.gpi_enabled[child.number("GPIPortNum")] = bool(child.number("Config"))
            case "EventsAndReports":
                self.hold = bool(child.number("HoldEventsAndReportsUponReconnect"))
            case name:
                self.impinj[name] = child

    def _take_antenna(self, child: Node) -> None:
        port = child.number("AntennaID")
        for each in self.antennas if port == 0 else (port,):
            old = self.antennas[each]
            kept = [part for part in old.children if child.one(part.name) is None]
            order = {"RFReceiver": 0, "RFTransmitter": 1}
            parts = sorted([*kept, *child.children], key=lambda part: order.get(part.name, 2))
            self.antennas[each] = node("AntennaConfiguration", *parts, AntennaID=each)

    def answer(self, request: Node) -> list[Node]:
        """The parameters that answer GET_READER_CONFIG, after its LLRPStatus.

        Raises:
            RefusedError: a port or RequestedData that does not exist.
        """
        wanted, antenna = request.number("RequestedData"), request.number("AntennaID")
        gpi, gpo = request.number("GPIPortNum"), request.number("GPOPortNum")
        if wanted not in list(Requested):
            text = f"RequestedData {wanted}: allowed are 0 to {max(Requested)}"
            raise RefusedError(Status.A_OUT_OF_RANGE, text, at="RequestedData")
        check_antenna_port(self._identity, antenna, (), "AntennaID")
        for at, port, most in (("GPIPortNum", gpi, self._identity.gpis), ("GPOPortNum", gpo, self._identity.gpos)):
            if port > most:
                raise RefusedError(Status.A_OUT_OF_RANGE, f"{at} {port}: allowed are 0 to {most}", (), at)
        ports = list(self.antennas) if antenna == 0 else [antenna]
        parts = {
            Requested.IDENTIFICATION: [self._identification()],
            Requested.ANTENNA_PROPERTIES: [self._properties(port) for port in ports],
            Requested.ANTENNA_CONFIGURATION: [self.antennas[port] for port in ports],
            Requested.EVENT_SPEC: [self._event_spec()],
            Requested.REPORT_SPEC: [self.report_spec],
            Requested.ACCESS_REPORT_SPEC: [node("AccessReportSpec", AccessReportTrigger=self.access_report_trigger)],
            Requested.STATE_VALUE: [
                node("LLRPConfigurationStateValue", LLRPConfigurationStateValue=self.state_value),
            ],
            Requested.KEEPALIVE_SPEC: [
                node(
                    "KeepaliveSpec",
                    KeepaliveTriggerType=int(bool(self.keepalive_ms)),
                    PeriodicTriggerValue=self.keepalive_ms,
                )
            ],
            Requested.GPI_STATE: [self._gpi(port) for port in self.gpi_high if gpi in (0, port)],
            Requested.GPO_DATA: [
                node("GPOWriteData", GPOPortNumber=port, GPOData=int(high))
                for port, high in self.gpo_high.items()
                if gpo in (0, port)
            ],
            Requested.EVENTS_AND_REPORTS: [
                node("EventsAndReports", HoldEventsAndReportsUponReconnect=int(self.hold)),
            ],
        }
        found = [each for part, made in parts.items() if wanted in (Requested.ALL, part) for each in made]
        for custom in request.all("ImpinjRequestedData"):
            number = custom.number("RequestedData")
            found += [
                kept
                for name, kept in self.impinj.items()
                if number in (_IMPINJ_ALL_CONFIGURATION, _KEPT_IMPINJ.get(name))
            ]
        return found

    def _identification(self) -> Node:
        return node("Identification", IDType=_MAC_ADDRESS, ReaderID=tuple(self._identity.reader_id))

    def _properties(self, port: int) -> Node:
        connected = int(self.antenna_connected[port])
        return node("AntennaProperties", AntennaConnected=connected, AntennaID=port, AntennaGain=0)

    def _event_spec(self) -> Node:
        states = [
            node("EventNotificationState", EventType=event, NotificationState=int(on))
            for event, on in self.events.items()
        ]
        return node("ReaderEventNotificationSpec", *states)

    def _gpi(self, port: int) -> Node:
        state = _HIGH if self.gpi_high[port] else _LOW
        return node("GPIPortCurrentState", GPIPortNum=port, Config=int(self.gpi_enabled[port]), State=state)


def _check_keepalive(tree: Node, path: tuple[str, ...]) -> None:
    kind, period_ms = tree.number("KeepaliveTriggerType"), tree.number("PeriodicTriggerValue")
    if kind > 1:
        text = f"KeepaliveTriggerType {kind}: allowed are 0 (none) and 1 (periodic)"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "KeepaliveTriggerType")
    if kind and period_ms < SHORTEST_KEEPALIVE_MS:
        text = f"PeriodicTriggerValue {period_ms} ms: at least {SHORTEST_KEEPALIVE_MS} is allowed"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "PeriodicTriggerValue")


def _check_io(tree: Node, at: str, most: int, path: tuple[str, ...]) -> None:
    port = tree.number(at)
    if not 1 <= port <= most:
        raise RefusedError(Status.A_OUT_OF_RANGE, f"{at} {port}: allowed are 1 to {most}", path, at)


def _check_events(tree: Node, path: tuple[str, ...]) -> None:
    for state in tree.all("EventNotificationState"):
        event = state.number("EventType")
        if event >= EVENT_TYPES:
            text = f"EventType {event}: allowed are 0 to {EVENT_TYPES - 1}"
            raise RefusedError(Status.A_OUT_OF_RANGE, text, (*path, "EventNotificationState"), "EventType")


def _default_report_spec(identity: Identity) -> Node:
    trigger, every_n = identity.default_report
    names = [name for name, kind in PARAMETERS["TagReportContentSelector"].fields if not kind.startswith("_")]
    flags = {name: int(name in identity.default_content) for name in names}
    memory = node("C1G2EPCMemorySelector", EnableCRC=0, EnablePCBits=0)
    selector = Node("TagReportContentSelector", dict(flags), [memory])
    return node("ROReportSpec", selector, ROReportTrigger=trigger, N=every_n)


def _default_antenna(identity: Identity, port: int) -> Node:
    hopping = identity.region.hopping
    inventory = node(
        "C1G2InventoryCommand",
        node("C1G2RFControl", ModeIndex=identity.modes[0].identifier, Tari=0),
        node("C1G2SingulationControl", Session=1, TagPopulation=32, TagTransitTime=0),
        TagInventoryStateAware=0,
    )
    transmitter = node(
        "RFTransmitter",
        HopTableID=int(hopping),
        ChannelIndex=int(not hopping),
        TransmitPower=len(identity.tx_power_centi_dbm),
    )
    receiver = node("RFReceiver", ReceiverSensitivity=1)
    return node("AntennaConfiguration", receiver, transmitter, inventory, AntennaID=port)
