"""What every exporter promises, of the one for EPCIS."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.events import Event
from rules.exporters import Document, Exporter
from tests.rules.exporters.epcis_events import EVENTS, event, exporter


@given(st.lists(EVENTS, max_size=4))
def test_the_same_events_become_the_same_documents(events: list[Event]) -> None:
    first: Exporter = exporter()
    found = first.export(events)
    assert found == first.export(events) == exporter().export(events)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", each.name) for each in found)
    assert found == [Document(each.name, each.body) for each in found]


def test_no_events_become_no_document() -> None:
    assert exporter().export([]) == []
    assert exporter().export([event("made-by-a-rule")]) == []
