"""A pack: rules for a kind of place, made of settings that describe the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.config.energy import Energy
from gateway.config.rules import Rule
from gateway.config.table import Table


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack.

    Attributes:
        settings: model of `[[pack]] settings`.
        rules: the rules, given the name of the use, with which the names of all its rules begin, and the settings.
        energy: what the energy books are told for these rules, if anything; ValueError says what is wrong.
    """

    kind: str
    summary: str
    settings: type[Table]
    rules: Callable[[str, Any], list[Rule]]
    energy: Callable[[Energy, Any], Energy] | None = None
