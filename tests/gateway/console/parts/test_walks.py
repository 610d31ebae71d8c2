import gc
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load_site
from gateway.console.parts.walks import (
    BUCKET_US,
    BUCKETS_KEPT,
    KEPT_MOST,
    RUNNING_MOST,
    UNSEEN_US,
    TooManyWalksError,
    Walks,
    points_of,
)
from gateway.contract.batches import CardBatch, CardRead, Condition, ReadBatch, StatusBatch, TagRead
from tests.support.console import told

S = 1_000_000
EPC, OTHER = "3034257BF7194E4000001A85", "E2000000000000000000AAAA"
SITE = """
[[reader]]
name = "gate"
driver = "llrp"
port = "tcp://127.0.0.1"
read_points = { 1 = "in", 2 = "out" }

[[reader]]
name = "door"
driver = "ascii_line"
port = "socket://127.0.0.1:4002"
settings = { format = "line", card = { technology = "nfca", base = "hex" } }

[[reader]]
name = "scale"
driver = "weighbridge"
port = "socket://127.0.0.1:4001"
settings = { format = "toledo" }
"""


class Clock:
    def __init__(self) -> None:
        self.now_us = 1_000 * S

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def walks(tmp_path: Path, clock: Clock) -> Walks:
    config = tmp_path / "site.toml"
    config.write_text(f'[site]\nname = "site"\nstate_dir = "{tmp_path}"\n{SITE}')
    return Walks(load_site(config), clock)


def read(epc: str = EPC, antenna_port: int = 1, rssi_dbm: float | None = -60.0, count: int = 1) -> TagRead:
    return TagRead(epc, antenna_port, "in", 7, rssi_dbm=rssi_dbm, count=count)


def reads(*rows: TagRead, device: str = "gate", waited_us: int | None = None) -> ReadBatch:
    batch = ReadBatch(gateway="edge-1", device=device, received_at_us=5, reads=list(rows))
    if waited_us is not None:
        batch.sent_at_us = batch.received_at_us + waited_us
    return batch


def status(watched: list[str], *conditions: Condition, device: str = "gate") -> StatusBatch:
    return StatusBatch(
        gateway="edge-1",
        device=device,
        received_at_us=1,
        state="online",
        reason="ok",
        since_us=1,
        watched=watched,
        conditions=list(conditions),
        model="R700",
        in_force={"tx_power_dbm": "30"},
    )


def antennas(news: Any) -> dict[int, Any]:
    return {row["antenna_port"]: row for row in news["antennas"]}


def test_what_each_antenna_heard_is_told_by_half_seconds(walks: Walks, clock: Clock) -> None:
    walks.take(status(["in"]))
    walk = walks.begin("gate", "")
    cursor = walks.follow({"walk": walk.id})
    walks.take(reads(read(count=3), read(OTHER, rssi_dbm=-50.0)))
    clock.now_us += BUCKET_US
    first = told(cursor)
    assert first["whole"]
    assert (first["device"], first["running"], first["seconds"], first["end"]) == ("gate", True, 0.5, 1)
    one, two = antennas(first)[1], antennas(first)[2]
    assert (one["read_point"], one["watched"], one["reads"], one["tags"], one["share"]) == ("in", True, 4, 2, 1.0)
    assert (one["fresh"], one["fresh_dbm"], one["rate"], one["rssi_dbm"]) == ([4], [-50.0], 8.0, -50.0)
    assert (one["rssi_dbm_max"], one["rssi_dbm_weakest"], one["rssi_dbm_mean"], one["verdict"]) == (
        -50,
        -60,
        -57.5,
        "good",
    )
    assert (two["read_point"], two["watched"], two["verdict"], two["fresh"]) == ("out", False, "not_watched", [0])
    assert cursor.news() is None
    walks.take(reads(read(antenna_port=2, rssi_dbm=None)))
    clock.now_us += 3 * BUCKET_US
    second = told(cursor)
    assert (second["whole"], second["first"], second["end"]) == (False, 1, 4)
    assert antennas(second)[1]["fresh"] == [0, 0, 0]
    assert antennas(second)[2]["fresh"] == [1, 0, 0]
    assert antennas(second)[2]["rssi_dbm"] is None
    assert antennas(second)[1]["rate"] == 2.0
    clock.now_us += 2 * BUCKET_US
    third = told(cursor)
    assert (antennas(third)[1]["rate"], antennas(third)[1]["rssi_dbm"]) == (0, None)


def test_who_comes_back_gets_the_last_two_minutes(walks: Walks, clock: Clock) -> None:
    walk = walks.begin("gate", "")
    for _ in range(3 * BUCKETS_KEPT):
        walks.take(reads(read()))
        clock.now_us += BUCKET_US
    news = told(walks.follow({"walk": walk.id}))
    assert news["end"] == 3 * BUCKETS_KEPT
    assert antennas(news)[1]["fresh"] == [1] * (BUCKETS_KEPT - 1)
    clock.now_us += BUCKETS_KEPT * 10 * BUCKET_US
    assert antennas(told(walks.follow({"walk": walk.id})))[1]["fresh"] == [0] * (BUCKETS_KEPT - 1)


def test_only_tags_that_are_meant_count(walks: Walks, clock: Clock) -> None:
    walk = walks.begin("gate", " 3034 257b* ")
    walks.take(reads(read(), read(OTHER, count=5)))
    walks.take(reads(read(), device="door"))
    clock.now_us += S
    news = told(walks.follow({"walk": walk.id}))
    assert (news["mask"], news["reads"], news["others"]) == ("3034257B*", 1, 5)
    assert walks.report(walk.id)[1]["epc"] == "3034257B*"


