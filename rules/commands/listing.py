"""`rules list [FILE]`: every rule as it runs, those of packs among them, and where each comes from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from gateway.config import ConfigError
from gateway.config.rules import AlarmSettings, Outcome, Rule
from gateway.logs import clean
from rules.anatomy import inputs, makes
from rules.commands.saying import EX_CONFIG, add_site_file, complain, say, site_file
from rules.expansion import load_as_run
from rules.explaining.origins import Origin, origins
from rules.explaining.rule_toml import rule_toml


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_site_file(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--toml", action="store_true", help="as a rule file that makes the same rules without packs")


def run(options: argparse.Namespace) -> int:
    """List."""
    path = site_file(options)
    try:
        site = load_as_run(path)
        found = origins(path)
    except ConfigError as error:
        complain(str(error).splitlines())
        return EX_CONFIG
    told = [described(rule, found[rule.name]) for rule in site.rule]
    if options.json:
        say([json.dumps({"site": site.site.name, "rules": told}, ensure_ascii=False)])
    elif options.toml:
        say(f"# {found[each['name']].text()}\n{each['toml']}" for each in told)
    else:
        for each in told:
            say(_lines(each, found[each["name"]]))
        if not told:
            say([f"{path}: no rules"])
    return 0


def described(rule: Rule, origin: Origin) -> dict[str, Any]:
    """A rule for programs: what it takes, makes and raises, and its text."""
    return {
        "name": rule.name,
        "shape": rule.shape,
        "from": origin._asdict(),
        "takes": [
            {"place": place, "on": source.on, "when": source.when, "key": source.key} for place, source in inputs(rule)
        ],
        "makes": [{"place": place, "type": kind} for place, kind in makes(rule)],
        "alarms": [
            {"place": place, **alarm.model_dump(mode="json"), "message": alarm.message or rule.name}
            for place, alarm in _alarms(rule)
        ],
        "looks_up": {alias: each.table for alias, each in rule.lookup.items()},
        "during": rule.during,
        "toml": rule_toml(rule),
    }


def _alarms(rule: Rule) -> Iterator[tuple[str, AlarmSettings]]:
    if rule.alarm is not None:
        yield "alarm", rule.alarm
    for name, value in rule:
        if isinstance(value, Outcome) and value.alarm is not None:
            yield f"{name}.alarm", value.alarm


def _lines(told: dict[str, Any], origin: Origin) -> Iterator[str]:
    yield f"{told['name']} ({told['shape']})  {clean(origin.text())}"
    for each in told["takes"]:
        place = f"{each['place']}: " if each["place"] else ""
        when = "" if each["when"] == "true" else f" when {each['when']}"
        yield clean(f"  takes  {place}{each['on']}{when}")
    for each in told["makes"]:
        yield f"  makes  {each['type']}"
    for each in told["alarms"]:
        latched = ", latched" if each["latch"] else ""
        yield clean(f"  alarm  {each['severity']}{latched}: {each['message']}")
