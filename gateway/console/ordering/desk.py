"""The desk of the console: arms orders, keeps their nonces, and sends one confirmation for each press of a person.

    begin ─► arming ─► armed ─► confirm ─► confirming ─► sending ─► verified | failed | unknown
                         │ ▲                   │
                         │ └── refused for the moment, not sent: it stands armed until its time is over
                         └─► cancel, or its time is over ─► cancelled | expired

Nothing is sent but by a press: not again, not after a reload. A press that comes twice has the same id, and finds what
the first one made. A nonce never leaves this module but in a confirmation: the second person confirms by the id of the
order, in a session of their own, and with their own key.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.console.access.roles import Account
from gateway.console.ordering.board import Board, OrderTold, receipt_of
from gateway.console.ordering.listed import Listed
from gateway.console.orders import UNKNOWN, CommandAnswer, OrderError, Orders
from gateway.console.page import Console
from gateway.contract.commands import Name, Number, Outcome, Text, Word
from gateway.logs import get_log

US_PER_S: Final = 1_000_000
SEEN_MOST: Final = 1_000
"""Ids of presses that are remembered; a browser sends one again within seconds, if at all."""
FOR_THE_MOMENT: Final = frozenset({"rate", "second_person", "not_permitted", "differs"})
"""Why a gateway refuses a confirmation and leaves the order armed."""

Press = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]

_OVER: Final = "this order is over, or the console was restarted; look at the device, and arm it anew if need be"


class Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants. `id` is new for each press; it becomes that of the command."""

    id: Press
    kind: Literal["arm", "direct"]
    device: Name
    point: Name
    action: Word
    value: Number | None = None
    reason: Text = ""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A confirmation, or a cancelling. `order` is the id of what began it."""

    id: Press
    order: Press


@dataclass(slots=True, eq=False)
class _Held:
    """An order that is not over."""

    told: OrderTold
    reason: str
    nonce: str = ""
    taken_back_by: Account | None = None
    timer: asyncio.TimerHandle | None = None


class Desk:
    """Orders of logged-in users, one for each point at a time. `now_us` is the wall clock."""

    def __init__(self, console: Console, board: Board, now_us: Callable[[], int] | None = None) -> None:
        self._orders = Orders(console)
        self._listed = Listed(console.site)
        self._board = board
        self._now_us = now_us or (lambda: time.time_ns() // 1_000)
        self._held: dict[str, _Held] = {}
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = get_log(part="control")

    def begin(self, account: Account, asked: Begin) -> str:
        """Arm an order, or give it where one step will do; returns its id.

        Raises:
            OrderError: nothing was sent.
        """
        if asked.id in self._seen:
            return self._seen[asked.id]
        if account.person is None:
            raise OrderError("no_person", f"{account.name} orders in nobody's name", 403)
        if self._listed.rule(asked.device, asked.point) is None:
            raise OrderError("not_listed", f"{asked.device} {asked.point}: no [[control.point]] lets it", 404)
        told = OrderTold(
            id=asked.id,
            device=asked.device,
            point=asked.point,
            action=asked.action,
            value=asked.value,
            user=account.name,
            by=account.person,
            state="arming" if asked.kind == "arm" else "confirming",
            at_us=self._now_us(),
        )
        if (other := self._held.get(told.key)) is not None:
            raise OrderError("busy", f"{other.told.by} has an order for {asked.device} {asked.point}", 409)
        held = self._held[told.key] = _Held(told, asked.reason)
        self._see(asked.id, asked.id)
        self._board.show(told)
        self._start(held, self._arm(account, held) if asked.kind == "arm" else self._direct(account, held))
        return asked.id

    def confirm(self, account: Account, asked: Answer) -> str:
        """Let an armed order go; returns its id.

        Raises:
            OrderError: nothing was sent.
        """
        if asked.id in self._seen:
            return self._seen[asked.id]
        held = self._find(asked.order)
        if held.told.state != "armed":
            raise OrderError("confirmed", "it was confirmed already, or is being taken back", 409)
        rule = self._listed.rule(held.told.device, held.told.point)
        if rule is not None and rule.second_person and account.person == held.told.by:
            text = f"somebody else than {held.told.by}, who armed it, must confirm it"
            raise OrderError("second_person", text, 409)
        if (rule is None or not rule.second_person) and account.name != held.told.user:
            raise OrderError("not_yours", f"{held.told.user} armed it, and confirms it", 403)
        self._see(asked.id, asked.order)
        self._change(held, state="confirming", confirmed_by=account.person, code="", detail="")
        self._start(held, self._confirm(account, held, asked.id))
        return asked.order

    def cancel(self, account: Account, asked: Answer) -> str:
        """Take an armed order back; returns its id. Anybody who may order the point may.

        Raises:
            OrderError: nothing was sent.
        """
        if asked.id in self._seen:
            return self._seen[asked.id]
        held = self._find(asked.order)
        if account.person is None:
            raise OrderError("no_person", f"{account.name} orders in nobody's name", 403)
        if held.told.state == "arming":  # there is no nonce yet; it is taken back as soon as there is
            held.taken_back_by = account
        elif held.told.state == "armed":
            self._see(asked.id, asked.order)
            self._take_back(account, held)
        else:
            raise OrderError("confirmed", "it is on its way, and cannot be taken back", 409)
        return asked.order

    def reason(self, order: str) -> str:
        """Why somebody wants an order that is not over.

        Raises:
            OrderError: it is over.
        """
        return self._find(order).reason

    async def close(self) -> None:
        """Wait for what is on its way; the tests want to."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _arm(self, account: Account, held: _Held) -> None:
        told = held.told
        try:
            answer = await self._orders.command(
                account, "arm", told.device, told.point,
                id=told.id, action=told.action, value=told.value, reason=held.reason,
            )  # fmt: skip
        except OrderError as error:
            self._end(held, "not_sent", error.code, str(error))
            return
        outcome = answer.outcome
        if answer.state != "armed" or outcome is None or outcome.nonce is None:
            self._end_as(held, answer)
            return
        held.nonce = outcome.nonce
        left_us = (outcome.expires_at_us or outcome.at_us) - outcome.at_us  # by the gateway's clock, both
        self._change(
            held, state="armed", expires_at_us=self._now_us() + left_us, code=answer.code, detail=answer.detail,
            **_seen_in(outcome),
        )  # fmt: skip
        self._expire_in(held, left_us)
        if held.taken_back_by is not None:
            self._take_back(held.taken_back_by, held)

    async def _direct(self, account: Account, held: _Held) -> None:
        told = held.told
        try:
            answer = await self._orders.command(
                account, "direct", told.device, told.point, told=lambda outcome: self._heard(held, outcome),
                id=told.id, action=told.action, value=told.value, reason=held.reason,
            )  # fmt: skip
        except OrderError as error:
            self._end(held, "not_sent", error.code, str(error))
            return
        self._end_as(held, answer)

    async def _confirm(self, account: Account, held: _Held, press: str) -> None:
        told = held.told
        try:
            answer = await self._orders.command(
                account, "confirm", told.device, told.point, told=lambda outcome: self._heard(held, outcome),
                id=press, action=told.action, value=told.value, nonce=held.nonce, reason=held.reason,
            )  # fmt: skip
        except OrderError as error:
            self._armed_again(held, error.code, str(error))
            return
        if answer.state == "refused" and answer.code in FOR_THE_MOMENT:
            self._armed_again(held, answer.code, answer.detail)
            return
        self._end_as(held, answer)

    def _take_back(self, account: Account, held: _Held) -> None:
        self._change(held, state="cancelling")
        self._start(held, self._cancel(account, held))

    async def _cancel(self, account: Account, held: _Held) -> None:
        told = held.told
        try:
            answer = await self._orders.command(account, "cancel", told.device, told.point, nonce=held.nonce)
        except OrderError as error:
            self._forget(held, str(error))
            return
        if answer.state == "unanswered":
            self._forget(held, answer.detail)
            return
        self._end_as(held, answer)

    def _forget(self, held: _Held, why: str) -> None:
        text = "the gateway could not be told; the console has thrown its key to it away, so it lapses by itself"
        self._end(held, "cancelled", "forgotten", f"{text}: {why}")

    def _armed_again(self, held: _Held, code: str, detail: str) -> None:
        """It was not let go, and may still be."""
        left_us = (held.told.expires_at_us or 0) - self._now_us()
        if left_us <= 0:
            self._end(held, "expired", code, detail)
            return
        self._change(held, state="armed", confirmed_by=None, code=code, detail=detail)
        self._expire_in(held, left_us)

    def _expire_in(self, held: _Held, left_us: int) -> None:
        if held.timer is not None:
            held.timer.cancel()
        held.timer = asyncio.get_running_loop().call_later(max(0, left_us) / US_PER_S, self._expire, held)

    def _expire(self, held: _Held) -> None:
        if held.told.state == "armed":
            self._end(held, "expired", "not_confirmed", "it was not confirmed in time, and nothing was sent")

    def _heard(self, held: _Held, outcome: Outcome) -> None:
        if outcome.state == "sending":
            self._change(held, state="sending", code=outcome.code, detail=outcome.detail, **_seen_in(outcome))

    def _end_as(self, held: _Held, answer: CommandAnswer) -> None:
        seen = {} if answer.outcome is None else _seen_in(answer.outcome)
        self._end(held, answer.state, answer.code, answer.detail, **seen)

    def _end(self, held: _Held, state: str, code: str, detail: str, **seen: Any) -> None:
        if held.timer is not None:
            held.timer.cancel()
        held.nonce = ""
        if self._held.get(held.told.key) is held:
            del self._held[held.told.key]
        self._change(held, state=state, code=code, detail=detail, is_over=True, expires_at_us=None, **seen)

    def _change(self, held: _Held, **change: Any) -> None:
        held.told = msgspec.structs.replace(held.told, **{"at_us": self._now_us(), **change})
        self._board.show(held.told)

    def _find(self, order: str) -> _Held:
        for held in self._held.values():
            if held.told.id == order:
                return held
        raise OrderError("over", _OVER, 409)

    def _see(self, press: str, order: str) -> None:
        self._seen[press] = order
        if len(self._seen) > SEEN_MOST:
            self._seen.popitem(last=False)

    def _start(self, held: _Held, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            self._tasks.discard(ended)
            if ended.cancelled() or (error := ended.exception()) is None:
                return
            self._log.error("order_failed", id=held.told.id, exc_info=error)
            self._end(held, UNKNOWN, "defect", "a defect of the console: its log says more; look at the device")

        task.add_done_callback(done)


def _seen_in(outcome: Outcome) -> dict[str, Any]:
    """What an outcome shows, and where it stands in the audit."""
    seen: dict[str, Any] = {"receipt": receipt_of(outcome)}
    if outcome.shows:
        seen |= {"shows": outcome.shows, "shown_at_us": outcome.at_us}
    return seen
