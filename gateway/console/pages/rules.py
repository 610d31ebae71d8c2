"""The rules as they run: what each watches and makes, how often it fired, and why it did or did not.

GET /api/rules/list                                     every rule, and why the rule file is refused, if it is
GET /api/rules/fired                                    how often each fired in the last hour, day and week
GET /api/rules/one/NAME                                 one rule: its text, its day, its newest events and alarms
GET /api/rules/recording                                what there is to replay; for operators, as all below
GET /api/rules/why/ID?at_us&look_back_s                 why an event was made, or an alarm raised
GET /api/rules/why-not/NAME?about&at_us&within_s&look_back_s    what a rule made of what came about something
GET /api/rules/replay?from_us&to_us&look_back_s         what the rules of today make of a time; for engineers

Whoever stops waiting for an answer ends the process that works on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.console.access.roles import Role, require
from gateway.console.explaining import ExplainingError
from gateway.console.page import Console, Page, as_json, refusal
from gateway.contract.events import Alarm, Event
from gateway.history import (
    DayFiles,
    QuestionTimeoutError,
    RuleCurve,
    activity,
    alarm_page,
    event_page,
    rule_curve,
)
from gateway.recording import Recording, RecordingError, Span

T = TypeVar("T")
S: Final = 1_000_000
SPANS_S: Final = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}
STEP_US: Final = 600 * S
NEWEST: Final = 25
ANSWERS_WITHIN_S: Final = 5.0
FIRED_KEPT_S: Final = 5.0
RECORDING_KEPT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.5
LOOK_BACK_S: Final = 300
"""How much before a question is replayed where nobody says otherwise: an hour of a busy port takes minutes."""
LEFT: Final = 499  # as web servers count those who left; nobody reads it
WITHIN_S: Final = 60
_DIGITS_MOST: Final = 18


class Fired(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often one rule fired, events and alarms, and when it last did so in a week."""

    hour: tuple[int, int] = (0, 0)
    day: tuple[int, int] = (0, 0)
    week: tuple[int, int] = (0, 0)
    last_us: int | None = None


class AllFired(msgspec.Struct, frozen=True):
    """By the name of the rule. `slow`: spans that the event journal did not answer in time."""

    now_us: int
    kept_here: bool
    rules: dict[str, Fired]
    slow: list[str]
    damaged: list[str]


class OneRule(msgspec.Struct, frozen=True):
    """The page of a rule.

    Attributes:
        rule: as `rules list` tells it; None where no rule of this name runs.
        fault: why the files are refused, or the rules cannot be listed.
        curve: the last 24 hours; slow: what the event journal did not answer in time.
    """

    name: str
    rule: Mapping[str, Any] | None
    fault: str | None
    kept_here: bool
    curve: RuleCurve | None = None
    events: list[Event] = []
    alarms: list[Alarm] = []
    slow: list[str] = []
    damaged: list[str] = []


