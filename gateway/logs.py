"""Logs: structlog to standard output, JSON under systemd, pretty on a terminal.

Event names are `noun_verbed`, keys carry units. Text that came from a device is hostile: everything that is logged as
text is stripped of what is not printable and cut to a length, so that a tag can neither forge a line nor flood a disk.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

TEXT_MOST: Final = 500
TRACEBACK_MOST: Final = 8_000
_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"

Log = structlog.typing.FilteringBoundLogger


def clean(text: str, most: int = TEXT_MOST) -> str:
    """`text` without control, direction or surrogate characters, at most `most` characters long."""
    cut = text[:most]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else _UNPRINTABLE for c in cut)
    return cut if len(text) <= most else f"{cut} ... ({len(text)} characters)"


def get_log(**bound: str) -> Log:
    """A logger that says `bound` with every line."""
    log: Log = structlog.get_logger(**bound)
    return log


def configure(process: str, *, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging of this process, once, at its start; `level` is debug, info, warning or error."""
    out = sys.stdout if stream is None else stream
    pretty = out.isatty()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _clean_values,
    ]
    # Tracebacks are text before they are shown, on a terminal too: what an exception says may come from a device.
    shown = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    renderer: list[Processor] = [structlog.processors.format_exc_info, _clean_traceback, shown]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    # Libraries log through the standard library; their lines look like ours.
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.WARNING))


def _clean_values(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = clean(value)
        elif isinstance(value, BaseException) and key != "exc_info":
            event[key] = clean(f"{type(value).__name__}: {value}")
    return event


def _clean_traceback(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    text: Any = event.get("exception")
    if isinstance(text, str):
        kept = text[-TRACEBACK_MOST:]  # the end says what happened
        event["exception"] = "\n".join(clean(line) for line in kept.split("\n"))
    return event
