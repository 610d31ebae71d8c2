from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.daemon.database import QUARANTINE_ROWS, RETAINED_MOST, Commit, Database, Message, Settlement
from rules.daemon.database_file import is_full
from rules.daemon.intake import FlowRow
from rules.outputs import Parcel, Refusal


def parcel(points: int = 3, kind: str = "events", size: int = 100) -> Parcel:
    return Parcel(kind, b"x" * size, points, 7)


def test_everything_of_a_commit_comes_back_in_the_next_life(tmp_path: Path) -> None:
    path = tmp_path / "state" / "rules.db"
    database = Database(path)
    flow = FlowRow("edge-1", 9, 12, {"reads": 50}, {"reads": 50})
    raised = Message(2, "alarms/a", b"{}", retain=True)
    database.commit(
        Commit(
            at_us=1,
            state=[("zone/gate-1/E2", b"here"), ("zone/gate-1/E3", b"there")],
            flows=[flow, FlowRow("edge-2", 1, 1, {}, {})],
            messages=[Message(1, "events/moved", b"{}"), raised],
            parcels=[(1, "store", parcel()), (2, "other", parcel(2))],
            counts={"events.moved": 1},
        )
    )
    database.commit(Commit(at_us=2, state=[("zone/gate-1/E3", None)], forgotten=[("edge-2", 1)], published=[1]))
    database.close()
    again = Database(path)
    stored = again.load()
    assert stored.state == [("zone/gate-1/E2", b"here")]
    assert stored.flows == [flow]
    assert stored.retained == {"alarms/a": b"{}"}
    assert (stored.next_parcel, stored.next_message) == (3, 3)
    assert stored.totals.counts == {"events.moved": 1}
    assert (stored.totals.points["store"].made, stored.totals.points["store"].queued) == (3, 3)
    assert again.read_messages(0, 10) == [raised]
    assert [(q.id, q.parcel) for q in again.read_parcels("store", 0, 100, 100)] == [(1, parcel())]
    again.close()


