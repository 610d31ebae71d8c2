"""Settings of the driver `modbus_machine`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from readers.codecs.modbus import MOST_REGISTERS
from readers.codecs.modbus_blocks import Span
from readers.control import Action, ControlPoint
from readers.driver import DriverSettings
from readers.machine_states import MODE, REMOTE_ENABLED, STATE
from readers.machines.modbus_machine.places import (
    MOST_ADDRESS,
    Bit,
    Mode,
    Name,
    Part,
    SetPointPlace,
    SignalPlace,
    StateByBits,
    StateByNumber,
)
from readers.modbus_line import ANSWER_WITHIN_S, Framing

MOST_UNIT: Final = 247
TCP_UNIT: Final = 255
POINT: Final = "machine"
"""The control point of a machine's commands."""
_OWN_SIGNALS: Final = (STATE, MODE, REMOTE_ENABLED)


def _form(state: Any) -> str:
    """Which form a state has, so that faults are told of that form alone."""
    return "bits" if isinstance(state, StateByBits) or (isinstance(state, dict) and "bits" in state) else "number"


State = Annotated[
    Annotated[StateByNumber, Tag("number")] | Annotated[StateByBits, Tag("bits")],
    Discriminator(_form),
]


class Command(Part):
    """A value that is written once to make the machine do something."""

    table: Literal["holding", "coil"] = Field(default="holding", description="`holding` register or `coil`")
    address: int = Field(ge=0, le=MOST_ADDRESS, description="as on the wire, from 0")
    value: int = Field(default=1, ge=0, le=0xFFFF, description="what is written; of a coil 0 or 1")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.table == "coil" and self.value > 1:
            raise ValueError("value: of a coil must be 0 or 1")
        return self


class Commands(Part):
    """What may be ordered of the machine itself."""

    stop: Command | None = Field(default=None, description="stops it")
    reset: Command | None = Field(default=None, description="resets a fault, or its counters")
    start: Command | None = Field(
        default=None, description="starts it; needs `remote_enabled` and `watchdog`, and is never sent without the bit"
    )
    settles_s: float = Field(default=10.0, ge=0, le=600, description="how long the machine may take to show the effect")

    def of(self) -> dict[Action, Command]:
        """By action."""
        found = {Action.STOP: self.stop, Action.RESET: self.reset, Action.START: self.start}
        return {action: command for action, command in found.items() if command is not None}


class Watchdog(Part):
    """A register that is toggled while the gateway talks, so that the machine notices when it does not any more."""

    address: int = Field(ge=0, le=MOST_ADDRESS, description="of the holding register, which gets 0 and 1 in turn")
    every_s: float = Field(default=1.0, ge=0.1, le=60, description="how often it is toggled")


class Machine(Part):
    """One machine."""

    name: Name | None = Field(
        default=None, description="its name as a device; one machine may go without: the reader is it"
    )
    address: int = Field(
        default=1,
        ge=1,
        le=TCP_UNIT,
        description="unit address, 1 to 247; 255 is for machines that are on TCP themselves",
    )
    state: State | None = Field(
        default=None, description="what stands for its state: a number with `states`, or `bits`"
    )
    mode: Mode | None = Field(default=None, description="what stands for its mode, with `modes`")
    remote_enabled: Bit | None = Field(
        default=None, description="the machine's own switch that permits remote operation"
    )
    signals: tuple[SignalPlace, ...] = Field(default=(), description="what else is read")
    setpoints: tuple[SetPointPlace, ...] = Field(default=(), description="holding registers that may be set")
    commands: Commands = Field(default=Commands(), description="`stop`, `reset` and `start`")
    watchdog: Watchdog | None = Field(default=None, description="a register that is toggled while the gateway talks")
    most_registers: int = Field(
        default=MOST_REGISTERS, ge=1, le=MOST_REGISTERS, description="registers that it answers at once"
    )
    gap: int = Field(default=8, ge=0, le=100, description="so many unused addresses may be read along")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [each.name for each in self.told()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two signals of a machine are named {', '.join(twice)}; give each its own name")
        own = sorted(set(names) & {*_OWN_SIGNALS, POINT})
        if own:
            raise ValueError(f"{', '.join(own)}: has a table of its own, or is the point of its commands; rename it")
        if self.commands.start is not None and (self.remote_enabled is None or self.watchdog is None):
            raise ValueError(
                "commands.start: needs remote_enabled and watchdog: a machine is started from afar only where its own "
                "switch permits it, and where it notices that the gateway is gone"
            )
        if not self.spans():
            raise ValueError("a machine needs a state, a signal or a set-point")
        return self

    def told(self) -> tuple[SignalPlace | SetPointPlace, ...]:
        """What is told under a name of its own."""
        return (*self.signals, *self.setpoints)

    def spans(self) -> list[Span]:
        """All that is read of it."""
        spans = [each.span for each in self.told()]
        if self.state is not None:
            spans += self.state.spans
        return spans + [each.span for each in (self.mode, self.remote_enabled) if each is not None]

    def points(self) -> tuple[ControlPoint, ...]:
        """What of it can be controlled."""
        remote = () if self.remote_enabled is None else ("is_remote_enabled",)
        state = () if self.state is None else (STATE,)
        setpoints = tuple(
            ControlPoint(
                each.name,
                self.name,
                (Action.SET,),
                each.unit,
                each.minimum,
                each.maximum,
                each.most_change,
                shows=("value", *state, *remote),
                settles_s=each.settles_s,
            )
            for each in self.setpoints
        )
        actions = tuple(self.commands.of())
        if not actions:
            return setpoints
        shows = (*state, *remote, *(each.name for each in self.signals))
        return (*setpoints, ControlPoint(POINT, self.name, actions, shows=shows, settles_s=self.commands.settles_s))


class ModbusMachineSettings(DriverSettings):
    """Settings of driver `modbus_machine`."""

    machines: tuple[Machine, ...] = Field(
        min_length=1, max_length=MOST_UNIT, description="the machines on this line or connection"
    )
    framing: Framing = Field(
        default=Framing.TCP,
        description="`tcp` for machines on the network; `rtu` for lines, also behind a device server",
    )
    poll_s: float = Field(default=0.5, ge=0.05, le=3600, description="how often each machine is read")
    repeat_s: float = Field(default=60.0, ge=1, le=86_400, description="all signals are told again after this time")
    answer_within_s: float = Field(
        default=ANSWER_WITHIN_S,
        ge=0.05,
        le=10,
        description="how long a machine may take to begin its answer; how long it usually takes is learnt",
    )

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        if len(self.machines) > 1 and any(machine.name is None for machine in self.machines):
            raise ValueError("machines: several on one line need a name each")
        for what in ("name", "address"):
            values = [getattr(machine, what) for machine in self.machines]
            if len(set(values)) < len(values):
                raise ValueError(f"machines: two have the same {what}")
        if self.framing is Framing.RTU and any(machine.address > MOST_UNIT for machine in self.machines):
            raise ValueError(f"machines: address must be 1 to {MOST_UNIT} on a line")
        return self

    def sources(self) -> tuple[str, ...]:
        """The named machines."""
        return tuple(machine.name for machine in self.machines if machine.name is not None)

    def control_points(self) -> tuple[ControlPoint, ...]:
        """All set-points and commands."""
        return tuple(point for machine in self.machines for point in machine.points())
