"""The vectors of the event hash: documents, and what GS1's reference implementation makes of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[2] / "vectors" / "epcis" / "event_hash.toml"


def documents() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Name, document, and the hashes of its events."""
    for each in tomllib.loads(FILE.read_text(encoding="utf-8"))["document"]:
        yield each["name"], json.loads(each["json"]), each["hashes"]