class _Desk:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._days = None if console.events is None else DayFiles(console.events, ANSWERS_WITHIN_S)
        self._well: list[dict[str, Any]] = []
        self._fired = _Kept(FIRED_KEPT_S, self._count)
        self._span = _Kept(RECORDING_KEPT_S, self._look_at_recording)

    async def listed(self, request: Request) -> Response:
        del request
        rules, fault = await self._rules()
        return as_json({"rules": [_short(rule) for rule in rules], "fault": fault})

    async def fired(self, request: Request) -> Response:
        del request
        return as_json(await self._fired.get())

    async def one(self, request: Request) -> Response:
        name = request.path_params["name"]
        rules, fault = await self._rules()
        rule = next((each for each in rules if each["name"] == name), None)
        try:
            told = await asyncio.to_thread(self._told, name, rule, fault)
        except ValueError as error:
            return refusal(str(error))
        if rule is None and fault is None and not told.events and not told.alarms:
            return refusal(f"no rule is named {name[:64]!r}, and none of this name made anything in the last week", 404)
        return as_json(told)

    async def recording(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        span = await self._span.get()
        if isinstance(span, str):
            return refusal(span, 404)
        return as_json(span._asdict())

    async def why(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        asked, query = self._console.explaining, request.query_params
        number = request.path_params["id"]

        def work() -> Awaitable[Any]:
            at_us = _whole(query, "at_us", None)
            return asked.trace(number, at_us, look_back_s=_whole(query, "look_back_s", LOOK_BACK_S))

        return await _answered(request, work)

    async def why_not(self, request: Request) -> Response:
        require(request, Role.OPERATOR)
        asked, query = self._console.explaining, request.query_params
        name = request.path_params["name"]

        def work() -> Awaitable[Any]:
            within_s = _whole(query, "within_s", WITHIN_S)
            back_s = _whole(query, "look_back_s", LOOK_BACK_S)
            about = query.get("about", "").strip()
            return asked.why_not(name, about, _whole(query, "at_us", None), float(within_s or 0), look_back_s=back_s)

        return await _answered(request, work)

    async def replay(self, request: Request) -> Response:
        require(request, Role.ENGINEER)
        asked, query = self._console.explaining, request.query_params

        def work() -> Awaitable[Any]:
            from_us, to_us = _whole(query, "from_us", None), _whole(query, "to_us", None)
            if from_us is None or to_us is None:
                raise ValueError("say from when to when: from_us and to_us, in microseconds since 1970")
            return asked.replay(from_us, to_us, look_back_s=_whole(query, "look_back_s", LOOK_BACK_S))

        return await _answered(request, work)

    async def _rules(self) -> tuple[list[dict[str, Any]], str | None]:
        """The rules, those of the last files that were well, and what is wrong with these."""
        try:
            self._well = (await self._console.explaining.rules())["rules"]
        except ExplainingError as error:
            return self._well, str(error)
        return self._well, None

    async def _count(self) -> AllFired:
        return await asyncio.to_thread(self._counted)

    def _counted(self) -> AllFired:
        now_us = time.time_ns() // 1_000
        rules: dict[str, dict[str, Any]] = {}
        slow: list[str] = []
        damaged: list[str] = []
        if self._days is None:
            return AllFired(now_us, kept_here=False, rules={}, slow=[], damaged=[])
        for name, span_s in SPANS_S.items():
            try:
                found = activity(self._days, now_us - span_s * S, now_us + 1)
            except QuestionTimeoutError:
                slow.append(name)
                continue
            damaged += [line for line in found.damaged if line not in damaged]
            for each in found.rules:
                if each.rule:
                    row = rules.setdefault(each.rule, {})
                    row[name] = (each.events, each.alarms)
                    row["last_us"] = max(each.last_event_us or 0, each.last_alarm_us or 0, row.get("last_us", 0))
        told = {name: Fired(**row) for name, row in rules.items()}
        return AllFired(now_us, kept_here=True, rules=told, slow=slow, damaged=damaged)

    def _told(self, name: str, rule: Mapping[str, Any] | None, fault: str | None) -> OneRule:
        slow: list[str] = []
        damaged: list[str] = []
        days, now_us = self._days, time.time_ns() // 1_000
        if days is None:
            return OneRule(name, rule, fault, kept_here=False)
        week_us = now_us - SPANS_S["week"] * S
        end_us = -(-now_us // STEP_US) * STEP_US

        def asked(what: str, question: Callable[[], T]) -> T | None:
            try:
                found = question()
            except QuestionTimeoutError:
                slow.append(what)
                return None
            damaged.extend(line for line in getattr(found, "damaged", ()) if line not in damaged)
            return found

        curve = asked("curve", lambda: rule_curve(days, name, end_us - SPANS_S["day"] * S, end_us, step_us=STEP_US))
        events = asked("events", lambda: event_page(days, rule=name, from_us=week_us, limit=NEWEST))
        alarms = asked("alarms", lambda: alarm_page(days, rule=name, from_us=week_us, limit=NEWEST))
        return OneRule(
            name=name,
            rule=rule,
            fault=fault,
            kept_here=True,
            curve=curve,
            events=[] if events is None else events.events,
            alarms=[] if alarms is None else alarms.alarms,
            slow=slow,
            damaged=damaged,
        )

    async def _look_at_recording(self) -> Span | str:
        """Its span, or why there is none."""

        def look() -> Span | str:
            try:
                span = Recording(self._console.state).span()
            except (RecordingError, OSError) as error:
                return str(error)
            return "the recording is empty" if span is None else span

        return await asyncio.to_thread(look)


class _Kept:
    """An answer for all who ask within a while; one question at a time."""

    def __init__(self, for_s: float, ask: Callable[[], Awaitable[Any]]) -> None:
        self._for_s, self._ask = for_s, ask
        self._turn = asyncio.Lock()
        self._until_s = 0.0
        self._answer: Any = None

    async def get(self) -> Any:
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if clock() >= self._until_s:
                self._answer = await self._ask()
                self._until_s = clock() + self._for_s
            return self._answer


async def _answered(request: Request, work: Callable[[], Awaitable[Any]]) -> Response:
    """What comes of the work; it is given up when who asked leaves."""
    try:
        task = asyncio.ensure_future(work())
    except ValueError as error:
        return refusal(str(error))
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_EVERY_S))[0]:
            if await request.is_disconnected():
                return refusal("nobody waits for the answer any more", LEFT)
        return as_json(task.result())
    except ExplainingError as error:
        return refusal(str(error), error.status)
    finally:
        task.cancel()
        await asyncio.wait({task})


def _short(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule without its text."""
    return {name: value for name, value in rule.items() if name != "toml"}


def _whole(query: Mapping[str, str], name: str, absent: int | None) -> int | None:
    text = query.get(name, "")
    if not text:
        return absent
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MOST:
        raise ValueError(f"{name}: {text[:24]!r} must be a whole number")
    return int(text)


def _routes(console: Console) -> Sequence[BaseRoute]:
    desk = _Desk(console)
    return [
        Route("/list", desk.listed),
        Route("/fired", desk.fired),
        Route("/one/{name}", desk.one),
        Route("/recording", desk.recording),
        Route("/why/{id}", desk.why),
        Route("/why-not/{name}", desk.why_not),
        Route("/replay", desk.replay),
    ]


PAGE: Final = Page("rules", order=80, routes=_routes)
