from dataclasses import replace

import pytest

from gateway.commissioning.walktest import MOST_TAGS, RSSI_LEAST_DBM, AntennaTally, Verdict, WalkTest, as_markdown
from gateway.identity import redacted
from readers.observations import (
    CardRead,
    CardReads,
    Condition,
    DeviceInfo,
    InForce,
    Rejected,
    TagRead,
    TagReads,
    Watching,
)
from readers.tagdata.cards import CardIdentity, Technology

S = 1_000_000
EPC, OTHER = b"\x30\x75", b"\xe2\x00"


def test_rates_and_strengths_are_kept_by_antenna_and_second() -> None:
    test = WalkTest("gate", "m100", {1: "gate-in", 2: "gate-out"}, began_us=10 * S)
    test.take(Watching(frozenset({1, 2})), 10 * S)
    test.take(TagReads.of(0, TagRead(EPC, 1, -60.0, count=3), TagRead(OTHER, 1, -50.0)), 10 * S + 1)
    test.take(TagReads.of(0, TagRead(EPC, 1, -40.0)), 12 * S)
    test.take(TagReads.of(0, TagRead(EPC, 3)), 12 * S)
    report = test.report(13 * S)
    first, second, third = report["antennas"]
    assert first["reads_by_second"] == [4, 0, 1]
    assert (first["reads"], first["tags"], first["best_second_reads"]) == (5, 2, 4)
    assert (first["rssi_dbm_weakest"], first["rssi_dbm_median"], first["rssi_dbm_strongest"]) == (-60, -60, -40)
    assert (second["reads"], second["watched"], second["rssi_dbm_median"]) == (0, True, None)
    assert (third["read_point"], third["watched"]) == ("gate-3", False)
    assert report["silent_read_points"] == ["gate-out"]


def test_the_screen_shows_each_antenna_with_its_last_seconds() -> None:
    test = WalkTest("gate", "m100", {1: "gate-in"}, began_us=0)
    test.take(TagReads.of(0, TagRead(EPC, 1, -35.0)), 0)
    test.take(TagReads.of(0, TagRead(EPC, 1, -75.0)), 2 * S)
    test.take(Condition("antenna_disconnected", active=True, key="2", detail="no\x1b[31m cable"), 2 * S)
    head, antenna, condition = test.lines(3 * S)
    assert head.startswith("antenna")
    assert antenna.split() == ["1", "gate-in", "1", "2", "1", "-75", "█·▁·", "not", "being", "read"]
    assert condition.startswith("warning: antenna_disconnected 2: no")
    assert "\x1b" not in condition
    test.take(Condition("antenna_disconnected", active=False, key="2"), 2 * S)
    assert len(test.lines(3 * S)) == 2


def test_texts_of_a_card_reader_are_shown_as_far_as_they_may_be() -> None:
    test = WalkTest("door", "osdp", {}, began_us=0, shown=redacted)
    told = Condition("unknown_card", active=True, key="04CA7A12F0AD9B", detail="the card 04 CA 7A 12 is damaged")
    test.take(told, 0)
    assert test.lines(S)[1:] == ["warning: unknown_card ...: the card ... is damaged"]
    assert test.report(S)["conditions"][0]["detail"] == "the card ... is damaged"
    test.take(replace(told, active=False), S)
    assert test.report(S)["conditions"] == []


def test_only_the_tag_that_was_asked_for_is_counted() -> None:
    test = WalkTest("gate", "m100", {}, began_us=0, epc=EPC)
    test.take(TagReads.of(0, TagRead(EPC, 1), TagRead(OTHER, 1, count=7)), 0)
    report = test.report(S)
    assert (report["antennas"][0]["reads"], report["reads_of_other_tags"], report["epc"]) == (1, 7, "3075")


def test_what_the_device_says_of_itself_stands_in_the_report() -> None:
    test = WalkTest("gate", "m100", {1: "gate-in"}, began_us=0)
    test.take(DeviceInfo("Maker", "Model\n", "1.0"), 0)
    test.take(InForce({"tx_power_dbm": "20"}), 0)
    test.take(Rejected("checksum", 2), 0)
    test.take(CardReads(0, [CardRead(CardIdentity(Technology.NFC_A, b"\x01\x02\x03\x04"))]), 0)
    page = as_markdown(test.report(S, "the link broke"), "2026-01-01")
    assert "device: Maker Model" in page
    assert "tx_power_dbm = 20" in page
    assert "2 checksum" in page
    assert "**Ended early:** the link broke" in page
    assert "| 1 | gate-in (not read) | 1 | 1 |" in page
    assert page.count("| good |") == 1


def test_a_flood_of_tags_stays_small() -> None:
    test = WalkTest("gate", "llrp", {}, began_us=0)
    for number in range(MOST_TAGS + 10):
        test.take(TagReads.of(0, TagRead(number.to_bytes(4, "big"), 1)), 0)
    assert test.report(S)["antennas"][0]["tags"] == MOST_TAGS


@pytest.mark.parametrize(
    ("seconds", "rssi_dbm", "is_watched", "verdict"),
    [
        ([], None, True, Verdict.SILENT),
        ([], None, False, Verdict.NOT_WATCHED),
        ([3], None, False, Verdict.GOOD),
        ([0, 1, 2], -69.0, True, Verdict.WEAK),
        ([0, 1, 2], -68.0, True, Verdict.GOOD),
        ([0, 9], -40.0, True, Verdict.PATCHY),
        ([5, 7], -40.0, True, Verdict.GOOD),
    ],
)
def test_a_verdict_says_what_to_make_of_an_antenna(
    seconds: list[int], rssi_dbm: float | None, *, is_watched: bool, verdict: Verdict
) -> None:
    tally = AntennaTally(1, "in", is_watched=is_watched)
    for second in seconds:
        tally.take(EPC, 1, rssi_dbm, second)
    assert tally.table(10)["verdict"] == verdict
    assert verdict.text


def test_the_best_spot_and_the_longest_silence_have_their_time() -> None:
    tally = AntennaTally(1, "in")
    for second, rssi_dbm in ((2, -70.0), (3, -41.2), (9, -60.0), (12, None), (13, -41.2)):
        tally.take(EPC, 1, rssi_dbm, second)
    row = tally.table(20)
    assert (row["strongest_at_s"], row["longest_silence_at_s"], row["longest_silence_s"]) == (3, 4, 5)
    assert (row["rssi_dbm_mean"], row["rssi_dbm_median"]) == (-53.0, -50.5)
    assert AntennaTally(1, "in").table(1)["longest_silence_at_s"] is None


def test_strengths_that_cannot_be_stay_few() -> None:
    tally = AntennaTally(1, "in")
    for power in range(300):
        tally.take(EPC, 1, -(1.5**power), 0)
    assert min(tally.strengths) == RSSI_LEAST_DBM
    assert len(tally.strengths) <= abs(RSSI_LEAST_DBM) + 1


def test_who_chooses_the_tags_himself_says_which_he_means() -> None:
    test = WalkTest("gate", "llrp", {1: "in", 2: "out"}, 0, meant="3034*")
    test.watch({2})
    test.hear(1, EPC, 2, None, 0)
    test.others += 3
    report = test.report(S)
    assert (report["epc"], report["reads_of_other_tags"]) == ("3034*", 3)
    assert [row["watched"] for row in report["antennas"]] == [False, True]
    assert [row["verdict"] for row in report["antennas"]] == ["good", "silent"]
