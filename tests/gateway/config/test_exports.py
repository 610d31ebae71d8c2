"""The tables `[exports.…]`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.exports import BIZ_STEPS, DISPOSITIONS, EpcisExport

GLN = "4012345000009"
OWN = "https://id.harbour.example/rfid"


def test_the_shortest_tables() -> None:
    assert EpcisExport.model_validate({"gln": GLN}).uri is None
    assert EpcisExport.model_validate({"uri": OWN + "/"}).uri == OWN


def test_a_full_table() -> None:
    table = EpcisExport.model_validate(
        {
            "gln": GLN,
            "company_prefix": "4012345",
            "identifiers": "epc_uri",
            "uri": OWN,
            "places": {"quay": "4012345000115", "gate": "urn:epc:id:sgln:614141.00777.7", "pool": "https://x.example/p%20"},
            "zone_steps": {"quay": "loading", "yard": "https://words.example/lashing"},
            "steps": {"loaded": {"step": "loading", "disposition": "in_progress"}, "seen": {}},
        }
    )  # fmt: skip
    assert table.steps["loaded"].disposition == "in_progress"
    assert "sensor_reporting" in BIZ_STEPS
    assert "container_open" in DISPOSITIONS


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({}, "gln or uri: one of them is needed"),
        ({"gln": "4012345000008"}, "must be 9"),
        ({"gln": "401234500000"}, "pattern"),
        ({"uri": "harbour.example"}, "must be a URI"),
        ({"uri": "urn:x:y"}, "must begin with https://"),
        ({"uri": "https://h.example/?q="}, "without [?] and #"),
        ({"uri": "https:///path"}, "must be a URI"),
        ({"uri": "https://[::1/x"}, "must be a URI"),
        ({"uri": "https://h.example/a b"}, "must be a URI"),
        ({"uri": "https://h.example/100%"}, "must be a URI"),
        ({"uri": "https://h.example/<x>"}, "must be a URI"),
        ({"uri": OWN, "places": {"quay": "4012345000116"}}, "must be 5"),
        ({"uri": OWN, "places": {"quay": "the quay"}}, "a GLN of 13 digits, or a URI"),
        ({"uri": OWN, "zone_steps": {"quay": "loding"}}, "did you mean 'loading'"),
        ({"uri": OWN, "zone_steps": {"quay": "urn:epcglobal:cbv:bizstep:loading"}}, "no business step"),
        ({"uri": OWN, "zone_steps": {"quay": "x:y z"}}, "no business step"),
        ({"uri": OWN, "steps": {"loaded": {"disposition": "zzz"}}}, "no disposition of GS1's Core Business Vocabulary"),
        ({"uri": OWN, "steps": {"gate-transaction": {}}}, "its meaning is in its direction"),
        ({"gln": GLN, "identifiers": "epc_uri"}, f"what the GLN {GLN} begins with"),
        ({"gln": GLN, "identifiers": "epc_uri", "company_prefix": "401235"}, f"what the GLN {GLN} begins with"),
        (
            {"uri": OWN, "identifiers": "epc_uri", "company_prefix": "401234", "places": {"quay": "0614141007776"}},
            "what the GLN 0614141007776 begins with",
        ),
        ({"uri": OWN, "company_prefix": "40123"}, "pattern"),
        ({"uri": OWN, "resolver": "x"}, "Extra inputs"),
    ],
)
def test_faults(table: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        EpcisExport.model_validate(table)


def test_places_that_would_have_no_name() -> None:
    long = "a-place-with-a-long-name"
    assert EpcisExport.model_validate({"gln": GLN}).unnamed(["yard-7", long]) == [long]
    assert EpcisExport.model_validate({"gln": GLN, "places": {long: f"{OWN}/p"}}).unnamed([long]) == []
    assert EpcisExport.model_validate({"uri": OWN}).unnamed([long]) == []
