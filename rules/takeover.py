"""What of a changed site file the running daemon takes over: its rules. Everything else waits for a restart."""

from __future__ import annotations

from typing import Final

from gateway.config.models import SiteFile

TAKEN: Final = ("rule", "table", "pack")


def taken_over(running: SiteFile, changed: SiteFile) -> SiteFile:
    """The running site with the rules of the changed one."""
    return running.model_copy(update={name: getattr(changed, name) for name in TAKEN})


def is_taken(running: SiteFile, changed: SiteFile) -> bool:
    """Whether there is something to take over."""
    return any(getattr(running, name) != getattr(changed, name) for name in TAKEN)


def left_over(running: SiteFile, changed: SiteFile) -> list[str]:
    """The tables that changed and are not taken over, as they are written: `[mqtt]`, `[[zone]]`."""
    found = []
    for name in SiteFile.model_fields:
        before, after = getattr(running, name), getattr(changed, name)
        if name == "rules":  # where the rules stand is no setting
            before, after = (each.model_copy(update={"file": None}) for each in (before, after))
        if name not in TAKEN and before != after:
            found.append(f"[[{name}]]" if isinstance(after, list) else f"[{name}]")
    return found
