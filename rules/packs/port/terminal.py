"""The pack `port`: all its rules, in the order in which they rest on one another."""

from __future__ import annotations

from typing import Final

from gateway.config.rules import Rule
from rules.packs.pack import Pack
from rules.packs.port import cargo, gate, traffic, yard
from rules.packs.port.settings import PortSettings


def rules(name: str, settings: PortSettings) -> list[Rule]:
    """The rules of one use."""
    return [
        *gate.rules(name, settings),
        *traffic.rules(name, settings),
        *yard.rules(name, settings),
        *cargo.rules(name, settings),
    ]


PACK: Final = Pack(
    "port", "Gate transactions, truck turn and queue times, yard moves, seals and reefers.", PortSettings, rules
)
