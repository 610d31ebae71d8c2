"""The gate: one transaction for each truck in a lane, its decision, and its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import (
    AlarmSettings,
    Close,
    Decision,
    Input,
    LookUp,
    MatchRule,
    Outcome,
    Part,
    Pick,
    Rule,
    SequenceRule,
    SessionRule,
    Severity,
    Telling,
)
from rules.packs.port.settings import Direction, Lane, Needed, PortSettings, SignalAt
from rules.packs.port.verdicts import verdicts

DECISION: Final = "gate-decision"
TRANSACTION: Final = "gate-transaction"
LEFT: Final = "gate-left"
STABLE_WEIGHT: Final = "stable_weight"
"""The signal of the driver weighbridge."""


def rules(name: str, settings: PortSettings) -> list[Rule]:
    """The rules of all lanes."""
    return [rule for lane in settings.lane for rule in _lane(name, settings, lane)]


def _lane(name: str, settings: PortSettings, lane: Lane) -> Iterator[Rule]:
    if lane.left is not None:
        # Not the value itself: a module tells that the exit is free when it is switched on, and again and again.
        before, after = ("false", "true") if lane.left_is else ("true", "false")
        yield SequenceRule(
            shape="sequence",
            name=f"{name}-{lane.name}-left",
            emit=LEFT,
            key="device",
            steps=[Input(on="signal", when=f"{_is(lane.left)} && e.value == {value}") for value in (before, after)],
            within_s=settings.longest_s,
        )
    yield _session(name, settings, lane)
    yield MatchRule(
        shape="match", name=f"{name}-{lane.name}-refused", on=DECISION,
        when=f'e.subject == "{lane.name}" && e.verdict != "open"',
        alarm=AlarmSettings(severity=Severity.WARNING, message=f"Lane {lane.name}: the truck may not pass; see why"),
    )  # fmt: skip


def _session(name: str, settings: PortSettings, lane: Lane) -> SessionRule:
    arrives = _is(lane.arrives)
    if lane.arrives_inside is not None:
        arrives = f"({arrives} || {_is(lane.arrives_inside)})"
    left = None
    if lane.left is not None:
        left = Input(on=LEFT, when=f'e.rule == "{name}-{lane.name}-left"', key="device")
    parts = dict(_parts(settings, lane))
    heard = {part.on for part in parts.values()}
    found = sorted(
        {
            *(each.device for each in _signals(lane)),
            *([lane.scale] if lane.scale is not None else ()),
            *(lane.read_points if "read" in heard else ()),
            *([lane.card_point] if lane.card_point is not None else ()),
        }
    )
    return SessionRule(
        shape="session",
        name=f"{name}-{lane.name}",
        emit=TRANSACTION,
        figures=["duration_s", *(["weight_kg"] if lane.scale is not None else ())],
        key="device",
        places={lane.name: found},
        before_s=settings.before_s,
        open=Input(on="signal", when=f"{arrives} && e.value == true"),
        collect=parts,
        require=[each.value for each in dict.fromkeys(lane.require)],
        lookup=dict(_lookups(settings, lane)),
        tell=dict(_tell(settings, lane)),
        decide=Decision(
            emit=DECISION, after_s=settings.decide_within_s, settle_s=settings.settle_s,
            verdicts=list(verdicts(settings, lane)),
        ),
        close=Close(quiet_s=settings.quiet_s, within_s=settings.longest_s, on=left),
        otherwise=Outcome(emit=TRANSACTION),
    )  # fmt: skip


def _parts(settings: PortSettings, lane: Lane) -> Iterator[tuple[str, Part]]:
    if lane.read_points:
        truck = _tag(lane, settings.truck_kind)
        container = _tag(lane, settings.container_kind)
        yield "truck", Part(on="read", when=truck, key="read_point", of="name", pick=Pick.MOST, carry=["epc"])
        tag = "container" if not lane.cameras else "container_tag"
        yield (
            tag,
            Part(
                on="read", when=container, key="read_point", of="name", pick=Pick.MOST, valid="iso6346", carry=["epc"]
            ),
        )
        carry = ["epc", *(["user_memory"] if settings.seals is not None else ())]
        yield (
            "seal",
            Part(
                on="read", when=_tag(lane, settings.seal_kind), key="read_point", of="name", pick=Pick.MOST, carry=carry
            ),
        )
    if lane.plate is not None:
        part = "plate" if lane.read_points else "truck"
        yield part, Part(on="signal", when=_is(lane.plate), of="value", pick=Pick.MOST)
    if lane.cameras:
        any_camera = " || ".join(f"({_is(camera)})" for camera in lane.cameras)
        yield "container", Part(on="signal", when=any_camera, of="value", pick=Pick.MOST, valid="iso6346")
    if lane.seal_state is not None:
        yield "seal_said", Part(on="signal", when=_is(lane.seal_state), of="value")
    if lane.scale is not None:
        when = f'e.device == "{lane.scale}" && e.name == "{STABLE_WEIGHT}"'
        yield Needed.WEIGHT.value, Part(on="signal", when=when, of="value")
    if lane.card_point is not None:
        when = f'e.read_point == "{lane.card_point}"'
        yield Needed.DRIVER.value, Part(on="card", when=when, key="read_point", of="name")
        yield "card", Part(on="card", when=when, key="read_point", of="result")
    if lane.arrives_inside is not None:
        when = f"({_is(lane.arrives)} || {_is(lane.arrives_inside)}) && e.value == true"
        yield "detector", Part(on="signal", when=when, of="name", pick=Pick.FIRST)


def _lookups(settings: PortSettings, lane: Lane) -> Iterator[tuple[str, LookUp]]:
    for alias, wanted in (("appointment", settings.appointments), ("customs", settings.customs)):
        if wanted is not None and _concerns(wanted.direction, lane):
            key = settings.appointments.key if alias == "appointment" and settings.appointments else "container"
            if key == "truck" or _tells_container(lane):
                yield alias, LookUp(table=wanted.table, key=key)
    if settings.vehicles is not None:
        yield "vehicle", LookUp(table=settings.vehicles.table, key="truck")
    if settings.drivers is not None and lane.card_point is not None:
        yield "licence", LookUp(table=settings.drivers.table, key="driver")


def _tell(settings: PortSettings, lane: Lane) -> Iterator[tuple[str, list[Telling]]]:
    if lane.arrives_inside is None:
        yield "direction", [Telling(value=lane.direction.value)]
    else:
        yield (
            "direction",
            [
                Telling(value="in", when=f'e.detector == "{lane.arrives.name}"'),
                Telling(value="out", when=f'e.detector == "{lane.arrives_inside.name}"'),
            ],
        )
    states = []
    if lane.seal_state is not None:
        states += [
            Telling(value="opened", when='e.seal_said == "opened" || e.seal_said == false'),
            Telling(value="sealed", when='e.seal_said == "sealed" || e.seal_said == true'),
        ]
    if settings.seals is not None and lane.read_points:
        opened = settings.seals.opened_memory
        states += [
            Telling(value="opened", when=f'e.seal_user_memory.startsWith("{opened}")'),
            Telling(value="sealed", when="has(e.seal_user_memory)"),
        ]
    if states:
        yield "seal_state", states
    wanted = settings.appointments
    if wanted is not None and wanted.declared_kg is not None and _concerns(wanted.direction, lane):
        yield "declared_kg", [Telling(of=f"appointment_{wanted.declared_kg}")]


def _tag(lane: Lane, kind: str) -> str:
    points = ", ".join(f'"{point}"' for point in lane.read_points)
    floor = f" && e.rssi_dbm >= {lane.rssi_floor_dbm:.1f}" if lane.rssi_floor_dbm is not None else ""
    return f'e.kind == "{kind}" && e.read_point in [{points}]{floor}'


def _signals(lane: Lane) -> Iterator[SignalAt]:
    for each in (lane.arrives, lane.arrives_inside, lane.left, lane.plate, lane.seal_state, *lane.cameras):
        if each is not None:
            yield each


def _is(signal: SignalAt) -> str:
    return f'e.device == "{signal.device}" && e.name == "{signal.name}"'


def _concerns(direction: Direction, lane: Lane) -> bool:
    return Direction.BOTH in {direction, lane.direction} or direction is lane.direction


def _tells_container(lane: Lane) -> bool:
    return bool(lane.read_points) or bool(lane.cameras)
