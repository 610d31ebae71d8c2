"""A site with a few points, a desk for it, and commands to it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any, Final

from gateway.config.control import Control
from gateway.contract.commands import Command
from gateway.control.desk import Desk
from gateway.control.interlocks import Interlock
from readers.control import Action, ControlPoint, Shown, Value

NOW_US: Final = 1_800_000_000_000_000
S: Final = 1_000_000
CONTROL: Final[Mapping[str, Any]] = {
    "enabled": True,
    "person": [
        {"name": "anna", "key_credential": "control-anna", "roles": ["operator"], "operator_code": 17},
        {"name": "ben", "key_credential": "control-ben", "roles": ["operator", "chief"]},
        {"name": "carl", "key_credential": "control-carl", "roles": ["guest"]},
    ],
    "point": [
        {
            "device": "m-1",
            "point": "relay",
            "actions": ["trip", "permit_close", "close"],
            "roles": ["operator"],
            "close_roles": ["chief"],
            "interlocks": ["current_a < 5", "signal lane loop = false"],
            "least_pause_s": 10,
            "most_per_hour": 3,
        },
        {
            "device": "m-2",
            "point": "relay",
            "actions": ["trip"],
            "roles": ["operator"],
            "second_person": True,
        },
        {"device": "io", "point": "red", "actions": ["on", "off"], "roles": ["operator"], "two_steps": False},
        {"device": "io", "point": "speed", "actions": ["set"], "roles": ["operator"]},
        {"device": "loom", "point": "run", "actions": ["start", "stop"], "roles": ["operator"]},
        {"device": "io", "point": "pump", "actions": ["on"], "roles": ["operator"], "locked": "a person is inside"},
    ],
}
RELAY: Final = (Action.TRIP, Action.PERMIT_CLOSE, Action.CLOSE)
SHOWS: Final = ("is_closed", "is_protected", "current_a")
POINTS: Final = {
    ("m-1", "relay"): ControlPoint("relay", "m-1", RELAY, shows=SHOWS),
    ("m-2", "relay"): ControlPoint("relay", "m-2", (Action.TRIP,), shows=("is_closed",)),
    ("io", "red"): ControlPoint("red", None, (Action.ON, Action.OFF), shows=("is_on",)),
    ("io", "speed"): ControlPoint(
        "speed", None, (Action.SET,), "Hz", Decimal(0), Decimal(60), Decimal(20), shows=("value",)
    ),
    ("loom", "run"): ControlPoint("run", None, (Action.START, Action.STOP), shows=("is_remote_enabled",)),
    ("io", "pump"): ControlPoint("pump", None, (Action.ON,), shows=("is_on",)),
}
CLOSED: Final[Mapping[str, Value]] = {"is_closed": True, "is_protected": False, "current_a": Decimal("1.2")}


class Office:
    """A desk whose nonces and neighbours a test knows."""

    def __init__(self, newest_us: int = 0) -> None:
        numbers = count(1)
        self.loop: Value | None = False
        self.desk = Desk(
            Control.model_validate(CONTROL),
            POINTS,
            latest=self._latest,
            make_nonce=lambda: f"{next(numbers):016x}",
            newest_us=newest_us,
        )

    def _latest(self, interlock: Interlock, fresh_us: int, now_us: int) -> Value | None:
        assert interlock.device == "lane"
        assert fresh_us == 120 * S
        assert now_us > 0
        return self.loop


_ids = count(1)


def order(kind: str, device: str = "m-1", point: str = "relay", action: str | None = "trip", **more: Any) -> Command:
    """A fresh command of Anna's."""
    at_us = more.pop("at_us", NOW_US)
    fields: dict[str, Any] = {
        "id": f"{next(_ids):026d}",
        "gateway": "edge-1",
        "issued_at_us": at_us,
        "expires_at_us": at_us + 30 * S,
        "by": "anna",
        "kind": kind,
        "device": device,
        "point": point,
        "action": action,
    }
    return Command(**{**fields, **more})


def shown(values: Mapping[str, Value] = CLOSED, at_us: int = NOW_US) -> Shown:
    return Shown(at_us, values)
