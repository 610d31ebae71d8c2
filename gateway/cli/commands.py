"""Commands to devices: arm, confirm, direct, cancel; what may be ordered; and the audit of it all."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_CONFIG, EX_NO, EX_UNAVAILABLE, ConfigOption, app
from gateway.cli.person import KeyOption, key_of_person

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import SiteFile
    from gateway.contract.commands import Kind, Outcome
    from gateway.control.audit import Head
    from gateway.control.client import Heard, Sender

EX_UNKNOWN: Final = 75  # sysexits.h, temporary failure: look again
EX_REFUSED: Final = 77  # sysexits.h, permission denied
_CODES: Final = {"armed": 0, "verified": 0, "cancelled": 0, "failed": EX_NO, "unknown": EX_UNKNOWN}

command = typer.Typer(
    name="command",
    help="Switch and set devices, in the ways that the site file allows. Exit codes: 0 done and read back (armed, "
    "cancelled); 1 failed, the device does not show it; 75 unknown, look at the device; 77 refused, nothing was sent.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(command)

DeviceArgument = Annotated[str, typer.Argument(help="The reader, meter or module.")]
PointArgument = Annotated[str, typer.Argument(help="The point of it, as `command list` shows.")]
ActionArgument = Annotated[str, typer.Argument(help="What to do: `trip`, `permit_close`, `on`, `pulse`, `set` ...")]
NonceArgument = Annotated[str, typer.Argument(help="What `arm` has told.")]
ValueOption = Annotated[str | None, typer.Option("--value", metavar="NUMBER", help="Of `set`, in the point's unit.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")]
PersonOption = Annotated[
    str, typer.Option("--as", metavar="NAME", envvar="TAGWHARF_PERSON", help="Who you are in the site file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, one outcome a line.")]


@command.command("list")
def list_points(*, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Tell what may be ordered, how and by whom."""
    site = _site(config)
    for rule in site.control.point:
        table = rule.model_dump(mode="json", exclude_defaults=True)
        if as_json:
            typer.echo(json.dumps(table, ensure_ascii=False))
            continue
        steps = "arm and confirm" if rule.two_steps else "one step"
        steps += ", by two people" if rule.second_person else ""
        typer.echo(f"{rule.device} {rule.point}: {', '.join(rule.actions)}; {steps}; by {', '.join(rule.roles)}")
        for text in rule.interlocks:
            typer.echo(f"    only while {text}")
        if rule.locked:
            typer.echo(f"    LOCKED: {rule.locked}")


