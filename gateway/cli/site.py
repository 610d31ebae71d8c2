"""Commands on a site: its file, its ledger, its events, and the generated files of the source tree."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_CONFIG, EX_NO, EX_UNAVAILABLE, ConfigArgument, ConfigOption, app
from readers.errors import ConfigError

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import SiteFile


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
def ledger(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show where every read, reading and point is, and whether the sum comes out."""
    from gateway import ledger_report
    from gateway.config.load import load_site, state_directory
    from gateway.mqtt import BrokerError

    site = load_site(config)
    try:
        ledgers = asyncio.run(ledger_report.from_broker(site.site.name, site.mqtt.of("operators")))
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
