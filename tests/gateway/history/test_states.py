from __future__ import annotations

from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY
from gateway.history import StateSpan, device_states, states
from tests.gateway.history.day_rows import HOUR, S, days, signal, write
from tests.gateway.journal_rows import DAY, NOON_US

MIDNIGHT_US = DAY * US_PER_DAY


def test_spans_last_until_another_state_is_told(tmp_path: Path) -> None:
    said = [
        (MIDNIGHT_US - HOUR, "IDLE"),
        (MIDNIGHT_US - S, "EXECUTE"),
        (MIDNIGHT_US + S, "EXECUTE"),
        (MIDNIGHT_US + 2 * S, "STOPPED"),
        (MIDNIGHT_US + 3 * S, "EXECUTE"),
    ]
    write(tmp_path, signals=[signal(at_us, text, device="warper-1", name="state") for at_us, text in said])
    from_us, to_us = MIDNIGHT_US - 2 * S, MIDNIGHT_US + 9 * S
    found = states(days(tmp_path), "warper-1", "state", from_us, to_us)
    assert found.spans == [
        StateSpan(from_us, MIDNIGHT_US - S, "IDLE"),
        StateSpan(MIDNIGHT_US - S, MIDNIGHT_US + 2 * S, "EXECUTE"),
        StateSpan(MIDNIGHT_US + 2 * S, MIDNIGHT_US + 3 * S, "STOPPED"),
        StateSpan(MIDNIGHT_US + 3 * S, to_us, "EXECUTE"),
    ]
    cut = states(days(tmp_path), "warper-1", "state", from_us, to_us, limit=2)
    assert (cut.spans, cut.more) == (found.spans[:2], True)
    assert states(days(tmp_path), "warper-1", "none", from_us, to_us).spans == []


def test_inputs_are_true_or_false_and_weights_are_no_states(tmp_path: Path) -> None:
    rows = [signal(NOON_US + n * S, n % 2 == 0, name="loop") for n in range(2)]
    write(tmp_path, signals=[*rows, signal(NOON_US, 5.0)])
    assert [span.state for span in states(days(tmp_path), "scale", "loop", NOON_US, NOON_US + HOUR).spans] == [
        "true",
        "false",
    ]
    assert states(days(tmp_path), "scale", "weight", NOON_US, NOON_US + HOUR).spans == []


def test_what_devices_told_of_themselves(tmp_path: Path) -> None:
    rows = [
        (at_us * 1_000, "gate-1", "llrp", "online", "ok", 5, n, 12)
        for n, at_us in enumerate([NOON_US - US_PER_DAY, NOON_US])
    ]
    write(tmp_path, device_status=rows)
    found = device_states(days(tmp_path), "gate-1", NOON_US - US_PER_DAY, NOON_US + 1)
    assert [(each.at_us, each.state, each.reconnects) for each in found.states] == [
        (NOON_US - US_PER_DAY, "online", 0),
        (NOON_US, "online", 1),
    ]
    assert device_states(days(tmp_path), "gate-1", NOON_US - US_PER_DAY, NOON_US + 1, limit=1).more
    with pytest.raises(ValueError, match="limit = 0"):
        device_states(days(tmp_path), "gate-1", 0, 1, limit=0)
    with pytest.raises(ValueError, match="at most 92 days"):
        states(days(tmp_path), "gate-1", "x", 0, NOON_US)