def test_what_waited_in_a_journal_was_not_heard_now(walks: Walks, clock: Clock) -> None:
    walk = walks.begin("gate", "")
    walks.take(reads(read(), read(), waited_us=3 * S))
    walks.take(reads(read(), waited_us=S))
    clock.now_us += S
    news = told(walks.follow({"walk": walk.id}))
    assert (news["reads"], news["late"]) == (1, 2)
    assert walks.report(walk.id)[1]["late_reads_left_out"] == 2


def test_cards_are_counted_without_strengths(walks: Walks, clock: Clock) -> None:
    card = CardRead("nfca#1", "nfca", "door-1", 1, 7)
    walk, masked = walks.begin("door", ""), walks.begin("door", "30*")
    walks.take(CardBatch(gateway="edge-1", device="door", received_at_us=5, cards=[card, card]))
    clock.now_us += S
    row = antennas(told(walks.follow({"walk": walk.id})))[1]
    assert (row["reads"], row["tags"], row["rssi_dbm"], row["rssi_dbm_mean"]) == (2, 1, None, None)
    assert told(walks.follow({"walk": masked.id}))["others"] == 2
    late = CardBatch(gateway="edge-1", device="door", received_at_us=5, sent_at_us=9 * S, cards=[card])
    walks.take(late)
    assert walks.report(walk.id)[1]["late_reads_left_out"] == 1


def test_the_report_holds_what_the_device_said(walks: Walks) -> None:
    broken = Condition("antenna_disconnected", "warning", 1, key="2", detail="no cable")
    strange = Condition("odd", "of another version", 1)
    walk = walks.begin("gate", "")
    walks.take(status(["in", "gate-7", "gate-x", "elsewhere", "gate-1234"], broken, strange))
    assert walk.tally.antennas[7].is_watched
    assert sorted(walk.tally.antennas) == [1, 2, 7]
    _, report = walks.report(walk.id)
    assert (report["reader"], report["driver"], report["device"]["model"]) == ("gate", "llrp", "R700")
    assert report["in_force"] == {"tx_power_dbm": "30"}
    assert [(each["name"], each["key"]) for each in report["conditions"]] == [("antenna_disconnected", "2")]
    walks.take(status(["in"]))
    assert walks.report(walk.id)[1]["conditions"] == []
    assert not walk.tally.antennas[7].is_watched


def test_a_walk_that_is_over_counts_no_more(walks: Walks, clock: Clock) -> None:
    walk = walks.begin("gate", "")
    walks.take(reads(read()))
    cursor = walks.follow({"walk": walk.id})
    clock.now_us += 2 * S
    assert told(cursor)["running"]
    walks.stop(walk.id)
    walks.stop(walk.id)
    walks.take(reads(read()))
    clock.now_us += 60 * S
    last = told(cursor)
    assert (last["running"], last["reads"], last["seconds"]) == (False, 1, 2.0)
    assert cursor.news() is None
    assert walks.report(walk.id)[1]["seconds"] == 2


def test_a_walk_that_nobody_follows_ends_but_not_at_once(walks: Walks, clock: Clock) -> None:
    left, followed = walks.begin("gate", ""), walks.begin("gate", "")
    cursor = walks.follow({"walk": followed.id})
    clock.now_us += UNSEEN_US
    told(cursor)
    walks.take(reads(read()))
    clock.now_us += 1
    walks.take(reads(read()))
    assert (left.stopped_us, followed.stopped_us) == (clock.now_us, None)
    assert (walks.report(left.id)[1]["antennas"][0]["reads"], followed.tally.antennas[1].reads) == (1, 2)


def test_walks_are_bounded(walks: Walks, clock: Clock) -> None:
    running = [walks.begin("gate", "") for _ in range(RUNNING_MOST)]
    with pytest.raises(TooManyWalksError, match=f"{RUNNING_MOST} walk tests run already"):
        walks.begin("gate", "")
    clock.now_us += UNSEEN_US + 1
    newest = running[0]
    for _ in range(2 * KEPT_MOST):
        walks.stop(newest.id)
        newest = walks.begin("gate", "")
    gc.collect()
    assert walks.follow({"walk": running[0].id}).news() == {"gone": True}
    assert told(walks.follow({"walk": newest.id}))["running"]


def test_what_cannot_be_is_refused(walks: Walks) -> None:
    for device in ("scale", "nobody"):
        with pytest.raises(LookupError, match=r"is no reader of tags or cards"):
            walks.begin(device, "")
    with pytest.raises(ValueError, match="is no EPC mask"):
        walks.begin("gate", "<script>")
    with pytest.raises(ValueError, match="500 at most"):
        walks.begin("gate", "A" * 501)
    for answer in (walks.stop, walks.report):
        with pytest.raises(LookupError, match="not remembered"):
            answer("x")
    cursor = walks.follow({})
    assert cursor.news() == {"gone": True}
    assert cursor.news() is None


def test_antennas_that_the_settings_name_have_read_points(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(
        f'[site]\nname = "site"\nstate_dir = "{tmp_path}"\n[[reader]]\nname = "g"\ndriver = "llrp"\n'
        'port = "tcp://127.0.0.1"\nread_points = { 2 = "out" }\nsettings = { antennas = [1, 2] }\n'
    )
    assert points_of(load_site(config).reader[0]) == {1: "g-1", 2: "out"}
