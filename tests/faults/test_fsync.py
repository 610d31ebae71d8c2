"""The disk refuses to sync, or the process dies at one of its system calls: nothing is promised that is not kept.

strace makes the n-th call of a process fail, or kills the process there. Each journal, and the memory of the rules,
says on standard output what it has committed; strace sees that in order with the syncs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from rules.daemon.database import Database
from tests.faults.store_child import READS, STAY, parcel, stored
from tests.faults.test_journal_kill import inspect
from tests.support.plant import scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.strace import attached, calls, needs_strace, traced
from tests.support.watch import wait_until

LONG: Final = bool(os.environ.get("TAGWHARF_LONG"))
LIVES: Final = 200 if LONG else 4
LIVES_MOST: Final = 10 * LIVES
_WORD: Final = re.compile(r"\d[\d ]*\n")
SYNCS_LEAST: Final = 40
SYNCS_MOST: Final = 90
"""A new journal syncs some 30 times before it says its first word; 90 meet a checkpoint and a new segment, too."""
WRITES_MOST: Final = 600
WAL_HEADER: Final = (0, 32)
"""Where it begins anew, its header is written and synced apart from what is committed."""
SAYS_WITHIN_S: Final = 60.0
STOPS_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Kept:
    """Something that keeps what it has said.

    Attributes:
        arguments: of the child that writes it.
        check: finds in the directory what was announced last, whole, and nothing torn.
        dies: whether a failed sync must end it.
    """

    arguments: tuple[str, ...]
    check: Callable[[Path, list[str]], None]
    dies: bool


def check_edge(directory: Path, said: list[str]) -> None:
    last = said[-1].split() if said else ["0", "0", "0"]
    asyncio.run(inspect(directory, (int(last[0]), int(last[1]), int(last[2])), None))


def check_events(directory: Path, said: list[str]) -> None:
    found = stored(directory)
    last = max((sequence for sequence, _, _ in found), default=0)
    assert last >= (int(said[-1]) if said else 0), "a row that was announced is gone"
    whole = [(n, item, f"{n:016X}{item:08X}") for n in range(1, last + 1) for item in range(READS)]
    assert found == whole
    assert not list(directory.glob("*.damaged*"))


def check_rules(directory: Path, said: list[str]) -> None:
    database = Database(directory / "rules.db")
    left = database.load()
    parcels = database.read_parcels("store", 0, 1000, 1 << 20)
    messages = database.read_messages(0, 1000)
    database.close()
    assert database.set_aside is None
    last = left.next_parcel - 1
    assert last >= (int(said[-1]) if said else 0), "a commit that was announced is gone"
    if last == 0:
        return
    assert dict(left.state) == {"number": str(last).encode()}
    assert [(f.watermark, f.judged) for f in left.flows] == [(last, {"reads": last})]
    there = range(max(1, last - STAY + 1), last + 1)
    assert [(q.id, q.parcel) for q in parcels] == [(n, parcel(n)) for n in there]
    assert [(m.id, m.payload) for m in messages] == [(n, str(n).encode()) for n in there]
    account = left.totals.points["store"]
    assert (account.made, account.stored, account.queued) == (last, last - len(there), len(there))
    assert left.totals.counts["events.x"] == last


KEPT: Final = {
    "edge": Kept(("tests.faults.journal_child",), check_edge, dies=True),
    "events": Kept(("tests.faults.store_child", "events"), check_events, dies=False),
    "rules": Kept(("tests.faults.store_child", "rules"), check_rules, dies=True),
}


@contextlib.contextmanager
def child(name: str, directory: Path, log: Path, inject: str) -> Iterator[subprocess.Popen[str]]:
    """The child under strace, its words in `log.out`; killed at the end."""
    command = [sys.executable, "-m", *KEPT[name].arguments, str(directory)]
    with log.with_suffix(".out").open("w") as out, log.with_suffix(".err").open("w") as err:
        process = subprocess.Popen(traced(log, inject, command), stdout=out, stderr=err, text=True)
    try:
        yield process
    finally:
        # strace ends when the child is gone for good, and not before: nothing is written behind our back then.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        process.wait()


def said(log: Path) -> list[str]:
    """All whole lines of the child."""
    lines = log.with_suffix(".out").read_text().splitlines(keepends=True)
    return [line.rstrip("\n") for line in lines if _WORD.fullmatch(line)]


def assert_each_word_rests_on_a_sync(log: Path) -> int:
    """Each commit wrote to a write-ahead log and synced it before its word was said; returns the words.

    The edge journal commits in a thread: its words may come a little after later syncs, but never before their own.
    """
    commits = words = 0
    wrote = False
    for call in calls(log):
        if call.path.endswith("-wal"):
            if call.name == "pwrite64":
                wrote = wrote or (call.offset, call.size) != WAL_HEADER
            elif call.succeeded:
                commits += wrote
                wrote = False
        elif call.name == "write" and _WORD.fullmatch(call.text):
            words += 1
            assert words <= commits, f"{call.text!r} is word {words}, after {commits} commits that were synced"
    return words


def assert_the_next_life_settles_what_was_left(name: str, directory: Path, log: Path) -> None:
    """What the log holds after a failed sync may be on no disk: it is written and synced anew before the first word."""
    logs = {str(path).removesuffix("-wal") for path in directory.rglob("*-wal") if path.stat().st_size > 0}
    assert logs, "nothing was left"
    with child(name, directory, log, "fdatasync:error=EIO:when=65000") as process:
        wait_until(lambda: said(log), SAYS_WITHIN_S, lambda: log.with_suffix(".err").read_text())
        assert process.poll() is None
    written: set[str] = set()
    synced: set[str] = set()
    for call in itertools.takewhile(lambda call: call.name != "write" or not _WORD.fullmatch(call.text), calls(log)):
        if call.path in logs:
            (written if call.name == "pwrite64" else synced).add(call.path)
            if call.name == "pwrite64":
                synced.discard(call.path)
    assert synced == written == logs


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("name", KEPT)
def test_nothing_is_said_after_a_failed_sync(name: str, error: str, tmp_path: Path) -> None:
    """From some sync on all fail: who has promised something stops, and the next life has it all."""
    needs_strace()
    rng = random.Random(chosen_seed())
    kept = KEPT[name]
    settled = 0
    for life in itertools.count():
        if settled >= LIVES / 4:
            break
        assert life < LIVES_MOST, "the disk never failed at a commit"
        state = tmp_path / f"state-{life}"
        log = tmp_path / f"{name}-{life}.strace"
        fails = f"fdatasync,fsync:error={error}:when={rng.randint(SYNCS_LEAST, SYNCS_MOST)}+"
        with child(name, state, log, fails) as process:

            def failed(log: Path = log, process: subprocess.Popen[str] = process) -> bool:
                return process.poll() is not None or any(c.injected and c.path.endswith("-wal") for c in calls(log))

            wait_until(failed, SAYS_WITHIN_S, lambda log=log: log.with_suffix(".err").read_text())  # type: ignore[misc]  # a default binds the log
            if kept.dies:
                assert process.wait(SAYS_WITHIN_S) == 1
            else:
                time.sleep(0.5)  # it tries again and again, and says nothing
                assert process.poll() is None
        assert assert_each_word_rests_on_a_sync(log) > 0
        words = said(log)
        if any(path.stat().st_size for path in state.rglob("*-wal")):  # it was no new segment that failed
            assert_the_next_life_settles_what_was_left(name, state, tmp_path / f"{name}-{life}-next.strace")
            settled += 1
        kept.check(state, words)


@pytest.mark.parametrize("name", KEPT)
def test_a_disk_that_fails_for_a_while(name: str, tmp_path: Path) -> None:
    """Some syncs fail and later ones do not: a later success proves nothing of what failed before."""
    needs_strace()
    rng = random.Random(chosen_seed())
    for life in range(LIVES // 4 or 1):
        first = rng.randint(SYNCS_LEAST, SYNCS_MOST)
        log = tmp_path / f"{name}-{life}.strace"
        with child(name, tmp_path / "state", log, f"fdatasync:error=EIO:when={first}..{first + 3}") as process:

            def over(log: Path = log, process: subprocess.Popen[str] = process) -> bool:
                syncs = [call for call in calls(log) if call.name == "fdatasync"]
                after = itertools.dropwhile(lambda call: not call.injected, syncs)
                return process.poll() is not None or sum(not call.injected for call in after) > 20

            wait_until(over, SAYS_WITHIN_S, lambda log=log: log.with_suffix(".err").read_text())  # type: ignore[misc]  # a default binds the log
        assert_each_word_rests_on_a_sync(log)
        KEPT[name].check(tmp_path / "state", said(log))


@pytest.mark.parametrize("name", ["edge", "events"])
def test_a_disk_that_is_full_at_some_writes_is_waited_out(name: str, tmp_path: Path) -> None:
    needs_strace()
    log = tmp_path / f"{name}.strace"
    full = "pwrite64:error=ENOSPC:when=150..164"
    with child(name, tmp_path / "state", log, full) as process:
        wait_until(lambda: len(said(log)) > 5, SAYS_WITHIN_S, lambda: log.with_suffix(".err").read_text())

        def wrote_on() -> bool:
            seen = calls(log)
            failed = [n for n, call in enumerate(seen) if call.injected]
            return len(failed) >= 5 and sum(call.name == "write" for call in seen[failed[-1] :]) > 5

        wait_until(wrote_on, SAYS_WITHIN_S, lambda: log.with_suffix(".err").read_text())
        assert process.poll() is None
    assert_each_word_rests_on_a_sync(log)
    KEPT[name].check(tmp_path / "state", said(log))


@pytest.mark.parametrize("name", KEPT)
def test_kill_at_any_system_call(name: str, tmp_path: Path) -> None:
    """Killed at the n-th sync or write, life after life in the same directory."""
    needs_strace()
    rng = random.Random(chosen_seed())
    last = 0
    for life in range(LIVES):
        at_sync = rng.random() < 0.6
        call, most = ("fdatasync", SYNCS_MOST) if at_sync else ("pwrite64", WRITES_MOST)
        n = life + 1 if LONG and life < SYNCS_MOST else rng.randint(1, most)
        log = tmp_path / f"{name}-{life}.strace"
        with child(name, tmp_path / "state", log, f"{call}:signal=KILL:when={n}") as process:
            assert process.wait(SAYS_WITHIN_S) == -signal.SIGKILL, log.with_suffix(".err").read_text()
        words = said(log)
        if words:
            assert int(words[-1].split()[0]) > last
            last = int(words[-1].split()[0])
        if last:
            KEPT[name].check(tmp_path / "state", words or [f"{last} 0 0" if name == "edge" else str(last)])


def test_an_edge_daemon_whose_disk_fails_stops_and_the_next_one_has_it_all(tmp_path: Path) -> None:
    """With everything around it: what was promised before is judged once, and what comes after, too."""
    needs_strace()
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed()) as site:
        site.begin(12.0)
        time.sleep(2)
        child_of = site.edge.child
        assert child_of is not None
        with attached(child_of.pid, tmp_path / "edge.strace", "fdatasync:error=EIO:when=3+"):
            assert child_of.wait(STOPS_WITHIN_S) == 1
        assert "journal_failed" in site.edge.whole_log() or "JournalFailedError" in site.edge.whole_log()
        site.edge.start()
        site.settle()
        site.evidence.assert_exactly_once()
        site.assert_ledgers()
        site.assert_truth(edge_was_up=False)


def test_a_rules_daemon_whose_event_journal_cannot_sync_says_so_and_goes_on(tmp_path: Path) -> None:
    needs_strace()
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed()) as site:
        site.begin(12.0)
        wait_until(lambda: list(site.plant.state.glob("events/*.db-wal")), STOPS_WITHIN_S, site.rules.log)
        log = next(site.plant.state.glob("events/*.db-wal"))
        rules = site.rules.child
        assert rules is not None
        with attached(rules.pid, tmp_path / "rules.strace", "fdatasync:error=EIO", only=log):
            wait_until(lambda: "sink_failed" in site.rules.whole_log(), STOPS_WITHIN_S, site.rules.log)
            time.sleep(1)
        wait_until(lambda: "sink_recovered" in site.rules.whole_log(), STOPS_WITHIN_S, site.rules.log)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
