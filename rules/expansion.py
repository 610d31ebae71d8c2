"""Where a site file becomes the rules that run: packs become rules, places of the plan become spots.

Whoever runs or checks rules comes by here.
"""

from __future__ import annotations

from pathlib import Path

from gateway.config import ConfigError
from gateway.config.load import load_site
from gateway.config.models import SiteFile
from rules import packs
from rules.checking import check
from rules.plan_spots import with_plan


def as_run(site: SiteFile) -> SiteFile:
    """The site with every rule that runs, those of its packs among them.

    Raises:
        ValueError: a pack cannot be used; `faults` names all of them beforehand.
    """
    return with_plan(packs.expand(site))


def faults(site: SiteFile) -> list[str]:
    """One line for each fault of packs and rules; empty when they can be run."""
    return packs.faults(site) or check.faults(as_run(site))


def load_as_run(path: Path) -> SiteFile:
    """The site of a file, as it runs.

    Raises:
        ConfigError: all faults of the file, one line each.
    """
    site = load_site(path)
    if found := faults(site):
        raise ConfigError("\n".join(found))
    return as_run(site)
