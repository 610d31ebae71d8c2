"""The command `tagwharf`. Commands import what they need when they run, so that `check` and `--help` start at once.

Exit codes: 0 well; 1 the answer is no (not balanced, nothing found, not current, a reader does not answer);
2 wrong use; 69 the broker cannot be reached; 74 a file cannot be written; 78 the site file has faults; 130 interrupted.
"""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from readers.errors import ConfigError, LinkError

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import Reader, SiteFile
    from gateway.probe import Findings

EX_NO: Final = 1
EX_UNAVAILABLE: Final = 69  # sysexits.h
EX_IOERR: Final = 74
EX_CONFIG: Final = 78
EX_INTERRUPTED: Final = 130
DEFAULT_CONFIG: Final = Path("/etc/tagwharf/site.toml")
DAEMONS: Final = {
    "edge": ("gateway.edge", "--config"),
    "rules": ("rules", "run", "--config"),
    "console": ("gateway.console", "--config"),
}

app = typer.Typer(
    name="tagwharf",
    help="RFID and IoT sensing gateway for ports and factories.",
    epilog="Exit codes: 0 well; 1 the answer is no; 2 wrong use; 69 the broker is away; 74 a file cannot be written; "
    "78 the site file has faults; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="[FILE]", envvar="TAGWHARF_CONFIG", help="The site file.", show_default=True)
]
ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar="TAGWHARF_CONFIG", help="The site file.", show_default=True)
]
DurationOption = Annotated[
    str, typer.Option("--for", metavar="TIME", help="How long: 30s, 5m, 1.5h.", show_default=True)
]


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    try:
        sys.exit(app())
    except ConfigError as error:
        typer.echo(str(error), err=True)
        sys.exit(EX_CONFIG)
    except KeyboardInterrupt:
        sys.exit(EX_INTERRUPTED)


