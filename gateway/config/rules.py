"""The table `[[rule]]`: what is concluded from what is heard.

Ten shapes. `match` and `hold` judge items as they arrive; the others take them in the order of event time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.config.identity_rules import BindingRule, TravelRule
from gateway.config.rule_parts import (
    AlarmSettings,
    Condition,
    Input,
    LookUp,
    LookUpTable,
    Order,
    OrderedHead,
    Outcome,
    PackUse,
    RuleBase,
    RuleHead,
    Severity,
)
from gateway.config.table import FieldName, Name, PositiveSeconds, Table

__all__ = [
    "AbsenceRule",
    "AlarmSettings",
    "AntiPassback",
    "BindingRule",
    "Close",
    "Condition",
    "Decision",
    "Function",
    "HoldRule",
    "Input",
    "LookUp",
    "LookUpTable",
    "MatchRule",
    "NoData",
    "Order",
    "OrderedHead",
    "Outcome",
    "PackUse",
    "PairRule",
    "Part",
    "Pick",
    "RateRule",
    "Report",
    "Rule",
    "RuleBase",
    "RuleHead",
    "SequenceRule",
    "SessionRule",
    "SetRule",
    "Severity",
    "Telling",
    "TravelRule",
    "Verdict",
    "Window",
]


class MatchRule(RuleBase):
    """Fires on each item for which `when` is true."""

    shape: Literal["match"]


class NoData(StrEnum):
    """What silence does to a rule that holds."""

    HOLD = "hold"
    CLEAR = "clear"
    ALARM = "alarm"


class HoldRule(RuleBase):
    """Fires when `when` has been true for a time without a break; ends when `clear` is true."""

    shape: Literal["hold"]
    key: FieldName = Field("subject", description="The field that tells apart what is watched: one state per value.")
    for_s: Annotated[float, Field(ge=0, le=31_536_000)] = Field(description="How long; survives restarts.")
    clear: Condition | None = Field(None, description="Condition that ends it; `when` being false, if absent.")
    no_data: NoData = Field(NoData.HOLD, description="hold (silence is never fine), clear or alarm.")
    no_data_after_s: PositiveSeconds = Field(300, description="Silence that counts as no data, while watched.")


class Window(StrEnum):
    """Over which items a rate is taken."""

    TUMBLING = "tumbling"
    SLIDING = "sliding"
    SESSION = "session"


class Function(StrEnum):
    """What is made of the items of a window."""

    COUNT = "count"
    DISTINCT = "distinct"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    CHANGE = "change"


class RateRule(OrderedHead):
    """Counts or sums items over a window, and fires when the result is above or below a limit."""

    shape: Literal["rate"]
    on: str = Field(description="What it looks at.")
    when: Condition = Field("true", description="Which items count.")
    window: Window = Field(
        Window.SLIDING,
        description="`sliding`: the last `within_s` at each item; `tumbling`: whole multiples of `within_s` since "
        "1970; `session`: until no item comes for `quiet_s`.",
    )
    within_s: PositiveSeconds = Field(description="Length of the window; of a session, its longest.")
    quiet_s: PositiveSeconds | None = Field(None, description="Silence that ends a session.")
    function: Function = Field(
        Function.COUNT, description="count, distinct, sum, mean, min, max, or change (last less first)."
    )
    of: FieldName | None = Field(None, description="The field that it is taken of; none for count.")
    above: float | None = Field(None, description="Fires when the result is greater.")
    below: float | None = Field(
        None, description="Fires when the result is less, which a window tells at its end, if it was watched."
    )
    watched: list[Name] = Field(
        default=[], description="Read points, meters or devices: `below` is only believed of windows in which all were."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.window is Window.SESSION) != (self.quiet_s is not None):
            raise ValueError("quiet_s: goes with window = 'session', and only with it")
        if (self.function is Function.COUNT) != (self.of is None):
            raise ValueError("of: names the field, with every function but count")
        if self.below is not None and self.window is Window.SLIDING:
            raise ValueError("below: needs a window that ends, tumbling or session")
        if self.window is Window.SLIDING and self.above is None:
            raise ValueError("above: is missing; a sliding window fires when its result is above something")
        return self


class AbsenceRule(OrderedHead):
    """Fires when something that is expected does not come in time, counting only watched time."""

    shape: Literal["absence"]
    expect: Input = Field(description="What is expected.")
    after: Input | None = Field(
        None, description="What makes it expected; without it, each time that it comes it is expected again."
    )
    unless: Input | None = Field(None, description="What makes it expected no longer.")
    within_s: PositiveSeconds = Field(description="In which time, counted while all of `watched` is watched.")
    watched: list[Name] = Field(
        default=[], description="Read points, meters or devices; the time in which the gateway lives, if empty."
    )
    grace_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        2.0, description="How long after its time it may become known: an arrival needs a second read."
    )


class SequenceRule(OrderedHead):
    """Items that follow one another within a time. `emit` and `alarm` when complete, `otherwise` when time runs out."""

    shape: Literal["sequence"]
    steps: list[Input] = Field(min_length=2, max_length=16, description="What follows what, two steps or more.")
    within_s: PositiveSeconds = Field(description="From the first to the last.")
    unless: Input | None = Field(None, description="What ends the waiting: nothing is made.")
    strict: bool = Field(
        default=False, description="A later step that comes before its turn ends the waiting as `otherwise` does."
    )
    otherwise: Outcome | None = Field(None, description="What is made when not all steps came in time.")
    grace_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        2.0, description="How long after its time a step may become known."
    )


class Pick(StrEnum):
    """Which of several values of a part is taken."""

    FIRST = "first"
    LAST = "last"
    MOST = "most"
    MIN = "min"
    MAX = "max"


class Part(Input):
    """What a session collects under one name: e.PART, e.PART_count, e.PART_share and e.PART_at_us."""

    of: FieldName = Field("subject", description="The field whose values are collected.")
    pick: Pick = Field(Pick.LAST, description="first, last, most (majority; the latest of equals), min or max.")
    valid: Literal["iso6346"] | None = Field(
        None, description="Values that are none are counted in e.PART_invalid and not collected."
    )
    carry: list[FieldName] = Field(default=[], description="More fields of the picked item: e.PART_FIELD.")


class Verdict(Table):
    """One reason to decide so."""

    verdict: Name = Field(description="What is decided: `hold`, `trouble` ... The first that holds counts.")
    when: Condition = Field(description="Asks for parts (`e.weight`), look-ups (`e.truck_found`) and `e.missing`.")
    reason: str = Field(min_length=1, max_length=200, description="What the operator reads.")


class Decision(Table):
    """What a session decides while it is open, once."""

    emit: Name = Field(description="Type of the event: the fields of the session, `verdict`, `reasons`, `missing`.")
    after_s: PositiveSeconds = Field(30, description="At the latest so long after the opening, whatever is missing.")
    settle_s: Annotated[float, Field(ge=0, le=600)] = Field(
        1.0, description="How long after the last required part, in case that more of them come."
    )
    verdicts: list[Verdict] = Field(default=[], max_length=64, description="Tried in order; all reasons are told.")
    otherwise: Name = Field("open", description="The verdict when none of them holds.")


class Telling(Table):
    """What a session tells under a name of its own."""

    value: Annotated[str, Field(max_length=200)] | None = Field(None, description="This text.")
    of: FieldName | None = Field(None, description="Or the value of this field: of a part, or of a look-up.")
    when: Condition = Field("true", description="Only if this holds of the fields of the session.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.value is None) == (self.of is None):
            raise ValueError("value: either this, or of")
        return self


class Close(Table):
    """What ends a session."""

    quiet_s: PositiveSeconds = Field(10, description="Nothing of it was heard for so long.")
    within_s: PositiveSeconds = Field(600, description="It is never longer than this.")
    on: Input | None = Field(None, description="What ends it at once.")


class SessionRule(OrderedHead):
    """Items of several sources that are one transaction. `emit` and `alarm` at its end, `otherwise` if in part."""

    shape: Literal["session"]
    open: Input = Field(description="What opens it.")
    collect: dict[FieldName, Part] = Field(min_length=1, max_length=32, description="What it consists of.")
    require: list[FieldName] = Field(default=[], description="Parts without which it is incomplete.")
    before_s: Annotated[float, Field(ge=0, le=600)] = Field(
        0, description="Parts that came so long before the opening belong to it, too."
    )
    tell: dict[FieldName, Annotated[list[Telling], Field(min_length=1, max_length=16)]] = Field(
        default={},
        max_length=32,
        description="Further fields, after those of look-ups: of each, the first that holds and has a value.",
    )
    decide: Decision | None = Field(None, description="Decide while it is open.")
    close: Close = Field(Close(), description="What ends it.")
    otherwise: Outcome | None = Field(None, description="What is made of an incomplete one instead.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for part in self.require:
            if part not in self.collect:
                raise ValueError(f"require: {part!r} is not collected; collected are {', '.join(self.collect)}")
        return self


class AntiPassback(StrEnum):
    """What a second entry without an exit is, and an exit without an entry."""

    NONE = "none"
    SOFT = "soft"
    HARD = "hard"
    TIMED = "timed"


class PairRule(OrderedHead):
    """Entries and exits. Makes `emit` with e.dwell_s at each exit that has its entry."""

    shape: Literal["pair"]
    entry: Input = Field(description="What enters.")
    exit: Input = Field(description="What leaves.")
    reset: Input | None = Field(None, description="Forgives everybody: after a fire alarm, or an outage.")
    antipassback: AntiPassback = Field(
        AntiPassback.NONE,
        description="`soft`: a violation is told, and counts as a passage; `hard`: it is told and counts as none; "
        "`timed`: as hard, but forgiven `forgive_after_s` after the last passage.",
    )
    forgive_after_s: PositiveSeconds | None = Field(None, description="For `timed`.")
    violation: Outcome | None = Field(None, description="What a violation makes; its e.reason says which.")
    entered: Name | None = Field(None, description="Make an event of this type at each entry, with e.inside.")
    capacity: int | None = Field(None, ge=1, description="More inside than this is `full`.")
    full: Outcome | None = Field(None, description="What is made when it becomes full; its alarm clears when not.")
    refuse_full: bool = Field(
        default=False,
        description="With `capacity` inside it is full: an entry more makes the event of `violation` with the reason "
        "`full`, without its alarm, and does not count.",
    )
    area: FieldName | None = Field(None, description="The field that names the area; one area for all if absent.")
    longest_s: PositiveSeconds | None = Field(None, description="Who stays longer makes `overstay`.")
    overstay: Outcome | None = Field(None, description="What staying too long makes.")
    forget_after_s: PositiveSeconds = Field(2_592_000, description="Entries older than this are forgotten.")
    dwell_as: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,38}_s$")] = Field(
        "dwell_s", description="What the field is called that says how long it was inside, in seconds."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.antipassback is AntiPassback.TIMED) != (self.forgive_after_s is not None):
            raise ValueError("forgive_after_s: goes with antipassback = 'timed', and only with it")
        if (self.longest_s is None) != (self.overstay is None):
            raise ValueError("overstay: goes with longest_s")
        if (self.capacity is None) != (self.full is None):
            raise ValueError("full: goes with capacity")
        if self.refuse_full and self.capacity is None:
            raise ValueError("refuse_full: goes with capacity")
        return self


class Report(StrEnum):
    """The report sets of GS1 ALE."""

    CURRENT = "current"
    ADDITIONS = "additions"
    DELETIONS = "deletions"


class SetRule(OrderedHead):
    """Collects the distinct keys of a cycle and reports them as GS1 ALE does: all, new ones, or gone ones."""

    shape: Literal["set"]
    on: str = Field(description="What it looks at.")
    when: Condition = Field("true", description="Which items count.")
    report: Report = Field(Report.CURRENT, description="current, additions or deletions, against the cycle before.")
    group: FieldName | None = Field(None, description="One report for each value of this field.")
    start: Input | None = Field(None, description="What begins a cycle; the end of the one before, if absent.")
    stop: Input | None = Field(None, description="What ends it.")
    duration_s: PositiveSeconds | None = Field(None, description="Ends it so long after its beginning.")
    stable_s: PositiveSeconds | None = Field(None, description="Ends it when nothing new came for so long.")
    repeat_s: PositiveSeconds | None = Field(
        None, description="The next begins so long after the beginning of the last."
    )
    watched: list[Name] = Field(
        default=[], description="Read points, meters or devices: what is not heard is only gone if all were watched."
    )
    report_if_empty: bool = Field(default=False, description="Report an empty set, too.")
    only_on_change: bool = Field(default=False, description="Report only when the set differs from the last.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stop is None and self.duration_s is None and self.stable_s is None:
            raise ValueError("duration_s: is missing; a cycle ends by stop, duration_s or stable_s")
        if self.repeat_s is not None and self.duration_s is not None and self.repeat_s < self.duration_s:
            raise ValueError("repeat_s: must not be less than duration_s")
        return self


Rule = Annotated[
    MatchRule
    | HoldRule
    | RateRule
    | AbsenceRule
    | SequenceRule
    | SessionRule
    | PairRule
    | SetRule
    | TravelRule
    | BindingRule,
    Field(discriminator="shape"),
]