def test_a_cleared_alarm_is_no_longer_kept_for_new_sessions(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    database.commit(Commit(at_us=1, messages=[Message(1, "alarms/a", b"{}", retain=True)]))
    database.commit(Commit(at_us=1, messages=[Message(2, "alarms/a", b"{}"), Message(3, "alarms/a", b"", retain=True)]))
    assert database.load().retained == {}
    assert [m.id for m in database.read_messages(1, 10)] == [2, 3]
    database.close()


def test_parcels_are_read_oldest_first_within_limits_but_at_least_one(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    database.commit(Commit(at_us=1, parcels=[(n, "store", parcel(10)) for n in range(1, 8)]))
    assert [q.id for q in database.read_parcels("store", 0, 30, 10_000)] == [1, 2, 3]
    assert [q.id for q in database.read_parcels("store", 3, 1_000, 250)] == [4, 5]
    assert [q.id for q in database.read_parcels("store", 6, 1, 1)] == [7]
    assert database.read_parcels("store", 7, 100, 100) == []
    assert database.read_parcels("nobody", 0, 100, 100) == []
    database.close()


def test_refused_points_go_to_the_quarantine_which_is_bounded(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    database.commit(Commit(at_us=1, parcels=[(1, "store", parcel(10)), (2, "store", parcel(QUARANTINE_ROWS + 5))]))
    refusals = [Refusal(b"bad line", "400 no number")]
    totals = database.commit(Commit(at_us=2, settlements=[Settlement("store", [1], refusals)]))
    account = totals.points["store"]
    assert (account.stored, account.refused, account.queued) == (9, 1, QUARANTINE_ROWS + 5)
    assert database.quarantined("store") == refusals
    many = [Refusal(b"y" * 100_000 if n == 0 else str(n).encode(), "why") for n in range(QUARANTINE_ROWS + 5)]
    totals = database.commit(Commit(at_us=3, settlements=[Settlement("store", [2], many)]))
    kept = database.quarantined("store")
    assert len(kept) == QUARANTINE_ROWS
    assert kept[-1] == many[-1]
    assert totals.counts["refused.store.quarantined"] == QUARANTINE_ROWS + 6
    assert totals.points["store"].balanced
    database.close()


def test_a_full_outbox_sheds_reads_before_events_and_counts_them(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db", {"store": 1_000})
    parcels = [(n, "store", parcel(5, "reads" if n % 2 else "events")) for n in range(1, 21)]
    totals = database.commit(Commit(at_us=1, parcels=[*parcels, (21, "other", parcel(1))]))
    waiting = database.read_parcels("store", 0, 1_000, 10_000)
    assert [q.id for q in waiting] == list(range(2, 21, 2))  # all reads went, all events stayed
    totals = database.commit(Commit(at_us=1, parcels=[(22, "store", parcel(5, "events", 300))]))
    assert [q.id for q in database.read_parcels("store", 0, 1_000, 10_000)] == [*range(8, 21, 2), 22]
    account = totals.points["store"]
    assert (account.made, account.refused, account.queued) == (105, 65, 40)
    assert totals.counts["refused.store.outbox_full_reads"] == 50
    assert totals.counts["refused.store.outbox_full_events"] == 15
    assert totals.points["other"].queued == 1
    totals = database.commit(Commit(at_us=1, settlements=[Settlement("store", [2, 8])]))  # 2 was shed while on its way
    assert totals.points["store"].stored == 5
    assert totals.points["store"].balanced
    database.close()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(["reads", "events"]), st.integers(1, 9), st.integers(1, 400))),
            st.integers(0, 3),
            st.integers(0, 4),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_the_account_balances_after_every_commit_and_restart(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[list[tuple[str, int, int]], int, int, bool]],
) -> None:
    path = tmp_path_factory.mktemp("rules") / "rules.db"
    database = Database(path, {"store": 1_500})
    number = made = 0
    for new, settled, refused, restart in steps:
        waiting = database.read_parcels("store", 0, 10_000, 10_000)[:settled]
        parcels = []
        for kind, points, size in new:
            number += 1
            made += points
            parcels.append((number, "store", parcel(points, kind, size)))
        refusals = [Refusal(b"r", "bad")] * min(refused, sum(q.parcel.points for q in waiting))
        settlement = Settlement("store", [q.id for q in waiting], refusals)
        totals = database.commit(Commit(at_us=1, parcels=parcels, settlements=[settlement]))
        if restart:
            database.close()
            database = Database(path, {"store": 1_500})
            assert database.totals().points == totals.points
        account = database.totals().points.get("store")
        if account is not None:
            assert account.balanced
            assert account.made == made
            assert account.queued == sum(q.parcel.points for q in database.read_parcels("store", 0, 10_000, 10_000))
    database.close()


def test_a_commit_that_fails_changes_nothing_and_may_be_tried_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    database.commit(Commit(at_us=1, state=[("a", b"1")], parcels=[(1, "store", parcel())]))
    database._writer.execute("PRAGMA max_page_count = 30")
    big = Commit(
        at_us=2,
        state=[("a", b"2")],
        settlements=[Settlement("store", [1])],
        parcels=[(2, "store", parcel(9, size=1 << 20))],
    )
    with pytest.raises(sqlite3.OperationalError, match="full") as caught:
        database.commit(big)
    assert is_full(caught.value)
    assert database.load().state == [("a", b"1")]
    assert database.totals().points["store"].queued == 3
    database._writer.execute("PRAGMA max_page_count = 1000000")
    totals = database.commit(big)
    assert (totals.points["store"].stored, totals.points["store"].queued) == (3, 9)
    database.close()


def test_space_of_a_long_outage_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    database = Database(path)
    for n in range(60):
        database.commit(Commit(at_us=1, parcels=[(n + 1, "store", parcel(size=1 << 20))]))
    database.commit(Commit(at_us=1, settlements=[Settlement("store", range(1, 61))]))
    for _ in range(20):
        database.commit(Commit(at_us=1))
    database._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < 20 << 20
    database.close()


def test_messages_that_wait_too_long_are_shed_but_no_alarm_is(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    raised = Message(1, "alarms/a", b"{}", retain=True)
    database.commit(Commit(at_us=1, messages=[raised, *(Message(n, "events/x", b"{}") for n in range(2, 100))]))
    totals = database.commit(Commit(at_us=1, messages=[Message(n, "events/x", b"{}") for n in range(100, 20_050)]))
    assert totals.counts["messages_shed"] == 48
    assert [m.id for m in database.read_messages(0, 2)] == [1, 50]
    database.close()


def test_an_alarm_that_flaps_while_the_broker_is_away_keeps_its_last_word_only(tmp_path: Path) -> None:
    database = Database(tmp_path / "rules.db")
    number = 0
    for state in (b"raised", b"", b"raised again"):
        number += 1
        database.commit(Commit(at_us=1, messages=[Message(number, "alarms/a", state, retain=True)]))
    later = [Message(n, "events/x", b"{}") for n in range(number + 1, number + 20_101)]
    database.commit(Commit(at_us=1, messages=later))
    first = database.read_messages(0, 1)[0]
    assert (first.id, first.payload) == (3, b"raised again")
    many = [Message(30_000 + n, f"alarms/{n}", b"", retain=True) for n in range(100)]
    database.commit(Commit(at_us=1, messages=[*many, Message(30_100 + RETAINED_MOST, "events/x", b"{}")]))
    assert [m.topic for m in database.read_messages(0, 10)] == ["events/x"]  # not even last words wait for ever
    database.close()


def test_kill_9_between_and_during_commits_leaves_whole_commits_only(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    program = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from rules.daemon.database import Commit, Database, Message, Settlement
        from rules.daemon.intake import FlowRow
        from rules.outputs import Parcel
        database = Database(Path({str(path)!r}))
        n = database.load().next_parcel
        while True:
            database.commit(Commit(
                at_us=n, state=[("n", str(n).encode())], flows=[FlowRow("edge-1", 1, n, {{"reads": n}}, {{}})],
                messages=[Message(n, "events/x", b"{{}}")], parcels=[(n, "store", Parcel("events", b"x" * 3000, 1, 1))],
                settlements=[Settlement("store", [n - 5])] if n > 5 else [],
                published=[n - 5], counts={{"events.x": 1}},
            ))
            print(n, flush=True)
            n += 1
        """
    )
    for life in range(4):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.02 + 0.03 * life)
        os.kill(child.pid, signal.SIGKILL)
        lines = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        database = Database(path)
        stored = database.load()
        n = int(dict(stored.state)["n"])
        assert not lines or n in (int(lines[-1]), int(lines[-1]) + 1)
        assert stored.flows == [FlowRow("edge-1", 1, n, {"reads": n}, {})]
        account = stored.totals.points["store"]
        assert (account.made, account.stored, account.queued) == (n, n - 5, 5)
        assert stored.totals.counts["events.x"] == n
        assert [m.id for m in database.read_messages(0, 100)] == list(range(n - 4, n + 1))
        database.close()
