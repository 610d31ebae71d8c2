"""`[[rule]]` of the shapes `travel` and `binding`: what makes it likely that a tag or card is not the one it says."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.config.rule_parts import Condition, OrderedHead
from gateway.config.table import FieldName, Name, PositiveSeconds, Table

Metres = Annotated[float, Field(ge=0, le=100_000)]
MOST_SPOTS = 500
"""As many as a plan has; the times between them are worked out for each pair, once."""


class Spot(Table):
    """A place at which something is seen: a point, or a rectangle, in the metres of the site."""

    x_m: float | None = Field(None, ge=-100_000, le=100_000, description="Its left edge. Without it only ways count.")
    y_m: float | None = Field(None, ge=-100_000, le=100_000, description="Its upper edge.")
    width_m: Metres = Field(0, description="Its width; 0 for a point.")
    height_m: Metres = Field(0, description="Its height.")
    reach_m: Metres | None = Field(None, description="How far away from it tags are read; that of the rule if absent.")
    covers: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[], max_length=200, description="Values of `where` that mean this spot; its own name if empty."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.x_m is None) != (self.y_m is None):
            raise ValueError("y_m: goes with x_m")
        return self


class Way(Table):
    """The least time between two spots, both ways; it goes before what their distance says."""

    between: Annotated[list[Name], Field(min_length=2, max_length=2)] = Field(description="Two spots.")
    least_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        description="Nothing gets from one to the other in less. 0: nothing is concluded between them."
    )


class Suspicion(OrderedHead):
    """What rules have that suspect a tag or card of being two."""

    on: str = Field(description="What it looks at: `read`, `card`, or an event type.")
    when: Condition = Field("true", description="Which of them.")
    again_after_s: PositiveSeconds = Field(
        3600, description="The next event of the same key comes so long after the last at the soonest; others count."
    )


class TravelRule(Suspicion):
    """Fires when the same key is seen at two places so soon after each other that nothing gets there in time."""

    shape: Literal["travel"]
    where: FieldName = Field("read_point", description="The field that names the place.")
    spots: dict[Name, Spot] = Field(
        default={}, max_length=MOST_SPOTS, description="The places. What is seen elsewhere does not concern the rule."
    )
    ways: list[Way] = Field(default=[], max_length=10_000, description="Least times between two of them.")
    use_plan: bool = Field(
        default=False,
        description="Take the places of [plan] for spots, too, with the read points of the zones and portals drawn "
        "there; only for a plan that is drawn to scale.",
    )
    fastest_m_per_s: Annotated[float, Field(gt=0, le=1000)] = Field(
        25, description="Nothing is faster on the way from one spot to another, as the crow flies."
    )
    reach_m: Metres = Field(15, description="Tags are read so far away from a spot at most.")
    clocks_differ_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        2, description="The clocks of gateways and readers differ by no more than this."
    )
    forget_after_s: PositiveSeconds = Field(86_400, description="A key not seen for so long is forgotten.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.spots) < 2 and not self.use_plan:  # noqa: PLR2004 - a way has two ends
            raise ValueError("spots: are missing; name two or more, or take those of the plan with use_plan = true")
        meant: dict[str, str] = {}
        for name, spot in self.spots.items():
            for value in spot.covers or [name]:
                if meant.setdefault(value, name) != name:
                    raise ValueError(f"spots.{name}.covers: {value!r} is at {meant[value]!r} already")
        if not self.use_plan:
            for index, way in enumerate(self.ways):
                for name in way.between:
                    if name not in self.spots:
                        raise ValueError(f"ways[{index}].between: no spot has the name {name!r}")
        return self


class BindingRule(Suspicion):
    """Fires when a key comes with another value of a field than it should, or than it came with before."""

    shape: Literal["binding"]
    of: FieldName = Field(description="The field whose value belongs to the key, such as `tid`.")
    expect: FieldName | None = Field(
        None,
        description="The field that says what the value must be, such as `registered_tid`; without it, or where an "
        "item lacks it, the first that was seen counts.",
    )
    learn: bool = Field(default=True, description="Whether the first that was seen counts where nothing else says.")
    prefix: bool = Field(
        default=False, description="A value that begins another is the same: of a TID readers may read a part."
    )
    doubtful: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[],
        max_length=200,
        description="How values begin that prove little, such as TIDs of chips that can be written; e.doubtful of the "
        "event says whether one of the two is such.",
    )
    forget_after_s: PositiveSeconds = Field(2_592_000, description="What was learnt of a key not seen for so long.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.expect is None and not self.learn:
            raise ValueError("expect: is missing; a rule that learns nothing must be told by a field what to expect")
        return self
