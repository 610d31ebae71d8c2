from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.machines.mtconnect.settings import MtConnectSettings


def test_the_shortest_settings_ask_every_second() -> None:
    settings = MtConnectSettings()
    assert (settings.poll_s, settings.count, settings.signals) == (1.0, 1000, ())
    assert settings.control_points() == ()
    assert settings.sources() == ()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"signals": [{"name": "a", "item": "x"}, {"name": "a", "item": "y"}]}, "two are named a"),
        ({"signals": [{"name": "a", "item": "x", "scale": 0}]}, "must not be 0"),
        ({"signals": [{"name": "machine_state", "item": "x", "texts": {"1": "run"}}]}, "run: must be one of stopped"),
        ({"signals": [{"name": "a"}]}, "Field required"),
        ({"poll_s": 0}, "greater than or equal"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        MtConnectSettings.model_validate(settings)
