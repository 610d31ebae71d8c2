"""The packs: rules that come with Tagwharf, and how a site file that uses them becomes the rules that run."""

from __future__ import annotations

import difflib
from typing import Final

from pydantic import ValidationError

from gateway.config.energy import Energy
from gateway.config.models import SiteFile
from gateway.config.rules import PackUse, Rule
from rules.packs.factory import PACK as FACTORY
from rules.packs.pack import Pack
from rules.packs.parking import PACK as PARKING
from rules.packs.port import PACK as PORT
from rules.packs.power import PACK as POWER

PACKS: Final[dict[str, Pack]] = {pack.kind: pack for pack in (FACTORY, PARKING, PORT, POWER)}


def expand(site: SiteFile) -> SiteFile:
    """The site file with the rules of its packs behind its own, and no packs.

    Raises:
        ValueError: a pack cannot be used; `faults` names all of them beforehand.
    """
    if not site.pack:
        return site
    found = [*site.rule, *(rule for use in site.pack for rule in _rules_of(use))]
    energy = site.energy
    for use in site.pack:
        energy = _energy_of(use, energy)
    return site.model_copy(update={"rule": found, "pack": [], "energy": energy})


def faults(site: SiteFile) -> list[str]:
    """One line for each fault of the packs; empty when they can be used."""
    found: list[str] = []
    energy = site.energy
    names = {rule.name for rule in site.rule}
    for use in site.pack:
        where = f"site.toml: pack[{use.name}]"
        if use.kind not in PACKS:
            near = difflib.get_close_matches(use.kind, PACKS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PACKS)}"
            found.append(f"{where}.kind = {use.kind!r}: no such pack; {hint}")
            continue
        try:
            rules = _rules_of(use)
        except ValidationError as error:
            for each in error.errors():
                place = ".".join(str(part) for part in each["loc"])
                found.append(f"{where}.settings.{place} = {each['input']!r}: {each['msg']}")
            continue
        for rule in rules:
            if rule.name in names:
                found.append(f"{where}.name = {use.name!r}: rule {rule.name!r} exists already; choose another name")
            names.add(rule.name)
        try:
            energy = _energy_of(use, energy)
        except ValueError as error:
            found.append(f"{where}.settings.{error}")
    return found


def _rules_of(use: PackUse) -> list[Rule]:
    pack = PACKS[use.kind]
    return pack.rules(use.name, pack.settings.model_validate(use.settings))


def _energy_of(use: PackUse, energy: Energy) -> Energy:
    pack = PACKS[use.kind]
    return energy if pack.energy is None else pack.energy(energy, pack.settings.model_validate(use.settings))
