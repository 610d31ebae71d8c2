"""Commands on alarms: which stand, and what a person does about one."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_UNAVAILABLE, ConfigOption, app
from gateway.cli.person import KeyOption, key_of_person

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.contract.alarm_orders import Action
    from gateway.contract.events import Alarm

EX_UNKNOWN: Final = 75  # sysexits.h, temporary failure: look again
EX_REFUSED: Final = 77  # sysexits.h, permission denied
LINE_MOST: Final = 600

alarms = typer.Typer(
    name="alarms",
    help="See the alarms that stand, and acknowledge, comment, escalate or clear one. Exit codes: 0 done; 69 the "
    "broker is away; 75 no outcome came, look at `alarms list`; 77 refused, nothing was done.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(alarms)

AlarmArgument = Annotated[str, typer.Argument(metavar="ID", help="The alarm, as `alarms list` shows it.")]
PersonOption = Annotated[
    str, typer.Option("--by", "--as", metavar="NAME", envvar="TAGWHARF_PERSON", help="Who you are in the site file.")
]
CommentOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="For whoever looks at the alarm next; 500 characters at most.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, one alarm or outcome a line.")]


@alarms.command("list")
def list_alarms(*, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the alarms that stand, the loudest and then the oldest first."""
    import msgspec

    from gateway.config.load import load_site
    from gateway.control.alarm_client import standing
    from gateway.mqtt import BrokerError

    site = load_site(config)
    try:
        found = asyncio.run(standing(site.mqtt.of("operators"), site.site.name))
    except BrokerError as error:
        _leave(f"the broker does not answer: {error}", EX_UNAVAILABLE)
    for alarm in found.alarms:
        typer.echo(msgspec.json.encode(alarm).decode() if as_json else _line(alarm))
    if not found.is_daemon_online:
        typer.echo("the rules daemon is not there: this is how it left them", err=True)
    elif not found.alarms and not as_json:
        typer.echo("no alarm stands")


@alarms.command()
def acknowledge(
    *,
    alarm: AlarmArgument,
    person: PersonOption,
    comment: CommentOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say that you see to it: it does not escalate, and stays raised until its condition ends."""
    _order(config, person, key_file, "acknowledge", alarm, comment, as_json)


@alarms.command("comment")
def comment_on(
    *,
    alarm: AlarmArgument,
    person: PersonOption,
    comment: CommentOption,
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write something to it; it replaces the comment before."""
    _order(config, person, key_file, "comment", alarm, comment, as_json)


@alarms.command()
def escalate(
    *,
    alarm: AlarmArgument,
    person: PersonOption,
    comment: CommentOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make it one severity louder; it is acknowledged no longer, so that somebody else sees to it."""
    _order(config, person, key_file, "escalate", alarm, comment, as_json)


@alarms.command()
def clear(
    *,
    alarm: AlarmArgument,
    person: PersonOption,
    comment: CommentOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Clear a latched alarm whose condition has ended, or one of something that only happened."""
    _order(config, person, key_file, "clear", alarm, comment, as_json)


def _order(
    config: Path,
    person: str,
    key_file: Path | None,
    action: Action,
    alarm: str,
    comment: str,
    as_json: bool,  # noqa: FBT001  # called by the commands above, all in one form
) -> NoReturn:
    import msgspec

    from gateway.config.load import load_site
    from gateway.control.alarm_client import AlarmSender, make_order, send_order
    from gateway.logs import clean
    from gateway.mqtt import BrokerError

    site = load_site(config)
    sender = AlarmSender(site.site.name, person, key_of_person(site, person, key_file, "--by"))
    try:
        order = make_order(sender, action, alarm, time.time_ns() // 1_000, comment)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error), param_hint=action) from None
    try:
        found = asyncio.run(send_order(site.mqtt.of("operators"), sender, order))
    except BrokerError as error:
        _leave(f"the broker does not answer: {error}; whether the order arrived, `alarms list` shows", EX_UNAVAILABLE)
    outcome = found.outcome
    if outcome is None and found.unproven:
        text = (
            "something answers that does not have your key, so it may not be the rules daemon, or your key is not its"
        )
        _leave(f"{text}; it says: {clean(found.unproven)}", EX_UNKNOWN)
    if outcome is None:
        text = "no outcome came in time: is the rules daemon running, and may it read the topic? `alarms list` shows"
        _leave(f"{text} whether it was done", EX_UNKNOWN)
    code = f" ({outcome.code})" if outcome.code else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    said = clean(f"{outcome.state}{code}: {action} {alarm} by {person}{detail}", LINE_MOST)
    typer.echo(msgspec.json.encode(outcome).decode() if as_json else said)
    raise typer.Exit(0 if outcome.state == "done" else EX_REFUSED)


def _leave(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)


def _line(alarm: Alarm) -> str:
    """An alarm as people read it."""
    from gateway.logs import clean
    from gateway.where import time_text

    by = f" by {alarm.escalated_by}" if alarm.escalated_by else ""
    marks = "".join([f", escalated{by}" if alarm.escalated else "", ", ended" if alarm.ended else ""])
    parts = [
        f"{alarm.id}  {alarm.severity}{marks}  since {time_text(alarm.since_us)}  {alarm.rule} {alarm.subject}",
        alarm.message,
        f"acknowledged by {alarm.acknowledged_by}" if alarm.acknowledged_by else "not acknowledged",
        f"{alarm.comment_by}: {alarm.comment}" if alarm.comment else "",
    ]
    return clean("; ".join(part for part in parts if part), LINE_MOST)
