import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.commands import Command, Outcome, as_command, as_outcome, fields_of, is_signed, signed

TOPIC = "tagwharf/1/quay/lane-1-io/command"
KEY = b"0123456789abcdef" * 4
COMMAND = Command(
    id="01J0000000000000000000000A",
    gateway="edge-1",
    issued_at_us=1,
    expires_at_us=2,
    by="anna",
    kind="arm",
    device="lane-1-io",
    point="barrier",
    action="pulse",
    reason="Lkw 7, grüne Welle",
)


def test_a_command_comes_back_as_it_was_signed() -> None:
    fields = fields_of(signed(COMMAND, KEY, TOPIC))
    assert is_signed(fields, KEY, TOPIC)
    assert msgspec.structs.replace(as_command(fields), signature="") == COMMAND


def test_the_signature_is_what_any_program_can_make() -> None:
    """By the page alone: the topic, a line feed, and the JSON with sorted keys and no blanks, in UTF-8."""
    fields = {each: value for each, value in msgspec.to_builtins(COMMAND).items() if each != "signature"}
    body = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    theirs = hmac.new(KEY, f"{TOPIC}\n{body}".encode(), hashlib.sha256).hexdigest()
    assert json.loads(signed(COMMAND, KEY, TOPIC))["signature"] == theirs
    shuffled = json.dumps({"signature": theirs, **dict(reversed(fields.items()))}, indent=3).encode()
    assert is_signed(fields_of(shuffled), KEY, TOPIC)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "01J0000000000000000000000B"},
        {"gateway": "edge-2"},
        {"issued_at_us": 2},
        {"expires_at_us": 3},
        {"by": "ben"},
        {"kind": "direct"},
        {"device": "lane-2-io"},
        {"point": "red"},
        {"action": "on"},
        {"value": "1"},
        {"nonce": "0" * 16},
        {"reason": ""},
        {"further": None},
        {"signature": None},
        {"signature": ""},
        {"signature": "é" * 64},
    ],
)
def test_nothing_of_it_can_be_changed(change: dict[str, Any]) -> None:
    fields = fields_of(signed(COMMAND, KEY, TOPIC)) | change
    assert not is_signed(fields, KEY, TOPIC)


def test_it_is_good_for_one_topic_and_one_key() -> None:
    fields = fields_of(signed(COMMAND, KEY, TOPIC))
    assert not is_signed(fields, KEY, TOPIC.replace("quay", "yard"))
    assert not is_signed(fields, KEY[::-1], TOPIC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "short"},
        {"id": "0123456789\n"},
        {"id": "../../etc/passwd"},
        {"device": "a/b"},
        {"by": "Anna"},
        {"kind": "repeat"},
        {"value": "1e9"},
        {"value": "NaN"},
        {"value": 5},
        {"nonce": "xyz"},
        {"issued_at_us": "1"},
        {"reason": "x" * 201},
        {"more": 1},
    ],
)
def test_a_command_with_a_wrong_field_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        as_command(msgspec.to_builtins(COMMAND) | wrong)


def test_an_outcome_comes_back_as_it_was_signed() -> None:
    outcome = Outcome(
        gateway="edge-1",
        id=COMMAND.id,
        state="armed",
        at_us=5,
        device="m-1",
        point="relay",
        by="anna",
        shows={"is_closed": True, "current_a": "1.20"},
        nonce="0123456789abcdef",
    )
    fields = fields_of(signed(outcome, KEY, "topic"))
    assert is_signed(fields, KEY, "topic")
    assert msgspec.structs.replace(as_outcome(fields), signature="") == outcome


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{", b" " * 9_000, b'{"a":1e999}'])
def test_what_is_no_object_is_no_message(payload: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        fields_of(payload)


@given(st.binary(max_size=300))
def test_any_bytes_are_fields_or_refused(payload: bytes) -> None:
    try:
        fields = fields_of(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return
    assert not is_signed(fields, KEY, TOPIC)
