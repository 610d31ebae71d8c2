"""Writes boards and provisioning as Grafana reads them from disk."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.boards.installing.install import boards_for
from gateway.boards.installing.provisioning import Language, Store, provisioning


def export(directory: Path, store: Store, language: Language, console: str) -> list[Path]:
    """Write `boards/` and `provisioning/` into a directory; returns the files, each written whole or not at all.

    Raises:
        OSError: a file cannot be written.
    """
    boards = directory.absolute() / "boards"
    texts = {
        boards / path: f"{json.dumps(board, indent=2, ensure_ascii=False)}\n"
        for path, board in boards_for(language, console).items()
    }
    files = provisioning(store.literal(), str(boards).replace("$", "$$"), language, console)
    texts |= {directory.absolute() / "provisioning" / path: text for path, text in files.items()}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")  # Grafana looks for *.json and *.yaml
        unfinished.write_text(text)
        unfinished.replace(path)
    return sorted(texts)
