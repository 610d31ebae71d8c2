"""`tagwharf init` from the first question to what is to be done next.

    asked -> found -> planned -> shown -> agreed to -> done, the site file last

The site file is the last step, so that a run that was interrupted can be repeated: what is there already stays.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from gateway.config.load import load_site
from gateway.init import mosquitto, store
from gateway.init.answers import Answers, LineAnswers, Place, SearchAnswers, default_answers, load_answers
from gateway.init.devices import Devices, FoundReader, check_lines, readers_of
from gateway.init.finding import busy, find, recognise, told
from gateway.init.networks import searchable
from gateway.init.questions import Asker, ask, ask_line
from gateway.init.site_text import site_text
from gateway.init.steps import (
    CREDSTORE,
    PUBLIC,
    Root,
    State,
    Step,
    left,
    secret_in,
    write_new,
)
from readers.driver import Kind
from readers.errors import ConfigError

SITE_FILE: Final = "site.toml"
CARD_KEY: Final = "tagwharf.card-key"
_CARD_KEY_BYTES: Final = 32


class Outcome(Enum):
    """How it ended."""

    DONE = "done"
    DECLINED = "declined"


class ExistsError(Exception):
    """There is a site file already."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        directory: of the site file, on that machine. answers: a file; None to ask, or to take defaults.
        networks: to search, `[]` for none; None to ask, or as the answers say. agreed: carry out without asking.
    """

    root: Root
    directory: str
    answers: Path | None = None
    networks: Sequence[str] | None = None
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    steps: list[Step]
    text: str
    readers: list[FoundReader]
    devices: Devices


async def run(options: Options, asker: Asker, say: Callable[[str], None]) -> Outcome:
    """Do all of it.

    Raises:
        ExistsError: the site file is there. ConfigError: answers or options have faults. QuestionError: the answers
            ended. StepError, ServerError: a step failed; what was done before it stays, and may be repeated.
    """
    place = options.root.at(options.directory) / SITE_FILE
    if place.exists() or place.is_symlink():
        raise ExistsError(f"{place} is there and is never overwritten; choose another --directory, or move it away")
    answers = _answers(options, asker)
    devices = await find(options.root, answers.search, say)
    say("Found:")
    for line in told(devices):
        say(line)
    lines = await _lines(options, answers, devices, asker, say)
    plan = await _plan(options, answers, devices, lines)
    for line in _shown(plan, place):
        say(line)
    if not options.agreed and not asker.agrees("Do this?", default=True):
        return Outcome.DECLINED
    for step in plan.steps:
        if step.carry_out is not None:
            say(f"  {await step.carry_out()}")
    write_new(place, plan.text, PUBLIC, None)
    say(f"  written: {place}, checked")
    for line in _next(options, answers, plan):
        say(line)
    return Outcome.DONE


def _answers(options: Options, asker: Asker) -> Answers:
    if options.answers is not None:
        answers = load_answers(options.answers)
    elif options.agreed:
        answers = default_answers()
    else:
        answers = ask(asker, options.root.directory, options.networks)
    networks = answers.search.networks if options.networks is None else options.networks
    search = answers.search.model_dump() | {"networks": [str(searchable(each)) for each in networks]}
    if options.networks is not None and not options.networks:
        search["mdns"] = False  # --no-search: not a packet
    try:
        return answers.model_copy(update={"search": SearchAnswers.model_validate(search)})
    except ValidationError as error:
        raise ConfigError(f"{len(networks)} networks are too many; search 16 at a time") from error


async def _lines(
    options: Options, answers: Answers, devices: Devices, asker: Asker, say: Callable[[str], None]
) -> dict[str, LineAnswers]:
    """What hangs on which adapter: as answered, as recognised, or as a person says now."""
    check_lines(answers.line, devices.adapters)
    lines = {line.adapter: line for line in answers.line}
    for adapter in devices.adapters:
        if adapter.name in lines:
            continue
        if answers.search.try_lines:
            say(f"Trying drivers on {adapter.path} ...")
            driver = await recognise(adapter)
            say(f"  {f'{driver} answers' if driver else 'no RFID reader answers'}")
            if driver is not None:
                lines[adapter.name] = LineAnswers(adapter=adapter.name, driver=driver)
                continue
        if options.answers is None and not options.agreed:
            line = ask_line(asker, adapter)
            if line is not None:
                lines[adapter.name] = line
    return lines


async def _plan(options: Options, answers: Answers, devices: Devices, lines: dict[str, LineAnswers]) -> Plan:
    readers = readers_of(devices, lines, [answers.site.gateway])
    steps, user = _broker(options.root, answers)
    stores = await store.plan(options.root, answers.store)
    steps += stores.steps
    if any(each.kind is Kind.CARD for each in readers):
        steps.append(
            options.root.secret(CARD_KEY, "the key that names cards", lambda: secrets.token_hex(_CARD_KEY_BYTES))
        )
    text = site_text(answers, user, stores.sink, readers)
    _check(text)
    return Plan(steps, text, readers, devices)


def _broker(root: Root, answers: Answers) -> tuple[list[Step], str | None]:
    if answers.broker.where is Place.HERE:
        plan = mosquitto.plan(root, answers.site.name, answers.broker.port)
        return plan.steps, plan.user
    file = answers.broker.password_file
    if answers.broker.user is None:
        return [], None
    if file is None:
        text = f"the password of {answers.broker.user} at the broker: put it into {CREDSTORE}/{mosquitto.CREDENTIAL}"
        return [left(text)], answers.broker.user
    password = secret_in(file)
    what = f"the password of {answers.broker.user} at the broker, from {file}"
    return [root.secret(mosquitto.CREDENTIAL, what, lambda: password)], answers.broker.user


def _shown(plan: Plan, place: Path) -> list[str]:
    words = {State.TO_DO: "will", State.DONE: "is so", State.LEFT: "by hand"}
    lines = ["The plan:"]
    lines += [f"  {words[step.state]:<8} {step.what}" for step in plan.steps]
    if any(step.state is State.LEFT for step in plan.steps):
        lines.append("  (do what is by hand first, and run this again: once there is a site file, it writes nothing)")
    ready = sum(each.is_ready for each in plan.readers)
    lines.append(
        f"  {words[State.TO_DO]:<8} write {place}: {ready} readers switched on, "
        f"{len(plan.readers) - ready} to be completed by hand"
    )
    return lines


def _check(text: str) -> None:
    """Check the site file as the daemons will, before anything is done.

    Raises:
        ConfigError: it has faults.
    """
    with tempfile.TemporaryDirectory(prefix="tagwharf-init-") as directory:
        tried = Path(directory) / SITE_FILE
        tried.write_text(text)
        load_site(tried)


def _next(options: Options, answers: Answers, plan: Plan) -> list[str]:
    """What a person does now, in order."""
    file = f"{options.directory.rstrip('/')}/{SITE_FILE}"
    config = "" if file == "/etc/tagwharf/site.toml" else f" --config {file}"
    todo = [step.what for step in plan.steps if step.state is State.LEFT]
    todo += [f"another client has the reader at {each}: stop that client first" for each in busy(plan.devices)]
    if not all(each.is_ready for each in plan.readers):
        todo.append(f"complete the readers in {file} that begin with #, then: tagwharf check {file}")
    if any(each.port.startswith("/dev/") for each in plan.readers):
        todo.append("give the edge daemon its serial lines: docs/how-to/systemd.md, section Serial lines")
    if any(each.is_ready for each in plan.readers):
        todo.append(f"talk to each reader once, before the gateway does: tagwharf probe{config}")
    restarts = "systemctl daemon-reload" if any("influxdb.service.d" in step.what for step in plan.steps) else ""
    servers = ["mosquitto"] if answers.broker.where is Place.HERE and mosquitto.is_installed(options.root) else []
    servers += ["influxdb"] if restarts else []
    if servers:
        todo.append(f"{restarts}{' && ' if restarts else ''}systemctl restart {' '.join(servers)}")
    todo += [
        "systemctl enable --now tagwharf-edge tagwharf-rules tagwharf-console",
        f"see that nothing is lost: tagwharf ledger{config}; the console is at http://127.0.0.1:8680/",
    ]
    return ["Next:", *(f"  {number}. {line}" for number, line in enumerate(todo, start=1))]
