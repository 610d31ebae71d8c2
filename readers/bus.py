"""One line, many devices, one owner: who speaks next on an RS-485 line.

Work is ranked: an order before alarms, alarms before power, and so on; within a rank the earliest deadline goes first,
and a job counts as due `AGE_S` sooner than a poll. What has waited for `AGE_S` counts as one rank higher, after twice
that as two, up to `ALARM` and never as `CONTROL`: so an order always goes next, and any other rank that always has work
delays the lower ones but does not starve them. `CONTROL` is for what is rare.

Polls come again by their period: late ones do not shift those that follow and are not made up for. A device that is
silent is left alone for a while that grows, and comes back with one cheap question. While any device answers, questions
to silent ones get a fifth of the time of the line, so that the others keep their rhythm however many are dead. When
all were silent and one answers, it was the line: the others are asked at once. What a question is and how its answer is
found on the line is the protocol's: it raises `NoReplyError` when there is none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from operator import itemgetter
from typing import Any, Final, TypeVar

from readers.driver import Port
from readers.errors import LinkError, ReaderError

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MOST_S: Final = 60.0
AGE_S: Final = 30.0
JOB_WITHIN_S: Final = 60.0
SILENT_SHARE: Final = 0.2  # of the line's time, for devices that did not answer last
_LONGEST_WAIT_S: Final = 60.0
_SHORTEST_WAIT_S: Final = 0.001  # a rest that the clock cannot resolve would be waited for without end
_MOST_DOUBLINGS: Final = 16
T = TypeVar("T")


class NoReplyError(ReaderError):
    """A device did not answer; it is left alone for a while."""


class Rank(IntEnum):
    """What goes first on a line."""

    CONTROL = 0
    ALARM = 1
    POWER = 2
    ENERGY = 3
    DEMAND = 4
    BACKFILL = 5


Ask = Callable[[], Awaitable[bool | None]]
"""Ask a device; raises `NoReplyError` when it is silent. False: nothing was asked, which says nothing of the device."""


@dataclass(slots=True, eq=False)
class Poll:
    """A question that is asked again and again.

    Attributes:
        ask: it may set `due_s` itself; else the poll comes again by its period.
        due_s: on the port's clock. To ask at once use `Bus.ask_now`.
        is_probe: the cheap question that a silent device is asked; without one, it is the first that was added.
    """

    device: str
    rank: Rank
    every_s: float
    ask: Ask
    due_s: float = 0.0
    is_probe: bool = False


@dataclass(slots=True, eq=False)
class _Job:
    rank: Rank
    since_s: float
    deadline_s: float
    ask: Callable[[], Awaitable[Any]]
    answer: asyncio.Future[Any]

    def key(self, now_s: float) -> tuple[int, float]:
        return _aged(self.rank, now_s - self.since_s), self.deadline_s - JOB_WITHIN_S - AGE_S


@dataclass(slots=True)
class _Device:
    """How a device fares: silent for `failures` questions in a row, left alone until `wakes_s`."""

    answers: bool | None = None
    failures: int = 0
    wakes_s: float = 0.0
    polls: list[Poll] = field(default_factory=list)

    def probe(self) -> Poll:
        return next((poll for poll in self.polls if poll.is_probe), self.polls[0])


class ReplyDelay:
    """How long a device takes to begin its reply: learnt, so that silence is noticed sooner than the protocol allows.

    The longest of the last replies stands for the 99th percentile. After a silence the protocol's own limit holds until
    the device has answered again.

    Args:
        least_s: never wait for less. most_s: the protocol's limit, and what holds until enough is known.
        margin_s: on top of what was seen.
    """

    REMEMBERED: Final = 64
    ENOUGH: Final = 8

    def __init__(self, *, least_s: float, most_s: float, margin_s: float) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._margin_s = margin_s
        self._seen_s: deque[float] = deque(maxlen=self.REMEMBERED)
        self._missed = False

    @property
    def within_s(self) -> float:
        """How long to wait for the next reply to begin."""
        if self._missed or len(self._seen_s) < self.ENOUGH:
            return self._most_s
        return min(max(max(self._seen_s) + self._margin_s, self._least_s), self._most_s)

    def heard(self, delay_s: float) -> None:
        """A reply began after that long."""
        self._missed = False
        self._seen_s.append(max(0.0, delay_s))

    def missed(self) -> None:
        """No reply came within `within_s`."""
        self._missed = True


class Bus:
    """The owner of one line.

    Args:
        on_silent: called with the device and the reason when a device stops answering, or does not begin to.
        on_answer: called with the device when it begins to answer, or does again.
        on_stray: takes bytes that come while nothing is asked; without it they are dropped.
    """

    def __init__(
        self,
        port: Port,
        *,
        on_silent: Callable[[str, str], None],
        on_answer: Callable[[str], None],
        on_stray: Callable[[bytes], None] | None = None,
    ) -> None:
        self._port = port
        self._on_silent = on_silent
        self._on_answer = on_answer
        self._on_stray = on_stray
        self._devices: dict[str, _Device] = {}
        self._jobs: list[_Job] = []
        self._woken = asyncio.Event()
        self._is_running = False
        self._silent_from_s = 0.0  # silent devices get no turn before, where others answer
        self.most_backoff_s = BACKOFF_MOST_S

    @property
    def all_silent(self) -> bool:
        """Whether every device was asked and none answers."""
        return bool(self._devices) and all(device.answers is False for device in self._devices.values())

    def answers(self, device: str) -> bool | None:
        """Whether a device answers; None before it was asked."""
        return self._devices[device].answers

    def add(self, poll: Poll) -> None:
        """Ask this from now on, first at `poll.due_s`.

        Raises:
            ValueError: its period is no positive time.
        """
        if not poll.every_s > 0:
            raise ValueError(f"a poll of {poll.device} every {poll.every_s} s: the period must be more than 0 s")
        self._devices.setdefault(poll.device, _Device()).polls.append(poll)
        self._woken.set()

    def remove(self, poll: Poll) -> None:
        """Ask it no more; a device without polls is forgotten. Harmless when it is not there."""
        device = self._devices.get(poll.device)
        if device is None or poll not in device.polls:
            return
        device.polls.remove(poll)
        if not device.polls:
            del self._devices[poll.device]

    def ask_now(self, poll: Poll, *, in_s: float = 0.0) -> None:
        """Let a poll be due now, or so soon, and its device be asked even if it was left alone."""
        at_s = self._port.monotonic_s() + in_s
        poll.due_s = min(poll.due_s, at_s)
        device = self._devices[poll.device]
        device.wakes_s = min(device.wakes_s, at_s)
        self._woken.set()

    async def once(self, rank: Rank, ask: Callable[[], Awaitable[T]], *, within_s: float = JOB_WITHIN_S) -> T:
        """Do something on the line when its turn comes, whatever is known of the device.

        Cancelled before its turn it is not done; cancelled while it is being done, it is done to its end.

        Raises:
            LinkError: the line is not running, or ended, or its turn did not come in time. Whatever `ask` raises.
        """
        if not self._is_running:
            raise LinkError(f"{self._port.description}: the line is not open")
        now_s = self._port.monotonic_s()
        job = _Job(rank, now_s, now_s + within_s, ask, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._woken.set()
        try:
            answer: T = await job.answer
        finally:
            if job in self._jobs:
                self._jobs.remove(job)
        return answer

    async def run(self) -> None:
        """Ask until cancelled. Jobs that still wait then, or are being done, raise LinkError.

        Raises:
            LinkError: the line is gone. Whatever else a poll raises but `NoReplyError`.
        """
        self._is_running = True
        cause = "the line was closed"
        try:
            while True:
                self._woken.clear()
                work = self._next()
                if isinstance(work, _Job):
                    await self._do(work)
                elif work is not None:
                    await self._ask(work)
                else:
                    await self._wait(min(self._next_due_s(), self._port.monotonic_s() + _LONGEST_WAIT_S))
        except ReaderError as error:
            cause = str(error)
            raise
        finally:
            self._is_running = False
            for job in self._jobs:
                _fail(job, LinkError(f"{self._port.description}: {cause}; what waited for its turn was not done"))
            self._jobs.clear()

    def _next(self) -> _Job | Poll | None:
        """What is done now; None when nothing is due."""
        now_s = self._port.monotonic_s()
        self._expire(now_s)
        work: list[tuple[tuple[int, float], _Job | Poll]] = [(job.key(now_s), job) for job in self._jobs]
        work += self._due(self._living(), now_s)
        if now_s >= self._silent_turn_s():
            work += self._due(self._silent_probes(), now_s)
        return min(work, key=itemgetter(0))[1] if work else None

    def _due(self, polls: Iterable[tuple[Poll, float]], now_s: float) -> Iterator[tuple[tuple[int, float], Poll]]:
        for poll, due_s in polls:
            if due_s <= now_s:
                yield (_aged(poll.rank, now_s - due_s), due_s), poll

    def _living(self) -> Iterator[tuple[Poll, float]]:
        """The polls of devices that answer or were not asked yet, and when they are due."""
        for device in self._devices.values():
            if device.answers is not False:
                for poll in device.polls:
                    yield poll, poll.due_s

    def _silent_probes(self) -> Iterator[tuple[Poll, float]]:
        """The one question to each silent device, and when it wakes."""
        for device in self._devices.values():
            if device.answers is False:
                yield device.probe(), device.wakes_s

    def _silent_turn_s(self) -> float:
        return 0.0 if self.all_silent else self._silent_from_s

    def _next_due_s(self) -> float:
        living_s = min((due_s for _, due_s in self._living()), default=float("inf"))
        silent_s = min((wakes_s for _, wakes_s in self._silent_probes()), default=float("inf"))
        return min(living_s, max(silent_s, self._silent_turn_s()))

    def _expire(self, now_s: float) -> None:
        for job in [job for job in self._jobs if job.deadline_s < now_s or job.answer.done()]:
            self._jobs.remove(job)
            waited_s = now_s - job.since_s
            _fail(job, LinkError(f"{self._port.description}: the line was busy for {waited_s:.0f} s; not done"))

    async def _do(self, job: _Job) -> None:
        self._jobs.remove(job)
        try:
            result = await job.ask()
        except asyncio.CancelledError:
            _fail(job, LinkError(f"{self._port.description}: the line was closed while this was being done"))
            raise
        except LinkError as error:
            _fail(job, error)
            raise
        except Exception as error:  # it is for whoever ordered the job, unless they are gone
            if job.answer.done() and not isinstance(error, ReaderError):
                raise
            _fail(job, error)
        else:
            if not job.answer.done():
                job.answer.set_result(result)

    async def _ask(self, poll: Poll) -> None:
        device = self._devices[poll.device]
        due_s, began_s = poll.due_s, self._port.monotonic_s()
        try:
            asked = await poll.ask()
        except NoReplyError as error:
            self._silent(poll.device, device, str(error), began_s)
        else:
            if asked is not False:
                self._answered(poll, device)
            elif device.answers is False:  # the probe had nothing to ask: not again at once
                device.wakes_s = self._port.monotonic_s() + BACKOFF_FIRST_S
        now_s = self._port.monotonic_s()
        if poll.due_s == due_s and due_s <= now_s:
            poll.due_s += ((now_s - due_s) // poll.every_s + 1) * poll.every_s

    def _silent(self, name: str, device: _Device, reason: str, began_s: float) -> None:
        now_s = self._port.monotonic_s()
        self._silent_from_s = now_s + (now_s - began_s) * (1 / SILENT_SHARE - 1)
        backoff_s = BACKOFF_FIRST_S * float(1 << min(device.failures, _MOST_DOUBLINGS))
        device.failures += 1
        device.wakes_s = now_s + min(backoff_s, self.most_backoff_s)
        was, device.answers = device.answers, False
        if was is not False:
            self._on_silent(name, reason)

    def _answered(self, asked: Poll, device: _Device) -> None:
        if device.answers:
            return
        if self.all_silent:  # it was the line: what backed off because of it comes back at once
            now_s = self._silent_from_s = self._port.monotonic_s()
            for other in self._devices.values():
                other.failures, other.wakes_s = 0, now_s
        if device.answers is False:
            for poll in device.polls:  # they did not wait for the line
                if poll is not asked:
                    poll.due_s = max(poll.due_s, self._port.monotonic_s())
        device.answers, device.failures = True, 0
        self._on_answer(asked.device)

    async def _wait(self, until_s: float) -> None:
        """Let time pass until then, or until there is a new job, or a poll to be asked at once.

        Raises:
            LinkError: the line is gone.
        """
        left_s = max(until_s - self._port.monotonic_s(), _SHORTEST_WAIT_S)
        heard = asyncio.ensure_future(self._port.receive(left_s))
        heard.add_done_callback(_retrieve)
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((heard, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            heard.cancel()
            await asyncio.wait((heard,))  # the port is free again
        if not heard.cancelled() and (data := heard.result()) and self._on_stray is not None:
            self._on_stray(data)


def _retrieve(heard: asyncio.Future[bytes]) -> None:
    if not heard.cancelled():
        heard.exception()  # where nobody asks any more, asyncio would complain


def _aged(rank: Rank, late_s: float) -> int:
    return rank if rank <= Rank.ALARM else max(Rank.ALARM, rank - int(late_s // AGE_S))


def _fail(job: _Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
