"""The one way by which the console orders things: alarms handled and devices switched in the name of a person.

Each order has a session with the broker of its own, for an answer must come on a topic that was subscribed to before
the order left; it is made when its turn has come, sent once, and never again.

    before it left      `OrderError`: nothing was done, and the code says why
    after it left       `AlarmAnswer`, `CommandAnswer`: what the daemon proved to have made of it, or `unknown`
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.console.access.roles import Account, Role
from gateway.console.page import Console
from gateway.contract.alarm_orders import Action, AlarmOutcome
from gateway.contract.commands import Kind, Outcome
from gateway.control.alarm_client import AlarmSender, Answered, make_order, send_order
from gateway.control.client import ARM_WAIT_S, WAIT_S, Heard, Sender, make, send
from gateway.logs import clean, get_log
from gateway.mqtt import BrokerError
from readers.errors import ConfigError

ALARM_ORDERS_MOST: Final = 8
"""At once: each is a connection to the broker for some milliseconds."""
COMMANDS_MOST: Final = 16
"""At once: each lasts until the device was read back, two minutes at the most."""
TURN_WITHIN_S: Final = 10.0
DETAIL_MOST: Final = 600

UNKNOWN: Final = "unknown"
UNANSWERED: Final = "unanswered"

_NO_PERSON: Final = "this user orders in nobody's name: person is missing in its [[console.user]] of the site file"
_NO_KEY: Final = "the console does not hold the key of this person; restart it after a change of the site file"
_BUSY: Final = "too many orders are under way; nothing was sent, try again in a moment"
_LOST: Final = "the connection to the broker broke after the order had left, so it may have been carried out"
_SILENT: Final = "no answer came in time, so it may have been carried out"
_UNPROVEN: Final = "something answers that does not have this person's key; it is not believed"
_NOT_BEGUN: Final = "no answer came in time; nothing was switched, for that needs an order of its own"


About = dict[str, str | None]


class OrderError(Exception):
    """Nothing was sent; `code` is the fixed word for why, `status` the one of HTTP."""

    def __init__(self, code: str, text: str, status: int) -> None:
        super().__init__(text)
        self.code, self.status = code, status


class AlarmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order about an alarm.

    Attributes:
        state: `done`, `refused`; `unknown`: it left, and nobody has proven what became of it.
        code: of a refusal, as the rules daemon words it; with `unknown`: `broker_lost`, `silent`, `unproven`.
        detail: the same for a person.
    """

    id: str
    alarm: str
    action: Action
    state: str
    code: str = ""
    detail: str = ""


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command.

    Attributes:
        state: of the last outcome; `unknown`: it left, and how it ended is not proven; `unanswered`: an `arm` or
            `cancel` of which nothing was heard, so that nothing was switched.
        code: of the outcome; with the last two, when none said so: `broker_lost`, `silent`, `unproven`.
        detail: the same for a person.
        outcome: the last that proves to be the gateway's, without its signature; None when there was none.
    """

    id: str
    state: str
    code: str = ""
    detail: str = ""
    outcome: Outcome | None = None


def _unheard(outcome: Outcome) -> None:
    del outcome


@dataclass(slots=True)
class _Way:
    """How far an order is."""

    has_left: bool = False

    def leave(self) -> None:
        self.has_left = True


class Orders:
    """Sends orders of logged-in users. `now_us` is the wall clock."""

    def __init__(self, console: Console, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self._site, self._accounts, self._now_us = console.site, console.accounts, now_us
        self._alarm_turns = asyncio.Semaphore(ALARM_ORDERS_MOST)
        self._command_turns = asyncio.Semaphore(COMMANDS_MOST)
        self._log = get_log(part="orders")

    async def alarm(self, account: Account, action: Action, alarm: str, comment: str = "") -> AlarmAnswer:
        """Order something about an alarm, and wait for the outcome.

        Raises:
            OrderError: nothing was sent.
        """
        person, key = self._person(account)
        sender, way = AlarmSender(self._site.site.name, person, key), _Way()
        async with _turn(self._alarm_turns, TURN_WITHIN_S):
            try:
                order = make_order(sender, action, alarm, self._now_us(), comment)
            except msgspec.ValidationError as error:
                raise OrderError("malformed", str(error), 400) from None
            about: About = {"user": account.name, "person": person, "id": order.id, "alarm": alarm, "action": action}
            self._log.info("alarm_order_begun", **about)
            found: Answered | BrokerError
            try:
                found = await send_order(self._site.mqtt.of("console"), sender, order, leaving=way.leave)
            except (BrokerError, ConfigError) as error:
                found = self._failed(error, way, about)
        state, code, detail = _of_alarm(found)
        self._tell(state, code, about)
        return AlarmAnswer(id=order.id, alarm=alarm, action=action, state=state, code=code, detail=detail)

    async def command(
        self,
        account: Account,
        kind: Kind,
        device: str,
        point: str,
        *,
        told: Callable[[Outcome], None] = _unheard,
        **more: str | None,
    ) -> CommandAnswer:
        """Send a command, and wait for the outcome that ends it, or for `armed`; `told` hears each on its way.

        `more` are further fields of a `Command`: `action`, `value`, `nonce`, `reason`; also an `id` of one's own, which
        makes sending twice harmless: the gateway answers a known one with its outcome and does nothing.

        Raises:
            OrderError: nothing was sent.
        """
        person, key = self._person(account)
        control = self._site.control
        if not control.enabled:
            raise OrderError("switched_off", "[control] enabled is false in the site file", 409)
        if not any((rule.device, rule.point) == (device, point) for rule in control.point):
            raise OrderError("not_listed", f"{clean(device)} {clean(point)}: no [[control.point]] lets it", 404)
        sender, way = Sender(self._site.site.name, self._site.site.gateway, person, key), _Way()
        is_order = kind in ("confirm", "direct")
        async with _turn(self._command_turns, 0):
            try:
                made = make(sender, kind, device, point, self._now_us(), **more)
            except msgspec.ValidationError as error:
                raise OrderError("malformed", str(error), 400) from None
            about: About = {
                "user": account.name, "person": person, "id": made.id, "kind": kind, "device": device, "point": point,
                "action": made.action,
            }  # fmt: skip
            self._log.info("command_begun", **about)
            last: list[Outcome] = []

            def hear(outcome: Outcome) -> None:
                last[:] = [msgspec.structs.replace(outcome, signature="")]
                told(last[0])

            found: Heard | BrokerError
            within_s = WAIT_S if is_order else ARM_WAIT_S
            try:
                found = await send(
                    self._site.mqtt.of("console"), sender, made, within_s=within_s, told=hear, leaving=way.leave
                )
            except (BrokerError, ConfigError) as error:
                found = self._failed(error, way, about)
        outcome = last[0] if last else None
        state, code, detail = _of_command(found, outcome, is_order=is_order)
        self._tell(state, code, about)
        return CommandAnswer(id=made.id, state=state, code=code, detail=detail, outcome=outcome)

    def _person(self, account: Account) -> tuple[str, bytes]:
        if account.role < Role.OPERATOR or account.person is None:
            raise OrderError("no_person", f"{account.name}: {_NO_PERSON}", 403)
        try:
            return account.person, self._accounts.key(account.person)
        except KeyError:
            raise OrderError("no_key", f"{account.person}: {_NO_KEY}", 403) from None

    def _failed(self, error: BrokerError | ConfigError, way: _Way, about: About) -> BrokerError:
        """The error of an order that had left.

        Raises:
            OrderError: it had not.
        """
        if isinstance(error, BrokerError) and way.has_left:
            return error
        self._accounts.health.trouble(self._log, "order_not_sent", level="warning", error=str(error), **about)
        raise OrderError("broker_away", f"nothing was sent: {error}", 503) from error

    def _tell(self, state: str, code: str, about: About) -> None:
        if state in (UNKNOWN, UNANSWERED):
            self._accounts.health.trouble(
                self._log, "order_unanswered", level="warning", state=state, code=code, **about
            )
        else:
            self._log.info("order_answered", state=state, code=code, **about)


@asynccontextmanager
async def _turn(turns: asyncio.Semaphore, within_s: float) -> AsyncIterator[None]:
    """Wait for one's turn; who waits too long is refused, for nobody expects the order any more."""
    if within_s <= 0 and turns.locked():
        raise OrderError("busy", _BUSY, 503)
    try:
        async with asyncio.timeout(within_s or None):
            await turns.acquire()
    except TimeoutError:
        raise OrderError("busy", _BUSY, 503) from None
    try:
        yield
    finally:
        turns.release()


def _of_alarm(found: Answered | BrokerError) -> tuple[str, str, str]:
    """State, code and detail."""
    if isinstance(found, BrokerError):
        return UNKNOWN, "broker_lost", f"{_LOST}: {found}"
    outcome: AlarmOutcome | None = found.outcome
    if outcome is not None:
        return outcome.state, outcome.code, clean(outcome.detail, DETAIL_MOST)
    return UNKNOWN, *_nobody(found.unproven)


def _of_command(found: Heard | BrokerError, outcome: Outcome | None, *, is_order: bool) -> tuple[str, str, str]:
    """State, code and detail."""
    if outcome is not None and outcome.state != "sending":
        return outcome.state, outcome.code, clean(outcome.detail, DETAIL_MOST)
    if isinstance(found, BrokerError):
        code, detail = "broker_lost", f"{_LOST}: {found}"
    else:
        code, detail = _nobody(found.unproven)
    if is_order:
        return UNKNOWN, code, detail
    return UNANSWERED, code, _NOT_BEGUN if code == "silent" else detail


def _nobody(unproven: str) -> tuple[str, str]:
    if unproven:
        return "unproven", f"{_UNPROVEN}: {clean(unproven, DETAIL_MOST)}"
    return "silent", _SILENT
