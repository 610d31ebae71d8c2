from __future__ import annotations

from readers.access import AccessFault
from readers.rfid.m100.banks import FIRST_RETRY_S, MOST_ATTEMPTS, MOST_TAGS, STALE_S, WantedBanks

A, B = b"\x00\x0a", b"\x00\x0b"


def test_each_tag_is_wanted_once_while_it_is_present() -> None:
    wanted = WantedBanks(absent_after_s=10)
    wanted.heard(A, 1.0)
    assert wanted.next(1.0) == A
    wanted.read(A)
    for at_s in (2.0, 11.0, 20.9):
        wanted.heard(A, at_s)
        assert wanted.next(at_s) is None
    wanted.heard(A, 31.0)
    assert wanted.next(31.0) == A


def test_the_tag_heard_last_comes_first_and_one_that_has_passed_not_at_all() -> None:
    wanted = WantedBanks(absent_after_s=10)
    wanted.heard(A, 1.0)
    wanted.heard(B, 2.0)
    assert wanted.next(2.0) == B
    assert wanted.next(2.0 + STALE_S + 0.1) is None
    wanted.heard(A, 8.0)
    assert wanted.next(8.0) == A


def test_a_failure_is_retried_ever_later_and_not_for_ever() -> None:
    wanted = WantedBanks(absent_after_s=10)
    wanted.heard(A, 0.0)
    assert not wanted.failed(A, AccessFault.NO_TAG, 0.0)
    assert wanted.next(FIRST_RETRY_S / 2) is None
    assert wanted.next(FIRST_RETRY_S) == A
    given_up = [wanted.failed(A, AccessFault.LOST, 1.0) for _ in range(MOST_ATTEMPTS - 1)]
    assert given_up == [False] * (MOST_ATTEMPTS - 2) + [True]
    wanted.heard(A, 2.0)
    assert wanted.next(2.0) is None


def test_what_can_never_be_read_is_not_tried_again() -> None:
    wanted = WantedBanks(absent_after_s=10)
    wanted.heard(A, 0.0)
    assert wanted.failed(A, AccessFault.LOCKED, 0.0)
    assert wanted.next(1.0) is None


def test_the_inventory_gets_its_share() -> None:
    wanted = WantedBanks(absent_after_s=10)
    wanted.heard(A, 0.0)
    assert wanted.is_due(0.0)
    wanted.end_slice(0.0, 0.3)
    assert not wanted.is_due(1.1)
    assert wanted.is_due(1.3)
    wanted.end_slice(1.3, 1.301)
    assert not wanted.is_due(1.35)
    assert wanted.is_due(1.41)


def test_no_more_tags_are_kept_than_it_takes() -> None:
    wanted = WantedBanks(absent_after_s=10)
    for number in range(MOST_TAGS + 5):
        wanted.heard(number.to_bytes(2, "big"), 0.0)
    seen = set()
    while (epc := wanted.next(0.0)) is not None:
        seen.add(epc)
        wanted.read(epc)
    assert len(seen) == MOST_TAGS
    assert wanted.failed(b"\x00\x00", AccessFault.LOST, 0.0)  # the first one was forgotten


def test_tags_that_have_gone_are_waited_for_no_more() -> None:
    wanted = WantedBanks(absent_after_s=1)
    wanted.heard(A, 0.0)
    assert wanted.next(1.5) is None
    assert not wanted.is_due(1.5)
