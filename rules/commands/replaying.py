"""`rules replay [FILE]`: what rules would have made of a recording, and how that differs from what happened."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.config import ConfigError
from gateway.event_span import EventSpan
from gateway.logs import clean
from gateway.recording import RecordingError
from gateway.where import time_text
from rules.commands.recordings import (
    LOOK_BACK,
    SETTLE_US,
    Head,
    Opened,
    add_recording,
    event_directory,
    head,
    head_lines,
    opened,
)
from rules.commands.saying import EX_CONFIG, EX_NO, add_site_file, complain, say, site_file
from rules.commands.times import a_count, a_duration, a_time, at
from rules.expansion import load_as_run
from rules.explaining.replay import Difference, Replayed, Told, Window, difference, happened, replay
from rules.explaining.trace_lines import outcome_line
from rules.testing.workbench import of_site


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_site_file(parser)
    add_recording(parser)
    parser.add_argument("--from", dest="from_", type=a_time, metavar="TIME", help="begin (default: of the recording)")
    parser.add_argument("--to", type=a_time, metavar="TIME", help="end (default: of the recording)")
    parser.add_argument(
        "--look-back",
        type=a_duration,
        default=a_duration(LOOK_BACK),
        metavar="TIME",
        help=f"replay so long before the window, to know what was under way (default: {LOOK_BACK})",
    )
    parser.add_argument("--diff", action="store_true", help="compare with the event journal; exit with 1 if different")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--most",
        type=a_count,
        metavar="N",
        help="list so many differences of a rule, or events and alarms, at most; all are counted (default: all)",
    )
    parser.add_argument("--save", type=Path, metavar="TO", help="write what would be replayed to a file of batches")


def run(options: argparse.Namespace) -> int:
    """Replay."""
    try:
        site = load_as_run(site_file(options))
        found = opened(options, site)
        bench = of_site(site)
    except ConfigError as error:
        complain(str(error).splitlines())
        return EX_CONFIG
    except RecordingError as error:
        complain([str(error)])
        return EX_NO
    try:
        window = window_of(options, found)
        if options.save is not None:
            count = found.recording.save(options.save, window.read_from_us, window.read_to_us)
            say([f"{options.save}: {count} batches"])
            return 0
        replayed = replay(bench.engine(), found.recording.batches(window.read_from_us, window.read_to_us), window)
    finally:
        bench.close()
    if not options.diff:
        told = head(found, window, replayed.batches)
        say([_made_json(told, replayed, options.most)] if options.json else _made(told, replayed))
        return 0
    journal = EventSpan(event_directory(options, site))
    then = list(happened(journal.events(window.from_us, window.to_us), journal.alarms(window.from_us, window.to_us)))
    different = difference(replayed.told(), then)
    told = head(found, window, replayed.batches, journal.damaged)
    if options.json:
        say([json.dumps(_as_json(told, different, options.most))])
    else:
        say(head_lines(told))
        say(difference_lines(different, options.most))
    return EX_NO if different.made_now or different.missing_now else 0


def window_of(options: argparse.Namespace, found: Opened) -> Window:
    """What of a recording is asked for."""
    end_us = found.span.last_us + 1
    from_us = at(options.from_, end_us, found.span.first_us)
    to_us = at(options.to, end_us, end_us)
    return Window(from_us - options.look_back, from_us, to_us, to_us + SETTLE_US)


def difference_lines(different: Difference, most: int | None = None) -> Iterator[str]:
    """What a replay made, against what happened, rule by rule."""
    made = Counter(each.rule for each in different.made_now)
    missing = Counter(each.rule for each in different.missing_now)
    if not different.rules:
        yield "nothing was made, neither then nor now"
    for rule in different.rules:
        yield f"{rule}: {different.same[rule]} the same, {made[rule]} made now, {missing[rule]} missing now"
        both = [("+", each) for each in different.made_now if each.rule == rule]
        both += [("-", each) for each in different.missing_now if each.rule == rule]
        for sign, each in sorted(both, key=lambda row: (row[1].at_us, row[1].key))[:most]:
            yield f"  {sign} {_told_line(each)}"
        if most is not None and len(both) > most:
            yield f"  ... and {len(both) - most} more (--most)"


def _told_line(told: Told) -> str:
    return f"{time_text(told.at_us)}  {clean(f'{told.what}  {told.subject}')}  {told.key[1]}"


def _made_json(head: Head, replayed: Replayed, most: int | None) -> str:
    counts = Counter((told.rule, told.what) for told in replayed.told())
    document = {
        "recording": head._asdict(),
        "window": {"from_us": head.from_us, "to_us": head.to_us},
        "batches": head.batches,
        "counts": [{"rule": rule, "what": what, "count": count} for (rule, what), count in sorted(counts.items())],
        "events": replayed.events[:most],
        "alarms": replayed.alarms[:most],
    }
    return msgspec.json.encode(document).decode()


def _made(head: Head, replayed: Replayed) -> Iterator[str]:
    yield from head_lines(head)
    counts = Counter((told.rule, told.what) for told in replayed.told())
    for (rule, what), count in sorted(counts.items()):
        yield f"  {count:>8}  {rule}: {what}"
    lines = [(each.at_us, each.id, outcome_line(each)) for each in replayed.events]
    lines += [(each.at_us, each.id, outcome_line(each)) for each in replayed.alarms]
    yield from (line for _, _, line in sorted(lines))


def _as_json(head: Head, different: Difference, most: int | None) -> dict[str, object]:
    made = {rule: [each for each in different.made_now if each.rule == rule] for rule in different.rules}
    missing = {rule: [each for each in different.missing_now if each.rule == rule] for rule in different.rules}
    return {
        "recording": head._asdict(),
        "window": {"from_us": head.from_us, "to_us": head.to_us},
        "is_same": not different.made_now and not different.missing_now,
        "rules": {
            rule: {
                "same": different.same[rule],
                "made_now_count": len(made[rule]),
                "missing_now_count": len(missing[rule]),
                "made_now": [each.as_json() for each in made[rule][:most]],
                "missing_now": [each.as_json() for each in missing[rule][:most]],
            }
            for rule in different.rules
        },
    }
