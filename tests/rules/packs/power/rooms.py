"""Power rooms for the tests of the pack."""

from __future__ import annotations

from typing import Any

from gateway.config.models import Site, SiteFile
from gateway.config.rules import PackUse, Rule
from rules import packs
from rules.checking import check


def site(*, name: str = "power", energy: dict[str, Any] | None = None, **settings: Any) -> SiteFile:
    settings.setdefault("meter", [{"name": "mains"}])
    use = PackUse(name=name, kind="power", settings=settings)
    return SiteFile.model_validate({"site": Site(name="harbour"), "energy": energy or {}, "pack": [use]})


def rules(**settings: Any) -> dict[str, Rule]:
    """By name without that of the use; they are checked as in a site file."""
    file = site(**settings)
    assert packs.faults(file) == []
    made = packs.expand(file)
    assert check.faults(made) == []
    return {rule.name.removeprefix("power-"): rule for rule in made.rule}


def fault(**settings: Any) -> str:
    """The only fault of a room."""
    (found,) = packs.faults(site(**settings))
    return found
