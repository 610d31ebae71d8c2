"""The rule file that `rules.file` of a site file may name: all its rules, look-up tables and packs, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.config.faults import Faults
from gateway.config.positions import Positions
from gateway.config.toml_file import parse, read
from readers.errors import ConfigError

TABLES: Final[tuple[str, ...]] = ("rule", "table", "pack")
"""What stands either in the rule file or in the site file."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule file as it was read, if a site file names one.

    Attributes:
        tables: those of `TABLES` that stand in it.
        positions: its name and where its keys stand, for each of `TABLES`.
        faults: one line each; of a file that cannot be read, or holds what it must not.
    """

    tables: dict[str, Any] = field(default_factory=dict)
    positions: dict[str, tuple[str, Positions]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def named_in(raw: Mapping[str, Any], path: Path) -> Path | None:
    """The rule file that the site file at `path` names; None when it names none, or something that is no name."""
    rules = raw.get("rules")
    name = rules.get("file") if isinstance(rules, Mapping) else None
    return path.parent / name if isinstance(name, str) and name else None


def read_rule_file(path: Path) -> RuleFile:
    """Read it, with its faults among the rest of what was found."""
    try:
        text = read(path, "rules.file of the site file names it")
        raw = parse(path, text)
    except ConfigError as error:
        return RuleFile(faults=[str(error)])
    positions = Positions(text)
    faults = Faults(str(path), raw, positions)
    for key in raw:
        if key not in TABLES:
            faults.add((key,), "does not belong here: a rule file holds [[rule]], [[table]] and [[pack]] alone; "
                       "move it to the site file", show_value=False)  # fmt: skip
    tables = {key: raw[key] for key in TABLES if key in raw}
    return RuleFile(tables, {key: (str(path), positions) for key in TABLES}, faults.lines())
