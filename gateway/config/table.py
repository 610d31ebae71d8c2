"""What the tables of the site file are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What may become a topic level: lower-case letters, digits, `_` and `-`, 1 to 64 characters."""

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What may stand behind `e.` in a condition."""

PositiveSeconds = Annotated[float, Field(gt=0, le=31_536_000)]


class Table(BaseModel):
    """A table of the site file: unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)
