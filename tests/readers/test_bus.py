"""The owner of a line, in virtual time: a question takes as long as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.bus import AGE_S, BACKOFF_MOST_S, SILENT_SHARE, Bus, NoReplyError, Poll, Rank, ReplyDelay
from readers.errors import ConfigError, LinkError
from readers.ports.memory import MemoryPort, pair, run


@dataclass
class Line:
    """A bus, and what was asked on it when."""

    port: MemoryPort
    far: MemoryPort
    asked: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, str, str]] = field(default_factory=list)
    stray: list[bytes] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    busy: int = 0

    def __post_init__(self) -> None:
        self.bus = Bus(
            self.port,
            on_silent=lambda device, reason: self.told.append((self.now_s, device, reason)),
            on_answer=lambda device: self.told.append((self.now_s, device, "")),
            on_stray=self.stray.append,
        )

    @property
    def now_s(self) -> float:
        return round(self.port.monotonic_s(), 6)

    def poll(
        self, device: str, rank: Rank = Rank.ENERGY, every_s: float = 60, takes_s: float = 0.1, **more: float
    ) -> Poll:
        async def ask() -> None:
            await self.speak(f"{device}/{rank.name}", takes_s)
            if device in self.dead:
                raise NoReplyError(f"{device} is dead")

        poll = Poll(device, rank, every_s, ask, **more)  # type: ignore[arg-type]  # is_probe is a bool among numbers
        self.bus.add(poll)
        return poll

    async def speak(self, what: str, takes_s: float) -> None:
        self.asked.append((self.now_s, what))
        self.busy += 1
        assert self.busy == 1, "two speak at once"
        try:
            await self.port.pause(takes_s)
        finally:
            self.busy -= 1

    def job(self, name: str, takes_s: float = 0.1) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            await self.speak(name, takes_s)
            return name

        return ask

    @contextlib.asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a context manager of the task
        task = asyncio.create_task(self.bus.run())
        await asyncio.sleep(0)
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkError):
                await task


def line() -> Line:
    return Line(*pair())


def times(of: Line, what: str) -> list[float]:
    return [at for at, name in of.asked if name == what]


def test_polls_keep_their_period_without_drift() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", every_s=10, takes_s=0.7)
        bus.poll("b", every_s=7, takes_s=0.7)
        async with bus.running():
            await asyncio.sleep(700)
        assert len(times(bus, "a/ENERGY")) == 70
        assert len(times(bus, "b/ENERGY")) == 100
        for name, every_s in (("a/ENERGY", 10), ("b/ENERGY", 7)):
            assert all(at % every_s < 0.8 for at in times(bus, name))

    run(main())


def test_what_comes_too_late_is_not_made_up_for() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", every_s=10)
        async with bus.running():
            await bus.bus.once(Rank.CONTROL, bus.job("long", 65))
            await asyncio.sleep(30.05)
        assert times(bus, "a/ENERGY") == [0.0, 65.1, 70.0, 80.0, 90.0]

    run(main())


def test_the_higher_rank_goes_first_and_then_the_earlier_deadline() -> None:
    async def main() -> None:
        bus = line()
        for rank in reversed(Rank):
            bus.poll("a", rank)
        bus.poll("b", Rank.POWER, due_s=-1)
        async with bus.running():
            await asyncio.sleep(5)
        assert [name for _, name in bus.asked] == [
            "a/CONTROL",
            "a/ALARM",
            "b/POWER",
            "a/POWER",
            "a/ENERGY",
            "a/DEMAND",
            "a/BACKFILL",
        ]

    run(main())


def test_a_job_goes_before_polls_of_its_rank_and_an_order_before_all() -> None:
    async def main() -> None:
        bus = line()
        for number in range(5):
            bus.poll(f"m{number}", Rank.POWER, takes_s=1)
        async with bus.running():
            await asyncio.sleep(0.5)
            answers = await asyncio.gather(
                bus.bus.once(Rank.DEMAND, bus.job("later")),
                bus.bus.once(Rank.POWER, bus.job("soon")),
                bus.bus.once(Rank.CONTROL, bus.job("order")),
            )
            assert list(answers) == ["later", "soon", "order"]
        names = [name for _, name in bus.asked]
        assert names[:3] == ["m0/POWER", "order", "soon"]
        assert names[-1] == "later"

    run(main())


def test_jobs_of_one_rank_go_by_their_deadline() -> None:
    async def main() -> None:
        bus = line()
        async with bus.running():
            first = asyncio.create_task(bus.bus.once(Rank.POWER, bus.job("first", 1)))
            await asyncio.sleep(0.1)
            await asyncio.gather(
                bus.bus.once(Rank.POWER, bus.job("patient"), within_s=50),
                bus.bus.once(Rank.POWER, bus.job("pressed"), within_s=5),
            )
            await first
        assert [name for _, name in bus.asked] == ["first", "pressed", "patient"]

    run(main())


def test_a_job_wakes_an_idle_line_at_once() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", every_s=1000)
        async with bus.running():
            await asyncio.sleep(123.4)
            await bus.bus.once(Rank.BACKFILL, bus.job("now"))
        assert times(bus, "now") == [123.4]

    run(main())


def test_a_poll_can_be_asked_at_once_and_added_and_removed_while_the_line_runs() -> None:
    async def main() -> None:
        bus = line()
        poll = bus.poll("a", every_s=1000)
        async with bus.running():
            await asyncio.sleep(100)
            bus.bus.ask_now(poll)
            await asyncio.sleep(5)
            bus.bus.ask_now(poll, in_s=2)
            await asyncio.sleep(5)
            other = bus.poll("b", every_s=1000)
            await asyncio.sleep(10)
            bus.bus.remove(poll)
            bus.bus.remove(poll)
            await asyncio.sleep(3000)
            bus.bus.remove(other)
            assert not bus.bus.all_silent
        assert times(bus, "a/ENERGY") == [0.0, 100.0, 107.0]
        assert times(bus, "b/ENERGY") == [110.0, 1000.0, 2000.0, 3000.0]

    run(main())


def test_a_poll_may_set_its_own_due_time() -> None:
    async def main() -> None:
        bus = line()

        async def ask() -> None:
            await bus.speak("own", 0.1)
            poll.due_s = bus.now_s + 3

        poll = Poll("a", Rank.POWER, 60, ask)
        bus.bus.add(poll)
        async with bus.running():
            await asyncio.sleep(10)
        assert times(bus, "own") == [0.0, 3.1, 6.2, 9.3]

    run(main())


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan")])
def test_a_period_that_is_no_time_is_refused(every_s: float) -> None:
    with pytest.raises(ValueError, match="must be more than 0 s"):
        line().poll("a", every_s=every_s)


@pytest.mark.parametrize("busy", [Rank.ALARM, Rank.POWER, Rank.ENERGY, Rank.DEMAND])
def test_a_rank_that_always_has_work_does_not_starve_the_lower_ones(busy: Rank) -> None:
    async def main() -> None:
        bus = line()
        for number in range(20):  # 20 s of work every 5 s
            bus.poll(f"m{number}", busy, every_s=5, takes_s=1)
        lower = [rank for rank in Rank if rank > busy]
        for rank in lower:
            bus.poll("x", rank, every_s=1, takes_s=1)
        async with bus.running():
            await asyncio.sleep(3600)
        for rank in lower:
            asked = [0.0, *times(bus, f"x/{rank.name}"), 3600.0]
            longest_s = max(later - sooner for sooner, later in itertools.pairwise(asked))
            assert longest_s < (rank - Rank.ALARM) * AGE_S + 50
        assert sum(1 for _, name in bus.asked if name.startswith("x/")) < 3600 / 5  # and it still goes first

    run(main())


def test_an_order_never_waits_for_what_has_aged() -> None:
    async def main() -> None:
        bus = line()
        for number in range(200):
            bus.poll(f"m{number}", Rank.BACKFILL, every_s=1, takes_s=1)
        async with bus.running():
            await asyncio.sleep(500.5)
            await bus.bus.once(Rank.CONTROL, bus.job("order"))
        assert times(bus, "order") == [501.0]

    run(main())


def test_jobs_without_end_do_not_starve_polls() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", Rank.ALARM, every_s=10)

        async def demand() -> None:
            while True:
                await bus.bus.once(Rank.ALARM, bus.job("job", 1))

        async with bus.running():
            tasks = [asyncio.create_task(demand()) for _ in range(5)]
            await asyncio.sleep(1000)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(times(bus, "a/ALARM")) > 1000 / (AGE_S + 20)

    run(main())


def test_a_silent_device_is_asked_ever_more_rarely_with_its_probe_only() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("live")
        bus.poll("dead", Rank.POWER, every_s=15)
        bus.poll("dead", Rank.DEMAND, every_s=900, is_probe=True)
        bus.dead.add("dead")
        async with bus.running():
            await asyncio.sleep(300)
        assert times(bus, "dead/POWER") == [0.0]
        asked = [0.0, *times(bus, "dead/DEMAND")]
        gaps = [round(later - sooner) for sooner, later in itertools.pairwise(asked)]
        assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert bus.told == [(0.1, "dead", "dead is dead"), (0.2, "live", "")]
        assert (bus.bus.answers("live"), bus.bus.answers("dead")) == (True, False)

    run(main())


def test_a_device_that_comes_back_is_asked_everything_again() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("live", every_s=1)
        bus.poll("dead", Rank.POWER, every_s=15)
        bus.poll("dead", Rank.BACKFILL, every_s=15)
        bus.dead.add("dead")
        async with bus.running():
            await asyncio.sleep(40)
            bus.dead.clear()
            await asyncio.sleep(100)
            heard = [told for told in bus.told if told[1] == "dead"]
            assert [reason for _, _, reason in heard] == ["dead is dead", ""]
            back_s = heard[1][0]
            assert back_s < 40 + BACKOFF_MOST_S
            assert times(bus, "dead/BACKFILL")[0] == pytest.approx(back_s, abs=0.2)
            # what rested with its device has not aged: it does not go before what is on time
            assert len(times(bus, "dead/BACKFILL")) >= 4
            bus.dead.add("dead")
            await asyncio.sleep(20)
            assert [told[2] for told in bus.told if told[1] == "dead"][2:] == ["dead is dead"]

    run(main())


def test_when_all_were_silent_and_one_answers_the_others_come_back_at_once() -> None:
    async def main() -> None:
        bus = line()
        names = [f"m{number}" for number in range(10)]
        for name in names:
            bus.poll(name, every_s=60)
        bus.dead.update(names)
        async with bus.running():
            await asyncio.sleep(1000)
            assert bus.bus.all_silent
            bus.dead.clear()
            await asyncio.sleep(70)
        back = [at for at, _, reason in bus.told if not reason]
        assert len(back) == 10
        assert max(back) - min(back) < 2

    run(main())


def test_the_dead_do_not_starve_the_living() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("live", Rank.ENERGY, every_s=1, takes_s=0.5)
        for number in range(100):
            name = f"dead{number}"
            bus.dead.add(name)
            bus.poll(name, Rank.POWER, every_s=1, takes_s=1)
        async with bus.running():
            await asyncio.sleep(100)  # each of them is asked once
            bus.asked.clear()
            await asyncio.sleep(1000)
        living_s = 0.5 * len(times(bus, "live/ENERGY"))
        dead_s = 1.0 * sum(1 for _, name in bus.asked if name.startswith("dead"))
        assert living_s >= 0.4 * 1000
        assert dead_s == pytest.approx(1000 * SILENT_SHARE, rel=0.8)
        asked = Counter(name for _, name in bus.asked if name.startswith("dead"))
        assert len(asked) == 100  # nor are some of the dead forgotten

    run(main())


def test_a_poll_that_asked_nothing_says_nothing_of_its_device() -> None:
    async def main() -> None:
        bus = line()
        calls: list[float] = []

        async def ask() -> bool:
            calls.append(bus.now_s)
            return False

        bus.bus.add(Poll("a", Rank.POWER, 10, ask))
        other = bus.poll("a", Rank.ENERGY, every_s=1000, due_s=15)
        bus.dead.add("a")
        async with bus.running():
            await asyncio.sleep(12)
            assert bus.told == []
            assert bus.bus.answers("a") is None
            await asyncio.sleep(20)
            assert [reason for _, _, reason in bus.told] == ["a is dead"]
            assert len(calls) < 40  # no busy loop
            bus.bus.remove(other)

    run(main())


def test_a_line_that_dies_while_idle_is_noticed_and_those_who_wait_are_told() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", every_s=1000)
        async with bus.running() as task:
            await asyncio.sleep(100)
            await bus.far.close()
            await asyncio.sleep(0.01)
            assert task.done()
            with pytest.raises(LinkError, match="the other side closed"):
                task.result()
            with pytest.raises(LinkError, match="the line is not open"):
                await bus.bus.once(Rank.CONTROL, bus.job("late"))

    run(main())


def test_a_line_that_dies_while_jobs_wait_fails_them_all() -> None:
    async def main() -> None:
        bus = line()

        async def dies() -> str:
            await bus.port.receive(5)
            return ""

        async with bus.running() as task:
            jobs = [asyncio.create_task(bus.bus.once(Rank.CONTROL, dies))]
            await asyncio.sleep(0.1)
            jobs += [asyncio.create_task(bus.bus.once(Rank.POWER, bus.job("never"))) for _ in range(3)]
            await asyncio.sleep(0.1)
            await bus.far.close()
            results = await asyncio.gather(*jobs, return_exceptions=True)
            assert all(isinstance(result, LinkError) for result in results)
            assert "closed" in str(results[0])
            assert "was not done" in str(results[1])
            assert task.done()
        assert bus.asked == []

    run(main())


def test_cancelling_the_line_fails_what_waits_and_what_is_being_done() -> None:
    async def main() -> None:
        bus = line()
        async with bus.running():
            jobs = [asyncio.create_task(bus.bus.once(Rank.POWER, bus.job(f"j{number}", 1))) for number in range(3)]
            await asyncio.sleep(1.5)
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert results[0] == "j0"
        assert isinstance(results[1], LinkError)
        assert "while this was being done" in str(results[1])
        assert isinstance(results[2], LinkError)
        assert [name for _, name in bus.asked] == ["j0", "j1"]

    run(main())


def test_a_job_whose_turn_does_not_come_in_time_is_not_done() -> None:
    async def main() -> None:
        bus = line()
        async with bus.running():
            long = asyncio.create_task(bus.bus.once(Rank.CONTROL, bus.job("long", 10)))
            await asyncio.sleep(0.1)
            with pytest.raises(LinkError, match="the line was busy for 10 s; not done"):
                await bus.bus.once(Rank.CONTROL, bus.job("hurried"), within_s=5)
            await long
        assert [name for _, name in bus.asked] == ["long"]

    run(main())


def test_a_job_that_is_given_up_before_its_turn_is_not_done_and_after_it_is_done_to_its_end() -> None:
    async def main() -> None:
        bus = line()
        done: list[str] = []

        async def whole() -> None:
            await bus.speak("whole", 2)
            done.append("whole")

        async with bus.running():
            first = asyncio.create_task(bus.bus.once(Rank.POWER, whole))
            second = asyncio.create_task(bus.bus.once(Rank.POWER, bus.job("second")))
            await asyncio.sleep(1)
            first.cancel()
            second.cancel()
            await asyncio.sleep(5)
        assert done == ["whole"]
        assert [name for _, name in bus.asked] == ["whole"]

    run(main())


def test_what_a_job_raises_is_for_whoever_ordered_it() -> None:
    async def main() -> None:
        bus = line()

        async def silent() -> None:
            raise NoReplyError("nobody there")

        async def wrong() -> None:
            raise ValueError("a bug")

        async with bus.running() as task:
            with pytest.raises(NoReplyError, match="nobody there"):
                await bus.bus.once(Rank.POWER, silent)
            with pytest.raises(ValueError, match="a bug"):
                await bus.bus.once(Rank.POWER, wrong)
            assert await bus.bus.once(Rank.POWER, bus.job("fine")) == "fine"
            assert not task.done()

    run(main())


@pytest.mark.parametrize(("error", "ends"), [(NoReplyError("nobody"), False), (ValueError("a bug"), True)])
def test_a_bug_in_a_job_that_was_given_up_is_not_hidden(error: Exception, *, ends: bool) -> None:
    async def main() -> None:
        bus = line()

        async def fails() -> None:
            await bus.speak("fails", 1)
            raise error

        async with bus.running() as task:
            job = asyncio.create_task(bus.bus.once(Rank.POWER, fails))
            await asyncio.sleep(0.5)
            job.cancel()
            await asyncio.sleep(1)
            assert task.done() is ends
            if ends:
                assert task.exception() is error

    if ends:
        with pytest.raises(ValueError, match="a bug"):
            run(main())
    else:
        run(main())


def test_what_else_a_poll_raises_ends_the_line() -> None:
    async def main() -> None:
        bus = line()

        async def ask() -> None:
            raise ConfigError("impossible")

        bus.bus.add(Poll("a", Rank.POWER, 60, ask, due_s=1))
        async with bus.running() as task:
            await asyncio.wait({task})

    with pytest.raises(ConfigError, match="impossible"):
        run(main())


def test_bytes_that_nobody_asked_for_are_handed_over() -> None:
    async def main() -> None:
        bus = line()
        bus.poll("a", every_s=1000)
        async with bus.running():
            await asyncio.sleep(1)
            await bus.far.send(b"noise")
            await asyncio.sleep(1)
            assert bus.stray == [b"noise"]

    run(main())


def test_an_idle_line_rests() -> None:
    waits: list[float] = []

    class Counting(MemoryPort):
        async def receive(self, within_s: float) -> bytes:
            waits.append(within_s)
            return await super().receive(within_s)

    async def main() -> None:
        port, far = Counting("memory"), MemoryPort("memory (device)")
        port.connect(far)
        bus = Line(port, far)
        async with bus.running():
            await asyncio.sleep(6000)
        assert len(waits) <= 101

    run(main())


@settings(max_examples=60, deadline=None)
@given(
    polls=st.lists(
        st.tuples(
            st.sampled_from([rank for rank in Rank if rank is not Rank.CONTROL]),
            st.integers(1, 40),
            st.floats(0.05, 2.0),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=12,
    ),
    dead=st.sets(st.integers(0, 4), max_size=4),
    orders=st.lists(st.floats(0, 900), max_size=5),
)
def test_every_living_poll_is_asked_again_and_again_whatever_the_load(
    polls: list[tuple[Rank, int, float, int]], dead: set[int], orders: list[float]
) -> None:
    async def main() -> None:
        bus = line()
        bus.dead.update(f"d{device}" for device in dead)
        for number, (rank, every_s, takes_s, device) in enumerate(polls):
            name = f"{number}"

            def ask(name: str = name, takes_s: float = takes_s, device: int = device) -> Awaitable[None]:
                return self_ask(name, takes_s, device)

            bus.bus.add(Poll(f"d{device}", rank, every_s, ask))

        async def self_ask(name: str, takes_s: float, device: int) -> None:
            await bus.speak(name, takes_s)
            if device in dead:
                raise NoReplyError(name)

        async def order(at_s: float) -> None:
            await asyncio.sleep(at_s)
            before_s = bus.now_s
            await bus.bus.once(Rank.CONTROL, bus.job("order", 0.1))
            assert bus.now_s - before_s <= 2.0 + 0.1 * len(orders) + 0.001

        async with bus.running() as task:
            tasks = [asyncio.create_task(order(at_s)) for at_s in orders]
            await asyncio.sleep(1000)
            await asyncio.gather(*tasks)
            assert not task.done()
        longest_s = 4 * AGE_S + sum(takes_s for _, _, takes_s, _ in polls) / (1 - SILENT_SHARE) + 10
        for number, (_, every_s, _, device) in enumerate(polls):
            if device in dead:
                continue
            asked = [0.0, *times(bus, f"{number}"), 1000.0]
            assert max(later - sooner for sooner, later in itertools.pairwise(asked)) <= every_s + longest_s
            assert len(asked) - 2 <= 1000 / every_s + 1  # nothing piles up

    run(main())


def test_the_reply_delay_is_learnt_within_the_bounds_of_the_protocol() -> None:
    delay = ReplyDelay(least_s=0.05, most_s=0.7, margin_s=0.1)
    assert delay.within_s == 0.7
    for _ in range(ReplyDelay.ENOUGH):
        delay.heard(0.03)
    assert delay.within_s == pytest.approx(0.13)
    delay.heard(0.2)
    assert delay.within_s == pytest.approx(0.3)
    delay.missed()
    assert delay.within_s == 0.7
    delay.heard(0.6)
    assert delay.within_s == pytest.approx(0.7)
    for _ in range(ReplyDelay.REMEMBERED):
        delay.heard(-0.01)
    assert delay.within_s == pytest.approx(0.1)
    assert ReplyDelay(least_s=0.05, most_s=0.7, margin_s=0.0).within_s == 0.7


@given(st.lists(st.one_of(st.none(), st.floats(-1, 5)), max_size=100))
def test_the_reply_delay_stays_within_its_bounds(heard: list[float | None]) -> None:
    delay = ReplyDelay(least_s=0.05, most_s=0.7, margin_s=0.1)
    for seconds in heard:
        if seconds is None:
            delay.missed()
        else:
            delay.heard(seconds)
        assert 0.05 <= delay.within_s <= 0.7
