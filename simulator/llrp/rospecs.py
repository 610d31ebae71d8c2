"""ROSpecs: what ADD_ROSPEC may ask for, and which states a ROSpec goes through.

    ADD ──► Disabled ──ENABLE──► Inactive ──START or start trigger──► Active
               ▲                    │  ▲                                │
               └──────DISABLE───────┘  └──STOP, stop trigger, done──────┘       (DISABLE works from Active too)

Source: LLRP 1.0.1 sections 10.1 and 10.2, figure of the ROSpec states in 6.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from simulator.llrp.codec import VERSION_1_1, Node, RefusedError, Status
from simulator.llrp.identities import Identity
from simulator.llrp.limits import check_antenna_configuration, check_antenna_port, check_custom, check_report_spec
from simulator.llrp.reports import Collector, Content, Trigger

_GEN2: Final = 1
_US_PER_MS: Final = 1_000
_UPON_N_TAGS: Final = 0


class State(IntEnum):
    """CurrentState of a ROSpec."""

    DISABLED = 0
    INACTIVE = 1
    ACTIVE = 2


class Start(IntEnum):
    """ROSpecStartTriggerType that this reader can do."""

    NULL = 0
    IMMEDIATE = 1
    PERIODIC = 2
    GPI = 3


class Stop(IntEnum):
    """Stop triggers of a ROSpec (the first three) and of an AISpec (all but the third)."""

    NULL = 0
    DURATION = 1
    GPI = 2
    TAG_OBSERVATION = 3


@dataclass(frozen=True, slots=True)
class AntennaInventory:
    """One AISpec: which ports, how long. Tags: how many different ones end it, at the latest after the duration."""

    index: int
    inventory_spec_id: int
    antenna_ports: tuple[int, ...]
    duration_us: int | None
    stop_after_tags: int | None
    tree: Node


class Level(NamedTuple):
    """An input and a level of it."""

    gpi_port: int
    is_high: bool


class Starting(NamedTuple):
    """When a ROSpec starts."""

    how: Start
    first_us: int = 0
    period_us: int = 0
    level: Level | None = None


@dataclass(slots=True)
class RoSpec:
    """One ROSpec with its state.

    Attributes:
        rounds: how often the list of AISpecs runs; None for ever.
        turn: running number of the antenna in turn; it goes on from AISpec to AISpec, so that none is starved.
    """

    tree: Node
    rospec_id: int
    priority: int
    start: Start
    first_start_us: int
    period_us: int
    start_level: Level | None
    stop_level: Level | None
    duration_us: int | None
    rounds: int | None
    parts: tuple[AntennaInventory, ...]
    collector: Collector
    state: State = State.DISABLED
    next_start_us: int | None = None
    turn: int = -1

    def snapshot(self) -> Node:
        """The ROSpec parameter as GET_ROSPECS shows it: as added, with the state of now."""
        return Node("ROSpec", {**self.tree.fields, "CurrentState": int(self.state)}, self.tree.children)


def read_rospec(identity: Identity, tree: Node, default_report: Node, now_us: int, *, extensions: bool) -> RoSpec:
    """Check a ROSpec parameter and make it ready to run.

    Raises:
        RefusedError: this reader cannot or may not do it.
    """
    path = ("ROSpec",)
    check_custom(tree, path, extensions=extensions, motorola=identity.is_motorola)
    _check_head(identity, tree)
    boundary = tree.need("ROBoundarySpec")
    start = _read_start(identity, boundary.need("ROSpecStartTrigger"), now_us)
    duration_us, stop_level = _read_stop(identity, boundary.need("ROSpecStopTrigger"))
    parts = [child for child in tree.children if child.name in {"AISpec", "RFSurveySpec"}]
    if len(parts) > identity.max_specs_per_rospec:
        text = f"{len(parts)} specs in one ROSpec: allowed are {identity.max_specs_per_rospec}"
        raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, (*path, parts[0].name))
    report = tree.one("ROReportSpec") or default_report
    check_report_spec(identity, report, (*path, "ROReportSpec"))
    loop = tree.one("LoopSpec")
    if loop is not None and VERSION_1_1 not in identity.versions:
        raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, "LoopSpec is of LLRP 1.1", (*path, "LoopSpec"))
    return RoSpec(
        tree=tree,
        rospec_id=tree.number("ROSpecID"),
        priority=tree.number("Priority"),
        start=start.how,
        first_start_us=start.first_us,
        period_us=start.period_us,
        start_level=start.level,
        stop_level=stop_level,
        duration_us=duration_us,
        rounds=1 if loop is None else loop.number("LoopCount") or None,
        parts=tuple(_read_part(identity, part, index) for index, part in enumerate(parts, 1)),
        collector=Collector(
            Content.of(report, uptime=not identity.has_utc_clock),
            Trigger(report.number("ROReportTrigger")),
            report.number("N"),
        ),
    )


def _check_head(identity: Identity, tree: Node) -> None:
    path = ("ROSpec",)
    if tree.number("ROSpecID") == 0:
        raise RefusedError(Status.A_INVALID, "ROSpecID 0: allowed are 1 to 4294967295", path, "ROSpecID")
    if tree.number("Priority") >= identity.max_priority_levels:
        most = identity.max_priority_levels - 1
        text = f"Priority {tree.number('Priority')}: allowed are 0 to {most}"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "Priority")
    if tree.number("CurrentState") != State.DISABLED:
        text = f"CurrentState {tree.number('CurrentState')}: a ROSpec is added as 0, disabled"
        raise RefusedError(Status.A_INVALID, text, path, "CurrentState")


def _read_start(identity: Identity, tree: Node, now_us: int) -> Starting:
    path = ("ROSpec", "ROBoundarySpec", "ROSpecStartTrigger")
    kind = tree.number("ROSpecStartTriggerType")
    if kind not in list(Start):
        text = f"ROSpecStartTriggerType {kind}: allowed are 0 (null), 1 (immediate), 2 (periodic), 3 (GPI)"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "ROSpecStartTriggerType")
    if kind == Start.GPI:
        level, _ = _read_level(identity, tree, path)
        return Starting(Start.GPI, level=level)
    if kind != Start.PERIODIC:
        return Starting(Start(kind))
    value = tree.one("PeriodicTriggerValue")
    if value is None:
        raise RefusedError(Status.P_MISSING_PARAMETER, "a periodic trigger needs PeriodicTriggerValue", path)
    utc = value.one("UTCTimestamp")
    if utc is not None and not identity.has_utc_clock:
        text = "UTCTimestamp: this reader has no UTC clock"
        raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, (*path, "PeriodicTriggerValue", "UTCTimestamp"))
    base_us = now_us if utc is None else utc.number("Microseconds")
    first_us = base_us + value.number("Offset") * _US_PER_MS
    return Starting(Start.PERIODIC, first_us, value.number("Period") * _US_PER_MS)


def _read_level(identity: Identity, tree: Node, path: tuple[str, ...]) -> tuple[Level, int]:
    """Input and level of a GPITriggerValue, and its timeout."""
    value = tree.one("GPITriggerValue")
    if value is None:
        raise RefusedError(Status.P_MISSING_PARAMETER, "a trigger by an input needs GPITriggerValue", path)
    port = value.number("GPIPortNum")
    if not 1 <= port <= identity.gpis:
        text = f"GPIPortNum {port}: allowed are 1 to {identity.gpis}"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, (*path, "GPITriggerValue"), "GPIPortNum")
    return Level(port, bool(value.number("GPIEvent"))), value.number("Timeout") * _US_PER_MS


def _read_stop(identity: Identity, tree: Node) -> tuple[int | None, Level | None]:
    """After what time it stops, and at which level of an input."""
    path = ("ROSpec", "ROBoundarySpec", "ROSpecStopTrigger")
    kind, duration_ms = tree.number("ROSpecStopTriggerType"), tree.number("DurationTriggerValue")
    if kind == Stop.NULL:
        return None, None
    if kind == Stop.GPI:
        level, timeout_us = _read_level(identity, tree, path)
        return timeout_us or None, level
    if kind != Stop.DURATION:
        text = f"ROSpecStopTriggerType {kind}: allowed are 0 (null), 1 (duration), 2 (GPI with timeout)"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "ROSpecStopTriggerType")
    return _duration_us(duration_ms, path, "DurationTriggerValue"), None


def _duration_us(duration_ms: int, path: tuple[str, ...], at: str) -> int:
    if duration_ms == 0:
        raise RefusedError(Status.A_INVALID, f"{at} 0 ms: at least 1 is allowed", path, at)
    return duration_ms * _US_PER_MS


def _read_part(identity: Identity, tree: Node, index: int) -> AntennaInventory:
    path = ("ROSpec", tree.name)
    if tree.name == "RFSurveySpec":
        raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, "RFSurveySpec: CanDoRFSurvey is false", path)
    ports = tree.numbers("AntennaIDs")
    for port in ports:
        check_antenna_port(identity, port, path, "AntennaIDs")
    if not ports or (0 in ports and len(ports) > 1) or len(set(ports)) < len(ports):
        text = f"AntennaIDs {list(ports)}: give 0 alone for all antennas, or each antenna once"
        raise RefusedError(Status.A_INVALID, text, path, "AntennaIDs")
    inventories = tree.all("InventoryParameterSpec")
    inner = (*path, "InventoryParameterSpec")
    if len(inventories) > 1:
        raise RefusedError(Status.P_OVERFLOW_PARAMETER, f"{len(inventories)} of them: allowed is 1", inner)
    inventory = inventories[0]
    spec_id = inventory.number("InventoryParameterSpecID")
    if spec_id == 0:
        text = "InventoryParameterSpecID 0: allowed are 1 to 65535"
        raise RefusedError(Status.A_INVALID, text, inner, "InventoryParameterSpecID")
    if inventory.number("ProtocolID") != _GEN2:
        text = f"ProtocolID {inventory.number('ProtocolID')}: allowed is 1 (EPCGlobalClass1Gen2)"
        raise RefusedError(Status.A_INVALID, text, inner, "ProtocolID")
    for configuration in inventory.all("AntennaConfiguration"):
        check_antenna_configuration(identity, configuration, (*inner, "AntennaConfiguration"))
    duration_us, tags = _read_part_stop(identity, tree.need("AISpecStopTrigger"), path)
    every = tuple(range(1, identity.antennas + 1))
    return AntennaInventory(index, spec_id, every if ports == (0,) else ports, duration_us, tags, inventory)


def _read_part_stop(identity: Identity, tree: Node, outer: tuple[str, ...]) -> tuple[int | None, int | None]:
    path = (*outer, "AISpecStopTrigger")
    kind = tree.number("AISpecStopTriggerType")
    if kind == Stop.NULL:
        return None, None
    if kind == Stop.DURATION:
        return _duration_us(tree.number("DurationTrigger"), path, "DurationTrigger"), None
    if kind != Stop.TAG_OBSERVATION or not identity.stops_on_tags:
        more = ", 3 (tag observation)" if identity.stops_on_tags else ""
        text = f"AISpecStopTriggerType {kind}: allowed are 0 (null), 1 (duration){more}"
        raise RefusedError(Status.A_INVALID, text, path, "AISpecStopTriggerType")
    trigger = tree.one("TagObservationTrigger")
    if trigger is None:
        raise RefusedError(Status.P_MISSING_PARAMETER, "this trigger needs TagObservationTrigger", path)
    if trigger.number("TriggerType") != _UPON_N_TAGS or trigger.number("NumberOfTags") == 0:
        text = "TagObservationTrigger: allowed is TriggerType 0 with NumberOfTags of at least 1"
        raise RefusedError(Status.A_INVALID, text, (*path, "TagObservationTrigger"), "TriggerType")
    timeout_ms = trigger.number("Timeout")
    return (timeout_ms * _US_PER_MS or None), trigger.number("NumberOfTags")
