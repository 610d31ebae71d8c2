"""What the commands on recordings share: where the recording is, what of it is asked for, and where the events are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.config.load import state_directory
from gateway.config.models import JournalSink, SiteFile
from gateway.recording import Recording, RecordingError, Span
from gateway.where import time_text
from rules.explaining.replay import Window

SETTLE_US = 600_000_000
"""How far beyond a window is read: what happened in it may become known later."""
LOOK_BACK = "1h"


class Opened(NamedTuple):
    """A recording that is not empty, and its span."""

    recording: Recording
    span: Span


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Declare where the recording is."""
    parser.add_argument(
        "--recording",
        type=Path,
        metavar="PATH",
        help="a state directory, a journal in one, or a file of batches (default: the state directory of the site)",
    )
    parser.add_argument(
        "--events", type=Path, metavar="DIR", help="the event journal (default: where the site file has it)"
    )


def opened(options: argparse.Namespace, site: SiteFile) -> Opened:
    """The recording that is asked for.

    Raises:
        RecordingError: there is none, or it is empty.
    """
    recording = Recording(options.recording or state_directory(site))
    span = recording.span()
    if span is None:
        raise RecordingError(f"{recording.sources[0]}: the recording is empty")
    return Opened(recording, span)


def event_directory(options: argparse.Namespace, site: SiteFile) -> Path:
    """Where the event journal is: beside the recording, if that is a state directory."""
    if options.events is not None:
        return Path(options.events)
    if options.recording is not None and (beside := options.recording / "events").is_dir():
        return Path(beside)
    for sink in site.sink:
        if isinstance(sink, JournalSink) and sink.directory is not None:
            return sink.directory
    return state_directory(site) / "events"


class Head(NamedTuple):
    """What was replayed of a recording; all times are microseconds since 1970.

    Attributes:
        began_us: from when on it was replayed. damaged: what could not be read, a line each.
    """

    first_us: int
    last_us: int
    sources: list[str]
    from_us: int
    to_us: int
    began_us: int
    batches: int
    damaged: list[str]


def head(opened: Opened, window: Window, batches: int, damaged: Sequence[str] = ()) -> Head:
    """What was replayed, and what could not be read."""
    return Head(
        first_us=opened.span.first_us,
        last_us=opened.span.last_us,
        sources=[str(source) for source in opened.recording.sources],
        from_us=window.from_us,
        to_us=window.to_us,
        began_us=max(window.read_from_us, opened.span.first_us),
        batches=batches,
        damaged=[*opened.recording.damaged, *damaged],
    )


def head_lines(head: Head) -> list[str]:
    """What was replayed, and what that means at its beginning."""
    lines = [
        f"recording: {time_text(head.first_us)} to {time_text(head.last_us)}, in {', '.join(head.sources)}",
        f"window:    {time_text(head.from_us)} to {time_text(head.to_us)}",
        f"replayed:  {head.batches} batches from {time_text(head.began_us)} on, from an empty state",
    ]
    if head.began_us >= head.from_us:
        lines.append(
            "           nothing was replayed before the window: tags that were there already arrive anew in it, holds "
            "begin anew, and what was under way is not known"
        )
    lines += [f"not readable: {each}" for each in head.damaged]
    return lines