@command.command()
def arm(
    *,
    device: DeviceArgument,
    point: PointArgument,
    action: ActionArgument,
    person: PersonOption,
    value: ValueOption = None,
    reason: ReasonOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prepare an order: tells what the device shows now, and the nonce to confirm it with. Nothing is sent yet."""
    heard = _order(config, person, key_file, "arm", device, point, as_json, action=action, value=value, reason=reason)
    outcome = heard.outcome
    if outcome is not None and outcome.nonce is not None and not as_json:
        words = ["tagwharf", "command", "confirm", device, point, action, outcome.nonce]
        words += ["--value", value] if value is not None else []
        typer.echo(f"to let it go: {shlex.join([*words, '--as', '...' if _needs_other(config, outcome) else person])}")
    _leave(heard, is_order=False)


@command.command()
def confirm(
    *,
    device: DeviceArgument,
    point: PointArgument,
    action: ActionArgument,
    nonce: NonceArgument,
    person: PersonOption,
    value: ValueOption = None,
    reason: ReasonOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let an armed order go: one attempt, then what the device shows of it."""
    more = {"action": action, "value": value, "reason": reason, "nonce": nonce}
    _leave(_order(config, person, key_file, "confirm", device, point, as_json, **more))


@command.command()
def direct(
    *,
    device: DeviceArgument,
    point: PointArgument,
    action: ActionArgument,
    person: PersonOption,
    value: ValueOption = None,
    reason: ReasonOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Do it in one step, where the site file allows that: a barrier, a light."""
    more = {"action": action, "value": value, "reason": reason}
    _leave(_order(config, person, key_file, "direct", device, point, as_json, **more))


@command.command()
def cancel(
    *,
    device: DeviceArgument,
    point: PointArgument,
    nonce: NonceArgument,
    person: PersonOption,
    reason: ReasonOption = "",
    key_file: KeyOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take back what was armed."""
    heard = _order(config, person, key_file, "cancel", device, point, as_json, reason=reason, nonce=nonce)
    _leave(heard, is_order=False)


@command.command()
def audit(
    *,
    only_verify: Annotated[bool, typer.Option("--verify", help="Go through the whole chain of hashes.")] = False,
    receipt: Annotated[
        list[str] | None,
        typer.Option("--receipt", metavar="SEQUENCE:HASH", help="What an outcome or the log told; it must be there."),
    ] = None,
    last: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="How many of the latest records.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show who ordered what and what became of it, or prove that nothing of it was changed."""
    import msgspec

    from gateway.config.load import load_site, state_directory
    from gateway.control.audit import AuditError, audit_directory, records, verify

    site = load_site(config)
    directory = audit_directory(state_directory(site), site.site.gateway)
    try:
        if only_verify:
            found = verify(directory, [_receipt(text) for text in receipt or []])
            typer.echo(
                "\n".join(found.faults) or f"sound: {found.records} records, {found.head.sequence}:{found.head.hash}"
            )
            raise typer.Exit(EX_NO if found.faults else 0)
        for record in records(directory, last):
            reason = record.command.reason if record.command else ""
            text = (
                msgspec.json.encode(record).decode()
                if as_json
                else f"{record.sequence} {_line(record.outcome, reason)}"
            )
            typer.echo(text)
    except AuditError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_NO) from None


def _order(
    config: Path,
    person: str,
    key_file: Path | None,
    kind: Kind,
    device: str,
    point: str,
    as_json: bool,  # noqa: FBT001  # called by the commands above, all in one form
    **more: str | None,
) -> Heard:
    import msgspec

    from gateway.control.client import ARM_WAIT_S, WAIT_S, make, send
    from gateway.mqtt import BrokerError

    site = _site(config)
    sender = _sender(site, person, key_file)
    if not any((rule.device, rule.point) == (device, point) for rule in site.control.point):
        known = ", ".join(f"{rule.device} {rule.point}" for rule in site.control.point) or "nothing"
        raise typer.BadParameter(
            f"{device} {point} is not in the allow list; it has {known}", param_hint="DEVICE POINT"
        )
    try:
        made = make(sender, kind, device, point, time.time_ns() // 1_000, **more)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"{error}", param_hint=kind) from None

    def told(outcome: Outcome) -> None:
        typer.echo(msgspec.json.encode(outcome).decode() if as_json else _line(outcome))

    within_s = WAIT_S if kind in ("confirm", "direct") else ARM_WAIT_S
    try:
        return asyncio.run(send(site.mqtt.of("operators"), sender, made, within_s=within_s, told=told))
    except BrokerError as error:
        typer.echo(f"the broker does not answer: {error}", err=True)
        if kind in ("arm", "cancel"):
            raise typer.Exit(EX_UNAVAILABLE) from None
        typer.echo(f"whether command {made.id} arrived is not known: see `tagwharf command audit`", err=True)
        raise typer.Exit(EX_UNKNOWN) from None


def _leave(heard: Heard, *, is_order: bool = True) -> None:
    """Leave with the code of the outcome; without one an order may have been carried out, arming has done nothing."""
    outcome = heard.outcome
    if outcome is None or outcome.state == "sending":
        if heard.unproven:
            text = "something answers that does not have your key, so it may not be the gateway, or your key is not its"
            typer.echo(f"{text}; it says: {_clean(heard.unproven)}", err=True)
        else:
            typer.echo("no outcome came in time: is the edge daemon running, and may it read the topic?", err=True)
        if not is_order:
            raise typer.Exit(EX_UNAVAILABLE)
        typer.echo("look at the device, and at `tagwharf command audit` on the gateway", err=True)
        raise typer.Exit(EX_UNKNOWN)
    raise typer.Exit(_CODES.get(outcome.state, EX_REFUSED))


def _site(config: Path) -> SiteFile:
    from gateway.config.load import load_site

    site = load_site(config)
    if not site.control.enabled:
        typer.echo(f"{config}: control is switched off; set [control] enabled = true to switch it on", err=True)
        raise typer.Exit(EX_CONFIG)
    return site


def _sender(site: SiteFile, name: str, key_file: Path | None) -> Sender:
    from gateway.control.client import Sender

    return Sender(site.site.name, site.site.gateway, name, key_of_person(site, name, key_file, "--as"))


def _needs_other(config: Path, outcome: Outcome) -> bool:
    rules = _site(config).control.point
    return any(rule.second_person for rule in rules if (rule.device, rule.point) == (outcome.device, outcome.point))


def _line(outcome: Outcome, reason: str = "") -> str:
    """An outcome as people read it."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(outcome.at_us / 1e6))
    what = " ".join(each for each in (outcome.device, outcome.point, outcome.action, outcome.value) if each)
    shows = ", ".join(f"{name} {_shown(value)}" for name, value in outcome.shows.items())
    parts = [f"{when} {outcome.state}: {what}"]
    parts += [f"by {outcome.by}" if outcome.by else "", f"because {reason}" if reason else ""]
    parts += [outcome.detail, f"it shows {shows}" if shows else "", f"nonce {outcome.nonce}" if outcome.nonce else ""]
    return _clean("; ".join(part for part in parts if part))


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clean(text: str) -> str:
    from gateway.logs import clean

    return clean(text, 2_000)


def _receipt(text: str) -> Head:
    from gateway.control.audit import head_of

    try:
        return head_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--receipt") from None
