"""Makes a restored edge journal go on where no sequence of the lost machine can be met.

What the lost machine published after the backup has sequences that the restored journal does not know. So its next
sequence lies beyond all that could have been used, as after damage, and its epoch stays: rows that were not judged yet
go out under the sequences that they always had, and whoever judged them knows them as duplicates. A new epoch would
have them judged, and told, twice.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.contract.batches import NUMBER_MOST
from gateway.edge import recovery, segment
from gateway.edge.segment import DamagedError

BATCHES_PER_S_MOST: Final = 1 << 14
"""More than any gateway sends: 64 readers make 3,200 a second. So two restores share no sequence, either."""
US_PER_S: Final = 1_000_000


class ContinueError(Exception):
    """A journal cannot go on; the message says what to do."""


class Continued(NamedTuple):
    """A journal that goes on.

    Attributes:
        last: the last sequence of the backup. next_sequence: the first of the restored machine.
    """

    gateway: str
    epoch: int
    last: int
    watermark: int
    next_sequence: int


def continue_journal(directory: Path, now_us: int, alarm: Callable[[str, str], None]) -> Continued:
    """Let the journal in `directory`, which nobody has open, go on after `now_us`.

    Raises:
        ContinueError: it cannot be read, or the clock is wrong. OSError, sqlite3.Error: it cannot be written.
    """
    newest = segment.paths(directory)[-1]
    try:
        with segment.reading(newest) as db:
            gateway = segment.state_of(db).gateway
    except DamagedError as error:
        raise ContinueError(f"{newest}: {error}; take another backup") from error
    opened = recovery.open_journal(directory, gateway, alarm)
    state = opened.state.copy()
    passed_us = now_us - state.epoch
    if passed_us < 0:
        raise ContinueError(f"the clock of this machine shows a time before the journal of {gateway} began; set it")
    last = state.next_sequence - 1
    state.next_sequence = last + recovery.JUMP + passed_us * BATCHES_PER_S_MOST // US_PER_S
    if state.next_sequence >= NUMBER_MOST:
        raise ContinueError(f"the journal of {gateway} has no sequences left; begin a new one")
    state.judge = segment.RESTORED
    segment.create(segment.path_of(directory, state.next_sequence), state)
    return Continued(gateway, state.epoch, last, state.watermark, state.next_sequence)
