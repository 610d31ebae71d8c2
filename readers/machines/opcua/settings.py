"""What the site file says of an OPC UA server: how to be secure with it, which nodes matter, what may be ordered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from readers.control import Action, ControlPoint
from readers.driver import DriverSettings
from readers.machine_states import MODE, REMOTE_ENABLED, STATE, MachineMode, MachineState
from readers.opcua_messages import Mode, Policy

MOST_SIGNALS: Final = 2_000
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
NodeText = Annotated[str, StringConstraints(pattern=r"^((ns=[0-9]{1,5}|nsu=[^;]{1,200});)?[isgb]=.{1,500}$")]


class Security(StrEnum):
    """How the session is secured."""

    AUTO = "auto"
    NONE = "none"
    BASIC256_SHA256 = "basic256_sha256"
    AES128_SHA256_RSA_OAEP = "aes128_sha256_rsa_oaep"
    AES256_SHA256_RSA_PSS = "aes256_sha256_rsa_pss"

    @property
    def policy(self) -> Policy | None:
        """As the port calls it; None for the strongest that there is."""
        return None if self is Security.AUTO else Policy[self.name]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSignal(_Part):
    """One node that is watched."""

    name: Name = Field(
        description="name of the signal: machine_state, machine_mode, speed, good_count, bad_count, total_count, "
        "stop_reason, machine_alarm, remote_enabled and program have a meaning everywhere"
    )
    node: NodeText = Field(description="node id: `ns=2;s=Speed`, or `nsu=http://...;s=Speed` where numbers may change")
    machine: Name | None = Field(
        default=None, description="the machine behind a server of several; default: the server is it"
    )
    unit: Annotated[str, StringConstraints(min_length=1, max_length=16)] | None = Field(
        default=None, description="unit of the scaled value"
    )
    sampling_ms: int = Field(default=250, ge=10, le=3_600_000, description="how often the server looks at the node")
    queue: int = Field(default=10, ge=1, le=1_000, description="values that the server keeps between publications")
    deadband: Decimal = Field(
        default=Decimal(0), ge=0, description="a number that changed by less is not told, in `unit`"
    )
    scale: Decimal = Field(default=Decimal(1), description="value = number x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    texts: dict[str, str] = Field(
        default={},
        description="what numbers, texts, `true` and `false` of the node mean; for machine_state "
        f"{', '.join(MachineState)} (absent: PackML's numbers), for machine_mode {', '.join(MachineMode)}",
    )

    @model_validator(mode="after")
    def _has_meaning(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: must not be 0")
        numbers = self.model_fields_set & {"scale", "offset", "deadband", "unit"}
        if self.texts and numbers:
            raise ValueError(f"{', '.join(sorted(numbers))}: is for numbers; texts makes words of them")
        allowed = {STATE: tuple(MachineState), MODE: tuple(MachineMode)}.get(self.name)
        wrong = sorted({text for text in self.texts.values() if allowed is not None and text not in allowed})
        if allowed is not None and wrong:
            raise ValueError(f"texts: {', '.join(wrong)}: must be one of {', '.join(allowed)}")
        if self.name == MODE and not self.texts:
            raise ValueError(f"texts: {MODE} needs to know what means {', '.join(MachineMode)}")
        if self.name == REMOTE_ENABLED and set(self.texts.values()) - {"true", "false"}:
            raise ValueError(f"texts: {REMOTE_ENABLED} is true or false")
        return self


class SetPoint(_Part):
    """One node that may be written, and is read back."""

    name: Name = Field(description="name of the set-point, and of the signal that it is told as")
    node: NodeText = Field(description="node id of the set-point")
    machine: Name | None = Field(default=None, description="the machine that it belongs to")
    read_node: NodeText | None = Field(default=None, description="where it is read back; default: the same node")
    minimum: Decimal = Field(description="least value that may be set, in `unit`")
    maximum: Decimal = Field(description="greatest value that may be set, in `unit`")
    most_change: Decimal | None = Field(default=None, gt=0, description="how far one order may move it, in `unit`")
    tolerance: Decimal = Field(default=Decimal(0), ge=0, description="how far what is read back may be off, in `unit`")
    scale: Decimal = Field(default=Decimal(1), description="value = number x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    unit: Annotated[str, StringConstraints(min_length=1, max_length=16)] | None = Field(
        default=None, description="unit of the scaled value"
    )
    settles_s: float = Field(default=2.0, ge=0, le=60, description="how long the machine may take to show it")

    @model_validator(mode="after")
    def _holds_bounds(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: must not be 0")
        if self.minimum >= self.maximum:
            raise ValueError("minimum: must be below maximum")
        return self


class Command(_Part):
    """One order to a machine: a method that is called, or a node that is written; the state shows what it did."""

    name: Name = Field(default="machine", description="name of the control point; orders of one name are one point")
    action: Literal["stop", "reset", "start"] = Field(description="stop, reset or start")
    machine: Name | None = Field(default=None, description="the machine that it belongs to")
    method: NodeText | None = Field(default=None, description="the method, without arguments")
    owner: NodeText | None = Field(default=None, description="the object that the method belongs to")
    node: NodeText | None = Field(default=None, description="a node to be written instead")
    value: bool | int | str = Field(default=True, description="what is written")
    settles_s: float = Field(default=5.0, ge=0, le=60, description="how long the machine may take to show it")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.method is None) == (self.node is None):
            raise ValueError("method: name a method with its owner, or a node to be written; one of them")
        if (self.method is None) != (self.owner is None):
            raise ValueError("owner: a method is called on the object that owns it; name both")
        return self


class OpcUaSettings(DriverSettings):
    """Settings of driver `opcua`."""

    security: Security = Field(
        default=Security.AUTO,
        description="policy of the session; `auto` is the strongest that the server has where [reader.tls] names our "
        "certificate, none where it does not",
    )
    mode: Literal["sign", "sign_and_encrypt"] = Field(
        default="sign_and_encrypt", description="what is done to each message of a secured session"
    )
    publish_ms: int = Field(default=500, ge=50, le=60_000, description="how often the server tells what has changed")
    repeat_s: float = Field(default=60.0, ge=1, le=86_400, description="all values are told again after this time")
    signals: tuple[NodeSignal, ...] = Field(
        default=(), max_length=MOST_SIGNALS, description="nodes that are watched; none: `probe` lists what there is"
    )
    setpoints: tuple[SetPoint, ...] = Field(default=(), max_length=MOST_SIGNALS, description="nodes that may be set")
    commands: tuple[Command, ...] = Field(default=(), max_length=MOST_SIGNALS, description="what may be ordered")

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        told: tuple[NodeSignal | SetPoint, ...] = (*self.signals, *self.setpoints)
        signals = [(each.machine, each.name) for each in told]
        if twice := _twice(signals):
            raise ValueError(f"signals: two of one machine are named {twice}; give each its own name")
        orders = [(each.machine, each.name, each.action) for each in self.commands]
        if len(set(orders)) < len(orders):
            raise ValueError("commands: two order the same of the same point")
        setpoints = {(each.machine, each.name) for each in self.setpoints}
        if taken := _twice([*setpoints, *{(each.machine, each.name) for each in self.commands}]):
            raise ValueError(f"commands: a set-point is named {taken} already")
        for command in self.commands:
            if self.node_of(command.machine, STATE) is None:
                raise ValueError(
                    f"commands: {command.name}: what it did is read from the signal {STATE}; name its node"
                )
            if Action(command.action) is Action.START and self.node_of(command.machine, REMOTE_ENABLED) is None:
                raise ValueError(
                    f"commands: {command.name}: nothing is started from afar unless the machine permits it; name the "
                    f"node of its own switch as the signal {REMOTE_ENABLED}"
                )
        return self

    @property
    def message_mode(self) -> Mode:
        """As the port calls it."""
        return Mode[self.mode.upper()]

    def sources(self) -> tuple[str, ...]:
        """The named machines."""
        parts: tuple[NodeSignal | SetPoint | Command, ...] = (*self.signals, *self.setpoints, *self.commands)
        return tuple(dict.fromkeys(each.machine for each in parts if each.machine is not None))

    def node_of(self, machine: str | None, name: str) -> NodeSignal | None:
        """The signal of a machine by its name."""
        return next((each for each in self.signals if (each.machine, each.name) == (machine, name)), None)

    def control_points(self) -> tuple[ControlPoint, ...]:
        """All set-points, and the commands of each point together."""
        return (*self._setpoints(), *self._commands())

    def _setpoints(self) -> Iterator[ControlPoint]:
        for each in self.setpoints:
            yield ControlPoint(
                each.name,
                each.machine,
                (Action.SET,),
                each.unit,
                each.minimum,
                each.maximum,
                each.most_change,
                shows=("value",),
                settles_s=each.settles_s,
            )

    def _commands(self) -> Iterator[ControlPoint]:
        points: dict[tuple[str | None, str], list[Command]] = {}
        for each in self.commands:
            points.setdefault((each.machine, each.name), []).append(each)
        for (machine, name), commands in points.items():
            has_switch = self.node_of(machine, REMOTE_ENABLED) is not None
            yield ControlPoint(
                name,
                machine,
                tuple(Action(each.action) for each in commands),
                shows=("machine_state", "is_remote_enabled") if has_switch else ("machine_state",),
                settles_s=max(each.settles_s for each in commands),
            )


def _twice(names: list[tuple[str | None, str]]) -> str:
    counts: Mapping[tuple[str | None, str], int] = {name: names.count(name) for name in set(names)}
    return ", ".join(sorted(name for (_, name), count in counts.items() if count > 1))
