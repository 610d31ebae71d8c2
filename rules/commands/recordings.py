"""What the commands on recordings share: where the recording is, what of it is asked for, and where the events are."""

from __future__ import annotations

import argparse
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


def head_lines(opened: Opened, window: Window, batches: int) -> list[str]:
    """What was replayed, and what that means at its beginning."""
    span = opened.span
    began_us = max(window.read_from_us, span.first_us)
    lines = [
        f"recording: {time_text(span.first_us)} to {time_text(span.last_us)}, in {', '.join(map(str, _names(opened)))}",
        f"window:    {time_text(window.from_us)} to {time_text(window.to_us)}",
        f"replayed:  {batches} batches from {time_text(began_us)} on, from an empty state",
    ]
    if began_us >= window.from_us:
        lines.append(
            "           nothing was replayed before the window: tags that were there already arrive anew in it, holds "
            "begin anew, and what was under way is not known"
        )
    lines += [f"not readable: {each}" for each in opened.recording.damaged]
    return lines


def _names(opened: Opened) -> list[str]:
    return [str(source) for source in opened.recording.sources]
