"""Times, durations and counts as people give them to the commands on recordings."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Final

from gateway.durations import seconds

LEAST_US: Final = 1_000_000_000_000_000
"""A number from here on is microseconds since 1970, as events tell their time."""


class Ago:
    """So long before the end of a recording: the same for one recording, whenever it is asked."""

    def __init__(self, before_s: float) -> None:
        self.before_us = round(before_s * 1e6)


Time = int | Ago


def a_time(text: str) -> Time:
    """`2026-03-02T08:00`, UTC where no zone is written; microseconds since 1970; or `2h`, before the recording's end.

    Raises:
        argparse.ArgumentTypeError: it is none of them.
    """
    if text.isdecimal() and int(text) >= LEAST_US:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return Ago(seconds(text))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no time; write 2026-03-02T08:00, with Z or +08:00 behind it, or 2h for so long before "
                "the end of the recording"
            ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)


def a_duration(text: str) -> int:
    """Microseconds of `30s`, `5m`, `1.5h`; `0` for none.

    Raises:
        argparse.ArgumentTypeError: it is no duration.
    """
    if text.strip() in {"0", "0s"}:
        return 0
    try:
        return round(seconds(text) * 1e6)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def a_count(text: str) -> int:
    """`0`, `500`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of things; write 500")
    return int(text)


def at(time: Time | None, end_us: int, otherwise_us: int) -> int:
    """A time in microseconds, given the end of the recording."""
    if time is None:
        return otherwise_us
    return end_us - time.before_us if isinstance(time, Ago) else time