@app.callback(invoke_without_command=True)
def _version(*, show: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if show:
        typer.echo(f"tagwharf {version('tagwharf')}")
        raise typer.Exit


@app.command()
def check(file: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Tell all faults of a site file, one line each, without starting anything."""
    from gateway.config.load import load_site, warnings

    try:
        site = load_site(file)
    except ConfigError as error:
        lines = str(error).splitlines()
        typer.echo("\n".join(lines))
        typer.echo(f"{len(lines)} fault{'' if len(lines) == 1 else 's'}; nothing was started", err=True)
        raise typer.Exit(EX_CONFIG) from None
    for warning in warnings(site):
        typer.echo(f"{file}: warning: {warning}")
    typer.echo(f"{file}: ok: {_summary(site)}")


@app.command()
def run(
    daemon: Annotated[str, typer.Argument(metavar="edge|rules|console", help="Which daemon.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run one daemon in this process until it is stopped."""
    if daemon not in DAEMONS:
        raise typer.BadParameter(f"{daemon!r} is no daemon; choose edge, rules or console", param_hint="DAEMON")
    module, *arguments = DAEMONS[daemon]
    _become(module, *arguments, str(config))


@app.command()
def drivers() -> None:
    """List the drivers that are installed."""
    from rich.console import Console
    from rich.table import Table

    from readers import registry

    table = Table(box=None, pad_edge=False)
    for column in ("driver", "kind", "links", "what"):
        table.add_column(column, overflow="fold")
    for spec in registry.drivers().values():
        links = [
            *([f"serial {spec.line.baud} baud"] if spec.line else []),
            *([f"tcp {spec.tcp_port}"] if spec.tcp_port else []),
            *([f"tls {spec.tls_port}"] if spec.tls_port else []),
        ]
        table.add_row(spec.name, spec.kind.value, ", ".join(links), spec.summary)
    Console().print(table)


@app.command()
def probe(
    reader: Annotated[str | None, typer.Argument(help="Name of the reader; all readers when absent.")] = None,
    duration: DurationOption = "5s",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Talk to each reader once, and tell who it is, what it hears and what troubles it."""
    from gateway.config.load import load_site
    from gateway.probe import probe as probe_reader

    site = load_site(config)
    chosen = [_reader(site, reader)] if reader is not None else site.reader
    if not chosen:
        typer.echo(f"{config}: there is no [[reader]] to probe", err=True)
        raise typer.Exit(EX_NO)
    duration_s = _seconds(duration)

    async def all_of_them() -> list[Findings]:
        return await asyncio.gather(*(probe_reader(each, duration_s) for each in chosen))

    found = asyncio.run(all_of_them())
    for findings in found:
        typer.echo("\n".join(findings.lines()))
    if not all(findings.fine for findings in found):
        raise typer.Exit(EX_NO)


@app.command()
def record(
    reader: Annotated[str, typer.Argument(help="Name of the reader.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write; must not exist.")],
    duration: DurationOption = "30s",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a live conversation with a reader to a file: a bug report that is a test."""
    from gateway.config.load import load_site
    from gateway.probe import record as record_reader

    if to.exists():
        raise typer.BadParameter(f"{to} exists; name a new file", param_hint="--to")
    chosen = _reader(load_site(config), reader)
    try:
        findings = asyncio.run(record_reader(chosen, _seconds(duration), to))
    except (LinkError, TimeoutError) as error:
        typer.echo(f"{reader}: {str(error) or 'did not open in time'}; check address, cable and power", err=True)
        raise typer.Exit(EX_NO) from None
    except OSError as error:
        typer.echo(f"{to}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EX_IOERR) from None
    typer.echo("\n".join(findings.lines()))
    typer.echo(f"written to {to}; it holds what tags and meters said: look through it before you pass it on")
    if findings.trouble is not None:
        raise typer.Exit(EX_NO)


@app.command()
def ledger(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show where every read, reading and point is, and whether the sum comes out."""
    from gateway import ledger_report
    from gateway.config.load import load_site, state_directory
    from gateway.mqtt import BrokerError

    site = load_site(config)
    try:
        ledgers = asyncio.run(ledger_report.from_broker(site.site.name, site.mqtt))
    except BrokerError as error:
        typer.echo(f"the broker does not answer: {error}", err=True)
        ledgers = ledger_report.from_directory(state_directory(site))
        if not ledgers.edges and ledgers.rules is None and not ledgers.unreadable:
            typer.echo(f"and there is no ledger in {state_directory(site)}", err=True)
            raise typer.Exit(EX_UNAVAILABLE) from None
    typer.echo("\n".join(ledgers.lines(time.time_ns() // 1_000)))
    if not ledgers.balanced:
        raise typer.Exit(EX_NO)


@app.command()
def where(
    epc_or_name: Annotated[str, typer.Argument(help="An EPC in hex, or a name of the assets file.")],
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=100_000, help="How many events at most, newest first.")
    ] = 1_000,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Tell where a tag was, from the event journal."""
    from gateway.config.load import load_site
    from gateway.where import where_text

    text, found = where_text(_event_directory(load_site(config)), epc_or_name, limit)
    typer.echo(text)
    if not found:
        raise typer.Exit(EX_NO)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Play a scenario with simulated devices: `tagwharf simulate SCENARIO ...`, `simulate --help` for its options."""
    _become("simulator", *context.args)


@app.command()
def demo(
    scenario: Annotated[str, typer.Argument(help="What the simulator plays.")] = "port_gate",
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End after this time; run until Ctrl-C when absent.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JSON report at the end.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the simulator; the same seed plays the same world.")] = 7,
    broker: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real broker.")] = None,
    influx: Annotated[
        str | None, typer.Option(metavar="URL", help="A real InfluxDB or VictoriaMetrics; token in INFLUX_TOKEN.")
    ] = None,
    influx_bucket: Annotated[str, typer.Option(metavar="NAME", help="Bucket of --influx.")] = "tagwharf",
    influx_org: Annotated[str, typer.Option(metavar="NAME", help="Organisation of --influx.")] = "tagwharf",
    console_port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of the web console.")] = 8680,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep logs, journals and truth here.")] = None,
) -> None:
    """Run the whole product on simulated devices, on this machine alone."""
    from gateway.demo.run import DemoSettings
    from gateway.demo.run import run as run_demo

    settings = DemoSettings(
        scenario=scenario,
        duration_s=None if duration is None else _seconds(duration),
        report=report,
        seed=seed,
        broker=broker,
        influx=influx,
        influx_bucket=influx_bucket,
        influx_org=influx_org,
        console_port=console_port,
        keep=keep,
    )
    raise typer.Exit(run_demo(settings))


@app.command()
def generate(
    *, only_check: Annotated[bool, typer.Option("--check", help="Change nothing; name what is not current.")] = False
) -> None:
    """Write the generated files of the source tree: schemas, reference pages, the sample site file."""
    from gateway.generate import documents, outdated, source_tree, write

    root = source_tree()
    stale = outdated(root, documents(app))
    if only_check and stale:
        typer.echo("\n".join(f"not current: {path}" for path in stale))
        typer.echo("run `tagwharf generate` and commit what it writes", err=True)
        raise typer.Exit(EX_NO)
    if not only_check:
        write(root, documents(app), stale)
        typer.echo("\n".join(f"written: {path}" for path in stale) or "everything is current")


def _become(module: str, *arguments: str) -> NoReturn:
    """Replace this process, so that signals, standard streams and systemd's main process id stay with it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606  # no shell is wanted


def _reader(site: SiteFile, name: str) -> Reader:
    from gateway.config.phrases import nearest

    for each in site.reader:
        if each.name == name:
            return each
    names = [each.name for each in site.reader]
    known = f"known: {', '.join(names)}" if names else "the site file has none"
    raise typer.BadParameter(f"no reader is named {name!r}{nearest(name, names)}; {known}", param_hint="READER")


def _seconds(text: str) -> float:
    from gateway.durations import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None


def _summary(site: SiteFile) -> str:
    from collections import Counter

    by_driver = Counter(reader.driver for reader in site.reader)
    readers = ", ".join(f"{count} {driver}" for driver, count in sorted(by_driver.items())) or "none"
    return (
        f"site {site.site.name}, gateway {site.site.gateway}; readers: {readers}; zones {len(site.zone)}, portals "
        f"{len(site.portal)}, rules {len(site.rule)}; sinks: {', '.join(sink.name for sink in site.sink) or 'none'}"
    )


def _event_directory(site: SiteFile) -> Path:
    from gateway.config.load import state_directory
    from gateway.config.models import JournalSink

    for sink in site.sink:
        if isinstance(sink, JournalSink) and sink.directory is not None:
            return sink.directory
    return state_directory(site) / "events"


if __name__ == "__main__":
    main()
