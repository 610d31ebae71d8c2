"""The pack `factory`: routes along stations, custody of tools and pallets, machines."""

from __future__ import annotations

from typing import Final

from gateway.config.rules import Rule
from rules.packs.factory import custody, machines, routes
from rules.packs.factory.settings import FactorySettings
from rules.packs.pack import Pack

__all__ = ["PACK"]


def _rules(name: str, settings: FactorySettings) -> list[Rule]:
    found: list[Rule] = []
    for line in settings.line:
        found += routes.rules(name, line)
    for group in settings.custody:
        found += custody.rules(name, group)
    for machine in settings.machine:
        found += machines.rules(name, machine)
    return found


PACK: Final = Pack(
    "factory",
    "Stations of a line, custody of tools and pallets, machines",
    FactorySettings,
    _rules,
)
