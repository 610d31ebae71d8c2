from __future__ import annotations

from typing import Any

import pytest

from readers.errors import FrameError
from readers.meters.dlms.library import library
from readers.meters.dlms.seal import Seal

TITLE = bytes.fromhex("4D4D4D0000BC614E")
PLAIN = bytes.fromhex("C0010000080000010000FF0200")
SEALED = bytes.fromhex("C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B")
"""The example of the Green Book: GET of the time, sealed with the keys below at counter 01234567."""


def connection(*, general: bool = False, counter: int = 0x01234567) -> Any:
    """One connection of the library, whose two sides have one system title."""
    known = library()
    made = known.connection.DlmsConnection(
        client_system_title=TITLE,
        meter_system_title=TITLE,
        global_encryption_key=bytes(range(16)),
        global_authentication_key=bytes(range(0xD0, 0xE0)),
        client_invocation_counter=counter,
        conformance=known.conformance.Conformance(general_protection=general),
    )
    assert not made.security_control.broadcast_key
    return made


def test_the_example_of_the_green_book_is_sealed() -> None:
    assert Seal(connection(), TITLE).close(PLAIN) == SEALED


def test_the_example_in_general_ciphering() -> None:
    made = Seal(connection(general=True), TITLE).close(PLAIN)
    assert made == b"\xdb\x08" + TITLE + SEALED[1:]


def test_the_example_is_opened_as_an_answer_in_both_forms() -> None:
    for answer in (b"\xcc" + SEALED[1:], b"\xdb\x08" + TITLE + SEALED[1:], b"\xdb\x00" + SEALED[1:]):
        assert Seal(connection(), TITLE).open(answer) == PLAIN


def test_what_is_not_sealed_comes_back_as_it_is() -> None:
    assert Seal(connection(), TITLE).open(b"\xd8\x01\x01") == b"\xd8\x01\x01"


def test_a_long_apdu_has_a_long_length() -> None:
    plain = b"\xc0" + bytes(200)
    sealed = Seal(connection(), TITLE).close(plain)
    assert sealed[:3] == bytes([0xC8, 0x81, 5 + 201 + 12])
    assert Seal(connection(), TITLE).open(b"\xcc" + sealed[1:]) == plain
    assert Seal(connection(), TITLE).close(b"\xc0" + bytes(400))[:4] == b"\xc8\x82\x01\xa2"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xdb\x08" + bytes(8) + SEALED[1:],
        b"\xcc\x12" + b"\x20" + SEALED[3:20],
        b"\xcc\x11" + SEALED[2:19],
        b"\xcc" + SEALED[1:-1],
        b"\xcc" + SEALED[1:] + b"\0",
    ],
)
def test_a_foreign_or_damaged_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(FrameError):
        Seal(connection(), TITLE).open(raw)


def test_a_changed_text_and_an_old_counter_are_refused() -> None:
    known = library()
    changed = b"\xcc" + SEALED[1:-1] + bytes([SEALED[-1] ^ 1])
    with pytest.raises(known.exceptions.DecryptionError):
        Seal(connection(), TITLE).open(changed)
    opened = connection()
    assert Seal(opened, TITLE).open(b"\xcc" + SEALED[1:]) == PLAIN
    with pytest.raises(known.exceptions.LocalDlmsProtocolError):
        Seal(opened, TITLE).open(b"\xcc" + SEALED[1:])
