from __future__ import annotations

import pytest

from readers.cards.osdp.keypad import MOST_KEYS, Keypad
from readers.tagdata.cards import CardIdentity, Technology

CARD = CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671"))
OTHER = CardIdentity(Technology.NFC_A, bytes.fromhex("11223344"))


def test_keys_after_the_card_go_with_it_when_they_are_entered() -> None:
    keypad = Keypad(10)
    assert keypad.card(CARD, 100) == []
    assert keypad.keys(b"12", 101) == []
    assert keypad.keys(b"34#", 102) == [(CARD, "1234")]
    assert keypad.flush() == []


def test_keys_before_the_card_go_with_it() -> None:
    keypad = Keypad(10)
    assert keypad.keys(b"1234\r", 100) == []
    assert keypad.card(CARD, 105) == [(CARD, "1234")]
    assert keypad.card(CARD, 106) == []  # they were for one card
    assert keypad.due(116) == [(CARD, None)]


def test_keys_without_an_end_do_not_count() -> None:
    keypad = Keypad(10)
    keypad.card(CARD, 100)
    keypad.keys(b"1234", 101)
    assert keypad.due(109.9) == []
    assert keypad.due(110) == [(CARD, None)]


@pytest.mark.parametrize("clear", [b"*", b"\x7f"])
def test_a_mistake_is_taken_back(clear: bytes) -> None:
    keypad = Keypad(10)
    keypad.keys(b"99" + clear + b"12#", 100)
    assert keypad.card(CARD, 100) == [(CARD, "12")]


def test_old_keys_are_for_nobody() -> None:
    keypad = Keypad(10)
    keypad.keys(b"12#", 100)
    assert keypad.card(CARD, 111) == []
    keypad.keys(b"34", 112)
    assert keypad.keys(b"5#", 123) == [(CARD, "5")]


def test_entering_twice_begins_anew() -> None:
    keypad = Keypad(10)
    keypad.keys(b"12#9", 100)  # what follows in the same breath is for nobody
    keypad.keys(b"34#", 101)
    assert keypad.card(CARD, 102) == [(CARD, "34")]


def test_the_next_card_ends_the_waiting_of_the_first() -> None:
    keypad = Keypad(10)
    keypad.card(CARD, 100)
    assert keypad.card(OTHER, 101) == [(CARD, None)]
    assert keypad.keys(b"7#", 102) == [(OTHER, "7")]


def test_other_signs_and_endless_keys_are_bounded() -> None:
    keypad = Keypad(10)
    keypad.keys(b"\x00\xff1" + b"2" * 1000 + b"#", 100)
    assert keypad.card(CARD, 100) == [(CARD, "1" + "2" * (MOST_KEYS - 1))]
    keypad.keys(b"#", 101)  # nothing was typed
    assert keypad.card(OTHER, 101) == []
