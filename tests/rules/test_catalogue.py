from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.measurements import MEASUREMENTS
from gateway.contract.quantities import UNITS
from gateway.contract.schema import CHANNELS
from rules.catalogue import PAGE, PROGRAMS, catalogue, documents, page
from rules.language.vocabulary import BUILT_IN, RAW
from rules.packs import PACKS

ROOT = Path(__file__).parents[2]
WORDS = {"string", "int", "double", "bool", "any", "list"}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return catalogue()


def test_the_files_are_current() -> None:
    stale = [str(path) for path, text in documents().items() if (ROOT / path).read_text() != text]
    assert not stale, "run `tagwharf generate` and commit what it writes"


def test_page_and_programs_tell_the_same(found: dict[str, Any]) -> None:
    made = documents()
    assert set(made) == {PAGE, PROGRAMS}
    assert json.loads(made[PROGRAMS]) == found
    assert made[PAGE] == page(json.loads(made[PROGRAMS]))


def test_everything_of_the_contract_is_in_it(found: dict[str, Any]) -> None:
    assert [each["topic"] for each in found["topics"]] == [channel.address for channel in CHANNELS]
    assert [each["name"] for each in found["measurements"]] == list(MEASUREMENTS)
    assert found["quantities"] == UNITS
    assert set(found["items"]) == set(RAW)
    assert set(found["events"]["built_in"]) == set(BUILT_IN)


def test_every_pack_tells_what_it_makes(found: dict[str, Any]) -> None:
    packs = found["events"]["packs"]
    assert set(packs) == set(PACKS)
    for pack in packs.values():
        assert pack["events"]
        assert pack["alarms"]
        assert {kind for types in pack["events"].values() for kind in types.values()} <= WORDS
        for name, figures in pack["figures"].items():
            assert set(figures) <= set(pack["events"][name])


def test_a_gate_transaction_is_described(found: dict[str, Any]) -> None:
    port = found["events"]["packs"]["port"]
    told = port["events"]["gate-transaction"]
    assert {name: told[name] for name in ("container", "truck", "weight_kg", "duration_s", "opened_at_us")} == {
        "container": "string",
        "truck": "string",
        "weight_kg": "any",
        "duration_s": "double",
        "opened_at_us": "int",
    }
    assert port["figures"]["gate-transaction"] == ["duration_s", "weight_kg"]
    assert {"rule": "seal", "severity": "critical", "message": "A seal was opened"} in port["alarms"]


def test_every_link_of_the_page_leads_somewhere(found: dict[str, Any]) -> None:
    text = page(found)
    for target in set(re.findall(r"\]\(([^)]+)\)", text)):
        path, _, anchor = target.partition("#")
        there = (ROOT / PAGE).parent / path
        assert there.is_file(), target
        headings = {line[3:].lower() for line in there.read_text().splitlines() if line.startswith("## ")}
        assert not anchor or anchor in headings, target
