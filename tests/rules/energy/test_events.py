from __future__ import annotations

import pytest

from gateway.contract.batches import TickBatch
from rules.energy.events import BOOK_EVENTS, BOOK_FIELDS, book_event
from rules.language.vocabulary import BUILT_IN, fields_of

BATCH = TickBatch(gateway="edge-1", epoch=7, sequence=9, device="edge-1", received_at_us=1, watched=[])


def test_an_event_names_the_meter_and_the_batch_that_it_rests_on() -> None:
    fields = {"quantity": "active_energy_import", "tariff": None, "before": 1.0}
    event = book_event("register_decreased", "meter-1", BATCH, 5, fields, "a", historical=True)
    assert (event.type, event.subject, event.device, event.at_us) == ("register_decreased", "meter-1", "meter-1", 5)
    assert event.fields == {"quantity": "active_energy_import", "before": 1.0}
    assert event.historical
    evidence = event.evidence
    assert (evidence.gateway, evidence.epoch, evidence.sequence_from, evidence.sequence_to) == ("edge-1", 7, 9, 9)


def test_ids_do_not_depend_on_the_batch() -> None:
    def made(kind: str, meter: str, at_us: int, *parts: str, sequence: int = 9) -> str:
        batch = TickBatch(
            gateway="edge-1", epoch=7, sequence=sequence, device="edge-1", received_at_us=1, watched=[]
        )  # fmt: skip
        return book_event(kind, meter, batch, at_us, {}, *parts, historical=False).id

    assert made("a", "m", 5, "x") == made("a", "m", 5, "x", sequence=10)
    assert len({made("a", "m", 5, "x"), made("b", "m", 5, "x"), made("a", "n", 5, "x"), made("a", "m", 6, "x")}) == 4
    assert made("a", "m", 5, "x") != made("a", "m", 5, "y")


@pytest.mark.parametrize("kind", BOOK_EVENTS)
def test_rules_may_ask_for_every_field(kind: str) -> None:
    assert kind in BUILT_IN
    assert BOOK_FIELDS.items() <= fields_of(kind).items()
    assert "subject" in fields_of(kind)
