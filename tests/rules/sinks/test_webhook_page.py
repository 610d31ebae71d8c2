"""What the page about webhooks shows is what we send."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config.sinks import DirectorySink, RespondWithin
from gateway.contract.events import Alarm, Event, Evidence
from rules.sinks.cases import case_of, limits_of
from rules.sinks.letters import Clerk, letters_of
from rules.sinks.selection import ALARM_FIELDS
from rules.sinks.signature import signatures
from tests.rules.sinks.told import outputs
from tests.support.webhook_receiver import KEY, OTHER_KEY, SECRET

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "sinks" / "webhook.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
AT_S = 1_790_000_000


def shown(language: str, number: int = 0) -> str:
    return str([text for kind, text in BLOCKS if kind == language][number])


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    names: dict[str, Any] = {}
    exec(shown("python"), names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


@pytest.mark.parametrize("keys", [(KEY,), (OTHER_KEY, KEY), (KEY, OTHER_KEY)])
def test_its_check_knows_our_signatures(is_genuine: Callable[..., bool], keys: tuple[bytes, ...]) -> None:
    body = '{"text":"\u00e4"}'.encode()
    headers = {
        "webhook-id": "ab-1",
        "webhook-timestamp": str(AT_S),
        "webhook-signature": signatures(keys, "ab-1", AT_S, body),
    }
    assert is_genuine(headers, body, SECRET, AT_S + 299)
    assert not is_genuine(headers, body, SECRET, AT_S + 301)
    assert not is_genuine(headers, body, SECRET)  # by the clock of today
    assert not is_genuine(headers, body + b" ", SECRET, AT_S)
    assert not is_genuine({**headers, "webhook-id": "ab-2"}, body, SECRET, AT_S)
    assert not is_genuine(headers, body, "whsec_" + "A" * 32, AT_S)


def test_its_event_is_one_of_ours() -> None:
    example = json.loads(shown("json"))
    told = msgspec.convert(example["data"], Event)
    settings = DirectorySink(kind="directory", name="x", directory=Path("/x"), events=["*"])
    (letter,) = letters_of(Clerk(settings, site="hamburg").parcels([outputs(told)]))
    assert json.loads(letter.body) == example


def test_its_case_is_one_of_ours() -> None:
    example = json.loads(shown("json", 1))
    case = example["data"]
    since_us = int(case["case"].partition("-")[2])
    told = Alarm(
        id=case["alarm"],
        rule=case["rule"],
        severity=case["severity"],
        subject=case["subject"],
        state="raised",
        since_us=since_us,
        at_us=since_us,
        message=case["message"],
        evidence=msgspec.convert(case["evidence"], Evidence),
    )
    assert msgspec.to_builtins(case_of(told, limits_of(RespondWithin()))) == case
    assert example["type"] == "case.raised"


def test_it_names_every_field_that_a_condition_on_alarms_may_ask_for() -> None:
    page = PAGE.read_text()
    assert [name for name in ALARM_FIELDS if f"`e.{name}`" not in page] == []
