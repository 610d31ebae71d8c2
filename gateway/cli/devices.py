"""Commands that look at devices: which drivers there are, who answers, what was said, how well a gate reads."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_IOERR, EX_NO, ConfigOption, DurationOption, app, find_reader, seconds_of
from readers.errors import LinkError

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.commissioning.probe import Findings


@app.command()
def probe(
    reader: Annotated[str | None, typer.Argument(help="Name of the reader; all readers when absent.")] = None,
    duration: DurationOption = "5s",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Talk to each reader once, and tell who it is, what it hears and what troubles it."""
    from gateway.commissioning.probe import probe as probe_reader
    from gateway.config.load import load_site
    from gateway.identity import identities_of

    site = load_site(config)
    chosen = [find_reader(site, reader)] if reader is not None else site.reader
    if not chosen:
        typer.echo(f"{config}: there is no [[reader]] to probe", err=True)
        raise typer.Exit(EX_NO)
    duration_s = seconds_of(duration)
    identities = identities_of(site.cards, is_key_needed=False)

    async def all_of_them() -> list[Findings]:
        return await asyncio.gather(*(probe_reader(each, duration_s, identities) for each in chosen))

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
    with_card_numbers: Annotated[  # noqa: FBT002  # an option of the command line
        bool, typer.Option("--with-card-numbers", help="For card readers: the file will hold the numbers in clear.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a live conversation with a reader to a file: a bug report that is a test."""
    from gateway.commissioning.probe import record as record_reader
    from gateway.config.load import load_site
    from gateway.identity import identities_of
    from readers import registry
    from readers.driver import Kind

    if to.exists():
        raise typer.BadParameter(f"{to} exists; name a new file", param_hint="--to")
    site = load_site(config)
    chosen = find_reader(site, reader)
    if registry.driver(chosen.driver).kind is Kind.CARD and not with_card_numbers:
        raise typer.BadParameter(
            f"{reader} reads cards: the file would hold their numbers, and what is typed, in clear; use cards that are "
            "nobody's, and say --with-card-numbers",
            param_hint="--with-card-numbers",
        )
    identities = identities_of(site.cards, is_key_needed=False)
    try:
        findings = asyncio.run(record_reader(chosen, seconds_of(duration), to, identities))
    except (LinkError, TimeoutError) as error:
        typer.echo(f"{reader}: {str(error) or 'did not open in time'}; check address, cable and power", err=True)
        raise typer.Exit(EX_NO) from None
    except OSError as error:
        typer.echo(f"{to}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EX_IOERR) from None
    typer.echo("\n".join(findings.lines()))
    typer.echo(
        f"written to {to}; it holds all that was said, numbers of cards and passwords of tags included: "
        "look through it before you pass it on"
    )
    if findings.trouble is not None:
        raise typer.Exit(EX_NO)


@app.command()
def readers(
    *,
    name: Annotated[str | None, typer.Argument(metavar="[DRIVER]", help="One driver, with all its settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the JSON Schema of the settings.")] = False,
) -> None:
    """List the drivers that are installed: links, models and settings, one line of help each."""
    import json

    from gateway.commissioning.catalogue import as_lines, as_table, entries
    from readers.errors import ConfigError

    try:
        found = entries(name)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="DRIVER") from None
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif name is not None:
        typer.echo("\n".join(as_lines(found[0])))
    else:
        from rich.console import Console

        Console().print(as_table(found))


@app.command()
def walktest(
    reader: Annotated[str, typer.Argument(help="Name of the reader.")],
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long: 30s, 5m; until Ctrl-C when absent.")
    ] = None,
    epc: Annotated[str | None, typer.Option(metavar="HEX", help="Count this tag only.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the result: .json, or .md to print and sign.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show read rate and strength of each antenna live, while someone walks a tag through."""
    from gateway.commissioning.walk import walk
    from gateway.config.load import load_site
    from gateway.identity import identities_of

    if report is not None and report.suffix not in (".json", ".md"):
        raise typer.BadParameter(f"{report}: name a file that ends in .json or .md", param_hint="--report")
    if report is not None and report.exists():
        raise typer.BadParameter(f"{report} exists; name a new file", param_hint="--report")
    try:
        only = None if epc is None else bytes.fromhex(epc)
    except ValueError:
        raise typer.BadParameter(f"{epc!r} is no EPC in hex", param_hint="--epc") from None
    site = load_site(config)
    chosen = find_reader(site, reader)
    identities = identities_of(site.cards, is_key_needed=False)
    seconds = None if duration is None else seconds_of(duration)
    try:
        fine = walk(chosen, seconds, only, report, identities=identities)
    except OSError as error:
        typer.echo(f"{report}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EX_IOERR) from None
    if not fine:
        raise typer.Exit(EX_NO)
