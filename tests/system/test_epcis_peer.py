"""Two programs of others make of our EPCIS events the hashes that we make, and find them valid by GS1's schema."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.events import Event
from rules.exporters.event_hash import event_hash, pre_hash
from tests.rules.exporters.epcis_events import EVENTS, SETTINGS, event, exporter, gate
from tests.rules.exporters.event_hash_vectors import documents
from tests.rules.exporters.gate_events import transactions_of_the_pack
from tests.support.servers import UNPACKED

FOLDER = UNPACKED / "epcis"
PEERS = Path(__file__).parent / "peers" / "epcis"
MANY = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

pytestmark = pytest.mark.skipif(
    not (FOLDER / "epcis2.js").exists() and not os.environ.get("CI"),
    reason="run tests/system/peers/epcis/install.sh first",
)


def asked(command: Sequence[str | Path], found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a peer answers to these documents."""
    done = subprocess.run(command, input=json.dumps(found), capture_output=True, text=True, timeout=120, check=True)
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def reference(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What GS1's reference of the event hash answers."""
    return asked([FOLDER / "bin" / "python", PEERS / "hashes.py"], found)


def script(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What epcis2.js answers."""
    return asked([shutil.which("node") or "node", PEERS / "client.cjs", FOLDER / "epcis2.js"], found)


def namespaces(document: dict[str, Any]) -> dict[str, str]:
    """The prefixes that its context gives."""
    return {name: uri for each in document["@context"] if isinstance(each, dict) for name, uri in each.items()}


def events_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Its events."""
    found: list[dict[str, Any]] = document["epcisBody"]["eventList"]
    return found


def test_random_events_are_valid_and_have_the_same_hash_on_all_sides() -> None:
    found: list[dict[str, Any]] = []

    @MANY
    @given(st.sampled_from(SETTINGS), st.lists(EVENTS, min_size=1, max_size=3))
    def make(table: dict[str, Any], events: list[Event]) -> None:
        found.extend(json.loads(document.body) for document in exporter(**table).export(events))

    make()  # first all, then one question: each starts a program
    compared = 0
    for document, of_reference, of_script in zip(found, reference(found), script(found), strict=True):
        assert of_script["errors"] == []
        ids = [each["eventID"] for each in events_of(document)]
        written = [pre_hash(each, namespaces(document)) for each in events_of(document)]
        assert written == of_reference["pre_hashes"]
        assert ids == of_reference["hashes"]
        for ours, other in zip(ids, of_script["hashes"], strict=True):
            assert other in {ours, None}
            compared += other is not None
    assert len(found) > 50
    assert compared > 20


def test_the_hash_is_the_same_in_both_forms_of_identifiers() -> None:
    table: dict[str, Any] = {"gln": "4012345000009", "uri": "https://id.harbour.example", "company_prefix": "4012345"}
    links, uris = exporter(**table), exporter(**table, identifiers="epc_uri")
    found: list[dict[str, Any]] = []

    @MANY
    @given(EVENTS)
    def make(each: Event) -> None:
        found.extend(json.loads(document.body) for one in (links, uris) for document in one.export([each]))

    make()
    answers = reference(found)
    assert found[::2] != found[1::2]
    assert [each["hashes"] for each in answers[::2]] == [each["hashes"] for each in answers[1::2]]


def test_what_the_gates_of_the_pack_port_tell_is_valid_and_has_the_same_hash() -> None:
    made = transactions_of_the_pack()
    found = [json.loads(document.body) for each in made for document in exporter().export([each])]
    assert len(found) == len(made)
    for document, answer, other in zip(found, reference(found), script(found), strict=True):
        assert other["errors"] == []
        assert [each["eventID"] for each in events_of(document)] == answer["hashes"]


def test_the_vectors_are_what_the_reference_says() -> None:
    for name, document, hashes in documents():
        (answer,) = reference([document])
        assert answer["hashes"] == hashes, name
        assert [event_hash(each, namespaces(document)) for each in events_of(document)] == hashes, name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bizStep",), "lashing"),
        (("eventTimeZoneOffset",), "+8"),
        (("eventTime",), "yesterday"),
        (("epcList",), ["no uri"]),
        (("action",), "SEE"),
        (("readPoint",), {}),
    ],
)
def test_the_schema_of_the_peer_finds_faults(path: tuple[str], value: object) -> None:
    (document,) = exporter().export([event()])
    found = json.loads(document.body)
    events_of(found)[0][path[0]] = value
    (answer,) = script([found])
    assert answer["errors"]


def test_another_event_has_another_hash_on_all_sides() -> None:
    made = (gate("seal", number=0xE << 72, truck="tug", weight_kg=weight_kg) for weight_kg in (24_800.0, 24_800.5))
    found = [json.loads(exporter().export([each])[0].body) for each in made]
    (first, second), others = reference(found), script(found)
    assert first["hashes"][1] != second["hashes"][1]
    assert [each["hashes"] for each in others] == [first["hashes"], second["hashes"]]
