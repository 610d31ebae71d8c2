"""`session`: items of several sources that are one transaction, such as a truck at a gate.

    closed     parts are kept for `before_s`, then let go of
      | open           an opening; parts that it comes with, or shortly after, belong to it
    open       parts are collected; further openings are only heard: a loop that toggles does not split a truck
      | decide         once: `settle_s` after the last required part came, or `after_s` after the opening
      | close          nothing heard for `quiet_s`; `within_s` after the opening; or an item of `close.on`
    closed

An item that opens and closes ends the session that is open and opens the next, to which its parts belong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.config.rules import SessionRule
from gateway.contract.events import Event, Evidence, Scalar
from rules.item import Item, joined
from rules.language.vocabulary import RAW, Fields
from rules.shapes.ordered import Ordered, Timers, Turn
from rules.shapes.session_fields import fields_of_session
from rules.shapes.session_parts import Collector, Heard, PartRow, role_of, with_evidence
from rules.shapes.session_tell import Tellings
from rules.shapes.session_verdicts import Verdicts
from rules.state import State

MOST_RECENT: Final = 256
"""Items with parts that a closed key keeps at most; of more, the oldest are let go."""
LAG_US: Final = 10_000_000
"""How much later than it happened an opening that is itself an event may become known: an arrival needs a second
read. Parts that came in between are kept for it."""

OPEN: Final = "open"
CLOSE: Final = "close.on"
QUIET: Final = "quiet"
LIMIT: Final = "limit"
EVENT: Final = "event"


class Recent(msgspec.Struct, array_like=True, gc=False):
    """An item, and what it says of the parts. `origin`: as of the item."""

    origin: str
    at_us: int
    known_us: int
    evidence: Evidence
    is_historical: bool
    heard: list[Heard]


class SessionRow(msgspec.Struct, array_like=True):
    """A session, or what came before the next.

    Attributes:
        due_us: the timer that is wound up; 0 for none. It may be early, never late.
        opener: what opened it; None while closed.
        floor_us: parts of earlier times do not belong to it, or to the next one; None when any may.
        opened_us: when it was opened; last_us: the latest time of anything heard of it.
        ready_us: when all required parts were there.
        verdict, reasons, decided_us: the decision; verdict is None until it is made.
        is_historical: the latest item was too late to act upon.
        origin: of the item that was counted last: one that is several inputs comes several times.
        evidence: see `with_evidence`; parts: by their names; recent: while closed.
    """

    gateway: str
    due_us: int
    opener: Item | None
    floor_us: int | None
    opened_us: int = 0
    last_us: int = 0
    ready_us: int | None = None
    verdict: str | None = None
    reasons: str = ""
    decided_us: int = 0
    is_historical: bool = False
    origin: str = ""
    evidence: list[Evidence] = []
    parts: dict[str, PartRow] = {}
    recent: list[Recent] = []


class Session(Ordered):
    """One rule of this shape.

    Attributes:
        strays: values of parts that belonged to no session.
    """

    def __init__(self, rule: SessionRule, number: int, state: State) -> None:
        parts = {role_of(name): part for name, part in rule.collect.items()}
        super().__init__(rule, number, state, {OPEN: rule.open, **parts, CLOSE: rule.close.on})
        self._session = rule
        self._collectors = {role_of(name): Collector(name, part) for name, part in rule.collect.items()}
        self._verdicts: Verdicts | None = None
        types = fields_of_session(rule)
        self._tellings = Tellings(rule.tell, types, is_open=bool(rule.lookup))
        if rule.decide is not None:
            self._verdicts = Verdicts(rule.decide, types, is_open=bool(rule.lookup))
            self._settle_us, self._after_us = round(rule.decide.settle_s * 1e6), round(rule.decide.after_s * 1e6)
        self._before_us = round(rule.before_s * 1e6)
        self._keep_us = self._before_us + (0 if rule.open.on in RAW else LAG_US)
        self._quiet_us, self._within_us = round(rule.close.quiet_s * 1e6), round(rule.close.within_s * 1e6)
        self.rows = state.table("rule", self.owner, SessionRow)
        self.strays = 0
        self._closing = next((intake for intake in self.intakes if intake.role == CLOSE), None)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An opening, a part or a closing; an item that is several of them comes in this order."""
        part = self._collectors.get(role)
        heard = part.hear(item) if part is not None else None
        row = self.rows.rows.get(key)
        if heard is None and role != OPEN and (role != CLOSE or row is None or not _ends(row, item)):
            return
        if row is None:
            if len(self.rows.rows) >= self._session.most_keys:
                self.refused += 1
                return
            row = SessionRow(turn.gateway, 0, None, None)
        elif row.gateway != turn.gateway:
            row.gateway, row.due_us = turn.gateway, 0  # its timer ran on the other's clock
        found = [] if heard is None else [heard]
        recent = Recent(item.origin, item.at_us, item.known_us, item.evidence, item.is_historical, found)
        if role == OPEN and _ends(row, item) and self._closes(key, item):
            self._collect(row, recent, turn)
            row = self._end(key, row, item.at_us, EVENT, turn)
        if role == OPEN and row.opener is None:
            row = self._open(row, item, turn)
        if row.opener is None:
            self._keep(row, recent)
        else:
            self._collect(row, recent, turn)
            if role == CLOSE:
                row = self._end(key, row, item.at_us, EVENT, turn)
        self.rows.put(key, row)
        self._plan(key, row, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """Something may be due: the decision, the end, or nothing yet."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != turn.gateway:
            return
        self.rows.dirty.add(key)
        row.due_us = 0
        if row.opener is None:
            self._let_go(row, due_us - self._keep_us)
            if not row.recent and row.floor_us is None:
                self.rows.drop(key)
                return
        else:
            if (decide_us := self._decide_us(row)) is not None and decide_us <= due_us:
                self._decide(key, row, due_us, turn)
            quiet_us, limit_us = row.last_us + self._quiet_us, row.opened_us + self._within_us
            if min(quiet_us, limit_us) <= due_us:
                row = self._end(key, row, due_us, QUIET if quiet_us <= limit_us else LIMIT, turn)
                self.rows.put(key, row)
        self._plan(key, row, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.gateway in timers:
                timers[row.gateway].wake(row.due_us, self.number, key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's keys move with its clock."""
        for key, row in self.rows.rows.items():
            if row.gateway != gateway:
                continue
            row.due_us -= by_us
            row.opened_us -= by_us
            row.last_us -= by_us
            row.decided_us -= by_us
            row.floor_us = None if row.floor_us is None else row.floor_us - by_us
            row.ready_us = None if row.ready_us is None else row.ready_us - by_us
            for part in row.parts.values():
                for candidate in part.candidates:
                    candidate.at_us -= by_us
            for recent in row.recent:
                recent.at_us -= by_us
                recent.known_us -= by_us
                for heard in recent.heard:
                    heard.at_us -= by_us
            self.rows.dirty.add(key)

    def _closes(self, key: str, item: Item) -> bool:
        """Whether an opening is also what ends the session before."""
        closing = self._closing
        return (
            closing is not None
            and closing.on == item.on
            and closing.key(item.fields) == key
            and closing.when.test(item.fields)
        )

    def _keep(self, row: SessionRow, recent: Recent) -> None:
        """Keep parts until their opening comes."""
        last = row.recent[-1] if row.recent else None
        if last is not None and last.origin == recent.origin:
            last.heard += recent.heard
            return
        row.recent.append(recent)
        if len(row.recent) > MOST_RECENT:
            self.strays += len(row.recent.pop(0).heard)

    def _open(self, row: SessionRow, item: Item, turn: Turn) -> SessionRow:
        at_us = item.at_us
        floor_us = min(at_us, max(at_us - self._before_us, row.floor_us or 0))
        opened = SessionRow(turn.gateway, row.due_us, item, floor_us, opened_us=at_us, last_us=at_us)
        for recent in row.recent:
            self._collect(opened, recent, turn)
        return opened

    def _collect(self, row: SessionRow, recent: Recent, turn: Turn) -> None:
        """Take an item into an open session."""
        assert row.floor_us is not None
        if recent.at_us < row.floor_us:
            self.strays += len(recent.heard)
            return
        if row.origin != recent.origin:
            row.origin, row.evidence = recent.origin, with_evidence(row.evidence, recent.evidence)
        if recent.at_us >= row.last_us:
            row.last_us, row.is_historical = recent.at_us, recent.is_historical
        for heard in recent.heard:
            part = row.parts.setdefault(heard.part, PartRow())
            self._collectors[role_of(heard.part)].add(part, heard)
        if row.ready_us is None and not self._missing(row):
            row.ready_us = max(turn.now_us, row.opened_us)

    def _let_go(self, row: SessionRow, until_us: int) -> None:
        """Forget parts up to then, whose opening did not come, and an earlier end."""
        kept = [each for each in row.recent if each.known_us > until_us]
        self.strays += sum(len(each.heard) for each in row.recent) - sum(len(each.heard) for each in kept)
        row.recent = kept
        if row.floor_us is not None and row.floor_us <= until_us:
            row.floor_us = None

    def _missing(self, row: SessionRow) -> list[str]:
        parts = row.parts
        return [name for name in self._session.require if name not in parts or not parts[name].candidates]

    def _fields(self, key: str, row: SessionRow) -> Fields:
        """What the session tells now."""
        missing = self._missing(row)
        fields: Fields = {"subject": key, "opened_at_us": row.opened_us}
        fields |= {"missing": ", ".join(missing), "missing_count": len(missing)}
        for part in self._collectors.values():
            fields |= part.fields(row.parts.get(part.name))
        return self._tellings.added(self._enriched(fields))

    def _enriched(self, fields: Fields) -> Fields:
        """The fields with those of look-ups."""
        return fields if self.lookups is None else self.lookups.enrich(fields)

    def _decide(self, key: str, row: SessionRow, at_us: int, turn: Turn, closed_by: str | None = None) -> None:
        decision = self._session.decide
        assert decision is not None
        assert self._verdicts is not None
        fields = self._fields(key, row)
        row.verdict, row.reasons = self._verdicts.decide(fields)
        row.decided_us = at_us
        told = self._told(row, fields) | ({} if closed_by is None else {"closed_by": closed_by})
        turn.make(self._event(decision.emit, key, row, at_us, told, "decision", turn))

    def _end(self, key: str, row: SessionRow, at_us: int, closed_by: str, turn: Turn) -> SessionRow:
        """End it; returns the row that takes its place."""
        rule = self._session
        if self._verdicts is not None and row.verdict is None:
            self._decide(key, row, at_us, turn, closed_by)
        told = self._told(row, self._fields(key, row))
        told |= {"duration_s": (row.last_us - row.opened_us) / 1e6, "closed_by": closed_by}
        fails = bool(told["missing_count"]) and rule.otherwise is not None
        if (standing := self.alarms.rows.get(key)) is not None:
            failed = bool(standing.shown.get("missing_count")) and rule.otherwise is not None
            if failed != fails:
                self.lower(key, turn, "the next one was incomplete" if fails else "the next one was complete")
        emit = rule.otherwise.emit if fails and rule.otherwise is not None else self.emits
        event = self._event(emit or rule.name, key, row, at_us, told, "end", turn)
        if fails:
            self.fail(key, rule.otherwise, event, turn)
        else:
            self.fulfil(key, event, turn)
        return SessionRow(turn.gateway, row.due_us, None, at_us)

    def _told(self, row: SessionRow, fields: Fields) -> dict[str, Scalar]:
        told: dict[str, Scalar] = {
            name: value for name, value in fields.items() if name != "subject" and not isinstance(value, list)
        }
        if row.verdict is not None:
            told |= {"verdict": row.verdict, "reasons": row.reasons, "decided_at_us": row.decided_us}
        return told

    def _event(
        self, kind: str, key: str, row: SessionRow, at_us: int, told: dict[str, Scalar], which: str, turn: Turn
    ) -> Event:
        assert row.opener is not None
        whole = replace(row.opener, evidence=joined(row.evidence), is_historical=row.is_historical)
        return self.event(kind, key, at_us, [whole], turn, told, row.opener.origin, which)

    def _decide_us(self, row: SessionRow) -> int | None:
        """When the decision is due; None when it is made, or nothing is decided."""
        if self._verdicts is None or row.verdict is not None:
            return None
        latest_us = row.opened_us + self._after_us
        return latest_us if row.ready_us is None else min(latest_us, row.ready_us + self._settle_us)

    def _plan(self, key: str, row: SessionRow, turn: Turn) -> None:
        """See to it that a timer comes when the next thing is due, or before."""
        if row.opener is None:
            ends = [each.known_us for each in row.recent]
            due_us = min(ends if row.floor_us is None else [row.floor_us, *ends]) + self._keep_us
        else:
            due_us = min(row.last_us + self._quiet_us, row.opened_us + self._within_us)
            if (decide_us := self._decide_us(row)) is not None:
                due_us = min(due_us, decide_us)
        due_us = max(due_us, turn.now_us)
        if not row.due_us or due_us < row.due_us:
            row.due_us = due_us
            turn.wake(due_us, self.number, key)


def _ends(row: SessionRow, item: Item) -> bool:
    """Whether a closing item can end this session: one is open, which is not later, nor opened by it."""
    return row.opener is not None and item.at_us >= row.opened_us and item.origin != row.opener.origin
