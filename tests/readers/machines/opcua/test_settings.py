from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.control import Action
from readers.machines.opcua.settings import OpcUaSettings, Security
from readers.opcua_messages import Mode, Policy

STATE = {"name": "machine_state", "node": "ns=2;s=State"}
REMOTE = {"name": "remote_enabled", "node": "ns=2;s=Remote"}
SPEED = {"name": "speed-set", "node": "ns=2;s=Set", "minimum": 100, "maximum": 800, "unit": "m/min"}
STOP = {"action": "stop", "method": "ns=2;s=Stop", "owner": "ns=2;s=M"}
START = {"action": "start", "node": "ns=2;s=Start"}


def test_the_shortest_settings_watch_nothing_and_secure_what_they_can() -> None:
    settings = OpcUaSettings()
    assert settings.security.policy is None
    assert settings.message_mode is Mode.SIGN_AND_ENCRYPT
    assert settings.sources() == ()
    assert settings.control_points() == ()
    assert {each.policy for each in Security} == {None, *Policy}


def test_machines_behind_one_server_have_points_of_their_own() -> None:
    settings = OpcUaSettings.model_validate(
        {
            "signals": [each | {"machine": name} for name in ("w1", "w2") for each in (STATE, REMOTE)],
            "setpoints": [SPEED | {"machine": "w1", "most_change": 50}],
            "commands": [STOP | {"machine": "w1"}, START | {"machine": "w1"}, STOP | {"machine": "w2"}],
        }
    )
    assert settings.sources() == ("w1", "w2")
    speed, first, second = settings.control_points()
    assert (speed.name, speed.source, speed.actions, speed.shows) == ("speed-set", "w1", (Action.SET,), ("value",))
    assert speed.most_change == 50
    assert (first.name, first.source, first.actions) == ("machine", "w1", (Action.STOP, Action.START))
    assert first.shows == ("machine_state", "is_remote_enabled")
    assert (second.source, second.actions) == ("w2", (Action.STOP,))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"signals": [{"name": "speed", "node": "Speed"}]}, "String should match pattern"),
        ({"signals": [STATE, STATE]}, "two of one machine are named machine_state"),
        ({"signals": [STATE | {"texts": {"1": "running"}}]}, "running: must be one of stopped, idle"),
        ({"signals": [{"name": "machine_mode", "node": "i=5"}]}, "needs to know what means automatic"),
        ({"signals": [REMOTE | {"texts": {"1": "yes"}}]}, "remote_enabled is true or false"),
        ({"signals": [{"name": "x", "node": "i=5", "scale": 0}]}, "must not be 0"),
        ({"signals": [{"name": "x", "node": "i=5", "scale": 2, "texts": {"1": "a"}}]}, "scale: is for numbers"),
        ({"setpoints": [SPEED | {"minimum": 900}]}, "minimum: must be below maximum"),
        ({"setpoints": [SPEED | {"scale": 0}]}, "scale: must not be 0"),
        ({"signals": [STATE], "commands": [STOP | {"owner": None}]}, "name both"),
        ({"signals": [STATE], "commands": [STOP | {"node": "i=1"}]}, "one of them"),
        ({"signals": [STATE], "commands": [STOP, STOP]}, "order the same of the same point"),
        ({"commands": [STOP]}, "read from the signal machine_state"),
        ({"signals": [STATE], "commands": [START]}, "unless the machine permits it"),
        ({"signals": [STATE], "setpoints": [SPEED], "commands": [STOP | {"name": "speed-set"}]}, "named speed-set"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        OpcUaSettings.model_validate(settings)
