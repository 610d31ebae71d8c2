from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.gate_exports import CodecoExport, DcsaExport, GateExport

CODECO: dict[str, Any] = {"un_location": "DEHAM", "terminal": "CTA", "sender": "TAGWHARF", "receiver": "LINE"}
DCSA: dict[str, Any] = {"un_location": "CNSHA", "facility": "YSCT", "load": "laden"}


@pytest.mark.parametrize("right", [{}, {"references": {"BN": "appointment_booking"}}, {"sender": "A+B:C'D?E (F)-1/2"}])
def test_what_partners_agree_on_is_taken(right: dict[str, Any]) -> None:
    CodecoExport.model_validate(CODECO | right)


@pytest.mark.parametrize(
    "wrong",
    [
        {"un_location": "HAMBURG"},
        {"un_location": "DE1AM"},
        {"terminal": ""},
        {"sender": "ü"},
        {"sender": "a"},
        {"sender": "A\nB"},
        {"sender": "S" * 36},
        {"receiver": " "},
        {"references": {"booking": "appointment_booking"}},
        {"references": {"BN": "Booking"}},
        {"references": {f"A{number:02}": "x" for number in range(10)}},
        {"sealed_by": "ME"},
        {"character_set": "UNOB"},
        {"association": "ITG14-2"},
        {"partner": "LINE"},
    ],
    ids=str,
)
def test_what_no_partner_could_read_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CodecoExport.model_validate(CODECO | wrong)


@pytest.mark.parametrize("right", [{}, {"facility_list": "BIC"}, {"load": None, "empty_field": "appointment_empty"}])
def test_what_dcsa_knows_is_taken(right: dict[str, Any]) -> None:
    DcsaExport.model_validate(DCSA | right)


@pytest.mark.parametrize(
    "wrong",
    [{"facility": "TERMINAL"}, {"un_location": "SHA"}, {"seal_type": "WAX"}, {"seal_source": "ME"}, {"load": "full"}],
    ids=str,
)
def test_what_dcsa_does_not_know_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DcsaExport.model_validate(DCSA | wrong)


def test_dcsa_has_to_know_whether_containers_are_empty() -> None:
    with pytest.raises(ValidationError, match="empty_field or load: one of them is needed"):
        DcsaExport.model_validate(DCSA | {"load": None})


@pytest.mark.parametrize("model", [GateExport, CodecoExport, DcsaExport])
def test_every_key_says_what_it_means(model: type[GateExport]) -> None:
    assert all(field.description for field in model.model_fields.values())
