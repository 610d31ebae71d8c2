"""Where each rule that runs comes from: a place in a file, or a use of a pack there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gateway.config.load import load_site, site_files
from gateway.config.positions import Positions
from gateway.config.toml_file import parse, read
from rules import packs


class Origin(NamedTuple):
    """The file, and the line of the `[[rule]]` or of the `[[pack]]`; pack, kind: the use of a pack that made it."""

    file: str
    line: int | None
    pack: str | None = None
    kind: str | None = None

    def text(self) -> str:
        """As people look it up."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}, pack {self.pack} ({self.kind})" if self.pack else place


def origins(path: Path) -> dict[str, Origin]:
    """Of every rule of a site file, by its name.

    Raises:
        ConfigError: the file has faults.
    """
    site = load_site(path)
    file = site_files(path)[-1]  # rules and packs stand together: in the file that the site file names, or in it
    text = read(file, "it holds the rules")
    raw, positions = parse(file, text), Positions(text)

    def line(table: str, name: str) -> int | None:
        names = [each.get("name") for each in raw.get(table, [])]
        return positions.line_of((table, names.index(name))) if name in names else None

    found = {rule.name: Origin(str(file), line("rule", rule.name)) for rule in site.rule}
    for use in site.pack:
        made = packs.expand(site.model_copy(update={"rule": [], "pack": [use]})).rule
        found |= {rule.name: Origin(str(file), line("pack", use.name), use.name, use.kind) for rule in made}
    return found
