from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.config import ConfigError
from gateway.config.models import SiteFile
from gateway.config.sinks import DirectorySink, Format
from gateway.contract.events import Event
from rules.sinks.formats import exporter_of
from rules.sinks.letters import Clerk, letters_of
from tests.rules.sinks.told import AT_US, EVIDENCE, outputs

EXPORTS = {
    "epcis": {"gln": "4012345000009", "uri": "https://id.example"},
    "codeco": {"un_location": "DEHAM", "sender": "TERMINAL", "receiver": "CARRIER", "terminal": "CTA", "load": "laden"},
    "dcsa": {"un_location": "DEHAM", "facility": "CTA", "load": "laden"},
}
GATE = Event(
    id="5f0c3b7a1e9d24680b13",
    type="gate-transaction",
    at_us=AT_US,
    subject="lane-1",
    direction="in",
    evidence=EVIDENCE,
    fields={"direction": "in", "verdict": "open", "container": "CSQU3054383", "truck": "HH-TW 4711"},
)


def site(**more: Any) -> SiteFile:
    values = {"site": {"name": "hamburg"}, "exports": EXPORTS, "production": {"timezone": "Europe/Berlin"}, **more}
    return SiteFile.model_validate(values)


@pytest.mark.parametrize("wanted", [Format.TAGWHARF, Format.CASE])
def test_our_own_formats_need_nobody(wanted: Format) -> None:
    assert exporter_of(wanted, site(exports={})) is None


@pytest.mark.parametrize("wanted", [Format.EPCIS, Format.CODECO, Format.DCSA])
def test_a_format_without_its_table(wanted: Format) -> None:
    with pytest.raises(ConfigError, match=rf"the format '{wanted.value}' needs the table \[exports\.{wanted.value}\]"):
        exporter_of(wanted, site(exports={}))


@pytest.mark.parametrize(
    ("wanted", "content_type", "suffix"),
    [
        ("epcis", "application/ld+json", "jsonld"),
        ("codeco", "application/EDIFACT", "edi"),
        ("dcsa", "application/json", "json"),
    ],
)
def test_a_gate_transaction_in_the_formats_of_others(wanted: str, content_type: str, suffix: str) -> None:
    exporter = exporter_of(Format(wanted), site())
    assert exporter is not None
    assert exporter.name == wanted
    told = DirectorySink.model_validate(
        {"kind": "directory", "name": "x", "directory": "/x", "format": wanted, "events": ["gate-transaction"]}
    )
    letters = letters_of(Clerk(told, site="hamburg", exporter=exporter).parcels([outputs(GATE)]))
    assert letters
    for letter in letters:
        assert letter.refused == ""
        assert letter.id.startswith(GATE.id)
        assert letter.content_type.partition(";")[0] == content_type
        assert letter.suffix == suffix
        assert b"CSQU3054383" in letter.body or b"CSQU305438" in letter.body
        if wanted != "codeco":
            json.loads(letter.body)
