"""`rules trace ID`, or `--rule NAME --about SUBJECT --at TIME`: why something was made, or why it was not."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.config import ConfigError
from gateway.config.models import SiteFile
from gateway.contract.events import Alarm, Event
from gateway.event_span import EventSpan
from gateway.recording import RecordingError
from gateway.where import time_text
from rules.commands.recordings import (
    LOOK_BACK,
    SETTLE_US,
    Opened,
    add_recording,
    event_directory,
    head,
    head_lines,
    opened,
)
from rules.commands.saying import EX_CONFIG, EX_NO, complain, default_config, say
from rules.commands.times import a_duration, a_time, at
from rules.expansion import load_as_run
from rules.explaining.line import Line, written
from rules.explaining.replay import Window
from rules.explaining.trace_lines import title
from rules.explaining.trace_text import TraceText
from rules.explaining.tracing import Tracer
from rules.testing.workbench import Workbench, of_site

WITHIN: Final = "60s"


class Asked(NamedTuple):
    """What is asked. `told`: what the event journal has of an id; rule, about: what to look at."""

    told: Event | Alarm | None
    rule: str | None
    about: str
    at_us: int


class Kind(StrEnum):
    """What the answer is: it was made, and why; it happened and does not in the replay; or what a rule did."""

    MADE = "made"
    NOT_AGAIN = "not_again"
    HISTORY = "history"


class Answer(NamedTuple):
    """The answer; of a history, nothing is `told`."""

    kind: Kind
    told: Event | Alarm | None
    lines: Iterable[Line]


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="of an event or alarm, as the console and events show it")
    parser.add_argument("--rule", metavar="NAME", help="why this rule did what it did, or nothing,")
    parser.add_argument("--about", metavar="SUBJECT", help="... about this EPC, card, meter, device, name or key,")
    parser.add_argument("--at", type=a_time, metavar="TIME", help="... at this time (default: end of the recording)")
    parser.add_argument(
        "--within",
        type=a_duration,
        default=a_duration(WITHIN),
        metavar="TIME",
        help=f"so long before and after it (default: {WITHIN})",
    )
    parser.add_argument(
        "--look-back",
        type=a_duration,
        default=a_duration(LOOK_BACK),
        metavar="TIME",
        help=f"replay so long before, to know what was under way (default: {LOOK_BACK})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document, with every raw item that it rests on")
    parser.add_argument("--all", action="store_true", help="fold nothing that is alike, and leave no line out")
    parser.add_argument(
        "--config", type=Path, default=default_config(), metavar="FILE", help="the site file (default: %(default)s)"
    )
    add_recording(parser)


def run(options: argparse.Namespace) -> int:
    """Trace."""
    if (options.id is None) == (options.rule is None or options.about is None):
        complain(["give the ID of an event or alarm, or else --rule and --about"])
        return 2
    try:
        site = load_as_run(options.config)
        found = opened(options, site)
        bench = of_site(site)
    except ConfigError as error:
        complain(str(error).splitlines())
        return EX_CONFIG
    except RecordingError as error:
        complain([str(error)])
        return EX_NO
    try:
        asked = _asked(options, site, found)
        if isinstance(asked, str):
            complain([asked])
            return EX_NO
        return _traced(options, bench, found, asked)
    finally:
        bench.close()


def _asked(options: argparse.Namespace, site: SiteFile, found: Opened) -> Asked | str:
    """What is asked, or why that cannot be answered."""
    at_us = at(options.at, found.span.last_us, found.span.last_us)
    if options.id is None:
        if all(rule.name != options.rule for rule in site.rule):
            return (
                f"no rule is named {options.rule!r}; there are: {', '.join(rule.name for rule in site.rule) or 'none'}"
            )
        return Asked(None, options.rule, options.about, at_us)
    directory = event_directory(options, site)
    journal = EventSpan(directory)
    told = journal.event(options.id) or journal.alarm(options.id, None if options.at is None else at_us)
    if told is None:
        return f"{options.id}: neither an event nor an alarm of {directory} has this id; ask with --rule and --about"
    return Asked(told, told.rule, told.subject, told.at_us)


def _traced(options: argparse.Namespace, bench: Workbench, found: Opened, asked: Asked) -> int:
    from_us, to_us = asked.at_us - options.within, asked.at_us + options.within + 1
    last_us = asked.at_us + SETTLE_US if asked.told is not None else to_us
    window = Window(from_us - options.look_back, from_us, to_us, last_us)
    tracer = Tracer(bench, asked.rule, [asked.about])
    batches = 0
    for batch in found.recording.batches(window.read_from_us, window.read_to_us):
        tracer.step(batch)
        batches += 1
    text = TraceText(bench.site, tracer.trace, tracer.rules, found.recording, is_all=options.all)
    answer = _answer(tracer, asked, text, from_us, to_us)
    lines = list(answer.lines)  # which reads the recording: what is damaged is known behind it
    if options.json:
        document = _as_json(tracer, asked, text, answer._replace(lines=lines))
        say([msgspec.json.encode(document | {"recording": head(found, window, batches)._asdict()}).decode()])
    else:
        say(head_lines(head(found, window, batches)))
        say(written(lines))
    return EX_NO if answer.kind is Kind.NOT_AGAIN else 0


def _answer(tracer: Tracer, asked: Asked, text: TraceText, from_us: int, to_us: int) -> Answer:
    if asked.told is None:
        return Answer(Kind.HISTORY, None, text.why_not(tracer.rules[0], tracer.about, from_us, to_us))
    outcomes = [each.told for each in tracer.trace.outcomes()]
    same = [each for each in outcomes if each.id == asked.told.id and _is_same(each, asked)]
    if same:
        return Answer(Kind.MADE, same[-1], text.why(same[-1]))
    return Answer(Kind.NOT_AGAIN, asked.told, _not_again(tracer, asked, text, from_us, to_us))


def _as_json(tracer: Tracer, asked: Asked, text: TraceText, answer: Answer) -> dict[str, Any]:
    """The answer for programs: its lines are those that people read."""
    told = answer.told
    lines = [line.as_json() for line in answer.lines]
    resting = None if told is None else text.rests_on(told)
    return {
        "answer": answer.kind.value,
        "title": lines[0]["text"],
        "kind": None if told is None else "alarm" if isinstance(told, Alarm) else "event",
        "told": told,
        "rule": asked.rule,
        "rules": [{"name": rule.name, "shape": rule.shape} for rule in tracer.rules],
        "about": sorted(tracer.about),
        "at_us": asked.at_us,
        "lines": lines,
        "rests_on": [] if resting is None else resting.items,
        "rests_on_left_out": 0 if resting is None else resting.left_out,
    }


def _is_same(told: Event | Alarm, asked: Asked) -> bool:
    if isinstance(told, Alarm) and isinstance(asked.told, Alarm):
        return told.state == asked.told.state and told.since_us == asked.told.since_us
    return isinstance(told, Event) == isinstance(asked.told, Event)


def _not_again(tracer: Tracer, asked: Asked, text: TraceText, from_us: int, to_us: int) -> Iterator[Line]:
    """It happened, and does not when it is replayed: the rule was another then, or what it rests on is older."""
    assert asked.told is not None  # who calls has seen to it
    yield Line("title", title(asked.told))
    why = (
        f"happened at {time_text(asked.at_us)}, and does not happen in the replay: the rule was another then, or it "
        "rests on what came before the part that was replayed (--look-back)"
    )
    yield Line("note", why)
    yield from text.as_told(asked.told)
    if tracer.rules:
        yield from text.why_not(tracer.rules[0], tracer.about, from_us, to_us)
