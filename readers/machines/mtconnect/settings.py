"""What the site file says of an MTConnect agent."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from readers.driver import DriverSettings
from readers.machine_states import MODE, STATE, MachineMode, MachineState

MOST_SIGNALS: Final = 500
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class ItemSignal(BaseModel):
    """One data item of the device that is told as a signal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="name of the signal; it goes before what is found for that name by itself")
    item: str = Field(min_length=1, max_length=256, description="id or name of the data item, as /probe has it")
    unit: Annotated[str, StringConstraints(min_length=1, max_length=16)] | None = Field(
        default=None, description="unit of the scaled value; with it the value must be a number"
    )
    scale: Decimal = Field(default=Decimal(1), description="value = number x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    texts: dict[str, str] = Field(default={}, description="what the item's words mean")

    @model_validator(mode="after")
    def _has_meaning(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: must not be 0")
        allowed = {STATE: tuple(MachineState), MODE: tuple(MachineMode)}.get(self.name)
        wrong = sorted({text for text in self.texts.values() if allowed is not None and text not in allowed})
        if allowed is not None and wrong:
            raise ValueError(f"texts: {', '.join(wrong)}: must be one of {', '.join(allowed)}")
        return self


class MtConnectSettings(DriverSettings):
    """Settings of driver `mtconnect`."""

    signals: tuple[ItemSignal, ...] = Field(
        default=(),
        max_length=MOST_SIGNALS,
        description="further data items; state, mode, part counts, program and emergency stop are found by their types",
    )
    poll_s: float = Field(default=1.0, ge=0.1, le=3600, description="pause between two questions for what is new")
    count: int = Field(default=1_000, ge=1, le=10_000, description="observations that are asked for at once")
    repeat_s: float = Field(default=60.0, ge=1, le=86_400, description="all values are told again after this time")

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        names = [each.name for each in self.signals]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"signals: two are named {', '.join(twice)}; give each its own name")
        return self
