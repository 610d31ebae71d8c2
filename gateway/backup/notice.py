"""The note that a restore leaves for the rules daemon, which tells it as an event."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "restored.json"


def time_of(at_us: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%SZ}"


class Notice(msgspec.Struct, frozen=True):
    """When the backup was made, and when it was restored."""

    made_at_us: int
    restored_at_us: int

    @property
    def text(self) -> str:
        """What is not known."""
        return (
            f"restored from the backup of {time_of(self.made_at_us)}: what was judged from then until the restore at "
            f"{time_of(self.restored_at_us)} is not known here"
        )


def leave(directory: Path, notice: Notice) -> None:
    """Leave it in the state directory of the rules daemon; raises OSError."""
    (directory / FILE).write_bytes(msgspec.json.encode(notice))


def take(directory: Path) -> Notice | None:
    """Take it away, if there is one; one that cannot be read counts as none."""
    path = directory / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Notice)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError):
        found = None
    path.unlink(missing_ok=True)
    return found
