"""Settings of a small gate, as the tests of the pack change them."""

from __future__ import annotations

from typing import Any

from gateway.config.models import SiteFile
from rules.packs.port.settings import PortSettings


def lane(**more: Any) -> dict[str, Any]:
    """A lane into the terminal."""
    return {
        "name": "lane-1",
        "direction": "in",
        "arrives": {"device": "io-1", "name": "loop"},
        "read_points": ["lane-1-tags"],
        **more,
    }


def settings(**more: Any) -> PortSettings:
    """A gate of one lane, if no others are given."""
    return PortSettings.model_validate({"lane": [lane()], **more})


def site(*, tables: dict[str, dict[str, str]] | None = None, **more: Any) -> SiteFile:
    """A site that uses the pack."""
    return SiteFile.model_validate(
        {
            "site": {"name": "test"},
            "zone": [
                {"name": "queue", "read_points": ["queue-1"]},
                {"name": "block-a", "read_points": ["block-a-1"]},
                {"name": "block-b", "read_points": ["block-b-1"]},
            ],
            "table": [
                {"name": name, "file": f"{name}.csv", "key": "id", "columns": columns}
                for name, columns in (tables or {}).items()
            ],
            "pack": [{"name": "gate", "kind": "port", "settings": {"lane": [lane()], **more}}],
        }
    )
