"""The event hash, by documents hashed by the reference implementation."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.exporters.event_hash import event_hash, pre_hash
from tests.rules.exporters.event_hash_vectors import documents

VECTORS = list(documents())
EVENT: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-09-21T14:13:20.123Z",
    "eventTimeZoneOffset": "+08:00",
    "epcList": ["urn:epc:id:bic:CSQU3054383"],
    "action": "OBSERVE",
}
HEAD = "eventType=ObjectEventeventTime=2026-09-21T14:13:20.123ZeventTimeZoneOffset=+08:00"
WHAT = "epcListepc=urn:epc:id:bic:CSQU3054383action=OBSERVE"


def namespaces(document: dict[str, Any]) -> dict[str, str]:
    return {name: uri for each in document["@context"] if isinstance(each, dict) for name, uri in each.items()}


@pytest.mark.parametrize(("name", "document", "hashes"), VECTORS, ids=[name for name, _, _ in VECTORS])
def test_documents_hashed_by_the_reference(name: str, document: dict[str, Any], hashes: list[str]) -> None:
    found = [event_hash(each, namespaces(document)) for each in document["epcisBody"]["eventList"]]
    assert found == hashes, name


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same with its keys, and the members of its lists, in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(each, rng)) for key, each in value.items()]
        rng.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        members = [shuffled(each, rng) for each in value]
        rng.shuffle(members)
        return members
    return value


@given(st.sampled_from(VECTORS), st.randoms(use_true_random=False))
def test_the_order_of_keys_and_members_means_nothing(vector: tuple[str, Any, list[str]], rng: random.Random) -> None:
    _, document, hashes = vector
    found = [event_hash(shuffled(each, rng), namespaces(document)) for each in document["epcisBody"]["eventList"]]
    assert found == hashes


def test_the_text_that_is_hashed() -> None:
    assert pre_hash(EVENT) == HEAD + WHAT
    # printf '%s' "$text" | sha256sum
    assert event_hash(EVENT) == f"ni:///sha-256;{SUM}?ver=CBV2.0"


SUM = "a81de148a19c81015b994365cf74b8a6090e8288c0347bfc3c52c35b9cdcbc33"


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-09-21T14:13:20Z", "2026-09-21T14:13:20.000Z"),
        ("2026-09-21T14:13:20.1235Z", "2026-09-21T14:13:20.124Z"),
        ("2026-09-21T14:13:20.12349Z", "2026-09-21T14:13:20.123Z"),
        ("2026-09-21T14:13:20.9995Z", "2026-09-21T14:13:21.000Z"),
        ("2026-12-31T23:59:59.9999999999-01:00", "2027-01-01T01:00:00.000Z"),
        ("2026-09-21T22:13:20.5+08:00", "2026-09-21T14:13:20.500Z"),
        ("1969-12-31T23:59:59.750Z", "1969-12-31T23:59:59.750Z"),
    ],
)
def test_times_are_utc_to_the_millisecond(time: str, shown: str) -> None:
    assert pre_hash(EVENT | {"eventTime": time}).startswith(f"eventType=ObjectEventeventTime={shown}eventTimeZone")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"), (0.5, "0.5"), (24800.50, "24800.5"), (0, "0"), (-0.0, "0"), (-1.50, "-1.5"), (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"), ("007.50", "7.5"), ("+3", "3"), ("1e3", "1000"), (True, "true"),
        (False, "false"), ("1.2.3", "1.2.3"), ("٣", "٣"), (" text ", "text"),
    ],
)  # fmt: skip
def test_numbers_are_without_idle_zeros(value: object, shown: str) -> None:
    event = EVENT | {"own:value": value}
    assert pre_hash(event, {"own": "urn:own:"}) == f"{HEAD}{WHAT}{{urn:own:}}value={shown}"


def test_sources_and_destinations_stand_as_in_the_table_of_the_standard() -> None:
    event = EVENT | {
        "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00000"}],
        "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}],
        "bizTransactionList": [{"bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:1", "type": "po"}],
    }
    assert pre_hash(event) == (
        f"{HEAD}{WHAT}"
        "bizTransactionListtype=https://ref.gs1.org/cbv/BTT-pobizTransaction=urn:epcglobal:cbv:bt:4012345000009:1"
        "sourceListtype=https://ref.gs1.org/cbv/SDT-owning_partysource=https://id.gs1.org/417/4012345000009"
        "destinationListtype=https://ref.gs1.org/cbv/SDT-owning_partydestination=https://id.gs1.org/417/0614141000005"
    )


def test_nested_extensions_and_those_in_words_of_another_file() -> None:
    event = EVENT | {
        "own:stow": {"#text": "x", "own:bay": ["07", {"own:row": None}], "@xmlns:z": "urn:z:"},
        "plain": "y",
        "own:none": None,
        "ilmd": {"own:lot": "L7"},
    }
    assert pre_hash(event, {"own": "urn:own:"}) == (
        f"{HEAD}{WHAT}ilmd{{urn:own:}}lot=L7plain=y{{urn:own:}}stow=x{{urn:own:}}bay{{urn:own:}}bay=7"
    )


def test_what_is_empty_does_not_stand_there() -> None:
    empty = {"epcList": EVENT["epcList"], "bizStep": None, "quantityList": [], "sensorElementList": [{}]}
    assert pre_hash(EVENT | empty) == HEAD + WHAT


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"type": None}, "type = None"),
        ({"eventTime": "yesterday"}, "'yesterday'"),
        ({"eventTime": "2026-09-21T14:13:20"}, "offset"),
        ({"eventTime": "2026-02-30T14:13:20Z"}, "must be a time"),
        ({"own:x": 1}, "no prefix 'own'"),
        ({"quantityList": [7]}, "quantityElement = 7"),
    ],
)
def test_faults_of_an_event(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        event_hash(EVENT | change)
