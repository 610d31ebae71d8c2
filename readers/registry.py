"""Finds the drivers: every module of a drivers' package that has a `DRIVER`, and entry points.

A driver outside this project registers itself with the entry point group `tagwharf.drivers`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from readers.driver import DriverSpec
from readers.errors import ConfigError

PACKAGES: Final = ("readers.rfid", "readers.cards", "readers.meters", "readers.machines")
ENTRY_POINT_GROUP: Final = "tagwharf.drivers"


@cache
def drivers() -> dict[str, DriverSpec[Any]]:
    """All drivers by name, sorted.

    Raises:
        ConfigError: two drivers have one name.
    """
    found: dict[str, DriverSpec[Any]] = {}
    for spec in [*_own(), *_foreign()]:
        if spec.name in found:
            raise ConfigError(f"two drivers are named {spec.name!r}: rename or remove one of them")
        found[spec.name] = spec
    return dict(sorted(found.items()))


def driver(name: str) -> DriverSpec[Any]:
    """The driver of that name.

    Raises:
        ConfigError: there is none; the message lists the names and the nearest one.
    """
    known = drivers()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        raise ConfigError(f"driver {name!r} is unknown{hint} known drivers: {', '.join(known)}")
    return known[name]


def _own() -> list[DriverSpec[Any]]:
    specs = []
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__):
            spec = getattr(importlib.import_module(f"{package_name}.{module.name}"), "DRIVER", None)
            if isinstance(spec, DriverSpec):
                specs.append(spec)
    return specs


def _foreign() -> list[DriverSpec[Any]]:
    specs = []
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        spec = entry.load()
        if not isinstance(spec, DriverSpec):
            raise ConfigError(
                f"entry point {entry.name!r} of group {ENTRY_POINT_GROUP} is no DriverSpec but {type(spec).__name__}"
            )
        specs.append(spec)
    return specs
