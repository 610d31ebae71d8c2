"""`[control]`, `[[control.person]]` and `[[control.point]]`: who may order what. What is not listed is refused."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator

from gateway.config.table import Name, Table
from gateway.control.interlocks import Interlock, parse
from readers.control import Action
from readers.credentials import CredentialName

TWO_STEPS: Final = frozenset(
    {Action.TRIP, Action.CLOSE, Action.PERMIT_CLOSE, Action.PROTECT_ON, Action.PROTECT_OFF, Action.START, Action.SET}
)
"""What is armed and confirmed, whatever the site file says."""


class Person(Table):
    """`[[control.person]]`: somebody, or a program, who may send commands."""

    name: Name = Field(description="Name that commands are sent under.")
    key_credential: CredentialName = Field(
        description="Name of the systemd credential with the key that signs this person's commands: one key for each "
        "person, 32 characters or more, made by `openssl rand -hex 32`."
    )
    roles: list[Name] = Field(min_length=1, description="What this person is here, in your words.")
    operator_code: int = Field(
        default=0, ge=0, le=99_999_999, description="Number that some protocols carry as who ordered (DL/T 645)."
    )


class ControlledPoint(Table):
    """`[[control.point]]`: one point that may be ordered about, in the listed ways alone."""

    device: Name = Field(description="The reader, meter or module that has the point.")
    point: Name = Field(description="Name of the point, as the driver's page tells: `relay`, an output, a set-point.")
    actions: list[Action] = Field(min_length=1, description="What may be ordered.")
    roles: list[Name] = Field(min_length=1, description="Roles that may order it.")
    close_roles: list[Name] = Field(
        default=[], description="Roles that may `close` where nobody at the meter presses its key; nobody when empty."
    )
    two_steps: bool = Field(
        default=True,
        description="Arm, then confirm. `false` also lets one command do it, but never for `trip`, `close`, "
        "`permit_close`, `protect_on`, `protect_off`, `start` and `set`.",
    )
    second_person: bool = Field(default=False, description="Somebody else than who armed it must confirm it.")
    interlocks: list[str] = Field(
        default=[],
        description='What must hold: `"current_a < 5"` of the point itself, `"signal DEVICE NAME = false"`, '
        '`"reading DEVICE QUANTITY < 500"`. What is not known refuses.',
    )
    fresh_s: float = Field(
        default=120, gt=0, le=86_400, description="Older signals and readings are not known to an interlock."
    )
    least_pause_s: float = Field(default=5, ge=0, le=86_400, description="Pause between two attempts at the least.")
    most_per_hour: int = Field(default=30, ge=1, le=3600, description="Attempts within an hour at the most.")
    locked: str = Field(
        default="", max_length=200, description="Why nothing may be ordered now: maintenance, a medical supply."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        mandatory = [action.value for action in self.actions if action in TWO_STEPS]
        if not self.two_steps and mandatory:
            raise ValueError(f"two_steps: must not be false with {', '.join(mandatory)}, which are armed and confirmed")
        if self.second_person and not self.two_steps:
            raise ValueError("second_person: goes with two_steps = true, for the second person confirms")
        if self.close_roles and Action.CLOSE not in self.actions:
            raise ValueError('close_roles: goes with the action "close"')
        if Action.CLOSE in self.actions and not self.close_roles:
            raise ValueError(
                'close_roles is missing: who may "close" from afar; "permit_close" lets a person at the meter close it'
            )
        for text in self.interlocks:
            parse(text)
        return self

    def parsed_interlocks(self) -> tuple[Interlock, ...]:
        """The interlocks, ready to be judged."""
        return tuple(parse(text) for text in self.interlocks)


class Control(Table):
    """Commands to devices; switched off unless the site file switches them on."""

    enabled: bool = Field(default=False, description="Take commands. `false`: no command does anything.")
    arm_s: float = Field(default=45, ge=30, le=60, description="How long an armed order may be confirmed.")
    person: list[Person] = Field(default=[], description="Who may send commands.")
    point: list[ControlledPoint] = Field(default=[], description="What may be ordered.")
